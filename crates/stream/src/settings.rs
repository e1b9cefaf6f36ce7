//! Limits and intervals of sessions. Each has a flag, a row in `docs/settings.md`, and an answer to a client that
//! exceeds it (`docs/protocol.md`).

use std::time::Duration;

use liqheat_market::UnixMs;

/// Limits and rhythms of sessions.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// Sockets at once; more are refused before the upgrade.
    pub connections_max: u64,
    /// Largest message of a client, before and after inflating.
    pub message_bytes_max: usize,
    /// Messages a client may send in a second, on average.
    pub messages_per_second: u32,
    /// Symbols that a connection may follow.
    pub subscriptions_max: usize,
    /// A connection that follows nothing for this long is closed.
    pub subscribe_within: Duration,
    /// Time between pings of the server.
    pub ping_every: Duration,
    /// A client without any sign of life for this long is closed.
    pub silent_after: Duration,
    /// A status is sent when nothing else was for this long.
    pub status_every: Duration,
    /// A write that cannot finish within this marks the client slow.
    pub slow_after: Duration,
    /// States missed while a write waits that also mark the client slow.
    pub missed_max: u64,
    /// A client that takes nothing for this long is closed.
    pub stalled_after: Duration,
    /// When the server stops, clients are asked to come back at random moments within this.
    pub drain_window: Duration,
    /// The wall clock, for the time in a pong and for what was sent within the last minute.
    pub wall_clock: fn() -> UnixMs,
}
