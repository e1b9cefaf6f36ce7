//! The background task that keeps the boards up to date.
//!
//! Every turn it moves each symbol's ledger by what came into the store since the last one and puts the
//! difference on its board. A turn that fails is logged, counted and tried again from the same place; nothing
//! of it is lost, because the cursor moves only with what was applied.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::UnixMs;
use liqheat_store::{Retention, StoreError};
use liqheat_wire::FeedState;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::app::App;
use crate::clock::MarketClock;
use crate::engine::Engine;
use crate::symbol::ServedSymbol;

/// How often rows that are too old are deleted.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(3_600);

/// One symbol's place in the updater: its engine, once the store let it start.
struct Desk {
    symbol: Arc<ServedSymbol>,
    engine: Option<Engine>,
}

impl Desk {
    fn new(symbol: &Arc<ServedSymbol>) -> Self {
        Self { symbol: Arc::clone(symbol), engine: None }
    }
}

/// Names a run of this process in the epochs of its boards.
fn new_epoch_run() -> String {
    format!("{:x}", MarketClock::wall_now().0)
}

/// Runs until asked to stop.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let epoch_run = new_epoch_run();
    let mut desks: Vec<Desk> = app.symbols.values().map(Desk::new).collect();
    let mut turn = interval(app.settings.update_interval);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut housekeeping = Instant::now();
    info!(symbols = desks.len(), every_ms = app.settings.update_interval.as_millis() as u64, "updater runs");
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = turn.tick() => {}
        }
        let began = Instant::now();
        if housekeeping.elapsed() >= HOUSEKEEPING_EVERY {
            housekeeping = began;
            keep_house(&app).await;
        }
        let now = app.clock.now();
        let mut failed = false;
        for desk in &mut desks {
            // Between symbols is a good place to stop: a ledger is never left in the middle of a bar.
            if stop.is_cancelled() {
                return;
            }
            failed |= update(&app, desk, now, &epoch_run).await.is_err();
        }
        app.updates.count(failed);
        debug!(took_ms = began.elapsed().as_millis() as u64, failed, "turn of the updater");
    }
    info!("updater stopped");
}

/// Deletes what the operator does not want kept. A failure is tried again in an hour.
async fn keep_house(app: &App) {
    if app.clock.is_replay() || app.settings.retention == Retention::default() {
        return;
    }
    for symbol in app.symbols.values() {
        let Some(view) = symbol.view() else { continue };
        match app.store.retain(&symbol.instrument, view.as_of, app.settings.retention).await {
            Ok(deleted) => info!(symbol = symbol.name, ?deleted, "old rows deleted"),
            Err(error) => {
                warn!(symbol = symbol.name, %error, "old rows not deleted; it is tried again in an hour");
            }
        }
    }
}

/// Brings one board up to date; where that fails, whoever watches it is told.
async fn update(app: &App, desk: &mut Desk, now: UnixMs, epoch_run: &str) -> Result<(), StoreError> {
    let result = advance(app, desk, now, epoch_run).await;
    if let Err(error) = &result {
        warn!(symbol = desk.symbol.name, %error, "update failed; it is tried again");
        if let Some(slot) = app.hub.slot(&desk.symbol.name) {
            slot.set_standing(FeedState::Degraded, None);
        }
    }
    result
}

async fn advance(app: &App, desk: &mut Desk, now: UnixMs, epoch_run: &str) -> Result<(), StoreError> {
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

/// Does the updater's work where it does not run (`WS_ENABLED=false`): a request that wants the newest view
/// moves the symbol on first, at most once an update interval, so that polling is answered as before.
pub(crate) struct OnDemand {
    epoch_run: String,
    /// Held for the length of an update: whoever comes meanwhile waits for it and uses its outcome.
    desks: Mutex<BTreeMap<String, (Desk, Option<Instant>)>>,
}

impl OnDemand {
    pub(crate) fn new<'a>(symbols: impl IntoIterator<Item = &'a Arc<ServedSymbol>>) -> Self {
        let desks = symbols.into_iter().map(|symbol| (symbol.name.clone(), (Desk::new(symbol), None)));
        Self { epoch_run: new_epoch_run(), desks: Mutex::new(desks.collect()) }
    }

    /// Brings the view of a symbol up to date, if it is time.
    ///
    /// # Errors
    /// When the store fails; the next request tries again.
    pub(crate) async fn refresh(&self, app: &App, symbol: &str) -> Result<(), StoreError> {
        let mut desks = self.desks.lock().await;
        let Some((desk, updated)) = desks.get_mut(symbol) else {
            return Ok(());
        };
        if updated.is_some_and(|updated| updated.elapsed() < app.settings.update_interval) {
            return Ok(());
        }
        let result = update(app, desk, app.clock.now(), &self.epoch_run).await;
        app.updates.count(result.is_err());
        result?;
        *updated = Some(Instant::now());
        Ok(())
    }
}
