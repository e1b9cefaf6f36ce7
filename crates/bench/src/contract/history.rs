//! What many pollers of one history cost, beside what one costs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use liqheat_market::convert::approx_f64;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::http::{PollCounts, poll};
use super::program::Program;
use super::{SETTLE, pause, print_verdict};
use crate::cli::ContractArgs;
use liqheat::terminal::say;

/// The poll of clients that were written for the older API: one symbol, defaults for all else.
const PATH: &str = "/liquidations/heatmap-timeseries?symbol=BTCUSDT";
const POLLERS: usize = 20;
const EVERY: Duration = Duration::from_secs(5);
/// Twenty may cost this many times what one costs: the computation is shared, and each answer, of many megabytes, is
/// written to a socket of its own.
const FACTOR_MAX: f64 = 3.0;

pub(super) async fn run(arguments: &ContractArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    // At least six polls each.
    let seconds = arguments.seconds.max(EVERY * 6);
    say!("history: {PATH} every {EVERY:?}, {seconds:?} a row; processor time of the server");
    // At this speed the newest interval, and with it the answer, is another one every 15 s.
    let program = Program::demo(7, 60, 5.0).await?;
    pause(SETTLE, stop).await;
    let idle = measure(&program, 0, seconds, stop).await?;
    let one = measure(&program, 1, seconds, stop).await?;
    let many = measure(&program, POLLERS, seconds, stop).await?;
    say!("| pollers | CPU ms a second, beyond none | answers | MB of answers | failed |");
    say!("|---|---|---|---|---|");
    let own = |row: &Row| (row.cpu - idle.cpu).max(0.0);
    for (pollers, row) in [(1, &one), (POLLERS, &many)] {
        let megabytes = approx_f64(row.bytes) / 1e6;
        say!("| {pollers} | {:.1} | {} | {megabytes:.1} | {} |", own(row) * 1e3, row.answers, row.failed);
    }
    let factor = own(&many) / own(&one).max(f64::EPSILON);
    let ok = print_verdict(&format!("CPU of {POLLERS} pollers over that of one"), factor, FACTOR_MAX, "");
    Ok(ok && one.failed + many.failed == 0 && !stop.is_cancelled())
}

struct Row {
    /// Processor seconds a second.
    cpu: f64,
    answers: u64,
    bytes: u64,
    failed: u64,
}

async fn measure(
    program: &Program,
    pollers: usize,
    seconds: Duration,
    stop: &CancellationToken,
) -> anyhow::Result<Row> {
    let (counts, ending) = (Arc::new(PollCounts::default()), stop.child_token());
    let mut tasks = JoinSet::new();
    let began = program.usage()?;
    for number in 0..pollers {
        let phase = EVERY.mul_f64(approx_f64(number) / approx_f64(pollers));
        let (address, counts, ending) = (program.address, Arc::clone(&counts), ending.clone());
        tasks.spawn(async move { poll(address, PATH, (EVERY, phase), false, &counts, ending).await });
    }
    pause(seconds, stop).await;
    let ended = program.usage()?;
    ending.cancel();
    while tasks.join_next().await.is_some() {}
    let micros = ended.at_micros.saturating_sub(began.at_micros).max(1);
    Ok(Row {
        cpu: ended.cpu.saturating_sub(began.cpu).as_secs_f64() / (approx_f64(micros) / 1e6),
        answers: counts.whole.load(Ordering::Relaxed),
        bytes: counts.bytes.load(Ordering::Relaxed),
        failed: counts.failed.load(Ordering::Relaxed),
    })
}
