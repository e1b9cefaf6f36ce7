//! The table that `bench fanout` prints.

use std::time::Duration;

use comfy_table::{Table, presets};
use hdrhistogram::Histogram;

use super::arrivals::Arrivals;
use super::child::Usage;
use super::load::Counts;
use crate::cli::Row;

/// What one row measured.
pub(super) struct Figures {
    pub(super) row: Row,
    /// Share of clients that read nothing.
    pub(super) stalled: f64,
    /// Clients connected.
    pub(super) connected: usize,
    /// Clients that read.
    pub(super) clients: usize,
    /// The server before the first client,
    pub(super) empty: Usage,
    /// with all clients and no traffic,
    pub(super) idle: Usage,
    /// shortly after traffic began,
    pub(super) early: Usage,
    /// and at the end.
    pub(super) late: Usage,
    pub(super) counts: Counts,
    pub(super) arrivals: Arrivals,
    pub(super) first_fault: Option<String>,
}

impl Figures {
    /// Whether anything was not as promised.
    pub(super) fn has_faults(&self) -> bool {
        let counts = &self.counts;
        counts.lost + counts.faults.sum() + self.arrivals.unstamped > 0 || counts.deliveries == 0
    }

    fn micros_per_delivery(&self) -> f64 {
        let cpu = self.late.cpu.saturating_sub(self.idle.cpu);
        cpu.as_secs_f64() * 1e6 / self.counts.deliveries.max(1) as f64
    }

    fn seconds(&self) -> f64 {
        Duration::from_micros(self.late.at_micros.saturating_sub(self.idle.at_micros)).as_secs_f64()
    }

    fn bytes_per_client_second(&self) -> f64 {
        self.counts.bytes as f64 / self.clients.max(1) as f64 / self.seconds().max(f64::MIN_POSITIVE)
    }

    /// Memory a client costs, in KB.
    fn kilobytes_per_client(&self, then: Usage) -> f64 {
        then.rss_bytes.saturating_sub(self.empty.rss_bytes) as f64 / 1_024.0 / self.connected.max(1) as f64
    }
}

/// A row's name in the table.
pub(super) fn name(row: Row, stalled: f64) -> String {
    let name = match row {
        Row::Floor => "floor: one write(2) loop",
        Row::Nchan => "nchan",
        Row::Json => "json",
        Row::JsonDeflated => "json, deflated",
        Row::Delta => "json delta",
        Row::DeltaDeflated => "json delta, deflated",
        Row::Binary => "binary",
        Row::BinaryDelta => "binary delta",
    };
    if stalled > 0.0 { format!("{name}, {:.0} % stalled", stalled * 100.0) } else { name.to_owned() }
}

/// One line a row.
pub(super) fn table(figures: &[Figures]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "server",
        "clients",
        "delivered",
        "latency ms p50 / p95 / p99 / max",
        "spread ms p50 / p99",
        "B/s a client",
        "CPU us a delivery",
        "x floor",
        "KB a client idle / after",
        "lost / gaps / wrong",
    ]);
    let floor = figures.iter().find(|row| row.row == Row::Floor).map(Figures::micros_per_delivery);
    for row in figures {
        let (latency, spread) = (&row.arrivals.latency, &row.arrivals.spread);
        let (counts, faults) = (&row.counts, &row.counts.faults);
        table.add_row([
            name(row.row, row.stalled),
            row.clients.to_string(),
            counts.deliveries.to_string(),
            format!(
                "{} / {} / {} / {}",
                ms(latency, 0.50),
                ms(latency, 0.95),
                ms(latency, 0.99),
                ms(latency, 1.0)
            ),
            format!("{} / {}", ms(spread, 0.50), ms(spread, 0.99)),
            format!("{:.0}", row.bytes_per_client_second()),
            format!("{:.2}", row.micros_per_delivery()),
            floor.map_or_else(String::new, |floor| format!("{:.2}", row.micros_per_delivery() / floor)),
            format!("{:.1} / {:.1}", row.kilobytes_per_client(row.idle), row.kilobytes_per_client(row.late)),
            format!(
                "{} / {} / {}",
                counts.lost,
                faults.gaps,
                faults.sum() - faults.gaps + row.arrivals.unstamped
            ),
        ]);
    }
    table
}

fn ms(histogram: &Histogram<u64>, quantile: f64) -> String {
    format!("{:.1}", histogram.value_at_quantile(quantile) as f64 / 1e3)
}

/// What does not fit into a table: faults in words, and what stalled clients did to the others.
pub(super) fn remarks(figures: &[Figures]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in figures {
        let name = name(row.row, row.stalled);
        if row.has_faults() {
            let (counts, unstamped) = (&row.counts, row.arrivals.unstamped);
            let words = row.first_fault.as_deref().unwrap_or("nothing was delivered or stamped");
            lines.push(format!(
                "{name}: {} connections lost, {:?}, {unstamped} without stamp; first: {words}",
                counts.lost, counts.faults
            ));
        }
        if row.counts.warnings > 0 {
            lines.push(format!("{name}: the server warned {} times", row.counts.warnings));
        }
        let undisturbed = figures.iter().find(|other| other.row == row.row && other.stalled == 0.0);
        if let Some(undisturbed) = undisturbed.filter(|_| row.stalled > 0.0) {
            let p99 = |row: &Figures| row.arrivals.latency.value_at_quantile(0.99) as f64;
            let megabytes = |usage: Usage| usage.rss_bytes as f64 / f64::from(1 << 20);
            lines.push(format!(
                "{name}: p99 of the others is {:.2} of a run without; server {:.1} MB after {:.1} s, {:.1} MB at the end",
                p99(row) / p99(undisturbed).max(1.0),
                megabytes(row.early),
                Duration::from_micros(row.early.at_micros - row.idle.at_micros).as_secs_f64(),
                megabytes(row.late)
            ));
        }
    }
    lines
}
