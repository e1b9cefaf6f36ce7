//! The promise of the protocol, tried hard: for any history of changes and any set of clients with any delays,
//! drops, reconnects and views, a client's state after each frame equals the board's at that `seq`.
//!
//! Everything but the kernel is real: commands as JSON, sessions, shared frames, compression, partial writes. Time
//! and chance come from a seed, so a failure can be played again:
//!
//! ```text
//! make stress                                           twenty seconds, a new seed
//! LIQHEAT_STRESS_SEED=7 LIQHEAT_STRESS_SECONDS=20 make stress
//! ```

mod client;
mod market;

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use liqheat_market::UnixMs;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::hub::{Hub, HubSettings};
use crate::sessions::Sessions;
use crate::settings::SessionSettings;
use client::Client;
use market::Market;

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const CLIENTS: u64 = 48;
const TICK: Duration = Duration::from_millis(250);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

pub(crate) fn settings() -> SessionSettings {
    SessionSettings {
        connections_max: u64::MAX,
        message_bytes_max: 64 * 1_024,
        messages_per_second: 1_000,
        subscriptions_max: SYMBOLS.len(),
        subscribe_within: Duration::from_secs(60),
        ping_every: Duration::from_secs(20),
        silent_after: Duration::from_secs(1_000_000),
        status_every: Duration::from_secs(15),
        slow_after: Duration::from_secs(2),
        missed_max: 20,
        stalled_after: Duration::from_secs(30),
        drain_window: Duration::ZERO,
        wall_clock: || UnixMs(0),
    }
}

#[tokio::test]
async fn every_client_is_right_after_every_frame() {
    let seconds = number("LIQHEAT_STRESS_SECONDS").unwrap_or(2);
    let seed = number("LIQHEAT_STRESS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed} ({seconds} s)");
    let mut dice = fastrand::Rng::with_seed(seed);
    let hub = Arc::new(Hub::new(SYMBOLS.map(str::to_owned), HubSettings { update_interval: TICK }));
    let closing = CancellationToken::new();
    let sessions = Sessions::new(Arc::clone(&hub), settings(), closing.clone());
    let mut markets = SYMBOLS.map(|symbol| Market::new(symbol, dice.fork()));
    let mut clients: Vec<Client> = (0..CLIENTS).map(|id| Client::new(id, dice.fork())).collect();

    let (began, start) = (Clock::now(), Instant::now());
    let mut now = start;
    let mut changes = 0u64;
    while began.elapsed() < Duration::from_secs(seconds) {
        now += TICK;
        for market in &mut markets {
            changes += u64::from(market.tick(&hub));
        }
        for client in &mut clients {
            client.step(&sessions, &markets, now);
        }
        // Whoever still is on the way is within these: older states are of no use to any check.
        let oldest = |symbol: usize| clients.iter().filter_map(|client| client.oldest(symbol)).min();
        for (index, market) in markets.iter_mut().enumerate() {
            market.forget_before(oldest(index));
        }
    }
    for client in &mut clients {
        client.catch_up(&sessions, &markets, now);
    }
    let seen = clients.iter().fold(client::StressCounts::default(), |sum, client| sum.and(client.counts()));
    println!("{changes} changes, market time {:?}, {seen:?}", now - start);
    assert!(seen.snapshots > 0 && seen.deltas > 0 && seen.skipped > 0, "every way was taken");
    assert!(seen.reconnects > 0 && seen.binary > 0 && seen.deflated > 0 && seen.warnings > 0);
    drop(clients);
    for slot in hub.slots() {
        assert_eq!(slot.subscriptions(), 0);
    }
    assert_eq!(hub.metrics.slow_consumers.get(), 0);
    closing.cancel();
    sessions.drained().await;
}
