//! The expected view: what is likely to be liquidated at each level within an hour or four.
//!
//! A view of the same levels, never mixed with their size: the chance that the price gets there, from distance and the
//! volatility of the last day, times what a touched level of that size sees ([`ExpectedModel`]).

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use liqheat_market::convert::{approx_f64, round_u64};
use liqheat_market::{Kline, Price};
use liqheat_model::LeverageLevel;
use liqheat_score::{ExpectedModel, Horizon, typical_usd};
use liqheat_wire::Cell;

/// A day of five minutes, which is what the chance of a touch was fitted on.
pub(crate) const VOLATILITY_CANDLES: NonZeroUsize = NonZeroUsize::new(289).unwrap();

/// What the expected view depends on besides the levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlook {
    pub(crate) horizon: Horizon,
    pub(crate) price: Price,
    /// Height of the levels' bins.
    pub(crate) bin: Price,
    /// Standard deviation of the log price over an hour.
    pub(crate) hourly_volatility: f64,
    /// Open interest of all venues, USD.
    pub(crate) open_interest_usd: f64,
}

/// Root mean square of the log returns of candles in a row, scaled to an hour; `None` with fewer than two hours of them.
pub(crate) fn hourly_volatility(candles: &[Kline]) -> Option<f64> {
    const HOUR_MS: i64 = 3_600_000;
    let (mut sum, mut ms) = (0.0, 0);
    for pair in candles.windows(2) {
        let change = (pair[1].close.to_f64() / pair[0].close.to_f64()).ln();
        if change.is_finite() {
            sum += change * change;
            ms += pair[1].open_time.since(pair[0].open_time);
        }
    }
    (ms >= 2 * HOUR_MS).then(|| (sum * approx_f64(HOUR_MS) / approx_f64(ms)).sqrt())
}

/// The same levels with expected dollars in place of their size. The classes of a level keep their proportions.
pub(crate) fn expected(
    levels: &[LeverageLevel],
    outlook: &Outlook,
    model: &ExpectedModel,
) -> Vec<LeverageLevel> {
    let mut totals: BTreeMap<Price, (f64, f64)> = BTreeMap::new();
    for level in levels {
        let total = totals.entry(level.price).or_default();
        *total = (total.0 + level.long_usd, total.1 + level.short_usd);
    }
    let price = outlook.price.to_f64();
    let typical = typical_usd(outlook.open_interest_usd, outlook.bin.to_f64() / price);
    let share = |distance: f64, usd: f64| {
        let expected =
            model.expected_usd(outlook.horizon, outlook.hourly_volatility, (distance.max(0.0), usd), typical);
        if usd > 0.0 { expected / usd } else { 0.0 }
    };
    let shares: BTreeMap<Price, (f64, f64)> = totals
        .into_iter()
        .map(|(low, (long_usd, short_usd))| {
            let above = ((low.to_f64() + outlook.bin.to_f64() / 2.0) / price).ln();
            (low, (share(-above, long_usd), share(above, short_usd)))
        })
        .collect();
    levels
        .iter()
        .map(|level| {
            let (long, short) = shares.get(&level.price).copied().unwrap_or_default();
            LeverageLevel { long_usd: level.long_usd * long, short_usd: level.short_usd * short, ..*level }
        })
        .collect()
}

/// The same for the levels of a board, in whole dollars; levels that hold less than half a dollar are absent.
pub(crate) fn expected_cells(cells: &[Cell], outlook: &Outlook, model: &ExpectedModel) -> Vec<Cell> {
    let level = |cell: &Cell| LeverageLevel {
        // The classes of a level keep their proportions, so one class stands for all.
        leverage: 1.0,
        price: cell.price,
        long_usd: approx_f64(cell.long_usd),
        short_usd: approx_f64(cell.short_usd),
    };
    let levels: Vec<LeverageLevel> = cells.iter().map(level).collect();
    let cells = expected(&levels, outlook, model).into_iter().map(|level| Cell {
        price: level.price,
        long_usd: round_u64(level.long_usd),
        short_usd: round_u64(level.short_usd),
    });
    cells.filter(|cell| !cell.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::{Interval, KlineKind, UnixMs};

    fn candle(index: i64, close: f64) -> Kline {
        let price = Price::from_f64(close).unwrap();
        Kline {
            kind: KlineKind::Last,
            interval: Interval::M5,
            open_time: UnixMs(index * 300_000),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: None,
            taker_buy_volume: None,
            trades: None,
        }
    }

    #[test]
    fn volatility_is_scaled_to_an_hour_and_needs_two() {
        let zigzag = |count: i64| -> Vec<Kline> {
            (0..count)
                .map(|index| candle(index, if index % 2 == 0 { 100.0 } else { 100.0 * 0.001f64.exp() }))
                .collect()
        };
        assert!((hourly_volatility(&zigzag(289)).unwrap() - 0.001 * 12f64.sqrt()).abs() < 1e-7);
        assert_eq!(hourly_volatility(&zigzag(24)), None);
        assert!(hourly_volatility(&zigzag(25)).is_some());
    }

    #[test]
    fn near_levels_are_expected_and_classes_keep_their_proportions() {
        let level = |leverage: f64, price: f64, long_usd: f64, short_usd: f64| LeverageLevel {
            leverage,
            price: Price::from_f64(price).unwrap(),
            long_usd,
            short_usd,
        };
        let levels = [
            level(50.0, 99_500.0, 1e6, 0.0),
            level(100.0, 99_500.0, 3e6, 0.0),
            level(10.0, 80_000.0, 9e8, 0.0),
            level(100.0, 100_500.0, 0.0, 2e6),
        ];
        let outlook = Outlook {
            horizon: Horizon::Hour,
            price: Price::from_f64(100_000.0).unwrap(),
            bin: Price::from_f64(100.0).unwrap(),
            hourly_volatility: 0.004,
            open_interest_usd: 8e9,
        };
        let found = expected(&levels, &outlook, &ExpectedModel::default());
        assert!((found[1].long_usd / found[0].long_usd - 3.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found[2].long_usd, 0.0, "fifty standard deviations away");
        assert!(found[3].short_usd > 0.0 && found[0].short_usd == 0.0);
        let later =
            expected(&levels, &Outlook { horizon: Horizon::FourHours, ..outlook }, &ExpectedModel::default());
        assert!(later[1].long_usd != found[1].long_usd);
        let cell = |price: f64, long_usd, short_usd| Cell {
            price: Price::from_f64(price).unwrap(),
            long_usd,
            short_usd,
        };
        let open =
            [cell(80_000.0, 900_000_000, 0), cell(99_500.0, 4_000_000, 0), cell(100_500.0, 0, 2_000_000)];
        let summed = found[0].long_usd + found[1].long_usd;
        let expected =
            [cell(99_500.0, round_u64(summed), 0), cell(100_500.0, 0, round_u64(found[3].short_usd))];
        assert_eq!(expected_cells(&open, &outlook, &ExpectedModel::default()), expected);
    }
}
