//! What can be chosen about a simulated market.

use liqheat_market::{Interval, Price, Qty, Symbol, UNIT_SCALE, UnixMs};

/// The smallest quantity and price difference that can be written down.
#[expect(clippy::cast_precision_loss, reason = "a power of ten below 2^53 is exact")]
const UNIT: f64 = 1.0 / UNIT_SCALE as f64;

/// A market that crashes on its second day, and again soon after its third: a demo that opens with three days
/// of history shows bands that were built and swept, and has not long to wait for more.
const DEFAULT_SEED: u64 = 5;

/// 2026-01-05 00:00 UTC, a Monday.
const DEFAULT_START: UnixMs = UnixMs(1_767_571_200_000);

/// Settings of a simulated market. [`SimConfig::default`] is a market of the size and the mood of a large
/// bitcoin perpetual; every field says its unit and the values allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct SimConfig {
    /// The same seed gives the same events, on every machine.
    pub seed: u64,
    /// The first moment of the market; a whole minute.
    pub start: UnixMs,
    /// The name of the contract, `BTCUSDT` by default. The venue is always the simulated one.
    pub symbol: Symbol,
    /// The mark price at the start; 1 to 10,000,000.
    pub initial_price: Price,
    /// Coins open at the start, around which the open interest moves; 100 to 10,000,000. All trading scales
    /// with it: about three and a half times this much changes hands a day.
    pub open_interest: Qty,
    /// Prices of trades are multiples of this; at most a thousandth of the initial price.
    pub tick: Price,
    /// Quantities are multiples of this; at most a millionth of the open interest.
    pub lot: Qty,
    /// Share of the contracts opened by takers that carry a liquidation price within reach (isolated margin,
    /// 3x or more); 0 to 0.5. Makers carry a fifth of it.
    pub levered_share: f64,
    /// Hours from the start to the first cascade (a crash or a squeeze), drawn between these two.
    pub first_cascade_hours: (f64, f64),
    /// Hours from one cascade to the next, drawn between these two; at least 3.
    pub cascade_gap_hours: (f64, f64),
    /// Depth of a cascade as a fall (or rise) of the logarithm of the price, drawn between these two; 0.01
    /// to 0.3.
    pub cascade_depth: (f64, f64),
}

/// Why a [`SimConfig`] is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimConfigError {
    /// Klines begin at whole minutes, so the market has to.
    #[error("simulation start {} must be a whole minute after 1970 (a multiple of 60000 ms)", start.0)]
    Start {
        /// What was asked for.
        start: UnixMs,
    },
    /// A number outside its range.
    #[error("simulation setting {name} is {value}, must be between {low} and {high}")]
    Range {
        /// The field.
        name: &'static str,
        /// What was asked for.
        value: f64,
        /// Smallest value allowed.
        low: f64,
        /// Largest value allowed.
        high: f64,
    },
    /// A pair whose first number is the larger one.
    #[error("simulation setting {name} runs from {low} to {high}; put the smaller number first")]
    Order {
        /// The field.
        name: &'static str,
        /// The first number.
        low: f64,
        /// The second number.
        high: f64,
    },
    /// The margin table of the simulated venue was refused; only a mistake in this crate can cause it.
    #[error("the simulated venue's margin table is broken: {0}")]
    Tiers(#[from] liqheat_market::TierError),
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            seed: DEFAULT_SEED,
            start: DEFAULT_START,
            symbol: Symbol::new("BTCUSDT").expect("a constant that is a symbol"),
            initial_price: Price::from_units(105_000 * UNIT_SCALE),
            open_interest: Qty::from_units(80_000 * UNIT_SCALE),
            tick: Price::from_units(UNIT_SCALE / 10),
            lot: Qty::from_units(UNIT_SCALE / 1_000),
            levered_share: 0.15,
            first_cascade_hours: (30.0, 54.0),
            cascade_gap_hours: (36.0, 60.0),
            cascade_depth: (0.06, 0.12),
        }
    }
}

impl SimConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field found outside its range.
    pub fn validate(&self) -> Result<(), SimConfigError> {
        if self.start.0 < 0 || self.start.0 % Interval::M1.ms() != 0 {
            return Err(SimConfigError::Start { start: self.start });
        }
        let price = self.initial_price.to_f64();
        let open_interest = self.open_interest.to_f64();
        in_range("initial_price", price, 1.0, 1e7)?;
        in_range("open_interest", open_interest, 100.0, 1e7)?;
        in_range("tick", self.tick.to_f64(), UNIT, price * 1e-3)?;
        in_range("lot", self.lot.to_f64(), UNIT, open_interest * 1e-6)?;
        in_range("levered_share", self.levered_share, 0.0, 0.5)?;
        ordered("first_cascade_hours", self.first_cascade_hours, 1.0, 1e4)?;
        ordered("cascade_gap_hours", self.cascade_gap_hours, 3.0, 1e4)?;
        ordered("cascade_depth", self.cascade_depth, 0.01, 0.3)
    }
}

/// Units of a quantity of the simulation in 64 bits: the range of its open interest keeps them far below the limit.
pub(super) fn units_of(qty: Qty) -> i64 {
    i64::try_from(qty.units()).unwrap_or(i64::MAX)
}

fn in_range(name: &'static str, value: f64, low: f64, high: f64) -> Result<(), SimConfigError> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(SimConfigError::Range { name, value, low, high }) }
}

fn ordered(name: &'static str, pair: (f64, f64), low: f64, high: f64) -> Result<(), SimConfigError> {
    in_range(name, pair.0, low, high)?;
    in_range(name, pair.1, low, high)?;
    if pair.0 <= pair.1 { Ok(()) } else { Err(SimConfigError::Order { name, low: pair.0, high: pair.1 }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        assert_eq!(SimConfig::default().validate(), Ok(()));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let refused = |change: fn(&mut SimConfig)| {
            let mut config = SimConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        for (change, word) in [
            ((|c| c.start = UnixMs(1)) as fn(&mut SimConfig), "whole minute"),
            (|c| c.start = UnixMs(-60_000), "whole minute"),
            (|c| c.initial_price = Price::from_units(0), "initial_price"),
            (|c| c.open_interest = Qty::from_units(-1), "open_interest"),
            (|c| c.tick = c.initial_price, "tick"),
            (|c| c.lot = Qty::from_units(0), "lot"),
            (|c| c.levered_share = f64::NAN, "levered_share"),
            (|c| c.first_cascade_hours = (0.0, 1.0), "first_cascade_hours"),
            (|c| c.cascade_gap_hours = (50.0, 40.0), "smaller number first"),
            (|c| c.cascade_depth = (0.1, f64::INFINITY), "cascade_depth"),
        ] {
            let text = refused(change);
            assert!(text.contains(word), "{text} should mention {word}");
        }
    }
}
