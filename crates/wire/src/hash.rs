//! The state hash: 64 bits over all levels, in any order, updated cell by cell.
//!
//! It is two independent 32-bit lanes, so that a browser computes it with `Math.imul` and no big integers. A
//! lane is the wrapping sum of a mix of every cell, so adding and removing a cell are one addition and one
//! subtraction, and the order of cells does not matter. It guards against lost and misapplied updates, not
//! against somebody who forges them.

use std::fmt;

use liqheat_market::Price;

/// The lower 32 bits of a number of 64.
const LOW_HALF: u64 = u32::MAX as u64;

/// One level of a state: the lower edge of the bin and whole USD a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Lower edge of the bin.
    pub price: Price,
    /// Whole USD of longs that would be liquidated in the bin.
    pub long_usd: u64,
    /// Whole USD of shorts that would be liquidated in the bin.
    pub short_usd: u64,
}

impl Cell {
    /// A cell without mass is not part of the state.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.long_usd == 0 && self.short_usd == 0
    }

    fn words(&self) -> [u32; 6] {
        let price = self.price.units().unsigned_abs();
        let halves = |n: u64| [(n & LOW_HALF) as u32, (n >> 32) as u32];
        let ([a, b], [c, d], [e, f]) = (halves(price), halves(self.long_usd), halves(self.short_usd));
        [a, b, c, d, e, f]
    }
}

/// The hash of a whole state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateHash {
    lanes: [u32; 2],
}

/// (seed, multiplier) of each lane.
const LANES: [(u32, u32); 2] = [(0x9747_b28c, 0x85eb_ca6b), (0x3c6e_f372, 0xcc9e_2d51)];

impl StateHash {
    /// The hash of these cells; empty ones do not count.
    #[must_use]
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Self {
        let mut hash = Self::default();
        for cell in cells {
            hash.add(cell);
        }
        hash
    }

    /// Takes a cell into the state.
    pub fn add(&mut self, cell: &Cell) {
        self.combine(cell, u32::wrapping_add);
    }

    /// Takes a cell out of the state.
    pub fn remove(&mut self, cell: &Cell) {
        self.combine(cell, u32::wrapping_sub);
    }

    /// As a number, first lane in the high half.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        u64::from(self.lanes[0]) << 32 | u64::from(self.lanes[1])
    }

    /// From its number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self { lanes: [(number >> 32) as u32, (number & LOW_HALF) as u32] }
    }

    fn combine(&mut self, cell: &Cell, operation: fn(u32, u32) -> u32) {
        if cell.is_empty() {
            return;
        }
        let words = cell.words();
        for (lane, (seed, multiplier)) in self.lanes.iter_mut().zip(LANES) {
            *lane = operation(*lane, mix(&words, seed, multiplier));
        }
    }
}

fn mix(words: &[u32; 6], seed: u32, multiplier: u32) -> u32 {
    let mut h = words.iter().fold(seed, |h, word| (h ^ word).wrapping_mul(multiplier).rotate_left(13));
    h ^= h >> 16;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.as_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(price: i64, long_usd: u64, short_usd: u64) -> Cell {
        Cell { price: Price::from_units(price), long_usd, short_usd }
    }

    fn cells() -> impl Strategy<Value = Vec<Cell>> {
        prop::collection::btree_map(1i64..1 << 50, (0u64..1 << 50, 0u64..1 << 50), 0..40)
            .prop_map(|map| map.into_iter().map(|(price, (long, short))| cell(price, long, short)).collect())
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut cells in cells()) {
            let forward = StateHash::of(&cells);
            cells.reverse();
            prop_assert_eq!(StateHash::of(&cells), forward);
        }

        #[test]
        fn removing_undoes_adding(kept in cells(), extra in cells()) {
            let mut hash = StateHash::of(kept.iter().chain(&extra));
            for cell in &extra {
                hash.remove(cell);
            }
            prop_assert_eq!(hash, StateHash::of(&kept));
        }

        #[test]
        fn a_changed_dollar_changes_both_lanes(price in 1i64..1 << 50, long in 0u64..1 << 50, short in 1u64..1 << 50) {
            let (before, after) = (StateHash::of(&[cell(price, long, short)]), StateHash::of(&[cell(price, long + 1, short)]));
            prop_assert_ne!(before.lanes[0], after.lanes[0]);
            prop_assert_ne!(before.lanes[1], after.lanes[1]);
        }
    }

    /// The same file is read by the TypeScript tests. After a deliberate change of the hash (a new protocol
    /// version), print the new one with `LIQHEAT_BLESS=1 cargo test -p liqheat-wire golden` and review it.
    #[test]
    fn golden_hashes() {
        let states: [&[Cell]; 5] = [
            &[],
            &[cell(9_800_000_000_000, 1_500_000, 200_000)],
            &[
                cell(9_800_000_000_000, 1_500_000, 200_000),
                cell(9_810_000_000_000, 0, 7),
                cell(9_820_000_000_000, 3, 0),
            ],
            &[
                cell(10_000_000, 12_345_678_901_234, 1),
                cell(12_345_678, 4_503_599_627_370_496, 4_294_967_296),
            ],
            &[cell(1, 1, 0), cell(2, 0, 1), cell(3, 0, 0)],
        ];
        let cases: Vec<serde_json::Value> = states
            .iter()
            .map(|cells| {
                let rows: Vec<_> = cells
                    .iter()
                    .map(|c| serde_json::json!([crate::Decimal::from(c.price), c.long_usd, c.short_usd]))
                    .collect();
                serde_json::json!({"cells": rows, "hash": StateHash::of(*cells).to_string()})
            })
            .collect();
        let text = serde_json::to_string_pretty(&serde_json::json!({"cases": cases})).unwrap() + "\n";
        let path = "golden/hash.json";
        if std::env::var_os("LIQHEAT_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            text,
            "the state hash is part of the public protocol"
        );
    }
}
