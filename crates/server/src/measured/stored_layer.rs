//! A layer as it is stored for the past.

use liqheat_market::convert::round_u64;
use liqheat_market::{Instrument, Price, UnixMs};
use liqheat_measured::{LayerLevel, MeasuredSide};
use liqheat_store::{StoredLayer, StoredLayerLevel, StoredLayerSide};

use super::{MeasuredSymbol, ShownLayer, VENUE};

/// Most levels of a layer that are stored, the nearest to the mark: as many as a picture has rows.
const LEVELS_MAX: usize = 4_000;

impl MeasuredSymbol {
    /// The instrument under which its layers are stored.
    pub(crate) fn instrument(&self) -> Instrument {
        Instrument::new(VENUE, self.symbol.clone())
    }
}

impl ShownLayer {
    /// The mark price in the units of the symbol.
    pub(crate) fn mark(&self) -> Price {
        self.price(self.layer.mark)
    }

    /// A price of the venue in the units of the symbol.
    pub(crate) fn price(&self, of_venue: f64) -> Price {
        Price::from_f64(of_venue / self.pack).unwrap_or_default()
    }

    /// In the form of the store, as of a moment.
    pub(crate) fn as_stored(&self, moment: UnixMs) -> StoredLayer {
        StoredLayer {
            time: moment,
            mark: self.mark(),
            bin: self.bin,
            addresses: self.addresses,
            late: self.late,
            long: side(&self.layer.long),
            short: side(&self.layer.short),
            levels: self.layer.levels.iter().map(|level| self.level(level)).collect(),
        }
    }

    /// The row of a moment, with the levels nearest to the mark; `None` while no positions are known, as after a start.
    pub(super) fn to_store(&self, moment: UnixMs) -> Option<StoredLayer> {
        let has_positions = self.layer.long.accounts + self.layer.short.accounts > 0;
        has_positions.then(|| {
            let mut stored = self.as_stored(moment);
            keep_nearest(&mut stored.levels, stored.mark, LEVELS_MAX);
            stored
        })
    }

    fn level(&self, level: &LayerLevel) -> StoredLayerLevel {
        StoredLayerLevel {
            price: Price::from_units(level.index.saturating_mul(self.bin.units())),
            long_usd: round_u64(level.long_usd),
            short_usd: round_u64(level.short_usd),
            long_accounts: level.long_accounts,
            short_accounts: level.short_accounts,
            age_s: whole_seconds(level.age_ms),
        }
    }
}

/// An age in whole seconds; none below zero.
pub(crate) fn whole_seconds(age_ms: i64) -> u64 {
    age_ms.max(0).unsigned_abs() / 1_000
}

fn side(side: &MeasuredSide) -> StoredLayerSide {
    /// Rounded to four decimal places.
    fn rounded(value: f64) -> f64 {
        (value * 1e4).round() / 1e4
    }
    StoredLayerSide {
        usd: round_u64(side.usd),
        accounts: side.accounts,
        coverage: side.coverage.map(rounded),
        share_without_level: rounded(side.share_without_level),
        share_older_than_5m: rounded(side.share_older_than_5m),
        share_older_than_60m: rounded(side.share_older_than_60m),
    }
}

/// Drops the levels that are farthest from the mark.
fn keep_nearest(levels: &mut Vec<StoredLayerLevel>, mark: Price, most: usize) {
    if levels.len() > most {
        levels.sort_by_key(|level| level.price.units().abs_diff(mark.units()));
        levels.truncate(most);
        levels.sort_by_key(|level| level.price);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_levels_are_kept_in_order() {
        let level = |units: i64| StoredLayerLevel {
            price: Price::from_units(units),
            long_usd: 1,
            short_usd: 0,
            long_accounts: 1,
            short_accounts: 0,
            age_s: 0,
        };
        let kept = |most: usize| {
            let mut levels: Vec<_> = [10, 80, 90, 105, 130, 900].map(level).to_vec();
            keep_nearest(&mut levels, Price::from_units(100), most);
            levels.iter().map(|level| level.price.units()).collect::<Vec<_>>()
        };
        assert_eq!(kept(6), [10, 80, 90, 105, 130, 900]);
        assert_eq!(kept(3), [80, 90, 105]);
        assert_eq!(kept(0), [0i64; 0]);
    }
}
