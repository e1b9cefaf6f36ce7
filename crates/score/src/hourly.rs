//! The running score of a live server: hour by hour, in steps that may lie in different processes.
//!
//! When an hour begins, what all predictors say is frozen and kept as bytes. When it has ended, its bars and liquidations
//! grade what was frozen, and only the touched cells are kept. A summary reads the graded hours in order of time, so
//! the fitted baselines learn from earlier hours only, as in a backtest.

use liqheat_market::{Bar, Liquidation, Side, TierTable, UnixMs};

use crate::card::GivenTouch;
use crate::frozen::{FrozenMoment, FrozenSide};
use crate::given_touch::{CellOutcome, TouchedCells, touched_cells};
use crate::realised::{between, realised};
use crate::resample::BLOCKS_MIN;
use crate::windows::consuming_range;
use crate::{CELLS_GIVEN_TOUCH, CELLS_WITHOUT_TOUCH};

/// Length of a window of the running score.
pub const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// First byte of stored bytes; another form needs another number.
const FORM: u8 = 1;
const RESAMPLES: usize = 1_000;

/// Why an hour cannot be graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ungradable {
    /// The bars do not cover the hour without a gap.
    #[error("bars of the hour are missing")]
    BarsMissing,
}

/// An hour that has ended: the cells that the price touched, what was known of them, what was liquidated in them.
#[derive(Debug, Clone, PartialEq)]
pub struct GradedHour {
    /// When the hour began.
    pub start: UnixMs,
    /// Liquidations in it, on both sides and at any price.
    pub events: u32,
    cells: Vec<CellOutcome>,
}

/// Grades what was frozen when an hour began. `bars` are those of the hour, `liquidations` may hold others.
///
/// # Errors
/// When the bars do not cover the hour.
pub fn grade_hour(
    frozen: &FrozenMoment,
    bars: &[Bar],
    liquidations: &[Liquidation],
    tiers: &TierTable,
) -> Result<GradedHour, Ungradable> {
    let (start, end) = (frozen.at, frozen.at.plus(HOUR_MS));
    let (mut reached, mut low, mut high) = (start, frozen.price, frozen.price);
    for bar in bars {
        if bar.open_time != reached {
            return Err(Ungradable::BarsMissing);
        }
        let range = consuming_range(bar);
        (low, high, reached) = (low.min(range.0), high.max(range.1), bar.close_time);
    }
    if reached != end {
        return Err(Ungradable::BarsMissing);
    }
    let realised = realised(liquidations, tiers);
    let during = between(&realised, start, end);
    let cells = touched_cells(frozen, low, high, during);
    Ok(GradedHour { start, events: u32::try_from(during.len()).unwrap_or(u32::MAX), cells })
}

/// The scores of a stretch of hours.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningScore {
    /// Liquidations in the hours.
    pub events: u64,
    /// The comparison.
    pub given_touch: GivenTouch,
    /// Length of the blocks that the intervals are drawn from, ms: days, or hours where there are fewer than five days.
    pub block_ms: i64,
}

/// The score of the hours that began at `from` or later. `hours` are in order of time; earlier ones only teach the
/// fitted baselines.
#[must_use]
pub fn running_score(hours: &[GradedHour], from: UnixMs) -> RunningScore {
    let mut touched = TouchedCells::new();
    let first = hours.partition_point(|hour| hour.start < from);
    for (index, hour) in hours.iter().enumerate() {
        if index == first {
            touched.forget();
        }
        touched.add(hour.start, &hour.cells, hour.events > 0);
    }
    let scored = hours.get(first..).unwrap_or_default();
    if scored.is_empty() {
        touched.forget();
    }
    let mut days: Vec<UnixMs> = scored.iter().map(|hour| hour.start.floor_to(DAY_MS)).collect();
    days.dedup();
    let block_ms = if days.len() >= BLOCKS_MIN { DAY_MS } else { HOUR_MS };
    RunningScore {
        events: scored.iter().map(|hour| u64::from(hour.events)).sum(),
        given_touch: touched.summary(block_ms, RESAMPLES),
        block_ms,
    }
}

impl FrozenMoment {
    /// The moment, which is the close of the last bar that was known.
    #[must_use]
    pub const fn at(&self) -> UnixMs {
        self.at
    }

    /// As bytes, little-endian: a form, the time, price and volatility, then each side. The classes are not kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORM];
        out.extend(self.at.0.to_le_bytes());
        let mut put = |value: f64| out.extend(value.to_le_bytes());
        put(self.price);
        put(self.hourly_volatility);
        for side in &self.sides {
            put(side.hour_extreme);
            put(side.day_extreme);
            for cells in [&side.map, &side.yesterday, &side.colour, &side.age_days] {
                cells.iter().for_each(|value| put(*value));
            }
        }
        out
    }

    /// What [`FrozenMoment::encode`] wrote; `None` for any other bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::of(bytes)?;
        let at = UnixMs(i64::from_le_bytes(reader.take()?));
        let (price, hourly_volatility) = (reader.number()?, reader.number()?);
        let mut sides = [FrozenSide::default(), FrozenSide::default()];
        for side in &mut sides {
            (side.hour_extreme, side.day_extreme) = (reader.number()?, reader.number()?);
            for cells in [&mut side.map, &mut side.yesterday, &mut side.colour, &mut side.age_days] {
                *cells = (0..CELLS_WITHOUT_TOUCH).map(|_| reader.number()).collect::<Option<_>>()?;
            }
        }
        (reader.bytes.is_empty() && price > 0.0).then_some(Self {
            at,
            price,
            hourly_volatility,
            sides,
            open_interest_usd: 0.0,
        })
    }
}

impl GradedHour {
    /// As bytes, little-endian: a form, the start, the count of liquidations, then each cell.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORM];
        out.extend(self.start.0.to_le_bytes());
        out.extend(self.events.to_le_bytes());
        for outcome in &self.cells {
            // At most 25 cells a side.
            out.push(u8::try_from(outcome.cell).unwrap_or(u8::MAX));
            out.push(outcome.side as u8);
            let CellOutcome { map, yesterday, colour, age_days, hour_extreme, day_extreme, usd, .. } =
                *outcome;
            for value in [map, yesterday, colour, age_days, hour_extreme, day_extreme, usd] {
                out.extend(value.to_le_bytes());
            }
        }
        out
    }

    /// What [`GradedHour::encode`] wrote; `None` for any other bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::of(bytes)?;
        let start = UnixMs(i64::from_le_bytes(reader.take()?));
        let events = u32::from_le_bytes(reader.take()?);
        let mut cells = Vec::new();
        while !reader.bytes.is_empty() {
            let [cell, side] = reader.take()?;
            let cell = usize::from(cell);
            let side = *Side::BOTH.get(usize::from(side)).filter(|_| cell < CELLS_GIVEN_TOUCH)?;
            let mut number = || reader.number();
            cells.push(CellOutcome {
                side,
                cell,
                map: number()?,
                yesterday: number()?,
                colour: number()?,
                age_days: number()?,
                hour_extreme: number()?,
                day_extreme: number()?,
                usd: number()?,
            });
        }
        Some(Self { start, events, cells })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (form, bytes) = bytes.split_first()?;
        (*form == FORM).then_some(Self { bytes })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*head)
    }

    /// A number that is finite and not negative, as all of them are.
    fn number(&mut self) -> Option<f64> {
        let value = f64::from_le_bytes(self.take()?);
        (value.is_finite() && value >= 0.0).then_some(value)
    }
}
