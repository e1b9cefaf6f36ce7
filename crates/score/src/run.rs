//! One pass over the bars: every window is frozen when it begins and graded when it ends.

use std::ops::ControlFlow;

use liqheat_market::convert::approx_f64;
use liqheat_market::{Bar, Liquidation, Qty, TierTable, UnixMs};
use liqheat_model::{Params, PriceSource, StepOutcome};

use crate::calibration::Days;
use crate::card::{Ablation, Card, Coverage, HorizonGivenTouch, InvariantNumbers, Predictor};
use crate::expected::{ExpectedHorizon, ExpectedModel, Horizon};
use crate::frozen::Follower;
use crate::given_touch::TouchedCells;
use crate::realised::{RealisedLiquidation, between, realised};
use crate::replays;
use crate::volume_at_price::VolumeAtPrice;
use crate::windows::{Windows, consuming_range};
use crate::without_touch::AllCells;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Windows in which all cells are compared.
const WITHOUT_TOUCH_MS: [i64; 3] = [HOUR_MS, 4 * HOUR_MS, DAY_MS];

/// What is graded.
pub struct Input<'a> {
    /// Bars of one length in order of time, warm-up included.
    pub bars: &'a [Bar],
    /// Where the volume of each bar was traded; [`NoVolumeAtPrice`](crate::NoVolumeAtPrice) without trades.
    pub volume_at_price: &'a dyn VolumeAtPrice,
    /// Liquidations that happened, in any order.
    pub liquidations: &'a [Liquidation],
    /// The model's parameters.
    pub params: &'a Params,
    /// Margin tiers of the venue of the liquidations.
    pub tiers: &'a TierTable,
    /// The expected view that is graded.
    pub expected: ExpectedModel,
}

/// How it is graded.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Lengths of windows given touch, ms, each a multiple of the length of a bar.
    pub windows_ms: Vec<i64>,
    /// Start of the graded period; by default the first whole day with liquidations after the warm-up.
    pub from: Option<UnixMs>,
    /// End of the graded period; by default the end of the last day with liquidations.
    pub to: Option<UnixMs>,
    /// Length of the warm-up before the graded period, ms; half of the bars where there are fewer.
    pub warm_up_ms: i64,
    /// Open interest in coins to hold constant where none is known; by default a quarter of the first days' volume a
    /// day.
    pub open_interest: Option<f64>,
    /// Draws of the bootstrap.
    pub resamples: usize,
}

impl Default for Options {
    /// Windows of 5 minutes, 1 and 4 hours, 30 days of warm-up, 1,000 draws.
    fn default() -> Self {
        Self {
            windows_ms: vec![HOUR_MS / 12, HOUR_MS, 4 * HOUR_MS],
            from: None,
            to: None,
            warm_up_ms: 30 * DAY_MS,
            open_interest: None,
            resamples: 1_000,
        }
    }
}

/// Why nothing can be graded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BacktestError {
    /// No bars.
    #[error("there are no bars to grade; load klines with `liqheat ingest`")]
    NoBars,
    /// No liquidations.
    #[error(
        "there are no liquidations in the time of the bars; load some with `liqheat ingest` or name a file with --liquidations"
    )]
    NoLiquidations,
    /// Windows must be whole bars.
    #[error("windows of {window_ms} ms are not whole bars of {bar_ms} ms; choose other --windows")]
    Window {
        /// Length of the window, ms.
        window_ms: i64,
        /// Length of a bar, ms.
        bar_ms: i64,
    },
    /// No time is left.
    #[error(
        "the graded period is empty: bars and liquidations overlap too little, or --from and --to exclude them"
    )]
    Empty,
    /// Neither open interest nor volume is known.
    #[error(
        "neither open interest nor volume is known, so no position can be estimated; load metrics or klines with volume"
    )]
    NoFlow,
    /// The caller stopped it.
    #[error("stopped")]
    Stopped,
}

/// Bars done and bars in all; break to stop.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize) -> ControlFlow<()>;

/// All that one pass over the bars collects.
#[cfg(test)]
pub(crate) struct CollectedCells {
    pub(crate) touched: Vec<(i64, TouchedCells)>,
    pub(crate) all: Vec<(i64, AllCells)>,
}

/// The graded period and its rows.
struct Period {
    from: UnixMs,
    to: UnixMs,
    realised: Vec<RealisedLiquidation>,
    bar_ms: i64,
}

/// Replays the bars, grades every window and summarises.
///
/// # Errors
/// When there is nothing to grade or `progress` breaks; see [`BacktestError`].
pub fn backtest(input: &Input<'_>, options: &Options, progress: Progress<'_>) -> Result<Card, BacktestError> {
    let (bars, assumed) = with_open_interest(input.bars, options)?;
    let period = period(&bars, input, options)?;
    let mut pass = Pass::new(input, &period, &options.windows_ms);
    // The replays beside the graded one take about as long again.
    let total = bars.len() * 2;
    for (index, bar) in bars.iter().enumerate() {
        if index % 256 == 0 && progress(index, total).is_break() {
            return Err(BacktestError::Stopped);
        }
        pass.step(bar);
    }
    let (window_ms, reduced) = reduced(&bars, input, options, &period, progress)?;
    Ok(pass.card(&bars, input, options, assumed, window_ms, reduced))
}

/// One graded replay.
struct Pass<'p, 'a> {
    follower: Follower<'a>,
    period: &'p Period,
    windows: Vec<Windows>,
    touched: Vec<(i64, TouchedCells)>,
    all: Vec<(i64, AllCells)>,
    days: Days,
    invariants: InvariantNumbers,
    consumed: f64,
    bars_by_mark: usize,
    bars_with_open_interest: usize,
    bars_refused: usize,
    seen_share_at_start: Option<f64>,
    inside_bar: usize,
    /// Whether every cell is counted again once a day.
    recounts: bool,
}

impl<'p, 'a> Pass<'p, 'a> {
    fn new(input: &Input<'a>, period: &'p Period, windows_ms: &[i64]) -> Self {
        let mut lengths: Vec<i64> = windows_ms.to_vec();
        let without_touch = WITHOUT_TOUCH_MS.into_iter().filter(|length| length % period.bar_ms == 0);
        lengths.extend(without_touch.clone());
        lengths.sort_unstable();
        lengths.dedup();
        Self {
            follower: Follower::new(input.params, input.tiers, input.volume_at_price),
            period,
            windows: lengths.into_iter().map(Windows::new).collect(),
            touched: windows_ms.iter().map(|length| (*length, TouchedCells::new())).collect(),
            all: without_touch.map(|length| (length, AllCells::new(length, input.expected))).collect(),
            days: Days::default(),
            invariants: InvariantNumbers {
                balance_error_max: 0.0,
                mass_min: f64::INFINITY,
                mass_beyond_price: 0.0,
                replays_that_differ: 0,
                total_by_cell_width: 0.0,
                consumed_by_cell_width: 0.0,
                bars_broken: 0,
            },
            consumed: 0.0,
            bars_by_mark: 0,
            bars_with_open_interest: 0,
            bars_refused: 0,
            seen_share_at_start: None,
            inside_bar: 0,
            recounts: true,
        }
    }

    fn step(&mut self, bar: &Bar) {
        let Period { from, to, ref realised, .. } = *self.period;
        for windows in &mut self.windows {
            let Some(closed) = windows.step(bar, realised) else { continue };
            for (length, cells) in &mut self.touched {
                if *length == closed.length_ms {
                    cells.grade(&closed);
                }
            }
            for (length, cells) in &mut self.all {
                if *length == closed.length_ms {
                    cells.grade(&closed);
                }
            }
        }
        self.apply(bar);
        let time = bar.close_time;
        if self.windows.iter().any(|windows| windows.begins_at(time, from.plus(-DAY_MS), to)) {
            // From a day before the graded period on, so that its first windows have a map of a day ago.
            let Some(frozen) = self.follower.freeze() else { return };
            for windows in &mut self.windows {
                if windows.begins_at(time, from, to) {
                    windows.begin(&frozen);
                }
            }
        }
    }

    fn apply(&mut self, bar: &Bar) {
        let step = self.follower.step(bar);
        let Period { from, to, ref realised, .. } = *self.period;
        self.bars_refused += usize::from(matches!(step.outcome, StepOutcome::Refused(_)));
        self.bars_by_mark += usize::from(step.price_source == PriceSource::Mark);
        self.bars_with_open_interest += usize::from(step.oi_known);
        self.invariants.bars_broken += usize::from(!step.broken.is_empty());
        self.consumed += step.consumed_long.coins + step.consumed_short.coins;
        if bar.open_time >= from && bar.close_time <= to {
            let (low, high) = consuming_range(bar);
            let inside = |row: &&RealisedLiquidation| row.price >= low && row.price <= high;
            self.inside_bar += between(realised, bar.open_time, bar.close_time).iter().filter(inside).count();
            self.days.consume(&step);
        }
        let ledger = self.follower.ledger();
        if bar.close_time >= from && self.seen_share_at_start.is_none() {
            self.seen_share_at_start = Some(ledger.seen_share());
        }
        // A recount takes milliseconds.
        if self.recounts && bar.close_time.0 % DAY_MS == 0 && ledger.base_bin().is_some() {
            let found = ledger.check();
            let numbers = &mut self.invariants;
            numbers.balance_error_max =
                numbers.balance_error_max.max(found.long_error).max(found.short_error);
            numbers.mass_min = numbers.mass_min.min(found.mass_min);
            numbers.mass_beyond_price =
                numbers.mass_beyond_price.max(found.long_beyond).max(found.short_beyond);
        }
    }

    fn card(
        mut self,
        bars: &[Bar],
        input: &Input<'_>,
        options: &Options,
        assumed: Option<f64>,
        leverage_window_ms: i64,
        reduced: Vec<Ablation>,
    ) -> Card {
        let Period { from, to, ref realised, bar_ms } = *self.period;
        let graded = between(realised, from, to);
        self.days.liquidate(graded);
        let invariants = replays::invariants(
            self.invariants,
            self.follower.ledger(),
            self.consumed,
            bars,
            input.params,
            input.tiers,
            input.volume_at_price,
        );
        let (first, last) = (bars[0].open_time, bars[bars.len() - 1].close_time);
        let expected = usize::try_from(last.since(first) / bar_ms).unwrap_or(0);
        let share = |count: usize| approx_f64(count) / approx_f64(bars.len());
        let leverages: Vec<f64> =
            input.params.values().weights.classes().iter().map(|class| class.0).collect();
        let resamples = options.resamples;
        let of_leverage = self.touched.iter().find(|(length, _)| *length == leverage_window_ms);
        Card {
            coverage: Coverage {
                first_bar: first,
                from,
                to,
                bars: bars.len(),
                bar_ms,
                bars_missing: expected.saturating_sub(bars.len()) + self.bars_refused,
                liquidations: graded.len(),
                liquidated_usd: graded.iter().map(|row| row.usd).sum(),
                inside_bar_share: (!graded.is_empty())
                    .then(|| approx_f64(self.inside_bar) / approx_f64(graded.len())),
                mark_price_share: share(self.bars_by_mark),
                open_interest_known_share: if assumed.is_some() {
                    0.0
                } else {
                    share(self.bars_with_open_interest)
                },
                open_interest_assumed: assumed,
                seen_share_at_start: self.seen_share_at_start.unwrap_or(0.0),
                params_fingerprint: format!("{:016x}", input.params.fingerprint()),
                expected_fingerprint: format!("{:016x}", input.expected.fingerprint()),
            },
            invariants,
            given_touch: self
                .touched
                .iter()
                .map(|(length, cells)| HorizonGivenTouch {
                    window_ms: *length,
                    given_touch: cells.summary(DAY_MS, resamples),
                })
                .collect(),
            // A draw costs a pass over all cells here; a third of the draws is plenty for a 95 % interval.
            without_touch: self
                .all
                .iter()
                .map(|(length, cells)| cells.summary(*length, resamples / 3))
                .collect(),
            calibration: self.days.summary(),
            leverage: of_leverage
                .map(|(_, cells)| cells.by_leverage(&leverages, resamples))
                .unwrap_or_default(),
            leverage_window_ms,
            reduced,
            fitted: fitted(&self.all),
        }
    }
}

/// The expected view as fitted on this run; `None` with too few windows of one of the horizons.
fn fitted(all: &[(i64, AllCells)]) -> Option<ExpectedModel> {
    let of = |horizon: Horizon| -> Option<ExpectedHorizon> {
        all.iter().find(|(length, _)| *length == horizon.ms())?.1.fitted()
    };
    Some(ExpectedModel { hour: of(Horizon::Hour)?, four_hours: of(Horizon::FourHours)? })
}

/// Collects the rows of all windows without summarising them.
#[cfg(test)]
pub(crate) fn collect(input: &Input<'_>, options: &Options) -> Result<CollectedCells, BacktestError> {
    let (bars, _) = with_open_interest(input.bars, options)?;
    let period = period(&bars, input, options)?;
    let mut pass = Pass::new(input, &period, &options.windows_ms);
    bars.iter().for_each(|bar| pass.step(bar));
    Ok(CollectedCells { touched: pass.touched, all: pass.all })
}

/// The map's scores with constant open interest and with constant volume, in the windows nearest to an hour.
fn reduced(
    bars: &[Bar],
    input: &Input<'_>,
    options: &Options,
    period: &Period,
    progress: Progress<'_>,
) -> Result<(i64, Vec<Ablation>), BacktestError> {
    let nearest = options.windows_ms.iter().copied().min_by_key(|length| (length - HOUR_MS).abs());
    let window_ms = nearest.unwrap_or(HOUR_MS);
    let count = bars.len();
    let variants =
        [("open interest", replays::without_open_interest(bars)), ("volume", replays::without_volume(bars))];
    let mut reduced = Vec::new();
    for (index, (without, bars)) in variants.into_iter().enumerate() {
        let done = count + (index + 1) * count / 3;
        if progress(done, 2 * count).is_break() {
            return Err(BacktestError::Stopped);
        }
        let score = bars.and_then(|bars| {
            let mut pass = Pass::new(input, period, &[window_ms]);
            pass.windows.retain(|windows| windows.length_ms == window_ms);
            pass.all.clear();
            pass.recounts = false;
            bars.iter().for_each(|bar| pass.step(bar));
            let (_, cells) = pass.touched.first()?;
            cells.summary(DAY_MS, options.resamples).score(Predictor::Map).copied()
        });
        reduced.push(Ablation { without, score });
    }
    Ok((window_ms, reduced))
}

/// The bars, with a constant open interest where none is known at all, and that number.
fn with_open_interest(bars: &[Bar], options: &Options) -> Result<(Vec<Bar>, Option<f64>), BacktestError> {
    /// Open interest over a day's volume, about what large contracts have.
    const OF_DAILY_VOLUME: f64 = 0.25;
    let Some(first) = bars.first() else { return Err(BacktestError::NoBars) };
    if options.open_interest.is_none() && bars.iter().any(|bar| bar.open_interest.is_some()) {
        return Ok((bars.to_vec(), None));
    }
    // Only from what lies before anything is graded.
    let early = bars.iter().take_while(|bar| bar.close_time.since(first.open_time) <= options.warm_up_ms);
    let (mut volume, mut ms) = (0.0, 0);
    for bar in early {
        volume += bar.volume.map_or(0.0, Qty::to_f64);
        ms += bar.close_time.since(bar.open_time);
    }
    let daily = if ms > 0 { volume * approx_f64(DAY_MS) / approx_f64(ms) } else { 0.0 };
    let coins = options.open_interest.unwrap_or(daily * OF_DAILY_VOLUME);
    let constant = Qty::from_f64(coins).ok().filter(|coins| coins.is_positive());
    let constant = constant.ok_or(BacktestError::NoFlow)?;
    Ok((bars.iter().map(|bar| Bar { open_interest: Some(constant), ..*bar }).collect(), Some(coins)))
}

fn period(bars: &[Bar], input: &Input<'_>, options: &Options) -> Result<Period, BacktestError> {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Err(BacktestError::NoBars) };
    let bar_ms = first.close_time.since(first.open_time).max(1);
    for window_ms in &options.windows_ms {
        if *window_ms < bar_ms || window_ms % bar_ms != 0 {
            return Err(BacktestError::Window { window_ms: *window_ms, bar_ms });
        }
    }
    let realised = realised(input.liquidations, input.tiers);
    let during = between(&realised, first.open_time, last.close_time);
    let (Some(first_event), Some(last_event)) = (during.first(), during.last()) else {
        return Err(BacktestError::NoLiquidations);
    };
    let day_up = |time: UnixMs| time.plus(DAY_MS - 1).floor_to(DAY_MS);
    // Where there are too few bars to warm up, half of them do.
    let half = last_event.time.since(first.open_time) / 2;
    let warm = first.open_time.plus(options.warm_up_ms.min(half));
    let from =
        options.from.unwrap_or_else(|| day_up(first_event.time).max(day_up(warm))).max(first.close_time);
    let to = options.to.unwrap_or_else(|| day_up(last_event.time.plus(1))).min(last.close_time);
    let graded = between(&realised, from, to);
    if from >= to || graded.is_empty() {
        return Err(BacktestError::Empty);
    }
    Ok(Period { from, to, realised, bar_ms })
}
