//! The background task that keeps the boards up to date.
//!
//! In its turn the ledgers of a market (one symbol at all its venues) are moved by what came into the store since
//! the last one, each once, and the difference is put on the boards of all names that show them. A turn that fails
//! is logged, counted and tried again from the same place; nothing of it is lost, because the cursor moves only
//! with what was applied.

use std::sync::Arc;
use std::time::Duration;

use liqheat_market::UnixMs;
use liqheat_store::{Retention, StoreError};
use liqheat_stream::BoardUpdate;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::app::App;
use crate::clock::MarketClock;
use crate::engine::Engine;
use crate::schedule::Schedule;
use crate::symbol::{Market, Part, ServedSymbol, SymbolView};
use crate::{aggregate, standing};

/// How often rows that are too old are deleted.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(3_600);

/// One market's place in the updater: its engines, once the store let them start.
struct Desk {
    market: Arc<Market>,
    engines: Vec<Option<Engine>>,
    /// Failed turns in a row.
    failing: i64,
}

impl Desk {
    fn new(market: &Arc<Market>) -> Self {
        let engines = market.parts.iter().map(|_| None).collect();
        Self { market: Arc::clone(market), engines, failing: 0 }
    }

    /// Its name in the log.
    fn name(&self) -> &str {
        self.market.symbols.first().map_or("", |symbol| &symbol.name)
    }
}

/// Names a run of this process in the epochs of its boards.
fn new_epoch_run() -> String {
    format!("{:x}", MarketClock::wall_now().0)
}

/// Runs until asked to stop.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let epoch_run = new_epoch_run();
    let mut desks: Vec<Desk> = app.markets.iter().map(Desk::new).collect();
    let mut schedule = Schedule::new(desks.len(), app.settings.update_interval, Instant::now());
    let mut housekeeping = Instant::now();
    info!(markets = desks.len(), every_ms = app.settings.update_interval.as_millis() as u64, "updater runs");
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
        debug!(symbol = desks[next].name(), took_ms, failed, "turn of the updater");
        schedule.done(next, Instant::now());
    }
    info!("updater stopped");
}

/// Deletes what the operator does not want kept. A failure is tried again in an hour.
async fn keep_house(app: &App) {
    if app.clock.is_replay() || app.settings.retention == Retention::default() {
        return;
    }
    for part in app.markets.iter().flat_map(|market| &market.parts) {
        let (Some(view), instrument) = (part.view(), &part.instrument) else { continue };
        match app.store.retain(instrument, view.as_of, app.settings.retention).await {
            Ok(deleted) => info!(%instrument, ?deleted, "old rows deleted"),
            Err(error) => warn!(%instrument, %error, "old rows not deleted; it is tried again in an hour"),
        }
    }
}

/// Brings the boards of a market up to date; where that fails, whoever watches one is told.
async fn update(app: &App, desk: &mut Desk, now: UnixMs, epoch_run: &str) -> Result<(), StoreError> {
    let result = advance(app, desk, now).await;
    desk.failing = if result.is_ok() { 0 } else { desk.failing + 1 };
    if let Err(error) = &result {
        warn!(symbol = desk.name(), %error, "update failed; it is tried again");
    }
    for symbol in &desk.market.symbols {
        let Some(slot) = app.hub.slot(&symbol.name) else { continue };
        if result.is_err() {
            app.backplane.failing(&slot);
            continue;
        }
        let view = aggregate::sum(&standing::summed(app, symbol), epoch_run);
        let state = view.as_ref().map(board_update);
        if let Some(view) = view {
            symbol.set_view(view);
        }
        let (standing, sources) = standing::of(app, symbol, now);
        app.backplane.publish(&slot, state, standing, sources);
    }
    result
}

/// Moves every ledger of a market. One that cannot be moved does not keep the others.
async fn advance(app: &App, desk: &mut Desk, now: UnixMs) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    for (part, engine) in desk.market.parts.iter().zip(&mut desk.engines) {
        let moved = advance_one(app, part, engine, now).await;
        outcome = outcome.and(moved);
    }
    outcome
}

async fn advance_one(
    app: &App,
    part: &Arc<Part>,
    engine: &mut Option<Engine>,
    now: UnixMs,
) -> Result<(), StoreError> {
    if engine.is_none() {
        let kept = app.settings.checkpoints_kept;
        *engine = Engine::start(Arc::clone(part), app.store.clone(), now, kept).await?;
    }
    match engine {
        Some(engine) => engine.advance(now, &app.updates).await,
        None => Ok(()),
    }
}

fn board_update(view: &SymbolView) -> BoardUpdate {
    BoardUpdate {
        epoch: view.epoch.clone(),
        cells: view.cells.as_ref().clone(),
        price: view.price,
        base_bin: view.base_bin,
        as_of: view.as_of,
        counters: view.counters,
    }
}

/// Does the updater's work where it does not run (`WS_ENABLED=false`): a request that wants the newest view
/// moves the symbol on first, at most once an update interval, so that polling is answered as before.
pub(crate) struct OnDemand {
    epoch_run: String,
    /// Held for the length of an update: whoever comes meanwhile waits for it and uses its outcome.
    desks: Mutex<Vec<(Desk, Option<Instant>)>>,
}

impl OnDemand {
    pub(crate) fn new(markets: &[Arc<Market>]) -> Self {
        let desks = markets.iter().map(|market| (Desk::new(market), None));
        Self { epoch_run: new_epoch_run(), desks: Mutex::new(desks.collect()) }
    }

    /// Brings the view of a symbol up to date, if it is time.
    ///
    /// # Errors
    /// When the store fails; the next request tries again.
    pub(crate) async fn refresh(&self, app: &App, symbol: &ServedSymbol) -> Result<(), StoreError> {
        let mut desks = self.desks.lock().await;
        let Some((desk, updated)) = desks.get_mut(symbol.market) else {
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
        app.updates.failing.set(desks.iter().map(|(desk, _)| desk.failing).max().unwrap_or(0));
        result
    }
}
