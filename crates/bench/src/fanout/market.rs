//! A made-up market whose only purpose is to change: the same numbers give the same states.

use liqheat_market::convert::{saturating_len, signed_len};
use liqheat_market::{Price, UNIT_SCALE, UnixMs};
use liqheat_stream::{BoardUpdate, Counters};
use liqheat_wire::{Cell, Decimal, LevelMessage, ServerMessage, StateData, StateHash, format_time};

const LOWEST: i64 = 98_000;
const BIN: i64 = 10;

/// One symbol.
#[derive(Debug)]
pub(super) struct Market {
    cells: Vec<Cell>,
    changes: usize,
    vanishing: usize,
    epoch: String,
    /// State of a linear congruential generator.
    dice: u64,
    price: Price,
    counters: Counters,
}

impl Market {
    /// A market of `levels` levels, of which `changes` change at a time.
    pub(super) fn new(number: usize, levels: usize, changes: usize) -> Self {
        Self::seeded(number, 0, levels, changes, 0)
    }

    /// The same with another course of events for each seed, in an epoch of its own, and with `vanishing` levels
    /// that lose their mass at a time.
    pub(super) fn seeded(number: usize, seed: u64, levels: usize, changes: usize, vanishing: usize) -> Self {
        const SYMBOLS_MAX: u64 = 1_000;
        let mut market = Self {
            cells: Vec::with_capacity(levels),
            changes: changes.min(levels),
            vanishing,
            epoch: if seed == 0 { "bench".to_owned() } else { format!("bench-{seed}") },
            dice: seed * SYMBOLS_MAX + number as u64 + 1,
            price: whole(LOWEST),
            counters: Counters::default(),
        };
        for level in 0..signed_len(levels) {
            let (long_usd, short_usd) = (market.usd(), market.usd());
            market.cells.push(Cell { price: whole(LOWEST + level * BIN), long_usd, short_usd });
        }
        market
    }

    /// The name of a symbol, as clients subscribe to it.
    pub(super) fn symbol(number: usize) -> String {
        format!("BENCH{number}USDT")
    }

    /// Changes some levels and the price.
    pub(super) fn step(&mut self) {
        for _ in 0..self.changes {
            let (at, long_usd) = (saturating_len(self.roll()) % self.cells.len(), self.usd());
            self.cells[at].long_usd = long_usd;
        }
        for _ in 0..self.vanishing {
            let at = saturating_len(self.roll()) % self.cells.len();
            (self.cells[at].long_usd, self.cells[at].short_usd) = (0, 0);
        }
        self.price = whole(LOWEST + (self.roll() % 1_000).cast_signed());
        self.counters.created += self.changes as u64;
    }

    /// What the updater would hand to the board.
    pub(super) fn update(&self, as_of: UnixMs) -> BoardUpdate {
        BoardUpdate {
            epoch: self.epoch.clone(),
            cells: self.cells.iter().filter(|cell| !cell.is_empty()).copied().collect(),
            price: self.price,
            base_bin: whole(BIN),
            as_of,
            counters: self.counters,
        }
    }

    /// A snapshot as the server would tell it, for peers that do not make their own.
    pub(super) fn snapshot_json(&self, as_of: UnixMs) -> Vec<u8> {
        let levels = self.cells.iter().map(|cell| LevelMessage {
            price: cell.price.into(),
            long_density: cell.long_usd,
            short_density: cell.short_usd,
        });
        let data = StateData {
            levels: levels.collect(),
            current_price: Decimal::from(self.price),
            positions_created: self.counters.created,
            positions_consumed: 0,
        };
        let (timestamp, hash) = (format_time(as_of), StateHash::of(&self.cells).to_string());
        ServerMessage::Snapshot {
            id: None,
            symbol: &Self::symbol(0),
            expected_within: None,
            timestamp: &timestamp,
            epoch: "bench",
            seq: 1,
            hash: &hash,
            data,
        }
        .to_json()
    }

    /// Six or seven digits, as levels of a big market have.
    fn usd(&mut self) -> u64 {
        200_000 + self.roll() % 5_000_000
    }

    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.dice >> 33
    }
}

const fn whole(price: i64) -> Price {
    Price::from_units(price * UNIT_SCALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_of_the_usual_size_is_two_kilobytes() {
        let market = Market::new(0, 28, 8);
        let bytes = market.snapshot_json(UnixMs(1_764_000_000_123)).len();
        assert!((1_900..2_150).contains(&bytes), "{bytes}");
    }

    #[test]
    fn levels_vanish_and_come_back() {
        let mut market = Market::seeded(0, 7, 40, 2, 2);
        let mut sizes = std::collections::BTreeSet::new();
        for _ in 0..200 {
            market.step();
            let update = market.update(UnixMs(0));
            assert!(update.cells.iter().all(|cell| !cell.is_empty()));
            assert_eq!(update.epoch, "bench-7");
            sizes.insert(update.cells.len());
        }
        assert!(sizes.len() > 5 && sizes.first() < Some(&30), "{sizes:?}");
    }

    #[test]
    fn every_step_changes_something() {
        let mut market = Market::new(0, 30, 3);
        let mut before = market.update(UnixMs(0)).cells;
        for _ in 0..100 {
            market.step();
            let after = market.update(UnixMs(0)).cells;
            let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
            assert!((1..=3).contains(&changed), "{changed}");
            before = after;
        }
    }
}
