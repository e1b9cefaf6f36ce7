//! `GET`, `POST` and `DELETE /v1/alerts`: rules, targets and the newest alerts.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use liqheat_alerts::{Alert, Rule, RuleFields};
use schemars::JsonSchema;
use serde::Serialize;

use crate::alerts::{Alerts, RuleRefusal, TargetDelivery};
use crate::http::{Query, Refusal};

/// A rule is a few hundred bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;

/// `GET /v1/alerts`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct AlertsBody {
    /// Rules in force.
    rules: Vec<RuleRow>,
    /// Where alerts go, by name; never their addresses.
    targets: Vec<TargetRow>,
    /// The newest alerts, at most 500, oldest first.
    alerts: Vec<Alert>,
}

/// A rule and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct RuleRow {
    /// `file` or `api`; only those of the API can be deleted here.
    source: &'static str,
    #[serde(flatten)]
    rule: RuleFields,
}

/// The state of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct TargetRow {
    /// Its name.
    name: String,
    /// webhook, telegram, discord, slack or ntfy.
    kind: &'static str,
    /// Alerts that wait.
    waiting: usize,
    /// Failures since the last success.
    failures: u32,
    /// Why the last attempt failed; empty after a success.
    reason: String,
    /// Whether it failed five times or more in a row.
    dead: bool,
}

pub(super) async fn list(State(alerts): State<Arc<Alerts>>) -> Json<AlertsBody> {
    let row = |(rule, is_api): (Arc<Rule>, bool)| rule_row(&rule, is_api);
    Json(AlertsBody {
        rules: alerts.rules().into_iter().map(row).collect(),
        targets: alerts.targets().iter().map(|target| target_row(target)).collect(),
        alerts: alerts.recent(),
    })
}

fn rule_row(rule: &Rule, is_api: bool) -> RuleRow {
    RuleRow { source: if is_api { "api" } else { "file" }, rule: rule.fields().clone() }
}

fn target_row(target: &TargetDelivery) -> TargetRow {
    let state = target.state();
    TargetRow {
        name: target.name().to_owned(),
        kind: target.kind(),
        waiting: state.waiting,
        failures: state.failures,
        reason: state.reason,
        dead: state.is_dead,
    }
}

pub(super) async fn add(
    State(alerts): State<Arc<Alerts>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<RuleRow>, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // A form of another page cannot send this type without asking first.
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::malformed("the header Content-Type must be application/json"));
    }
    let fields: RuleFields = serde_json::from_slice(&body)
        .map_err(|error| Refusal::malformed(format!("the body is not a rule: {error}")))?;
    let rule = alerts.put_rule(fields).await.map_err(refusal)?;
    Ok(Json(rule_row(&rule, true)))
}

pub(super) async fn remove(
    State(alerts): State<Arc<Alerts>>,
    query: Query,
) -> Result<Json<RemovedBody>, Refusal> {
    let name = query.required("name")?;
    if alerts.delete_rule(name).await.map_err(refusal)? {
        return Ok(Json(RemovedBody { deleted: name.to_owned() }));
    }
    let name: String = name.chars().take(64).collect();
    Err(Refusal::not_found(format!("there is no rule '{name}'; see GET /v1/alerts")))
}

/// `DELETE /v1/alerts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct RemovedBody {
    /// The name of the rule that is no longer in force.
    deleted: String,
}

fn refusal(refused: RuleRefusal) -> Refusal {
    match refused {
        RuleRefusal::Wrong(words) => Refusal::malformed(words),
        RuleRefusal::OfFile => Refusal::bad(
            "a rule of this name stands in the file of --alerts; change it there, or choose another name",
        ),
        RuleRefusal::TooMany => Refusal::bad("there are 200 rules already; delete one first"),
        RuleRefusal::Store(error) => error.into(),
    }
}
