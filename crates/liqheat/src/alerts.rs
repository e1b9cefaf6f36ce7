//! The command `alerts`.

#![expect(clippy::disallowed_methods, reason = "a command replays off the async workers")]

use std::process::ExitCode;

use anyhow::{Context, bail};
use liqheat_alerts::{Target, test_alert};
use liqheat_feeds::tiers::TierBook;
use liqheat_market::{Liquidation, UnixMs, Venue};
use liqheat_model::Params;
use liqheat_server::{AlertReplay, AlertSettings, MarketClock, replay_alerts, send_once};
use liqheat_store::{InstrumentSpan, Store};

use crate::alerts_file;
use crate::cli::{AlertAction, Alerts};
use crate::stored::{ROWS_MAX, choose, open, read_bars};
use crate::terminal::{self, complain};
use crate::tiers;

/// Runs the command.
pub(crate) async fn run(alerts: Alerts) -> anyhow::Result<ExitCode> {
    let settings = alerts_file::settings(alerts.alerts.as_deref())
        .map_err(|faults| anyhow::anyhow!(faults.join("\n")))?;
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
    let store = open(&path)?;
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
