//! Walls: stretches of price in which one side's mass lies denser than around them.
//!
//! The mass of a side is taken as a density over price, dollars per price unit. A stretch belongs to a wall where its
//! density is above the *local background*, the mean density within [`WINDOW_SHARE`] of the price on either side of it;
//! beyond the side's outermost levels nothing is averaged, so that the end of the levels is not a wall by itself.
//! Stretches that touch are one wall.
//!
//! Only the density counts, not the bins in which it is written: adjacent bins of equal density are one stretch, and
//! means are integrals. So splitting every bin in two changes nothing. Bins are never divided: a wall's dollars are those
//! of its bins.

use liqheat_market::convert::{approx_f64, trunc_i64};
use liqheat_market::{Price, Side};

use super::mass::{Bin, SideMass};

/// Half the width of the window of the local background, as a share of the price.
const WINDOW_SHARE: f64 = 0.01;
/// What a density must exceed the background by, relatively: more than sums of floating-point numbers can be off.
const ABOVE: f64 = 1e-9;

/// A wall.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wall {
    pub(crate) side: Side,
    pub(crate) low: Price,
    /// Upper edge, exclusive.
    pub(crate) high: Price,
    /// Middle of its densest stretch.
    pub(crate) peak: Price,
    /// USD by leverage class, in the order of [`SideMass::leverages`].
    pub(crate) by_class: Vec<f64>,
    /// USD of the same side between the price and the wall.
    pub(crate) usd_before: f64,
}

impl Wall {
    pub(crate) fn usd(&self) -> f64 {
        self.by_class.iter().sum()
    }
}

/// All walls of a side, those with the most dollars first.
pub(crate) fn walls(mass: &SideMass, price: Price) -> Vec<Wall> {
    let stretches = stretches(&mass.bins);
    let density = Density::new(&stretches);
    let window = approx_f64(price.units()) * WINDOW_SHARE;
    let raised: Vec<&Stretch> = stretches
        .iter()
        .filter(|stretch| stretch.density > density.mean_around(stretch.middle(), window) * (1.0 + ABOVE))
        .collect();
    let mut walls: Vec<Wall> = raised
        .chunk_by(|a, b| a.high == b.low)
        .filter_map(|run| {
            let (low, high) = (run.first()?.low, run.last()?.high);
            let densest = run.iter().max_by(|a, b| a.density.total_cmp(&b.density))?;
            let mut by_class = vec![0.0; mass.leverages.len()];
            for bin in mass.bins.iter().filter(|bin| low <= bin.low && bin.high <= high) {
                for (sum, usd) in by_class.iter_mut().zip(&bin.by_class) {
                    *sum += usd;
                }
            }
            let peak = Price::from_units(trunc_i64(densest.middle()));
            let usd_before = usd_between(mass, low, high, price);
            Some(Wall { side: mass.side, low, high, peak, by_class, usd_before })
        })
        .collect();
    walls.sort_by(|a, b| b.usd().total_cmp(&a.usd()).then_with(|| a.low.cmp(&b.low)));
    walls
}

/// Dollars of a side that the price meets before it is at a wall.
fn usd_between(mass: &SideMass, low: Price, high: Price, price: Price) -> f64 {
    let is_between = |bin: &&Bin| {
        if high <= price { bin.low >= high && bin.low < price } else { bin.high <= low && bin.high > price }
    };
    mass.bins.iter().filter(is_between).map(Bin::usd).sum()
}

/// Adjacent bins of equal density.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    low: Price,
    high: Price,
    /// USD per price unit.
    density: f64,
}

impl Stretch {
    fn middle(&self) -> f64 {
        f64::midpoint(approx_f64(self.low.units()), approx_f64(self.high.units()))
    }
}

fn stretches(bins: &[Bin]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::with_capacity(bins.len());
    for bin in bins {
        let density = bin.usd() / bin.width();
        match stretches.last_mut() {
            Some(last) if last.high == bin.low && last.density.total_cmp(&density).is_eq() => {
                last.high = bin.high;
            }
            _ => stretches.push(Stretch { low: bin.low, high: bin.high, density }),
        }
    }
    stretches
}

/// The density of a side, integrated.
struct Density<'a> {
    stretches: &'a [Stretch],
    /// Mass below the lower edge of each stretch.
    below: Vec<f64>,
}

impl<'a> Density<'a> {
    fn new(stretches: &'a [Stretch]) -> Self {
        let below = stretches.iter().scan(0.0, |sum, stretch| {
            let below = *sum;
            *sum += stretch.density * approx_f64(stretch.high.units() - stretch.low.units());
            Some(below)
        });
        Self { stretches, below: below.collect() }
    }

    /// Mass below a price.
    fn mass_below(&self, at: f64) -> f64 {
        let begun = self.stretches.partition_point(|stretch| approx_f64(stretch.low.units()) < at);
        let Some(index) = begun.checked_sub(1) else { return 0.0 };
        let (Some(stretch), Some(below)) = (self.stretches.get(index), self.below.get(index)) else {
            return 0.0;
        };
        let covered = at.min(approx_f64(stretch.high.units())) - approx_f64(stretch.low.units());
        below + stretch.density * covered
    }

    /// Mean density within a window around a price, as far as the side reaches.
    fn mean_around(&self, middle: f64, window: f64) -> f64 {
        let (Some(first), Some(last)) = (self.stretches.first(), self.stretches.last()) else { return 0.0 };
        let low = (middle - window).max(approx_f64(first.low.units()));
        let high = (middle + window).min(approx_f64(last.high.units()));
        (self.mass_below(high) - self.mass_below(low)) / (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BIN: i64 = 100;
    const PRICE: Price = Price::from_units(100_000);

    /// Bins of one class, each with its place and dollars.
    fn mass(side: Side, bins: &[(i64, f64)]) -> SideMass {
        let bin = |(at, usd): &(i64, f64)| Bin {
            low: Price::from_units(at * BIN),
            high: Price::from_units((at + 1) * BIN),
            by_class: vec![*usd],
        };
        SideMass { side, leverages: vec![10.0], bins: bins.iter().map(bin).collect() }
    }

    /// Edges in bins, dollars, dollars on the way.
    fn found(mass: &SideMass) -> Vec<(i64, i64, f64, f64)> {
        let places =
            |wall: &Wall| (wall.low.units() / BIN, wall.high.units() / BIN, wall.usd(), wall.usd_before);
        walls(mass, PRICE).iter().map(places).collect()
    }

    #[test]
    fn adjacent_bins_above_the_background_are_one_wall() {
        let mut bins: Vec<(i64, f64)> = (950..1_000).map(|at| (at, 10.0)).collect();
        for (at, usd) in [(970, 50.0), (971, 90.0), (972, 60.0), (990, 30.0)] {
            bins[usize::try_from(at - 950).unwrap()].1 = usd;
        }
        let long = mass(Side::Long, &bins);
        // On the way to the first: 27 bins of 10 and one of 30 between it and the price, less none.
        assert_eq!(found(&long), [(970, 973, 200.0, 26.0 * 10.0 + 30.0), (990, 991, 30.0, 9.0 * 10.0)]);
        assert_eq!(walls(&long, PRICE)[0].peak.units(), 971 * BIN + BIN / 2);
    }

    #[test]
    fn an_even_plateau_has_no_wall_not_even_where_it_ends() {
        let plateau: Vec<(i64, f64)> = (800..1_000).map(|at| (at, 10.0)).collect();
        assert_eq!(found(&mass(Side::Long, &plateau)), []);
        assert_eq!(found(&mass(Side::Long, &[])), []);
    }

    #[test]
    fn a_lone_level_among_none_is_a_wall() {
        let short = mass(Side::Short, &[(1_010, 5.0), (1_100, 7.0), (1_200, 1.0)]);
        assert_eq!(
            found(&short),
            [(1_100, 1_101, 7.0, 5.0), (1_010, 1_011, 5.0, 0.0), (1_200, 1_201, 1.0, 12.0)]
        );
    }

    /// Bins by place, without two at one place; masses that can be halved without a remainder.
    fn sides() -> impl Strategy<Value = SideMass> {
        let bins = prop::collection::btree_map(700i64..1_300, 1u32..1_000_000, 0..200);
        bins.prop_map(|bins| {
            let bins: Vec<(i64, f64)> = bins.into_iter().map(|(at, usd)| (at, f64::from(usd))).collect();
            mass(Side::Long, &bins)
        })
    }

    fn halved(mass: &SideMass) -> SideMass {
        let halves = |bin: &Bin| {
            let middle = Price::from_units((bin.low.units() + bin.high.units()) / 2);
            let by_class: Vec<f64> = bin.by_class.iter().map(|usd| usd / 2.0).collect();
            [Bin { high: middle, by_class: by_class.clone(), ..*bin }, Bin { low: middle, by_class, ..*bin }]
        };
        SideMass { bins: mass.bins.iter().flat_map(halves).collect(), ..mass.clone() }
    }

    proptest! {
        #[test]
        fn splitting_every_bin_in_two_changes_nothing(mass in sides()) {
            let (whole, halves) = (walls(&mass, PRICE), walls(&halved(&mass), PRICE));
            prop_assert_eq!(whole.len(), halves.len());
            for (one, other) in whole.iter().zip(&halves) {
                prop_assert_eq!((one.low, one.high, one.peak), (other.low, other.high, other.peak));
                prop_assert!((one.usd() - other.usd()).abs() < 1e-6 && (one.usd_before - other.usd_before).abs() < 1e-3);
            }
        }

        /// Every bin is in one wall or in none, and a wall's dollars are those of its bins.
        #[test]
        fn walls_keep_sums(mass in sides()) {
            let walls = walls(&mass, PRICE);
            let is_in = |bin: &Bin, wall: &Wall| wall.low <= bin.low && bin.high <= wall.high;
            for wall in &walls {
                let usd: f64 = mass.bins.iter().filter(|bin| is_in(bin, wall)).map(Bin::usd).sum();
                prop_assert!((wall.usd() - usd).abs() < 1e-6);
            }
            for bin in &mass.bins {
                prop_assert!(walls.iter().filter(|wall| is_in(bin, wall)).count() <= 1);
                // No wall ends within a bin.
                prop_assert!(walls.iter().all(|wall| is_in(bin, wall) || bin.high <= wall.low || wall.high <= bin.low));
            }
            let outside: f64 =
                mass.bins.iter().filter(|bin| !walls.iter().any(|wall| is_in(bin, wall))).map(Bin::usd).sum();
            let inside: f64 = walls.iter().map(Wall::usd).sum();
            prop_assert!((inside + outside - mass.usd()).abs() < 1e-3);
            prop_assert!(walls.is_sorted_by(|a, b| a.usd() >= b.usd()));
        }

        /// A wall is denser than what touches it, and no two touch.
        #[test]
        fn walls_are_apart(mass in sides()) {
            let mut walls = walls(&mass, PRICE);
            walls.sort_by_key(|wall| wall.low);
            prop_assert!(walls.windows(2).all(|pair| pair[0].high < pair[1].low));
            // The densest bin of all rises above any mean, unless everything is even.
            let densest = mass.bins.iter().map(Bin::usd).fold(0.0, f64::max);
            let is_even = mass.bins.iter().all(|bin| bin.usd().total_cmp(&densest).is_eq());
            prop_assert!(is_even || !walls.is_empty());
        }
    }
}
