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

use liqheat_feeds::live::{LiveStatus, SourceState, StreamStatus, VenueStatus};
use liqheat_feeds::venues::StreamKind;
use liqheat_market::{Instrument, UnixMs};
use liqheat_stream::SourceStanding;
use liqheat_wire::{FeedState, LiveStats, SourceStats, StreamStats, format_time};

use crate::app::App;
use crate::live::Live;
use crate::symbol::{Part, ServedSymbol};

/// Streams without which the ledger does not move rightly. Liquidations and funding may be silent for hours.
const NEEDED: [StreamKind; 4] =
    [StreamKind::Klines, StreamKind::Mark, StreamKind::OpenInterest, StreamKind::Trades];

/// The word for a venue that has no such contract.
const UNLISTED: &str = "unlisted";

/// One venue's part of a symbol; without a state when the venue does not have it.
fn of_instrument(status: &LiveStatus, instrument: &Instrument) -> (Option<SourceState>, Option<UnixMs>) {
    let Some(venue) = status.venues.iter().find(|venue| venue.venue == instrument.venue) else {
        return (Some(SourceState::Connecting), None);
    };
    if venue.unlisted.contains(&instrument.symbol) {
        return (None, None);
    }
    let streams = || venue.streams.iter().filter(|stream| stream.symbol == instrument.symbol);
    let as_of = streams().filter_map(|stream| stream.as_of).max();
    let needed = streams().filter(|stream| NEEDED.contains(&stream.stream));
    let state = needed.map(|stream| stream.state).max_by_key(badness).unwrap_or(venue.state);
    // A venue that cannot be reached says more than a stream that has not begun.
    let down = venue.state == SourceState::Down && state != SourceState::Live;
    (Some(if down { SourceState::Down } else { state }), as_of)
}

/// How much of the symbol is not there.
const fn badness(state: &SourceState) -> u8 {
    match state {
        SourceState::Live => 0,
        SourceState::Lagging => 1,
        SourceState::Connecting => 2,
        SourceState::Stale => 3,
        SourceState::Down => 4,
    }
}

/// The ledgers of venues that have the symbol.
pub(crate) fn listed(live: &Live, symbol: &ServedSymbol) -> Vec<Arc<Part>> {
    let status = live.status();
    let is_listed = |part: &&Arc<Part>| of_instrument(&status, &part.instrument).0.is_some();
    symbol.parts.iter().filter(is_listed).cloned().collect()
}

/// A symbol in a word, and its venues.
pub(crate) fn standing(live: &Live, symbol: &ServedSymbol, now: UnixMs) -> (FeedState, Vec<SourceStanding>) {
    let status = live.status();
    let venues: Vec<(Option<SourceState>, SourceStanding)> = symbol
        .parts
        .iter()
        .map(|part| {
            let (state, as_of) = of_instrument(&status, &part.instrument);
            let venue = part.instrument.venue.name();
            (state, SourceStanding { venue, state: state.map_or(UNLISTED, SourceState::name), as_of })
        })
        .collect();
    let states: Vec<SourceState> = venues.iter().filter_map(|(state, _)| *state).collect();
    let word = if live.journal.failing() > 0 { FeedState::Degraded } else { word(symbol, &states, now) };
    (word, venues.into_iter().map(|(_, standing)| standing).collect())
}

fn word(symbol: &ServedSymbol, states: &[SourceState], now: UnixMs) -> FeedState {
    let brings = |state: &&SourceState| matches!(state, SourceState::Live | SourceState::Lagging);
    let bring = states.iter().filter(brings).count();
    let view = symbol.view();
    let stale_after = (2 * symbol.interval().ms()).max(60_000);
    let is_old = view.as_ref().is_none_or(|view| now.since(view.as_of) > stale_after);
    match (bring, view) {
        (0, None) if !states.is_empty() && states.iter().all(|state| *state == SourceState::Connecting) => {
            FeedState::WarmingUp
        }
        (0, _) => FeedState::Stale,
        (_, None) => FeedState::WarmingUp,
        (some, _) if some < states.len() => FeedState::Degraded,
        // Events come, but no bars are made of them yet: what came before is still being fetched.
        (_, Some(_)) if is_old => FeedState::Stale,
        (_, Some(_)) if states.contains(&SourceState::Lagging) => FeedState::Lagging,
        (_, Some(view)) if view.warming_up => FeedState::WarmingUp,
        (_, Some(_)) => FeedState::Live,
    }
}

/// What is wrong with live data, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blame {
    pub(crate) reason: String,
    /// Whether the server should get no traffic because of it.
    pub(crate) blocks: bool,
}

/// Everything that is wrong. One venue of several is a flaw; a symbol without any venue, or a database that takes
/// nothing, is more than that.
pub(crate) fn trouble(app: &App, live: &Live) -> Vec<Blame> {
    let status = live.status();
    let mut blames = Vec::new();
    let writer = live.journal.stats();
    if writer.failing > 0 {
        let why = writer.trouble.unwrap_or_default();
        let reason = format!("live events cannot be stored ({} attempts): {why}", writer.failing);
        blames.push(Blame { reason, blocks: true });
    }
    for venue in &status.venues {
        if matches!(venue.state, SourceState::Live | SourceState::Lagging) || venue.has_nothing() {
            continue;
        }
        let because = venue.trouble.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let reason = format!("{} is {}{because}", venue.venue, venue.state.name());
        blames.push(Blame { reason, blocks: false });
    }
    for market in &app.markets {
        let Some(symbol) = market.symbols.first() else { continue };
        let states = symbol.parts.iter().map(|part| of_instrument(&status, &part.instrument).0);
        if states.clone().flatten().all(|state| badness(&state) > 1) {
            let states: Vec<&str> = states.map(|state| state.map_or(UNLISTED, SourceState::name)).collect();
            let reason = format!("{} has no live source ({})", symbol.name, states.join(", "));
            blames.push(Blame { reason, blocks: true });
        }
    }
    blames
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
        state: venue.state.name(),
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
        state: stream.state.name(),
        as_of: stream.as_of.map(format_time),
        events: stream.events,
    }
}
