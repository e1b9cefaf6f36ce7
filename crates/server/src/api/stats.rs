//! `GET /ws/stats`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use liqheat_stream::{Hub, OfConnection};
use liqheat_wire::{BoardStats, StatsBody, format_time};

use crate::clock::MarketClock;
use crate::ingest::live::{self, Live};
use crate::ops::metrics::{FrontMetrics, SocketRefusal, UpdateMetrics};

/// What the statistics are read from.
pub(crate) struct StatsState {
    pub(crate) hub: Arc<Hub>,
    pub(crate) front: Arc<FrontMetrics>,
    pub(crate) updates: Arc<UpdateMetrics>,
    pub(crate) live: Option<Arc<Live>>,
    pub(crate) started: Instant,
}

pub(super) async fn stats(State(state): State<Arc<StatsState>>) -> Json<StatsBody> {
    let metrics = &state.hub.metrics;
    let second = MarketClock::wall_now().0.unsigned_abs() / 1_000;
    let subscriptions =
        state.hub.listed().map(|slot| (slot.symbol().to_owned(), slot.subscriptions() as u64));
    let slow_ever = state.hub.slots().map(|slot| metrics.slow_consumers_total(slot.symbol()));
    let boards = state.hub.listed().filter_map(|slot| {
        let feed = slot.feed();
        let stats = slot.with_board(|board| BoardStats {
            epoch: board.epoch().to_string(),
            seq: board.seq(),
            hash: board.hash().to_string(),
            as_of: feed.as_of.map(format_time),
            levels: board.levels(),
            state: feed.state,
        })?;
        Some((slot.symbol().to_owned(), stats))
    });
    let (frames_made, frames_delivered) = metrics.states_made_and_sent();
    Json(StatsBody {
        active_connections: metrics.active_connections.load(Ordering::Relaxed),
        messages_sent_1m: metrics.sent_1m.sum(second),
        slow_consumers: metrics.slow_consumers.get().try_into().unwrap_or(0),
        slow_consumers_total: slow_ever.sum(),
        subscriptions_by_symbol: subscriptions.collect(),
        messages_sent: metrics.frames_sent.get(),
        bytes_sent: metrics.bytes_sent.get(),
        frames_made,
        frames_delivered,
        updates_skipped: metrics.updates_skipped.get(),
        hash_mismatches: metrics.hash_mismatches.get(),
        connections_by_encoding: metrics.connections().into_iter().map(encoding).collect(),
        upgrades_rejected: rejected(&state),
        closed_by_code: metrics.closes().into_iter().collect(),
        uptime_s: state.started.elapsed().as_secs(),
        updates: state.updates.turns.get(),
        updates_failed: state.updates.failed.get(),
        invariants_broken: state.updates.invariants_broken.get(),
        boards: boards.collect(),
        live: state.live.as_deref().map(live::stats),
    })
}

fn encoding((kind, count): (OfConnection, u64)) -> (String, u64) {
    let name = match kind.compression {
        "none" => kind.encoding.to_owned(),
        compression => format!("{}+{compression}", kind.encoding),
    };
    (name, count)
}

fn rejected(state: &StatsState) -> BTreeMap<String, u64> {
    SocketRefusal::ALL
        .iter()
        .map(|reason| (reason.name().to_owned(), state.front.rejected(*reason)))
        .collect()
}
