//! `GET /live`, `/ready` and `/health`.
//!
//! Live means that the process answers; it depends on nothing else, so that nobody restarts a server because
//! its database is slow. Ready means that it should get traffic, and says why when it should not.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use liqheat_wire::HealthBody;

use crate::app::App;
use crate::live::{self, Blame};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn live() -> Json<HealthBody> {
    Json(HealthBody { status: "ok", reasons: Vec::new(), version: VERSION })
}

/// Always 200, with the reasons when something is not well.
pub(super) async fn health(State(app): State<Arc<App>>) -> Json<HealthBody> {
    Json(body(&reasons(&app)))
}

/// 503 with the reasons when the server should get no traffic, else 200; what is less than well is told then, too.
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<HealthBody>) {
    let reasons = reasons(&app);
    let blocked = reasons.iter().any(|blame| blame.blocks);
    let status = if blocked { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(body(&reasons)))
}

fn body(reasons: &[Blame]) -> HealthBody {
    let reasons: Vec<String> = reasons.iter().map(|blame| blame.reason.clone()).collect();
    HealthBody { status: if reasons.is_empty() { "ok" } else { "degraded" }, reasons, version: VERSION }
}

fn reasons(app: &App) -> Vec<Blame> {
    let own = faults(app).into_iter().map(|reason| Blame { reason, blocks: true });
    own.chain(app.live.iter().flat_map(|live| live::trouble(app, live))).collect()
}

fn faults(app: &App) -> Vec<String> {
    let mut reasons = Vec::new();
    if app.is_stopping() {
        reasons.push("the server is stopping".to_owned());
    }
    let failing = app.updates.failing.get();
    if failing > 0 {
        reasons.push(format!("the last {failing} updates failed; see the log"));
    }
    let feed_failing = app.updates.feed_failing.get();
    if feed_failing > 0 {
        reasons.push(format!(
            "the simulated market stands still: its events could not be stored {feed_failing} times in a row; see the log"
        ));
    }
    reasons.extend(app.backplane.trouble());
    if app.is_edge() {
        let waiting = app.hub.slots().filter(|slot| slot.with_board(|_| ()).is_none());
        reasons.extend(waiting.map(|slot| format!("{} has no state yet", slot.symbol())));
        return reasons;
    }
    if app.symbols.is_empty() {
        reasons.push("there is no market data; load some with `liqheat ingest`".to_owned());
    }
    if app.settings.ws_enabled {
        let waiting = app.listed().filter(|symbol| symbol.view().is_none());
        reasons.extend(waiting.map(|symbol| format!("{} has no state yet", symbol.name)));
    }
    reasons
}
