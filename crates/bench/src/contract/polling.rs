//! Server load of clients that poll against the same number of clients with a socket, at the same rhythm.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use liqheat_market::convert::approx_f64;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::http::{PollCounts, poll};
use super::program::Program;
use super::stream_client::{Crowd, StreamRequest, Transport};
use super::{SETTLE, SYMBOL, pause, print_verdict};
use crate::cli::ContractArgs;
use liqheat::terminal::say;

/// Between two states of a client, polled or pushed.
const RHYTHM: Duration = Duration::from_secs(5);
/// Sockets may cost this share of what pollers of the same states cost: the plan promised 70 % less.
const SHARE_MAX: f64 = 0.3;

/// One kind of client.
enum Kind {
    Socket { mode: &'static str },
    Poll { path: &'static str, conditional: bool },
}

pub(super) async fn run(arguments: &ContractArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    let (clients, seconds) = (arguments.clients, arguments.seconds);
    say!(
        "polling: {clients} clients, a state every {RHYTHM:?} each, {seconds:?} a row; processor time of the server"
    );
    // The market's real speed, so that the server does little else.
    let program = Program::demo(2, 1, RHYTHM.as_secs_f64()).await?;
    pause(SETTLE, stop).await;
    let idle = cpu_of(&program, seconds, stop).await?;
    say!("| clients | CPU ms a second | CPU µs a state | KB a client and second | states | failed |");
    say!("|---|---|---|---|---|---|");
    say!("| none | {:.1} | | | | |", idle * 1e3);
    let rows = [
        ("socket, whole states", Kind::Socket { mode: "snapshot" }),
        ("socket, differences", Kind::Socket { mode: "delta" }),
        ("poll /v1/heatmap", Kind::Poll { path: "/v1/heatmap?symbol=BTCUSDT", conditional: false }),
        (
            "poll /v1/heatmap, If-None-Match",
            Kind::Poll { path: "/v1/heatmap?symbol=BTCUSDT", conditional: true },
        ),
        (
            "poll /liquidations/levels",
            Kind::Poll { path: "/liquidations/levels?symbol=BTCUSDT", conditional: false },
        ),
    ];
    let mut costs = Vec::new();
    for (name, kind) in rows {
        let (cost, delivered, bytes, failed) = match kind {
            Kind::Socket { mode } => sockets(&program, mode, arguments, stop).await?,
            Kind::Poll { path, conditional } => pollers(&program, path, conditional, arguments, stop).await?,
        };
        if stop.is_cancelled() {
            return Ok(false);
        }
        let own = (cost - idle).max(0.0);
        let seconds = seconds.as_secs_f64();
        say!(
            "| {name} | {:.1} | {:.1} | {:.2} | {delivered} | {failed} |",
            own * 1e3,
            own * seconds / approx_f64(delivered.max(1)) * 1e6,
            approx_f64(bytes) / 1024.0 / approx_f64(clients) / seconds
        );
        costs.push(own);
    }
    let share = costs[0] / costs[2].max(f64::EPSILON);
    Ok(print_verdict(
        "CPU of sockets with whole states over that of polling /v1/heatmap",
        share,
        SHARE_MAX,
        "",
    ))
}

/// Processor seconds a second over a time.
async fn cpu_of(program: &Program, during: Duration, stop: &CancellationToken) -> anyhow::Result<f64> {
    let began = program.usage()?;
    pause(during, stop).await;
    let ended = program.usage()?;
    let micros = ended.at_micros.saturating_sub(began.at_micros).max(1);
    Ok(ended.cpu.saturating_sub(began.cpu).as_secs_f64() / (approx_f64(micros) / 1e6))
}

type Row = (f64, u64, u64, u64);

async fn sockets(
    program: &Program,
    mode: &'static str,
    arguments: &ContractArgs,
    stop: &CancellationToken,
) -> anyhow::Result<Row> {
    let request = StreamRequest {
        transport: Transport::Socket,
        symbol: SYMBOL.to_owned(),
        mode,
        update_interval: Some(RHYTHM.as_secs_f64()),
    };
    let crowd = Crowd::connect(program.address, arguments.clients, &request, stop).await?;
    pause(SETTLE, stop).await;
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let before = (of(&crowd.received.states), of(&crowd.received.bytes));
    let cost = cpu_of(program, arguments.seconds, stop).await?;
    let received = &crowd.received;
    Ok((cost, of(&received.states) - before.0, of(&received.bytes) - before.1, of(&received.lost)))
}

async fn pollers(
    program: &Program,
    path: &'static str,
    conditional: bool,
    arguments: &ContractArgs,
    stop: &CancellationToken,
) -> anyhow::Result<Row> {
    let (counts, ending) = (Arc::new(PollCounts::default()), stop.child_token());
    let mut tasks = JoinSet::new();
    for number in 0..arguments.clients {
        let phase = RHYTHM.mul_f64(approx_f64(number) / approx_f64(arguments.clients));
        let (address, counts, ending) = (program.address, Arc::clone(&counts), ending.clone());
        tasks.spawn(async move { poll(address, path, (RHYTHM, phase), conditional, &counts, ending).await });
    }
    // Every connection is open after one round.
    pause(RHYTHM + SETTLE, stop).await;
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let answered = |counts: &PollCounts| of(&counts.whole) + of(&counts.unchanged);
    let before = (answered(&counts), of(&counts.bytes), of(&counts.failed));
    let cost = cpu_of(program, arguments.seconds, stop).await?;
    let row =
        (cost, answered(&counts) - before.0, of(&counts.bytes) - before.1, of(&counts.failed) - before.2);
    ending.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(row)
}
