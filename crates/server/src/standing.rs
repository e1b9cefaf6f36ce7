//! How the data of a symbol stands, in a word, with the venues behind it.

use std::sync::Arc;

use liqheat_market::UnixMs;
use liqheat_stream::SourceStanding;
use liqheat_wire::FeedState;

use crate::app::App;
use crate::live;
use crate::symbol::{Part, ServedSymbol};

/// At a moment of market time, when the last update went well.
pub(crate) fn of(app: &App, symbol: &ServedSymbol, now: UnixMs) -> (FeedState, Vec<SourceStanding>) {
    match &app.live {
        Some(followed) => live::standing(followed, symbol, now),
        None => (word(app, symbol, now), Vec::new()),
    }
}

/// The ledgers that a symbol is the sum of: not of venues that have the contract no more. What is stored of those is
/// shown under the name of the venue.
pub(crate) fn summed(app: &App, symbol: &ServedSymbol) -> Vec<Arc<Part>> {
    match &app.live {
        Some(followed) if symbol.parts.len() > 1 => live::listed(followed, symbol),
        _ => symbol.parts.clone(),
    }
}

fn word(app: &App, symbol: &ServedSymbol, now: UnixMs) -> FeedState {
    if app.updates.feed_failing.get() > 0 {
        return FeedState::Degraded;
    }
    if app.clock.is_replay() {
        return FeedState::Replay;
    }
    let Some(view) = symbol.view() else {
        return FeedState::WarmingUp;
    };
    let stale_after = (2 * symbol.interval().ms()).max(60_000);
    if now.since(view.as_of) > stale_after {
        FeedState::Stale
    } else if view.warming_up {
        FeedState::WarmingUp
    } else {
        FeedState::Live
    }
}
