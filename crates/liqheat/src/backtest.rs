//! `backtest`: grades the map against liquidations that happened, on what is stored.

mod html;
mod text;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use liqheat_feeds::liquidation_file;
use liqheat_feeds::tiers::TierBook;
use liqheat_feeds::venues::liquidation_feed;
use liqheat_market::{Bar, Instrument, Liquidation, PriceKind, UnixMs, Venue};
use liqheat_score::{BacktestError, Card, Input, NoVolumeAtPrice, Options};
use liqheat_store::{InstrumentSpan, Store};
use liqheat_wire::format_time;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::cli::{Backtest, ReportFormat, StoredPeriod};
use crate::model_file;
use crate::stored::{ROWS_MAX, choose, open, read_bars};
use crate::terminal::{self, complain};
use crate::tiers;

const DAY_MS: i64 = 86_400_000;

/// A card and where its rows come from.
#[derive(Debug, Serialize)]
struct Report {
    symbol: String,
    bars_of: String,
    liquidations_of: String,
    /// What is known about the venue's feed of liquidations.
    feed_limit: &'static str,
    /// Liquidations reported at their bankruptcy price, which were converted.
    bankruptcy_prices: usize,
    tiers: String,
    /// Whether the fitted expected view is printed in tables; JSON always has it.
    #[serde(skip)]
    fits: bool,
    #[serde(flatten)]
    card: Card,
}

/// Runs the command; `stop` ends it between two bars.
pub(crate) fn run(backtest: &Backtest, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let path = backtest.db.path()?;
    let store = open(&path)?;
    let graded = grade(backtest, &store, &path, stop);
    let closed = store.close_blocking();
    let Some(report) = graded? else {
        complain!("Stopped; nothing was graded.");
        return Ok(ExitCode::FAILURE);
    };
    closed?;
    let text = match backtest.format {
        ReportFormat::Text => text::text(&report),
        ReportFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
        ReportFormat::Html => html::html(&report),
    };
    terminal::print(format_args!("{text}"));
    Ok(ExitCode::SUCCESS)
}

/// `None` when it was stopped.
fn grade(
    backtest: &Backtest,
    store: &Store,
    path: &Path,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Report>> {
    let stored = store.instruments().blocking()?;
    let span = choose(&stored, backtest.period.symbol.as_deref())?;
    let (origin, liquidations) = liquidations(backtest, store, span)?;
    let (first, last) = graded_period(&backtest.period, span, &origin, &liquidations)?;
    let warm_up_ms = i64::try_from(backtest.warm_up.as_millis()).unwrap_or(i64::MAX);
    let bars = bars(store, span, first.plus(-warm_up_ms), last)?;
    // Positions are liquidated by the rules of the venue that reports them.
    let rules_of = Instrument::new(origin.venue, origin.symbol.clone());
    let book = tiers::load(backtest.tiers.as_deref(), Some(path), TierBook::default())?;
    let table = book.table(&rules_of);
    let model = model_file::load(backtest.model.as_deref())?;
    let params = model.book.of(&rules_of);
    let input = Input {
        bars: &bars,
        volume_at_price: &NoVolumeAtPrice,
        liquidations: &liquidations,
        params: &params,
        tiers: &table,
        expected: model.expected.unwrap_or_default(),
    };
    let options = Options {
        windows_ms: each_once(backtest.windows.iter().map(|window| window.ms())),
        from: backtest.period.from,
        to: backtest.period.to,
        warm_up_ms,
        open_interest: backtest.open_interest,
        ..Options::default()
    };
    let progress = progress_bar();
    let card = liqheat_score::backtest(&input, &options, &mut |done, total| {
        progress.set_length(total as u64);
        progress.set_position(done as u64);
        if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    progress.finish_and_clear();
    let card = match card {
        Ok(card) => card,
        Err(BacktestError::Stopped) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let is_bankruptcy = |row: &&Liquidation| row.price_kind == PriceKind::Bankruptcy;
    Ok(Some(Report {
        symbol: origin.symbol.to_string(),
        bars_of: span.instrument.to_string(),
        liquidations_of: origin.to_string(),
        feed_limit: liquidation_feed(origin.venue).description,
        bankruptcy_prices: liquidations.iter().filter(is_bankruptcy).count(),
        tiers: book.origin(&rules_of).map_or_else(
            || format!("one flat rate of {} %", liqheat_feeds::tiers::FALLBACK_RATE * 100.0),
            |origin| origin.to_string(),
        ),
        fits: backtest.fit,
        card,
    }))
}

/// The days that hold the liquidations, or the period that the user names.
///
/// # Errors
/// When that period is empty or holds no liquidation.
fn graded_period(
    period: &StoredPeriod,
    span: &InstrumentSpan,
    origin: &Instrument,
    liquidations: &[Liquidation],
) -> anyhow::Result<(UnixMs, UnixMs)> {
    let StoredPeriod { from, to, .. } = *period;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        bail!("--from {} is not earlier than --to {}", format_time(from), format_time(to));
    }
    let Some((first, last)) = liquidations.first().zip(liquidations.last()) else {
        bail!(
            "there are no liquidations of {} in the database; load some with `liqheat ingest`, or name a file with --liquidations",
            span.instrument.symbol
        );
    };
    let is_graded =
        |row: &Liquidation| from.is_none_or(|from| row.time >= from) && to.is_none_or(|to| row.time < to);
    if !liquidations.iter().any(is_graded) {
        bail!(
            "no liquidation of {origin} lies between --from and --to: they are of {} to {}",
            format_time(first.time),
            format_time(last.time)
        );
    }
    Ok((from.unwrap_or(first.time).floor_to(DAY_MS), to.unwrap_or(last.time.floor_to(DAY_MS).plus(DAY_MS))))
}

/// The bars from `from` to `to`.
///
/// # Errors
/// When there are none.
fn bars(store: &Store, span: &InstrumentSpan, from: UnixMs, to: UnixMs) -> anyhow::Result<Vec<Bar>> {
    let bars = read_bars(store, &span.instrument, span.interval, from, to)?;
    if bars.is_empty() {
        bail!(
            "no bars of {} from {} to {}, where there are liquidations: its bars are of {} to {}; load klines of the same time with `liqheat ingest`",
            span.instrument,
            format_time(from),
            format_time(to),
            format_time(span.first),
            format_time(span.last)
        );
    }
    Ok(bars)
}

/// In their order, without what was named before.
fn each_once(windows_ms: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut known = Vec::new();
    for window_ms in windows_ms {
        if !known.contains(&window_ms) {
            known.push(window_ms);
        }
    }
    known
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("grading {bar:30} {percent:>3} % {eta:>4}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(0).with_style(style);
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}

/// Whose liquidations are used, and those: of the file, else of the instrument itself, else of another venue.
fn liquidations(
    backtest: &Backtest,
    store: &Store,
    span: &InstrumentSpan,
) -> anyhow::Result<(Instrument, Vec<Liquidation>)> {
    let symbol = &span.instrument.symbol;
    if let Some(path) = &backtest.liquidations {
        let file = liquidation_file::read(path).with_context(|| path.display().to_string())?;
        for remark in file.report.remarks() {
            complain!("{}: {remark}", path.display());
        }
        let of_symbol = file.rows.into_iter().find(|(instrument, _)| instrument.symbol == *symbol);
        let (instrument, mut rows) =
            of_symbol.with_context(|| format!("{} holds no liquidations of {symbol}", path.display()))?;
        rows.sort_by_key(|row| row.time);
        return Ok((instrument, rows));
    }
    let mut venues = vec![span.instrument.venue];
    venues.extend(Venue::ALL.into_iter().filter(|venue| *venue != span.instrument.venue));
    let from = backtest.period.from.unwrap_or(UnixMs(0));
    let to = backtest.period.to.unwrap_or(UnixMs(i64::MAX));
    // Of the period; where no venue has any, those of other times say what there is.
    for (from, to) in [(from, to), (UnixMs(0), UnixMs(i64::MAX))] {
        for venue in &venues {
            let instrument = Instrument::new(*venue, symbol.clone());
            let rows = store.liquidations(&instrument, from, to, 0, ROWS_MAX).blocking()?;
            if !rows.is_empty() {
                return Ok((instrument, rows));
            }
        }
    }
    Ok((span.instrument.clone(), Vec::new()))
}
