//! `GET /live`, `/ready` and `/health`.
//!
//! Live means that the process answers; it depends on nothing else, so that nobody restarts a server because
//! its database is slow. Ready means that it should get traffic, and says why when it should not.

#![expect(clippy::disallowed_methods, reason = "the moment of a request, by which lateness is judged")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use liqheat_cluster::Backplane;
use liqheat_store::Store;
use liqheat_stream::Hub;
use liqheat_wire::HealthBody;

use crate::alerts::Alerts;
use crate::catalog::Catalog;
use crate::gateway::TokenGate;
use crate::ingest::live::{self, HealthIssue, Live};
use crate::measured::MeasuredLayer;
use crate::ops::metrics::UpdateMetrics;
use crate::ops::stopping::StopFlag;
use crate::published::Published;

/// What health is read from.
pub(crate) struct HealthState {
    pub(crate) stopping: StopFlag,
    pub(crate) updates: Arc<UpdateMetrics>,
    pub(crate) backplane: Backplane,
    pub(crate) hub: Arc<Hub>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) published: Arc<Published>,
    pub(crate) live: Option<Arc<Live>>,
    pub(crate) tokens: Arc<TokenGate>,
    pub(crate) alerts: Arc<Alerts>,
    pub(crate) measured: Option<Arc<MeasuredLayer>>,
    pub(crate) store: Store,
    /// Whether the updater runs.
    pub(crate) ws_enabled: bool,
    pub(crate) is_edge: bool,
    /// Time between two updates of a symbol.
    pub(crate) update_interval: Duration,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn live() -> Json<HealthBody> {
    Json(HealthBody { status: "ok", reasons: Vec::new(), version: VERSION })
}

/// Always 200, with the reasons when something is not well.
pub(super) async fn health(State(state): State<Arc<HealthState>>) -> Json<HealthBody> {
    Json(body(&reasons(&state)))
}

/// 503 with the reasons when the server should get no traffic, else 200; problems that do not block traffic are listed as well.
pub(super) async fn ready(State(state): State<Arc<HealthState>>) -> (StatusCode, Json<HealthBody>) {
    let reasons = reasons(&state);
    let blocked = reasons.iter().any(|issue| issue.blocks);
    let status = if blocked { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(body(&reasons)))
}

fn body(reasons: &[HealthIssue]) -> HealthBody {
    let reasons: Vec<String> = reasons.iter().map(|issue| issue.reason.clone()).collect();
    HealthBody { status: if reasons.is_empty() { "ok" } else { "degraded" }, reasons, version: VERSION }
}

fn reasons(state: &HealthState) -> Vec<HealthIssue> {
    let own = faults(state).into_iter().map(|reason| HealthIssue { reason, blocks: true });
    let warnings = late_update(state).into_iter().chain(missing_file(state)).chain(state.tokens.faults());
    let warnings = warnings.chain(state.alerts.dead_targets());
    let warnings = warnings.chain(state.measured.iter().flat_map(|measured| measured.issues()));
    let warnings = warnings.map(|reason| HealthIssue { reason, blocks: false });
    let live = state.live.iter().flat_map(|live| live::trouble(&state.catalog, live));
    own.chain(warnings).chain(live).collect()
}

/// A database file that was deleted or replaced. Rows are still stored and served, so this does not block.
fn missing_file(state: &HealthState) -> Option<String> {
    let what = state.store.counters().file.problem()?;
    let location = state.store.location();
    Some(format!(
        "{location} was {what} while it was open: rows stored since are lost when this server stops"
    ))
}

/// An update that is overdue by several intervals. The last states are still served, so this does not block.
fn late_update(state: &HealthState) -> Option<String> {
    const INTERVALS: u32 = 3;
    let interval = state.update_interval;
    let (symbol, late) =
        state.updates.late(Instant::now()).filter(|(_, late)| *late >= interval * INTERVALS)?;
    Some(format!(
        "the update of {symbol} is {:.1} s late (interval {:.1} s): the updater or the database is overloaded",
        late.as_secs_f64(),
        interval.as_secs_f64()
    ))
}

fn faults(state: &HealthState) -> Vec<String> {
    let mut reasons = Vec::new();
    if state.stopping.is_stopping() {
        reasons.push("the server is stopping".to_owned());
    }
    let failing = state.updates.failing.get();
    if failing > 0 {
        reasons.push(format!("the last {failing} updates failed; see the log"));
    }
    let feed_failing = state.updates.feed_failing.get();
    if feed_failing > 0 {
        reasons.push(format!(
            "the simulated market stands still: its events could not be stored {feed_failing} times in a row; see the log"
        ));
    }
    reasons.extend(state.backplane.trouble());
    if state.is_edge {
        let waiting = state.hub.slots().filter(|slot| slot.with_board(|_| ()).is_none());
        reasons.extend(waiting.map(|slot| format!("{} has no state yet", slot.symbol())));
        return reasons;
    }
    if state.catalog.is_empty() {
        reasons.push("there is no market data; load some with `liqheat ingest`".to_owned());
    }
    if state.ws_enabled {
        // Live, one venue of several may not be there; the sources report when no venue brings anything.
        let first = state.catalog.markets().iter().filter_map(|market| market.symbols.first());
        let shown: Vec<_> =
            if state.live.is_some() { first.collect() } else { state.catalog.listed().collect() };
        let waiting = shown.into_iter().filter(|symbol| !state.published.has_state(symbol));
        reasons.extend(waiting.map(|symbol| format!("{} has no state yet", symbol.name)));
    }
    reasons
}
