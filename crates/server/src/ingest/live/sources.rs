//! How live sources stand: from the streams of venues to one word a symbol, to reasons, and to statistics.
//!
//! | every venue | the symbol is |
//! |---|---|
//! | live | live (or warming up, while the model has seen too little) |
//! | some live, some lagging | lagging |
//! | some live, some not | degraded: the sum lacks a venue |
//! | a venue that has no such contract | as if it were not there; it is named |
//! | none live | stale; warming up while nothing was ever received and nothing is down |

use std::sync::Arc;

use liqheat_feeds::live::{ClockHealth, LiveStatus, StreamStatus, VenueStatus};
use liqheat_feeds::venues::StreamKind;
use liqheat_market::{Instrument, SourceState, UnixMs};
use liqheat_stream::SourceStatus;
use liqheat_wire::{FeedState, LiveStats, SourceStats, StreamStats, format_time};

use super::Live;
use crate::catalog::{Catalog, ServedSymbol, VenueLedger};

/// Streams without which the ledger does not move rightly. Liquidations and funding may be silent for hours.
const NEEDED: [StreamKind; 4] =
    [StreamKind::Klines, StreamKind::Mark, StreamKind::OpenInterest, StreamKind::Trades];

/// One venue's part of a symbol, and the time of its newest event.
fn of_instrument(status: &LiveStatus, instrument: &Instrument) -> (SourceState, Option<UnixMs>) {
    let Some(venue) = status.venues.iter().find(|venue| venue.venue == instrument.venue) else {
        return (SourceState::Connecting, None);
    };
    if venue.unlisted.contains(&instrument.symbol) {
        return (SourceState::Unlisted, None);
    }
    let streams = || venue.streams.iter().filter(|stream| stream.symbol == instrument.symbol);
    let as_of = streams().filter_map(|stream| stream.as_of).max();
    let needed = streams().filter(|stream| NEEDED.contains(&stream.stream));
    let state = needed.map(|stream| stream.state).max_by_key(badness).unwrap_or(venue.state);
    // A venue that cannot be reached says more than a stream that has not begun.
    let down = venue.state == SourceState::Down && state != SourceState::Live;
    (if down { SourceState::Down } else { state }, as_of)
}

/// How much of the symbol is not there.
const fn badness(state: &SourceState) -> u8 {
    match state {
        SourceState::Live => 0,
        SourceState::Lagging => 1,
        SourceState::Connecting => 2,
        SourceState::Stale => 3,
        SourceState::Down => 4,
        SourceState::Unlisted => 5,
    }
}

/// The ledgers of venues that have the symbol.
pub(crate) fn listed(live: &Live, symbol: &ServedSymbol) -> Vec<Arc<VenueLedger>> {
    let status = live.status();
    let is_listed = |ledger: &&Arc<VenueLedger>| of_instrument(&status, ledger.instrument()).0.is_listed();
    symbol.ledgers.iter().filter(is_listed).cloned().collect()
}

/// Whether liquidations of a contract are received now. Their stream may be silent for hours.
pub(crate) fn receives_liquidations(live: &Live, instrument: &Instrument) -> bool {
    let status = live.status();
    let Some(venue) = status.venues.iter().find(|venue| venue.venue == instrument.venue) else {
        return false;
    };
    let is_of = |stream: &&StreamStatus| {
        stream.symbol == instrument.symbol && stream.stream == StreamKind::Liquidations
    };
    let is_open = |state: SourceState| !matches!(state, SourceState::Down | SourceState::Stale);
    let has_begun = !matches!(venue.state, SourceState::Connecting | SourceState::Down);
    has_begun && venue.streams.iter().find(is_of).is_some_and(|stream| is_open(stream.state))
}

/// Age and completeness of the state that a symbol shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownState {
    /// Time of the newest market event in it.
    pub(crate) as_of: UnixMs,
    /// Whether the model has seen too little to trust the picture.
    pub(crate) is_warming_up: bool,
}

impl ShownState {
    /// Whether it is older than two bars, or a minute where bars are shorter.
    pub(crate) fn is_stale(self, symbol: &ServedSymbol, now: UnixMs) -> bool {
        now.since(self.as_of) > (2 * symbol.interval().ms()).max(60_000)
    }
}

/// A symbol in a word, and its venues.
pub(crate) fn state_of_source(
    live: &Live,
    symbol: &ServedSymbol,
    shown: Option<ShownState>,
    now: UnixMs,
) -> (FeedState, Vec<SourceStatus>) {
    let status = live.status();
    let source = |ledger: &Arc<VenueLedger>| {
        let (state, as_of) = of_instrument(&status, ledger.instrument());
        SourceStatus { venue: ledger.instrument().venue.name(), state, as_of }
    };
    let sources: Vec<SourceStatus> = symbol.ledgers.iter().map(source).collect();
    let states: Vec<SourceState> =
        sources.iter().map(|source| source.state).filter(|state| state.is_listed()).collect();
    let is_old = shown.is_none_or(|shown| shown.is_stale(symbol, now));
    let is_degraded = live.journal.failing() > 0 || wrong_clocks(&status).next().is_some();
    let word = match word(&states, shown, is_old) {
        FeedState::Live | FeedState::Lagging if is_degraded => FeedState::Degraded,
        // There is a picture, though the model warms up.
        FeedState::WarmingUp if is_degraded && shown.is_some() => FeedState::Degraded,
        _ if live.journal.failing() > 0 => FeedState::Degraded,
        word => word,
    };
    (word, sources)
}

fn word(states: &[SourceState], shown: Option<ShownState>, is_old: bool) -> FeedState {
    let bring = states.iter().filter(|state| state.brings_data()).count();
    match (bring, shown) {
        (0, None) if !states.is_empty() && states.iter().all(|state| *state == SourceState::Connecting) => {
            FeedState::WarmingUp
        }
        (0, _) => FeedState::Stale,
        (_, None) => FeedState::WarmingUp,
        (some, _) if some < states.len() => FeedState::Degraded,
        // Events come, but no bars are made of them yet: what came before is still being fetched.
        (_, Some(_)) if is_old => FeedState::Stale,
        (_, Some(_)) if states.contains(&SourceState::Lagging) => FeedState::Lagging,
        (_, Some(shown)) if shown.is_warming_up => FeedState::WarmingUp,
        (_, Some(_)) => FeedState::Live,
    }
}

/// Venues whose clock is so far from the local one that the local one must be wrong, or theirs.
fn wrong_clocks(status: &LiveStatus) -> impl Iterator<Item = &VenueStatus> {
    status.venues.iter().filter(|venue| venue.clock == ClockHealth::Wrong)
}

/// What is wrong with live data, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthIssue {
    pub(crate) reason: String,
    /// Whether the server should get no traffic because of it.
    pub(crate) blocks: bool,
}

/// Everything that is wrong. One venue of several is a flaw; a symbol without any venue, or a database that takes
/// nothing, is more than that.
pub(crate) fn trouble(catalog: &Catalog, live: &Live) -> Vec<HealthIssue> {
    let status = live.status();
    let mut issues = Vec::new();
    let writer = live.journal.stats();
    if writer.failing > 0 {
        let why = writer.trouble.unwrap_or_default();
        let reason = format!("live events cannot be stored ({} attempts): {why}", writer.failing);
        issues.push(HealthIssue { reason, blocks: true });
    }
    for venue in &status.venues {
        if venue.state.brings_data() || venue.has_nothing() {
            continue;
        }
        let because = venue.trouble.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let reason = format!("{} is {}{because}", venue.venue, venue.state.name());
        issues.push(HealthIssue { reason, blocks: false });
    }
    for venue in wrong_clocks(&status) {
        let seconds = venue.skew_ms.unwrap_or_default() / 1_000;
        let direction = if seconds > 0 { "behind" } else { "ahead of" };
        let reason = format!(
            "the local clock is {} s {direction} the clock of {}; market time follows the venues; synchronise the clock (chrony, systemd-timesyncd)",
            seconds.abs(),
            venue.venue
        );
        issues.push(HealthIssue { reason, blocks: false });
    }
    if let Some((count, newest)) = live.journal.refused_recently() {
        let reason = format!("data was refused and is missing ({count} times in the last hour): {newest}");
        issues.push(HealthIssue { reason, blocks: false });
    }
    for market in catalog.markets() {
        let Some(symbol) = market.symbols.first() else { continue };
        let states = symbol.ledgers.iter().map(|ledger| of_instrument(&status, ledger.instrument()).0);
        if !states.clone().any(SourceState::brings_data) {
            let states: Vec<&str> = states.map(SourceState::name).collect();
            let reason = format!("{} has no live source ({})", symbol.name, states.join(", "));
            issues.push(HealthIssue { reason, blocks: true });
        }
    }
    issues
}

/// For `GET /ws/stats`.
pub(crate) fn stats(live: &Live) -> LiveStats {
    let status = live.status();
    LiveStats {
        sources: status.venues.iter().map(source_stats).collect(),
        writer: live.journal.stats(),
        gaps: live.journal.gaps(),
    }
}

fn source_stats(venue: &VenueStatus) -> SourceStats {
    SourceStats {
        venue: venue.venue.name(),
        state: venue.state,
        filling: venue.filling,
        unlisted: venue.unlisted.iter().map(ToString::to_string).collect(),
        connections: venue.connections,
        reconnects: venue.reconnects,
        rollovers: venue.rollovers,
        frames: venue.frames,
        refused: venue.refused,
        repeated: venue.repeated,
        holes_filled: venue.holes_filled,
        gaps: venue.gaps,
        skew_ms: venue.skew_ms,
        clock: venue.clock.name(),
        weight_used: venue.weight_used,
        weight_limit: venue.weight_limit,
        paused_until: venue.banned_until.map(format_time),
        trouble: venue.trouble.clone(),
        streams: venue.streams.iter().map(stream_stats).collect(),
    }
}

fn stream_stats(stream: &StreamStatus) -> StreamStats {
    StreamStats {
        symbol: stream.symbol.to_string(),
        stream: stream.stream.name(),
        state: stream.state,
        as_of: stream.as_of.map(format_time),
        events: stream.events,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::{Symbol, Venue};

    fn status(state: SourceState, unlisted: &[&str]) -> LiveStatus {
        let symbol = |name: &str| Symbol::new(name).unwrap();
        let stream = |stream| StreamStatus {
            symbol: symbol("BTCUSDT"),
            stream,
            state,
            as_of: Some(UnixMs(7)),
            heard: None,
            events: 0,
        };
        let mut venue = VenueStatus::new(Venue::Okx);
        venue.state = state;
        venue.streams = NEEDED.into_iter().map(stream).collect();
        venue.unlisted = unlisted.iter().map(|name| symbol(name)).collect();
        LiveStatus { venues: vec![venue] }
    }

    fn of(status: &LiveStatus, symbol: &str) -> SourceState {
        of_instrument(status, &Instrument::new(Venue::Okx, Symbol::new(symbol).unwrap())).0
    }

    #[test]
    fn what_a_venue_does_not_have_is_unlisted() {
        let live = status(SourceState::Live, &["ETHUSDT"]);
        assert_eq!(of(&live, "BTCUSDT"), SourceState::Live);
        assert_eq!(of(&live, "ETHUSDT"), SourceState::Unlisted);
        assert_eq!(of(&LiveStatus::default(), "ETHUSDT"), SourceState::Connecting, "nothing is known yet");
    }

    #[test]
    fn a_contract_is_as_its_worst_needed_stream_and_down_with_its_venue() {
        let mut mixed = status(SourceState::Live, &[]);
        mixed.venues[0].streams[2].state = SourceState::Stale;
        assert_eq!(of(&mixed, "BTCUSDT"), SourceState::Stale);
        mixed.venues[0].state = SourceState::Down;
        assert_eq!(of(&mixed, "BTCUSDT"), SourceState::Down);
    }
}
