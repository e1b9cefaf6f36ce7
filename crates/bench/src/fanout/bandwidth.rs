//! `liqheat-bench bandwidth`: what a client of a real server receives, in every form at the same time, so that all of
//! them follow the same market.

use std::time::{Duration, Instant};

use anyhow::ensure;
use comfy_table::{Table, presets};
use liqheat_market::convert::approx_f64;
use tokio_util::sync::CancellationToken;

use super::child::Server;
use super::load::{ClientSpec, ExpectedMessages, Load};
use super::report;
use crate::cli::Row;
use liqheat::terminal::say;

const FORMS: [Row; 6] =
    [Row::Json, Row::JsonDeflated, Row::Delta, Row::DeltaDeflated, Row::Binary, Row::BinaryDelta];
/// Seconds between updates: what `serve` does unless told otherwise.
const INTERVAL: u32 = 5;
const SECONDS: Duration = Duration::from_secs(60);
const SYMBOL: &str = "BTCUSDT";

/// Market seconds a second: the market itself, and the pace of the demo, where each update is ten minutes of it.
const SPEEDS: [u32; 2] = [1, 120];

/// Measures all forms over the demo's market and prints them. Returns whether every state was as promised.
///
/// # Errors
/// When the demo does not start, or a client loses its connection.
pub(crate) fn run(seconds: Option<Duration>, stop: &CancellationToken) -> anyhow::Result<bool> {
    let time = seconds.unwrap_or(SECONDS);
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["form", "market", "updates", "bytes an update", "B/s a client"]);
    let mut faults = 0;
    for speed in SPEEDS {
        faults += measure(speed, time, stop, &mut table)?;
    }
    say!("bandwidth: {SYMBOL} of the demo, an update every {INTERVAL} s, {} s", time.as_secs_f64());
    say!("{table}");
    Ok(faults == 0)
}

fn measure(speed: u32, time: Duration, stop: &CancellationToken, table: &mut Table) -> anyhow::Result<u64> {
    let words = format!(
        "demo --listen 127.0.0.1:0 --seed 7 --speed {speed} --ws-update-interval {INTERVAL} --symbols {SYMBOL} --log error"
    );
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let server = Server::start(&words)?;
    let mut loads = Vec::new();
    for form in FORMS {
        let mode = if form.is_delta() { "delta" } else { "snapshot" };
        let ask = ClientSpec {
            addresses: vec![server.address],
            path: "/ws/heatmap",
            protocol: form.protocol(),
            deflate: form.is_deflated(),
            forwarded: false,
            expects: ExpectedMessages::States { symbols: vec![SYMBOL.to_owned()], mode },
        };
        let mut load = Load::new(ask, stop.clone())?;
        load.connect(1)?;
        load.start_counting();
        loads.push((form, load));
    }
    let began = Instant::now();
    while began.elapsed() < time {
        ensure!(!stop.is_cancelled(), "interrupted");
        for (_, load) in &mut loads {
            load.turn(Duration::from_millis(50))?;
        }
    }
    let elapsed = began.elapsed().as_secs_f64();
    let mut faults = 0;
    for (form, load) in loads {
        let counts = load.counts();
        faults += counts.lost + counts.faults.sum();
        table.add_row([
            report::name(form).to_owned(),
            format!("x {speed}"),
            counts.deliveries.to_string(),
            format!("{:.0}", approx_f64(counts.bytes) / approx_f64(counts.deliveries.max(1))),
            format!("{:.0}", approx_f64(counts.bytes) / elapsed),
        ]);
    }
    Ok(faults)
}
