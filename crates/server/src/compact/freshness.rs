//! How fresh the mass of a level is: the mean of 2^(-age / 8 h) over its dollars.
//!
//! Of real positions whose level the price reached, the share that was liquidated there halves about every eight hours of age
//! (the data allows 2 to 40): the others had been closed or moved meanwhile.

use liqheat_market::convert::approx_f64;
use liqheat_model::LeverageLevel;

/// Age after which a level counts half, hours.
const HALF_LIFE_H: f64 = 8.0;
/// Ages by which dollars are split, hours. What is older counts nothing; it would count less than a fifteenth.
pub(crate) const AGES_H: [i64; 6] = [1, 2, 4, 8, 16, 32];

/// Dollars times their freshness. `opened_within` holds, for each of [`AGES_H`], the levels opened within that time, which
/// are among those of the next one.
pub(crate) fn fresh_levels(opened_within: &[Vec<LeverageLevel>]) -> Vec<LeverageLevel> {
    let mut fresh = Vec::new();
    let mut younger = (0, &[] as &[LeverageLevel]);
    for (hours, levels) in AGES_H.into_iter().zip(opened_within) {
        let weight = (-approx_f64(younger.0 + hours) / 2.0 / HALF_LIFE_H).exp2();
        let times = |weight: f64| {
            move |level: &LeverageLevel| LeverageLevel {
                long_usd: level.long_usd * weight,
                short_usd: level.short_usd * weight,
                ..*level
            }
        };
        fresh.extend(levels.iter().map(times(weight)));
        // What is younger was counted with its own age.
        fresh.extend(younger.1.iter().map(times(-weight)));
        younger = (hours, levels);
    }
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::Price;

    #[test]
    fn dollars_count_by_their_age() {
        let level = |usd: f64| {
            vec![LeverageLevel { leverage: 50.0, price: Price::from_units(7), long_usd: usd, short_usd: 0.0 }]
        };
        let sum = |opened: &[f64]| -> f64 {
            let opened: Vec<_> = opened.iter().map(|usd| level(*usd)).collect();
            fresh_levels(&opened).iter().map(|level| level.long_usd).sum()
        };
        // All of it opened within the last hour, on average half an hour ago.
        assert!((sum(&[10.0; 6]) / 10.0 - (-0.5f64 / 8.0).exp2()).abs() < 1e-12);
        // Half of it between four and eight hours ago.
        let mixed = sum(&[5.0, 5.0, 5.0, 10.0, 10.0, 10.0]);
        assert!((mixed - 5.0 * (-0.5f64 / 8.0).exp2() - 5.0 * (-6.0f64 / 8.0).exp2()).abs() < 1e-12);
        assert_eq!(sum(&[0.0; 6]), 0.0);
    }
}
