//! What must hold after every step, as a cheap check on the running sums and as a full recount.

use liqheat_market::Side;

use crate::invariant_break::InvariantBreak;
use crate::ledger::Ledger;
use crate::position_bins::{Origin, PositionBins};

/// Largest error of the balance, relative to open interest, that is still rounding.
const BALANCE_ERROR_MAX: f64 = 1e-9;

/// The invariants of one moment as numbers, by a recount of every cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Invariants {
    /// I1: relative distance of the long mass from open interest.
    pub long_error: f64,
    /// I1: relative distance of the short mass from open interest.
    pub short_error: f64,
    /// I2: the smallest mass found anywhere, coins. NaN when a mass is not a number.
    pub mass_min: f64,
    /// I3: long mass at or above the price, coins.
    pub long_beyond: f64,
    /// I3: short mass at or below the price, coins.
    pub short_beyond: f64,
    /// Largest relative distance, over both sides, of the running sums and of the totals row from the
    /// recount. Not an invariant of the model but of its bookkeeping.
    pub drift: f64,
}

impl Invariants {
    /// All hold, up to rounding.
    #[must_use]
    pub fn hold(&self) -> bool {
        self.long_error <= BALANCE_ERROR_MAX
            && self.short_error <= BALANCE_ERROR_MAX
            && self.mass_min >= 0.0
            && self.long_beyond == 0.0
            && self.short_beyond == 0.0
            && self.drift <= BALANCE_ERROR_MAX
    }
}

impl Ledger {
    /// Recounts every cell. Takes milliseconds; the running check of [`Ledger::apply`] takes none.
    #[must_use]
    pub fn check(&self) -> Invariants {
        let open_interest = self.open_interest();
        let price_cell = self.price_cell();
        let long = recount(&self.long, price_cell);
        let short = recount(&self.short, price_cell);
        let error = |mass: f64| relative(mass - open_interest, open_interest);
        Invariants {
            long_error: error(long.mass),
            short_error: error(short.mass),
            mass_min: worse(long.mass_min, short.mass_min),
            long_beyond: long.beyond,
            short_beyond: short.beyond,
            drift: relative(long.drift.max(short.drift), open_interest),
        }
    }

    /// The cheap check: constant time, on running sums and the bounds of the used cells.
    pub(crate) fn broken(&self) -> Vec<InvariantBreak> {
        let open_interest = self.open_interest();
        let mut broken = Vec::new();
        for book in [&self.long, &self.short] {
            let side = book.side;
            let mass = book.mass();
            let fits = relative(mass - open_interest, open_interest) <= BALANCE_ERROR_MAX;
            if !fits {
                broken.push(InvariantBreak::Balance { side, mass, open_interest });
            }
            for origin in Origin::BOTH {
                let unlevelled = book.unlevelled[origin as usize] * book.scale();
                let levelled = book.levelled[origin as usize] * book.scale();
                // The running sum of levels may end a rounding error below zero once all of them are gone.
                let levels_fit = levelled >= -BALANCE_ERROR_MAX * open_interest;
                if unlevelled.is_nan() || unlevelled < 0.0 || !levels_fit {
                    broken.push(InvariantBreak::Negative { side, mass: unlevelled.min(levelled) });
                }
            }
            let crosses = match side {
                Side::Long => book.used.end > self.price_cell(),
                Side::Short => book.used.start <= self.price_cell(),
            };
            if crosses && !book.used.is_empty() {
                broken.push(InvariantBreak::Beyond { side });
            }
        }
        broken
    }
}

struct Recount {
    mass: f64,
    mass_min: f64,
    beyond: f64,
    drift: f64,
}

fn recount(book: &PositionBins, price_cell: usize) -> Recount {
    let scale = book.scale();
    let mut levelled = [0.0; 2];
    let mut mass_min: f64 = 0.0;
    let mut cells = vec![0.0; book.stride()];
    let mut raw = vec![0.0; book.stride()];
    for class in 0..book.classes() {
        let factor = book.factor(class);
        for origin in Origin::BOTH {
            for ((cell, raw), mass) in cells.iter_mut().zip(&mut raw).zip(book.row(class, origin)) {
                *raw += mass;
                *cell += mass * factor;
                levelled[origin as usize] += mass * factor;
                mass_min = worse(mass_min, mass * factor);
            }
        }
    }
    let beyond: f64 = match book.side {
        Side::Long => cells[price_cell.min(cells.len())..].iter().sum(),
        Side::Short => cells[..price_cell.saturating_add(1).min(cells.len())].iter().sum(),
    };
    // Raw totals are of another order than coins where classes have factors; then only where there is mass must agree.
    let totals = raw.iter().zip(book.raw_totals());
    let mut drift = if book.by_class.is_none() {
        totals.map(|(cell, total)| (cell - total).abs()).fold(0.0, f64::max)
    } else if totals.clone().all(|(cell, total)| (*cell > 0.0) == (*total > 0.0)) {
        0.0
    } else {
        f64::INFINITY
    };
    for origin in Origin::BOTH {
        mass_min = worse(mass_min, book.unlevelled[origin as usize]);
        drift = drift.max((levelled[origin as usize] - book.levelled[origin as usize]).abs());
    }
    let mass = levelled[0] + levelled[1] + book.unlevelled[0] + book.unlevelled[1];
    Recount { mass: mass * scale, mass_min: mass_min * scale, beyond: beyond * scale, drift: drift * scale }
}

fn relative(difference: f64, whole: f64) -> f64 {
    difference.abs() / whole.max(1e-8)
}

/// The smaller of two masses; not a number is worst.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::{Bar, Price, Qty, TierTable, UnixMs};

    fn started() -> Ledger {
        let price = Price::from_f64(100_000.0).unwrap();
        let bar = Bar {
            open_time: UnixMs(0),
            close_time: UnixMs(300_000),
            open: price,
            high: price,
            low: price,
            close: price,
            mark: None,
            volume: None,
            taker_buy_volume: None,
            open_interest: Qty::from_f64(1_000.0).ok(),
        };
        let mut ledger = Ledger::new(crate::Params::default(), TierTable::flat(UnixMs(0), 0.005).unwrap());
        assert_eq!(ledger.apply(&bar, &[]).broken, []);
        assert!(ledger.check().hold());
        ledger
    }

    #[test]
    fn lost_mass_is_found() {
        let mut ledger = started();
        ledger.long.unlevelled[Origin::Prior as usize] -= 1.0;
        assert!(matches!(ledger.broken()[..], [InvariantBreak::Balance { side: Side::Long, .. }]));
        assert!(!ledger.check().hold());
        assert!((ledger.check().long_error - 0.001).abs() < 1e-9);
    }

    #[test]
    fn negative_mass_and_nan_are_found() {
        let mut ledger = started();
        ledger.short.unlevelled[Origin::Seen as usize] = -1.0;
        assert!(
            ledger.broken().iter().any(|b| matches!(b, InvariantBreak::Negative { side: Side::Short, .. }))
        );
        assert_eq!(ledger.check().mass_min, -1.0);
        ledger.short.unlevelled[Origin::Seen as usize] = f64::NAN;
        assert_eq!(ledger.broken().len(), 2);
        assert!(ledger.check().mass_min.is_nan() && !ledger.check().hold());
    }

    #[test]
    fn mass_across_the_price_is_found() {
        let mut ledger = started();
        let cell = ledger.price_cell();
        ledger.long.add(0, Origin::Seen, cell..cell + 1, 0.5);
        ledger.long.settle(0, Origin::Seen, cell..cell + 1, 0.5);
        assert!(ledger.broken().contains(&InvariantBreak::Beyond { side: Side::Long }));
        assert_eq!(ledger.check().long_beyond, 0.5);
        ledger.short.add(0, Origin::Seen, cell..cell + 1, 0.25);
        ledger.short.settle(0, Origin::Seen, cell..cell + 1, 0.25);
        assert!(ledger.broken().contains(&InvariantBreak::Beyond { side: Side::Short }));
        assert_eq!(ledger.check().short_beyond, 0.25);
    }

    #[test]
    fn bookkeeping_that_drifts_is_found() {
        let mut ledger = started();
        let cell = ledger.price_cell() - 100;
        ledger.long.add(0, Origin::Seen, cell..cell + 1, 0.5);
        ledger.long.unlevelled[Origin::Prior as usize] -= 0.5;
        let found = ledger.check();
        assert!(
            !found.hold() && found.long_error < 1e-12 && (found.drift - 0.0005).abs() < 1e-9,
            "{found:?}"
        );
    }
}
