//! What can go wrong with an exchange.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use liqheat_market::Event;

/// How an exchange misbehaves. By default it does not.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// New sockets are closed before the handshake.
    pub refuse_sockets: bool,
    /// Everything is acknowledged and nothing comes.
    pub silent: bool,
    /// These topics are acknowledged and nothing of them comes, for sockets numbered below the given one.
    pub mute: BTreeSet<String>,
    /// Sockets with numbers from here on are not muted.
    pub mute_below: usize,
    /// Trades whose id this divides are skipped.
    pub drop_every: Option<i64>,
    /// Trades whose id this divides come twice.
    pub repeat_every: Option<i64>,
    /// Trades whose id this divides come after the next one.
    pub swap_every: Option<i64>,
    /// Before trades whose id this divides comes half of their frame.
    pub halve_every: Option<i64>,
    /// Texts that are sent once, to whoever is there.
    pub say: VecDeque<String>,
    /// The next this many frames are cut in the middle, with the connection.
    pub cut_mid_message: u32,
    /// Waited before each frame.
    pub slow: Option<Duration>,
    /// A socket is closed at this age, in market milliseconds.
    pub socket_life_ms: Option<i64>,
    /// How wrong its clock is.
    pub clock_off_ms: i64,
    /// Requests are not answered at all.
    pub rest_down: bool,
    /// The next this many requests are refused with a status and seconds to wait.
    pub refuse_requests: u32,
    /// With this status, 429 or 418.
    pub refuse_status: u16,
    /// And this pause, in market seconds.
    pub refuse_seconds: i64,
    /// Ids of trades that requests do not bring either.
    pub forgotten: BTreeSet<i64>,
}

/// An event as an exchange with a wrong clock tells it.
pub(super) fn moved(event: &Event, by_ms: i64) -> Event {
    let mut event = *event;
    if by_ms == 0 {
        return event;
    }
    match &mut event {
        Event::Trade(trade) => trade.time = trade.time.plus(by_ms),
        Event::Kline(kline) => kline.open_time = kline.open_time.plus(by_ms),
        Event::MarkPrice(mark) => mark.time = mark.time.plus(by_ms),
        Event::OpenInterest(sample) => sample.time = sample.time.plus(by_ms),
        Event::Funding(funding) => funding.time = funding.time.plus(by_ms),
        Event::Liquidation(liquidation) => liquidation.time = liquidation.time.plus(by_ms),
    }
    event
}

/// An answer without the trades that nobody can have any more. Trades are objects with a whole `a`.
pub(super) fn forget(body: String, ids: &BTreeSet<i64>) -> String {
    if ids.is_empty() {
        return body;
    }
    let Ok(serde_json::Value::Array(rows)) = serde_json::from_str(&body) else { return body };
    let is_there = |row: &serde_json::Value| row["a"].as_i64().is_none_or(|id| !ids.contains(&id));
    serde_json::Value::Array(rows.into_iter().filter(is_there).collect()).to_string()
}
