//! How long routes take with no socket open and with many.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::http::HttpClient;
use super::program::Program;
use super::sample::Sample;
use super::stream_client::{Crowd, StreamRequest, Transport};
use super::{SETTLE, SYMBOL, pause, print_verdict};
use crate::cli::ContractArgs;
use liqheat::terminal::say;

/// p95 may grow by this factor.
const FACTOR_MAX: f64 = 1.1;
/// Between two requests.
const EVERY: Duration = Duration::from_millis(20);
/// What is measured without and with sockets is measured in turns.
const ROUNDS: usize = 3;
const PATHS: [&str; 5] = [
    "/v1/heatmap?symbol=BTCUSDT",
    "/liquidations/levels?symbol=BTCUSDT",
    "/prices/klines?symbol=BTCUSDT&interval=5m&limit=500",
    "/v1/walls?symbol=BTCUSDT",
    "/v1/symbols",
];

pub(super) async fn run(arguments: &ContractArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    let seconds = arguments.seconds;
    say!(
        "rest: a request every {EVERY:?} over one connection, {ROUNDS} x {seconds:?} each, states every 5 s"
    );
    let program = Program::demo(2, 1, 5.0).await?;
    pause(SETTLE, stop).await;
    let (mut without, mut with) = (samples(), samples());
    for _ in 0..ROUNDS {
        measure(&program, seconds, &mut without, stop).await?;
        let request = StreamRequest {
            transport: Transport::Socket,
            symbol: SYMBOL.to_owned(),
            mode: "snapshot",
            update_interval: None,
        };
        let crowd = Crowd::connect(program.address, arguments.clients, &request, stop).await?;
        pause(SETTLE, stop).await;
        measure(&program, seconds, &mut with, stop).await?;
        drop(crowd);
        pause(SETTLE, stop).await;
    }
    let clients = arguments.clients;
    say!("| route | ms p50 / p95 / p99, no socket | {clients} sockets | p95 grows by |");
    say!("|---|---|---|---|");
    let (mut all_without, mut all_with) = (Sample::default(), Sample::default());
    for ((path, mut without), mut with) in PATHS.iter().zip(without).zip(with) {
        let route = path.split('?').next().unwrap_or_default();
        print_row(route, &mut without, &mut with);
        all_without.append(without);
        all_with.append(with);
    }
    let requests = all_without.len() + all_with.len();
    let factor = print_row("all", &mut all_without, &mut all_with);
    say!("requests: {requests}");
    Ok(print_verdict("p95 of all routes with sockets over without", factor, FACTOR_MAX, "")
        && !stop.is_cancelled())
}

fn samples() -> Vec<Sample> {
    PATHS.iter().map(|_| Sample::default()).collect()
}

fn print_row(route: &str, without: &mut Sample, with: &mut Sample) -> f64 {
    let quantiles = |sample: &mut Sample| {
        let ms = [0.5, 0.95, 0.99].map(|share| format!("{:.2}", sample.quantile_ms(share)));
        ms.join(" / ")
    };
    let factor = with.quantile_ms(0.95) / without.quantile_ms(0.95).max(f64::EPSILON);
    say!("| {route} | {} | {} | {factor:.2} |", quantiles(without), quantiles(with));
    factor
}

async fn measure(
    program: &Program,
    during: Duration,
    samples: &mut [Sample],
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut client = HttpClient::connect(program.address).await?;
    let mut tick = tokio::time::interval(EVERY);
    let (began, mut next) = (Instant::now(), 0);
    while began.elapsed() < during && !stop.is_cancelled() {
        tick.tick().await;
        let asked = Instant::now();
        let answer = client.get(PATHS[next], None).await?;
        anyhow::ensure!(answer.status == 200, "{} was answered with {}", PATHS[next], answer.status);
        samples[next].push(asked.elapsed());
        next = (next + 1) % PATHS.len();
    }
    Ok(())
}
