//! The background task that keeps the boards up to date.
//!
//! Every turn it moves each symbol's ledger by what came into the store since the last one and puts the
//! difference on its board. A turn that fails is logged, counted and tried again from the same place; nothing
//! of it is lost, because the cursor moves only with what was applied.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use liqheat_market::UnixMs;
use liqheat_store::StoreError;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::app::App;
use crate::clock::MarketClock;
use crate::engine::Engine;
use crate::symbol::ServedSymbol;

/// One symbol's place in the updater: its engine, once the store let it start.
struct Desk {
    symbol: Arc<ServedSymbol>,
    engine: Option<Engine>,
}

/// Runs until asked to stop.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let epoch_run = format!("{:x}", MarketClock::wall_now().0);
    let mut desks: Vec<Desk> =
        app.symbols.values().map(|symbol| Desk { symbol: Arc::clone(symbol), engine: None }).collect();
    let mut turn = interval(app.settings.update_interval);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    info!(symbols = desks.len(), every_ms = app.settings.update_interval.as_millis() as u64, "updater runs");
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = turn.tick() => {}
        }
        let began = Instant::now();
        let now = app.clock.now();
        let mut failed = false;
        for desk in &mut desks {
            // Between symbols is a good place to stop: a ledger is never left in the middle of a bar.
            if stop.is_cancelled() {
                return;
            }
            if let Err(error) = update(&app, desk, now, &epoch_run).await {
                failed = true;
                warn!(symbol = desk.symbol.name, %error, "update failed; it is tried again");
            }
        }
        app.updates.turns.fetch_add(1, Ordering::Relaxed);
        if failed {
            app.updates.failed.fetch_add(1, Ordering::Relaxed);
            app.updates.failing.fetch_add(1, Ordering::Relaxed);
        } else {
            app.updates.failing.store(0, Ordering::Relaxed);
        }
        debug!(took_ms = began.elapsed().as_millis() as u64, failed, "turn of the updater");
    }
    info!("updater stopped");
}

async fn update(app: &App, desk: &mut Desk, now: UnixMs, epoch_run: &str) -> Result<(), StoreError> {
    let engine = match &mut desk.engine {
        Some(engine) => engine,
        none => {
            let (symbol, store) = (Arc::clone(&desk.symbol), app.store.clone());
            let kept = app.settings.checkpoints_kept;
            none.insert(Engine::start(symbol, store, now, epoch_run.to_owned(), kept).await?)
        }
    };
    let Some(slot) = app.hub.slot(&engine.symbol().name) else {
        return Ok(());
    };
    let state = engine.advance(now, &app.updates).await?;
    let as_of = state.as_ref().map(|state| state.as_of);
    if let Some(state) = state {
        slot.publish(state);
    }
    slot.set_standing(engine.standing(app, now), as_of);
    Ok(())
}
