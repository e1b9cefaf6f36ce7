//! What is likely to be liquidated within an hour or four: the chance that the price reaches a level, times its mass given
//! that it does.
//!
//! The chance is a logistic model of distance and recent volatility. The mass given touch is the map's to a power below 1,
//! because a level of ten times the dollars does not see ten times the liquidations. Both are fitted by a backtest
//! ([`ExpectedModel`]) and ship with defaults. A day ahead is not offered: the map adds nothing there to distance and
//! volatility.

use liqheat_model::Fnv64;
use serde::Serialize;

use crate::CELL_WIDTH;
use crate::fit::dot;

/// How far ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Horizon {
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// Four hours.
    #[serde(rename = "4h")]
    FourHours,
}

impl Horizon {
    /// Both, shortest first.
    pub const ALL: [Self; 2] = [Self::Hour, Self::FourHours];

    /// `1h` or `4h`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::FourHours => "4h",
        }
    }

    /// Length in ms.
    #[must_use]
    pub const fn ms(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::FourHours => 4 * 3_600_000,
        }
    }

    const fn hours(self) -> f64 {
        match self {
            Self::Hour => 1.0,
            Self::FourHours => 4.0,
        }
    }
}

/// Coefficients of a constant, of the distance in standard deviations, of its logarithm, and of the logarithm of the standard
/// deviation in cells of ten basis points.
pub type TouchCoefficients = [f64; 4];

/// One horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExpectedHorizon {
    /// Of the chance that the price reaches a level.
    pub touch: TouchCoefficients,
    /// Power of the map's dollars that what is liquidated at a touched level grows with.
    pub mass_exponent: f64,
}

/// What is expected within a horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExpectedModel {
    /// Within an hour.
    pub hour: ExpectedHorizon,
    /// Within four hours.
    pub four_hours: ExpectedHorizon,
}

impl ExpectedModel {
    /// Grows when the meaning of a coefficient changes.
    pub const VERSION: u32 = 1;
    /// Standard deviations beyond which nothing was fitted and the chance is 0.
    pub(crate) const SIGMAS_MAX: f64 = 10.0;

    /// Names this exact set of numbers under this version of their meaning.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        // Taken apart without `..`, so that a new field cannot be forgotten here.
        let Self { hour, four_hours } = self;
        let mut hash = Fnv64::new();
        hash.integer(Self::VERSION.into());
        for ExpectedHorizon { touch, mass_exponent } in [hour, four_hours] {
            touch.iter().chain([mass_exponent]).for_each(|value| hash.number(*value));
        }
        hash.finish()
    }

    const fn of(&self, horizon: Horizon) -> &ExpectedHorizon {
        match horizon {
            Horizon::Hour => &self.hour,
            Horizon::FourHours => &self.four_hours,
        }
    }

    /// The chance, 0 to 1, that the price travels a log distance on one side within the horizon. `hourly_volatility` is
    /// the standard deviation of the log price over an hour.
    #[must_use]
    pub fn touch_chance(&self, horizon: Horizon, distance: f64, hourly_volatility: f64) -> f64 {
        let sigma = sigma_of(hourly_volatility, horizon.hours());
        if distance > Self::SIGMAS_MAX * sigma {
            return 0.0;
        }
        // Nearer than half a cell nothing was fitted either.
        let features = touch_features(distance.max(CELL_WIDTH / 2.0), sigma);
        1.0 / (1.0 + (-dot(&features, &self.of(horizon).touch)).exp())
    }

    /// Expected USD of a level at a log distance that holds `usd` on the map. A level of `typical_usd` is expected at its
    /// chance times its dollars; the power law spreads the others around it. So the scale of the dollars is that of the
    /// map.
    #[must_use]
    pub fn expected_usd(
        &self,
        horizon: Horizon,
        hourly_volatility: f64,
        (distance, usd): (f64, f64),
        typical_usd: f64,
    ) -> f64 {
        if usd <= 0.0 || typical_usd <= 0.0 {
            return 0.0;
        }
        let mass = typical_usd * (usd / typical_usd).powf(self.of(horizon).mass_exponent);
        self.touch_chance(horizon, distance, hourly_volatility) * mass
    }
}

/// Dollars of a typical level near the price, in bins of a log height, at an open interest in USD. Open interest moves slowly
/// and grows with the market, so a level is compared with the same size from hour to hour, in large and in small markets.
#[must_use]
pub fn typical_usd(open_interest_usd: f64, bin_log_height: f64) -> f64 {
    /// Mean share of open interest in a cell of ten basis points with mass, within 5 % of the price, over the period of the fit.
    const SHARE: f64 = 1.2e-4;
    open_interest_usd * SHARE * bin_log_height / CELL_WIDTH
}

impl Default for ExpectedModel {
    /// Fitted by `liqheat backtest --fit` on BTCUSDT, bars of Binance and liquidations of Bybit, 2024-02-13 to 03-30.
    fn default() -> Self {
        Self {
            hour: ExpectedHorizon { touch: [-0.3645, -0.7195, -0.9962, -0.0976], mass_exponent: 0.304 },
            four_hours: ExpectedHorizon { touch: [0.3325, -0.6922, -1.0643, -0.2946], mass_exponent: 0.161 },
        }
    }
}

/// The standard deviation of the log price over some hours.
pub(crate) fn sigma_of(hourly_volatility: f64, hours: f64) -> f64 {
    (hourly_volatility * hours.sqrt()).max(1e-5)
}

/// Features of a log distance under a standard deviation.
pub(crate) fn touch_features(distance: f64, sigma: f64) -> TouchCoefficients {
    let z = distance / sigma;
    [1.0, z, z.ln(), (sigma / CELL_WIDTH).ln()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_chance_falls_with_distance_and_rises_with_volatility() {
        let model = ExpectedModel::default();
        for horizon in Horizon::ALL {
            let chances = |volatility: f64| -> Vec<f64> {
                (1..60)
                    .map(|cell| model.touch_chance(horizon, f64::from(cell) * 0.0005, volatility))
                    .collect()
            };
            for volatility in [0.001, 0.003, 0.01] {
                let of = chances(volatility);
                assert!(of.windows(2).all(|pair| pair[0] >= pair[1]), "{of:?}");
                assert!(of.iter().all(|chance| (0.0..=1.0).contains(chance)));
            }
            assert!(chances(0.003).iter().zip(chances(0.006)).all(|(calm, wild)| *calm <= wild));
        }
        let soon = model.touch_chance(Horizon::Hour, 0.01, 0.004);
        assert!(soon < model.touch_chance(Horizon::FourHours, 0.01, 0.004));
        assert_eq!(model.touch_chance(Horizon::Hour, 0.3, 0.004), 0.0);
    }

    #[test]
    fn a_fingerprint_names_the_coefficients_and_their_order() {
        let shipped = ExpectedModel::default();
        assert_eq!(shipped.fingerprint(), ExpectedModel::default().fingerprint());
        let swapped = ExpectedModel { hour: shipped.four_hours, four_hours: shipped.hour };
        let mut steeper = shipped;
        steeper.four_hours.mass_exponent += 0.001;
        for other in [swapped, steeper] {
            assert_ne!(other.fingerprint(), shipped.fingerprint(), "{other:?}");
        }
    }

    #[test]
    fn expected_dollars_are_those_of_the_map_and_favour_what_is_near() {
        let model = ExpectedModel::default();
        let levels = [(0.002, 1e5), (0.01, 1e6), (0.02, 4e6), (0.5, 1e9), (0.003, 0.0)];
        let typical = 1e6;
        let found = levels.map(|level| model.expected_usd(Horizon::Hour, 0.004, level, typical));
        assert!(found[0] > found[1] && found[1] > found[2], "{found:?}");
        assert_eq!((found[3], found[4]), (0.0, 0.0), "out of reach, and empty");
        let at_typical = model.expected_usd(Horizon::Hour, 0.004, (0.01, typical), typical);
        let chance = model.touch_chance(Horizon::Hour, 0.01, 0.004);
        assert!((at_typical / (chance * typical) - 1.0).abs() < 1e-12);
        let half = typical_usd(1e9, CELL_WIDTH / 2.0);
        assert!(half > 0.0 && (typical_usd(1e9, CELL_WIDTH) - 2.0 * half).abs() < 1e-9);
    }
}
