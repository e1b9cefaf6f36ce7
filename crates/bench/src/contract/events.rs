//! What a delivery costs over an event stream, beside what it costs over a socket.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::ensure;
use liqheat_market::convert::approx_f64;
use tokio_util::sync::CancellationToken;

use super::stream_client::{Crowd, StreamRequest, Transport};
use super::{SETTLE, pause, print_verdict};
use crate::cli::ContractArgs;
use crate::fanout::child::{Server, Usage};
use liqheat::terminal::say;

/// Updates a second.
const HZ: u32 = 5;
/// Rows are measured in turns.
const ROUNDS: usize = 3;
/// A delivery over an event stream may cost this many times one over a socket.
const FACTOR_MAX: f64 = 1.3;

pub(super) async fn run(arguments: &ContractArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    // More rows than other parts have, each with a server of its own.
    let seconds = (arguments.seconds / 3).max(Duration::from_secs(1));
    let clients = arguments.clients;
    say!("events: {clients} clients, {HZ} whole states a second, {ROUNDS} x {seconds:?} a row");
    say!("| transport | states | KB a state | CPU µs a delivery | lost |");
    say!("|---|---|---|---|---|");
    let mut costs: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (transport, costs) in [Transport::Socket, Transport::Events].into_iter().zip(&mut costs) {
            ensure!(!stop.is_cancelled(), "interrupted");
            costs.push(measure(transport, clients, seconds, stop).await?);
        }
    }
    let [sockets, events] = costs.map(median);
    say!("medians: socket {sockets:.2} µs, event stream {events:.2} µs a delivery");
    Ok(print_verdict("CPU of a delivery, event stream over socket", events / sockets, FACTOR_MAX, ""))
}

async fn measure(
    transport: Transport,
    clients: usize,
    seconds: Duration,
    stop: &CancellationToken,
) -> anyhow::Result<f64> {
    let words = format!("server --hz {HZ} --connections {} --log error", clients + 10);
    let mut server = Server::start(&words.split(' ').map(str::to_owned).collect::<Vec<_>>())?;
    let request =
        StreamRequest { transport, symbol: "BENCH0USDT".to_owned(), mode: "snapshot", update_interval: None };
    let crowd = Crowd::connect(server.address, clients, &request, stop).await?;
    server.go()?;
    pause(SETTLE, stop).await;
    let read =
        || (crowd.received.states.load(Ordering::Relaxed), crowd.received.bytes.load(Ordering::Relaxed));
    let (before, began) = (read(), Usage::of(server.id())?);
    pause(seconds, stop).await;
    let (after, ended) = (read(), Usage::of(server.id())?);
    let (states, bytes) = (after.0 - before.0, after.1 - before.1);
    let cost = ended.cpu.saturating_sub(began.cpu).as_secs_f64() * 1e6 / approx_f64(states.max(1));
    let lost = crowd.received.lost.load(Ordering::Relaxed);
    let kilobytes = approx_f64(bytes) / 1024.0 / approx_f64(states.max(1));
    say!("| {transport:?} | {states} | {kilobytes:.2} | {cost:.2} | {lost} |");
    ensure!(states > 0 && lost == 0, "{lost} connections were lost, {states} states came");
    Ok(cost)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
