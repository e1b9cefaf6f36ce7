//! Reading the file of alerts with its secrets, and the command `alerts`.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the file of alerts and its secrets, and replays off the async workers"
)]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use liqheat_alerts::{AlertsFile, SecretSource, Target, TargetFields, test_alert};
use liqheat_feeds::tiers::TierBook;
use liqheat_market::{Liquidation, UnixMs, Venue};
use liqheat_model::Params;
use liqheat_server::{AlertReplay, AlertSettings, MarketClock, replay_alerts, send_once};
use liqheat_store::{InstrumentSpan, Location, Settings, Store};

use crate::cli::{AlertAction, Alerts};
use crate::stored::{ROWS_MAX, choose, read_bars};
use crate::terminal::{self, complain};
use crate::tiers;

/// A secret is a line.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Rules and targets of a file; none without a file.
///
/// # Errors
/// Every mistake, in words that hold no secret.
pub(crate) fn settings(path: Option<&Path>) -> Result<AlertSettings, Vec<String>> {
    let Some(path) = path else { return Ok(AlertSettings::default()) };
    let named = |text: String| format!("LIQHEAT_ALERTS: {}: {text}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| vec![named(error.to_string())])?;
    let file = AlertsFile::parse(&text)
        .map_err(|faults| faults.iter().map(|fault| named(fault.to_string())).collect::<Vec<_>>())?;
    let (mut targets, mut faults) = (Vec::new(), Vec::new());
    for fields in &file.targets {
        match target(fields) {
            Ok(target) => targets.push(target),
            Err(fault) => faults.push(named(fault)),
        }
    }
    if faults.is_empty() { Ok(AlertSettings { rules: file.rules, targets }) } else { Err(faults) }
}

fn target(fields: &TargetFields) -> Result<Target, String> {
    let named = |text: String| format!("target '{}': {text}", fields.name);
    let secret = |source: Option<SecretSource>| source.map(read_secret).transpose().map_err(named);
    let url = secret(fields.url_source().map_err(named)?)?;
    let key = secret(fields.secret_source().map_err(named)?)?;
    Target::new(fields, url, key).map_err(|error| error.to_string())
}

fn read_secret(source: SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Literal(text) => Ok(text),
        SecretSource::Variable(name) => {
            std::env::var(&name).map_err(|_| format!("the environment variable {name} is not set"))
        }
        SecretSource::File(path) => {
            let named = |text: String| format!("{}: {text}", path.display());
            let length = std::fs::metadata(&path).map_err(|error| named(error.to_string()))?.len();
            if length > SECRET_BYTES_MAX {
                return Err(named("larger than a secret can be".to_owned()));
            }
            std::fs::read_to_string(&path).map_err(|error| named(error.to_string()))
        }
    }
}

/// Runs the command.
pub(crate) async fn run(alerts: Alerts) -> anyhow::Result<ExitCode> {
    let settings = settings(alerts.alerts.as_deref()).map_err(|faults| anyhow::anyhow!(faults.join("\n")))?;
    match alerts.action {
        AlertAction::Test => test(&alerts, settings).await,
        AlertAction::Replay => tokio::task::spawn_blocking(move || replay(&alerts, settings)).await?,
    }
}

async fn test(alerts: &Alerts, settings: AlertSettings) -> anyhow::Result<ExitCode> {
    let is_meant = |target: &Target| alerts.target.as_deref().is_none_or(|name| name == target.name());
    let targets: Vec<Target> = settings.targets.into_iter().filter(is_meant).collect();
    if targets.is_empty() {
        match &alerts.target {
            Some(name) => bail!("the file names no target '{name}'"),
            None => bail!("the file names no target; add one under [[targets]]"),
        }
    }
    let mut code = ExitCode::SUCCESS;
    for target in &targets {
        let now = MarketClock::wall_now();
        match send_once(target, &test_alert(now), now).await {
            Ok(()) => terminal::print(format_args!("ok    {} ({})\n", target.name(), target.kind().name())),
            Err(error) => {
                terminal::print(format_args!(
                    "FAIL  {} ({}): {}\n",
                    target.name(),
                    target.kind().name(),
                    error.reason
                ));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn replay(alerts: &Alerts, settings: AlertSettings) -> anyhow::Result<ExitCode> {
    const DAY_MS: i64 = 86_400_000;
    let path = alerts.db.path()?;
    if !path.exists() {
        bail!("{} does not exist; load klines with `liqheat ingest` first", path.display());
    }
    let store = Store::open(Location::File(path.clone()), Settings::default())?;
    let stored = store.instruments().blocking()?;
    let span = choose(&stored, alerts.period.symbol.as_deref())?;
    let InstrumentSpan { instrument, interval, first, last, .. } = span;
    let from = alerts.period.from.unwrap_or(first.plus(DAY_MS));
    let to = alerts.period.to.unwrap_or(*last);
    let bars = read_bars(&store, instrument, *interval, *first, to)?;
    let liquidations = liquidations(&store, &stored, span, from, to)?;
    store.close_blocking()?;
    let book = tiers::load(alerts.tiers.as_deref(), Some(&path), TierBook::default())?;
    let name = alerts.period.symbol.clone().unwrap_or_else(|| instrument.symbol.to_string());
    let raised = replay_alerts(&AlertReplay {
        symbol: &name,
        bars: &bars,
        liquidations: &liquidations,
        rules: settings.rules,
        params: &Params::default(),
        tiers: &book.table(instrument),
        from,
    });
    for alert in &raised {
        let line = serde_json::to_string(alert).context("an alert cannot be written")?;
        terminal::print(format_args!("{line}\n"));
    }
    complain!("{} alerts of {name} in {} bars", raised.len(), bars.len());
    Ok(ExitCode::SUCCESS)
}

/// Liquidations of the symbol at all venues, or at the one that was asked for.
fn liquidations(
    store: &Store,
    stored: &[InstrumentSpan],
    span: &InstrumentSpan,
    from: UnixMs,
    to: UnixMs,
) -> anyhow::Result<Vec<(Venue, Liquidation)>> {
    let mut rows = Vec::new();
    for one in stored.iter().filter(|one| one.instrument.symbol == span.instrument.symbol) {
        let of_venue = store.liquidations(&one.instrument, from, to, 0, ROWS_MAX).blocking()?;
        rows.extend(of_venue.into_iter().map(|row| (one.instrument.venue, row)));
    }
    rows.sort_by_key(|(_, row)| row.time);
    Ok(rows)
}
