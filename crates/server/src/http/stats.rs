//! `GET /ws/stats`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::State;
use liqheat_wire::{BoardStats, StatsBody, format_time};

use crate::app::App;
use crate::clock::MarketClock;

pub(super) async fn stats(State(app): State<Arc<App>>) -> Json<StatsBody> {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let metrics = &app.hub.metrics;
    let second = MarketClock::wall_now().0.unsigned_abs() / 1_000;
    let subscriptions = app.hub.slots().map(|slot| (slot.symbol().to_owned(), slot.subscriptions() as u64));
    let boards = app.hub.slots().filter_map(|slot| {
        let standing = slot.standing();
        let stats = slot.with_board(|board| BoardStats {
            epoch: board.epoch().to_string(),
            seq: board.seq(),
            hash: board.hash().to_string(),
            as_of: standing.as_of.map(format_time),
            levels: board.levels(),
            state: standing.state,
        })?;
        Some((slot.symbol().to_owned(), stats))
    });
    Json(StatsBody {
        active_connections: read(&metrics.active_connections),
        messages_sent_1m: metrics.sent_1m.sum(second),
        slow_consumers: metrics.slow_consumers.get().try_into().unwrap_or(0),
        subscriptions_by_symbol: subscriptions.collect(),
        uptime_s: app.started.elapsed().as_secs(),
        updates: read(&app.updates.turns),
        updates_failed: read(&app.updates.failed),
        invariants_broken: read(&app.updates.invariants_broken),
        boards: boards.collect(),
    })
}
