//! The table that `liqheat-bench fanout` prints.
//!
//! Every row may have been measured in several rounds, each with processes and connections of its own. What is
//! printed is the median of the rounds; ratios are made within a round, between measurements a few seconds apart,
//! and their range is printed beside them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use comfy_table::{Table, presets};
use hdrhistogram::Histogram;

use super::arrivals::Arrivals;
use super::child::Usage;
use super::load::Counts;
use crate::cli::Row;
use liqheat_market::convert::approx_f64;

/// One row of the table, measured several times.
pub(super) struct Rounds {
    pub(super) row: Row,
    /// Share of clients that read nothing.
    pub(super) stalled: f64,
    /// By number of the round; a round in which a row could not be measured is missing.
    rounds: BTreeMap<usize, Figures>,
}

impl Rounds {
    pub(super) const fn new(row: Row, stalled: f64) -> Self {
        Self { row, stalled, rounds: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, round: usize, figures: Figures) {
        self.rounds.insert(round, figures);
    }

    /// The row's name in the table.
    pub(super) fn name(&self) -> String {
        let name = name(self.row);
        if self.stalled > 0.0 {
            format!("{name}, {:.0} % stalled", self.stalled * 100.0)
        } else {
            name.to_owned()
        }
    }

    fn median(&self, value: impl Fn(&Figures) -> f64) -> f64 {
        Spread::of(self.rounds.values().map(value).collect()).median
    }

    fn sum(&self, value: impl Fn(&Figures) -> u64) -> u64 {
        self.rounds.values().map(value).sum()
    }

    /// How a figure compares with that of another row in the same round.
    fn ratio(&self, to: &Self, value: impl Fn(&Figures) -> f64) -> Option<Spread> {
        let pairs = self.rounds.iter().filter_map(|(round, own)| Some((own, to.rounds.get(round)?)));
        let ratios: Vec<f64> =
            pairs.map(|(own, other)| value(own) / value(other).max(f64::MIN_POSITIVE)).collect();
        (!ratios.is_empty()).then(|| Spread::of(ratios))
    }
}

/// Several values of one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
    count: usize,
}

impl Spread {
    /// Of no values at all it is zero.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let (count, middle) = (values.len(), values.len() / 2);
        let median =
            if count % 2 == 0 { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) } else { at(middle) };
        Self { least: at(0), median, most: at(count.saturating_sub(1)), count }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.median)?;
        if self.count > 1 { write!(f, " ({:.2}..{:.2})", self.least, self.most) } else { Ok(()) }
    }
}

/// What one row measured in one round.
pub(super) struct Figures {
    /// Clients connected.
    pub(super) connected: usize,
    /// Clients that read.
    pub(super) clients: usize,
    /// The server before the first client,
    pub(super) empty: Usage,
    /// with all clients and no traffic,
    pub(super) idle: Usage,
    /// when counting began,
    pub(super) began: Usage,
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
        let cpu = self.late.cpu.saturating_sub(self.began.cpu);
        cpu.as_secs_f64() * 1e6 / approx_f64(self.counts.deliveries.max(1))
    }

    fn latency_ms(&self, quantile: f64) -> f64 {
        ms(&self.arrivals.latency, quantile)
    }

    fn seconds(&self) -> f64 {
        Duration::from_micros(self.late.at_micros.saturating_sub(self.began.at_micros)).as_secs_f64()
    }

    fn bytes_per_client_second(&self) -> f64 {
        approx_f64(self.counts.bytes)
            / approx_f64(self.clients.max(1))
            / self.seconds().max(f64::MIN_POSITIVE)
    }

    /// Memory a client costs, in KB.
    fn kilobytes_per_client(&self, then: Usage) -> f64 {
        approx_f64(then.rss_bytes.saturating_sub(self.empty.rss_bytes))
            / 1_024.0
            / approx_f64(self.connected.max(1))
    }
}

/// What a server and a form are called.
pub(super) const fn name(row: Row) -> &'static str {
    match row {
        Row::Floor => "floor: one write(2) loop",
        Row::Nchan => "nchan",
        Row::Json => "json",
        Row::JsonDeflated => "json, deflated",
        Row::Delta => "json delta",
        Row::DeltaDeflated => "json delta, deflated",
        Row::Binary => "binary",
        Row::BinaryDelta => "binary delta",
    }
}

/// One line a row.
pub(super) fn table(rows: &[Rounds]) -> Table {
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
    let floor = rows.iter().find(|row| row.row == Row::Floor);
    for row in rows.iter().filter(|row| !row.rounds.is_empty()) {
        let latency = |quantile| row.median(|figures| figures.latency_ms(quantile));
        let spread = |quantile| row.median(|figures| ms(&figures.arrivals.spread, quantile));
        let ratio = floor.and_then(|floor| row.ratio(floor, Figures::micros_per_delivery));
        table.add_row([
            row.name(),
            format!("{:.0}", row.median(|figures| approx_f64(figures.clients))),
            row.sum(|figures| figures.counts.deliveries).to_string(),
            format!(
                "{:.1} / {:.1} / {:.1} / {:.1}",
                latency(0.50),
                latency(0.95),
                latency(0.99),
                latency(1.0)
            ),
            format!("{:.1} / {:.1}", spread(0.50), spread(0.99)),
            format!("{:.0}", row.median(Figures::bytes_per_client_second)),
            format!("{:.2}", row.median(Figures::micros_per_delivery)),
            ratio.map_or_else(String::new, |ratio| ratio.to_string()),
            format!(
                "{:.1} / {:.1}",
                row.median(|figures| figures.kilobytes_per_client(figures.idle)),
                row.median(|figures| figures.kilobytes_per_client(figures.late))
            ),
            format!(
                "{} / {} / {}",
                row.sum(|figures| figures.counts.lost),
                row.sum(|figures| figures.counts.faults.gaps),
                row.sum(|figures| figures.counts.faults.sum() - figures.counts.faults.gaps
                    + figures.arrivals.unstamped)
            ),
        ]);
    }
    table
}

/// Milliseconds at a quantile of microseconds.
fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    approx_f64(histogram.value_at_quantile(quantile)) / 1e3
}

/// What does not fit into a table: faults in words, and what stalled clients did to the others.
pub(super) fn remarks(rows: &[Rounds]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        let name = row.name();
        for figures in row.rounds.values().filter(|figures| figures.has_faults()) {
            let (counts, unstamped) = (&figures.counts, figures.arrivals.unstamped);
            let words = figures.first_fault.as_deref().unwrap_or("nothing was delivered or stamped");
            lines.push(format!(
                "{name}: {} connections lost, {:?}, {unstamped} without stamp; first: {words}",
                counts.lost, counts.faults
            ));
        }
        let warnings = row.sum(|figures| figures.counts.warnings);
        if warnings > 0 {
            lines.push(format!("{name}: the server warned {warnings} times"));
        }
        let undisturbed = rows.iter().find(|other| other.row == row.row && other.stalled == 0.0);
        let undisturbed = undisturbed.filter(|_| row.stalled > 0.0);
        if let Some(ratio) =
            undisturbed.and_then(|other| row.ratio(other, |figures| figures.latency_ms(0.99)))
        {
            let megabytes = |usage: Usage| approx_f64(usage.rss_bytes) / f64::from(1 << 20);
            lines.push(format!(
                "{name}: p99 of the others is {ratio} of that before they stalled; server {:.1} MB early, {:.1} MB at the end",
                row.median(|figures| megabytes(figures.early)),
                row.median(|figures| megabytes(figures.late))
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_values_whatever_their_order() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { least: 1.0, median: 2.0, most: 3.0, count: 3 });
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(Spread::of(vec![1.25]).to_string(), "1.25");
        assert_eq!(Spread::of(vec![2.0, 1.0, 1.5]).to_string(), "1.50 (1.00..2.00)");
        assert_eq!(Spread::of(Vec::new()).median, 0.0);
    }
}
