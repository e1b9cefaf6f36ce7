//! `GET /ws/stats`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::State;
use liqheat_wire::{BoardStats, StatsBody, format_time};

use crate::app::App;
use crate::clock::MarketClock;
use crate::metrics::Rejected;

pub(super) async fn stats(State(app): State<Arc<App>>) -> Json<StatsBody> {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counters = &app.hub.counters;
    let second = MarketClock::wall_now().0.unsigned_abs() / 1_000;
    let subscriptions = app.hub.slots().map(|slot| (slot.symbol().to_owned(), slot.subscriptions() as u64));
    let boards = app.hub.slots().filter_map(|slot| {
        let standing = slot.standing();
        let stats = slot.with_board(|board| BoardStats {
            epoch: board.epoch().to_owned(),
            seq: board.seq(),
            hash: board.hash().to_string(),
            as_of: standing.as_of.map(format_time),
            levels: board.levels(),
            state: standing.state,
        })?;
        Some((slot.symbol().to_owned(), stats))
    });
    let active_connections = read(&counters.active_connections);
    Json(StatsBody {
        active_connections,
        messages_sent_1m: counters.sent_1m.sum(second),
        slow_consumers: read(&counters.slow_consumers),
        slow_consumers_total: read(&counters.slow_consumers_total),
        subscriptions_by_symbol: subscriptions.collect(),
        messages_sent: read(&counters.messages_sent),
        bytes_sent: read(&counters.bytes_sent),
        frames_made: read(&counters.frames_made),
        updates_skipped: read(&counters.updates_skipped),
        // Every session speaks plain JSON.
        connections_by_encoding: BTreeMap::from([("json".to_owned(), active_connections)]),
        upgrades_rejected: rejected(&app),
        closed_by_code: BTreeMap::new(),
        uptime_s: app.started.elapsed().as_secs(),
        updates: app.updates.turns.get(),
        updates_failed: app.updates.failed.get(),
        invariants_broken: app.updates.invariants_broken.get(),
        boards: boards.collect(),
    })
}

fn rejected(app: &App) -> BTreeMap<String, u64> {
    Rejected::ALL.iter().map(|reason| (reason.name().to_owned(), app.front.rejected(*reason))).collect()
}
