//! One socket that stays open for an hour.

use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::SYMBOL;
use super::program::Program;
use super::stream_client::{StreamRequest, Transport, stream_for};
use crate::cli::ContractArgs;
use liqheat::terminal::say;

/// The longest time between two states of a market that moves, at a state a second.
const SILENCE_MAX: Duration = Duration::from_secs(15);

pub(super) async fn run(arguments: &ContractArgs, stop: &CancellationToken) -> anyhow::Result<bool> {
    let duration = arguments.socket_seconds;
    say!("socket: one connection for {duration:?}, a state a second");
    let program = Program::demo(1, 60, 1.0).await?;
    let request = StreamRequest {
        transport: Transport::Socket,
        symbol: SYMBOL.to_owned(),
        mode: "delta",
        update_interval: None,
    };
    let silence = stream_for(program.address, &request, duration, stop)
        .await
        .context("the socket did not stay open")?;
    let longest = silence.longest;
    say!(
        "states: {}; longest time without one: {longest:.1?} (limit {SILENCE_MAX:?}); never closed",
        silence.states
    );
    Ok(longest <= SILENCE_MAX && silence.states > 0 && !stop.is_cancelled())
}
