//! The background task that keeps the boards up to date.
//!
//! In its turn a symbol's ledger is moved by what came into the store since the last one, and the difference is
//! put on its board. A turn that fails is logged, counted and tried again from the same place; nothing
//! of it is lost, because the cursor moves only with what was applied.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::UnixMs;
use liqheat_store::{Retention, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::app::App;
use crate::clock::MarketClock;
use crate::engine::Engine;
use crate::schedule::Schedule;
use crate::symbol::ServedSymbol;

/// How often rows that are too old are deleted.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(3_600);

/// One symbol's place in the updater: its engine, once the store let it start.
struct Desk {
    symbol: Arc<ServedSymbol>,
    engine: Option<Engine>,
    /// Failed turns in a row.
    failing: i64,
}

impl Desk {
    fn new(symbol: &Arc<ServedSymbol>) -> Self {
        Self { symbol: Arc::clone(symbol), engine: None, failing: 0 }
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
    let mut schedule = Schedule::new(desks.len(), app.settings.update_interval, Instant::now());
    let mut housekeeping = Instant::now();
    info!(symbols = desks.len(), every_ms = app.settings.update_interval.as_millis() as u64, "updater runs");
    // Between turns is a good place to stop: a ledger is never left in the middle of a bar.
    loop {
        let Some((next, due)) = schedule.next() else {
            stop.cancelled().await;
            break;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = app.backplane.turn_wanted() => {
                schedule.all_now(Instant::now());
                continue;
            }
            () = sleep_until(due) => {}
        }
        if housekeeping.elapsed() >= HOUSEKEEPING_EVERY {
            housekeeping = Instant::now();
            keep_house(&app).await;
        }
        let desk = &mut desks[next];
        let began = Instant::now();
        let failed = update(&app, desk, app.clock.now(), &epoch_run).await.is_err();
        app.updates.count(failed, began.elapsed());
        app.updates.failing.set(desks.iter().map(|desk| desk.failing).max().unwrap_or(0));
        let took_ms = began.elapsed().as_millis() as u64;
        debug!(symbol = desks[next].symbol.name, took_ms, failed, "turn of the updater");
        schedule.done(next, Instant::now());
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
    desk.failing = if result.is_ok() { 0 } else { desk.failing + 1 };
    if let Err(error) = &result {
        warn!(symbol = desk.symbol.name, %error, "update failed; it is tried again");
        if let Some(slot) = app.hub.slot(&desk.symbol.name) {
            app.backplane.failing(&slot);
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
    app.backplane.publish(&slot, state, engine.standing(app, now));
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
        let began = Instant::now();
        let result = update(app, desk, app.clock.now(), &self.epoch_run).await;
        app.updates.count(result.is_err(), began.elapsed());
        if result.is_ok() {
            *updated = Some(Instant::now());
        }
        app.updates.failing.set(desks.values().map(|(desk, _)| desk.failing).max().unwrap_or(0));
        result
    }
}
