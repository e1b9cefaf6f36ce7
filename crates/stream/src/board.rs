//! The newest state of one symbol, with the change number of every cell.
//!
//! Invariants: `seq` rises by one with each change and never otherwise; the hash is that of the cells with
//! mass; a cell that lost its mass stays as a tombstone, so that a difference can say it is gone.

use std::collections::{BTreeMap, VecDeque};

use liqheat_market::{Price, UnixMs};
use liqheat_wire::{Cell, LevelMessage, StateData, StateHash};

/// Running totals since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// (side, leverage class, bin) additions.
    pub created: u64,
    /// (side, leverage class, bin) liquidations.
    pub consumed: u64,
}

impl Counters {
    fn since(self, earlier: Self) -> Self {
        Self {
            created: self.created.saturating_sub(earlier.created),
            consumed: self.consumed.saturating_sub(earlier.consumed),
        }
    }
}

/// The newest state, as the updater hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardUpdate {
    /// Names the run of `seq`; another name than before empties the board first.
    pub epoch: String,
    /// Every level with mass, ascending in price, each price once.
    pub cells: Vec<Cell>,
    /// The price now.
    pub price: Price,
    /// Time of the newest market event in it.
    pub as_of: UnixMs,
    /// Running totals.
    pub counters: Counters,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    cell: Cell,
    changed: u64,
}

/// The versioned state of one symbol.
#[derive(Debug)]
pub struct Board {
    epoch: String,
    seq: u64,
    slots: BTreeMap<Price, Slot>,
    live: usize,
    hash: StateHash,
    price: Price,
    as_of: UnixMs,
    counters: Counters,
    /// Totals at recent changes, oldest first: (seq, totals at that seq).
    counters_at: VecDeque<(u64, Counters)>,
    /// Differences from before this change are no longer complete, because tombstones were dropped.
    complete_from: u64,
}

impl Board {
    /// Changes whose totals are remembered; a client further behind is told the totals of the last change.
    const COUNTERS_KEPT: usize = 4_096;
    /// Tombstones beyond this many, and beyond the number of live cells, are dropped.
    const TOMBSTONES_MIN: usize = 256;

    /// A board with its first state, at `seq` 1.
    #[must_use]
    pub fn new(first: BoardUpdate) -> Self {
        let mut board = Self {
            epoch: String::new(),
            seq: 0,
            slots: BTreeMap::new(),
            live: 0,
            hash: StateHash::default(),
            price: first.price,
            as_of: first.as_of,
            counters: Counters::default(),
            counters_at: VecDeque::new(),
            complete_from: 0,
        };
        board.apply(first);
        board
    }

    /// Takes the newest state. Returns whether anything that clients see changed; a later `as_of` alone does
    /// not count.
    pub fn apply(&mut self, update: BoardUpdate) -> bool {
        let new_epoch = self.epoch != update.epoch;
        if new_epoch {
            *self = Self {
                epoch: update.epoch,
                seq: 0,
                slots: BTreeMap::new(),
                live: 0,
                hash: StateHash::default(),
                counters_at: VecDeque::from([(0, self.counters)]),
                complete_from: 0,
                price: update.price,
                as_of: update.as_of,
                counters: self.counters,
            };
        }
        self.as_of = self.as_of.max(update.as_of);
        let next = self.seq + 1;
        let cells_changed = self.merge(&update.cells, next);
        if !cells_changed && !new_epoch && self.price == update.price {
            self.counters = update.counters;
            return false;
        }
        self.seq = next;
        self.price = update.price;
        self.counters = update.counters;
        self.counters_at.push_back((next, update.counters));
        if self.counters_at.len() > Self::COUNTERS_KEPT {
            self.counters_at.pop_front();
        }
        self.drop_tombstones();
        true
    }

    /// Walks the old and the new levels side by side; both are in order of price.
    fn merge(&mut self, cells: &[Cell], seq: u64) -> bool {
        debug_assert!(cells.is_sorted_by(|a, b| a.price < b.price), "invariant: prices strictly rise");
        let mut changes: Vec<Cell> = Vec::new();
        let mut incoming = cells.iter().filter(|cell| !cell.is_empty()).peekable();
        for (price, slot) in &self.slots {
            while let Some(cell) = incoming.next_if(|cell| cell.price < *price) {
                changes.push(*cell);
            }
            let new = incoming.next_if(|cell| cell.price == *price).copied().unwrap_or(Cell {
                price: *price,
                long_usd: 0,
                short_usd: 0,
            });
            if new != slot.cell {
                changes.push(new);
            }
        }
        changes.extend(incoming);
        for cell in &changes {
            let old = self.slots.insert(cell.price, Slot { cell: *cell, changed: seq });
            if let Some(old) = old {
                self.hash.remove(&old.cell);
                self.live -= usize::from(!old.cell.is_empty());
            }
            self.hash.add(cell);
            self.live += usize::from(!cell.is_empty());
        }
        !changes.is_empty()
    }

    fn drop_tombstones(&mut self) {
        let tombstones = self.slots.len() - self.live;
        if tombstones <= Self::TOMBSTONES_MIN.max(self.live) {
            return;
        }
        let dropped = self.slots.values().filter(|slot| slot.cell.is_empty()).map(|slot| slot.changed).max();
        self.complete_from = self.complete_from.max(dropped.unwrap_or(0));
        self.slots.retain(|_, slot| !slot.cell.is_empty());
    }

    /// Everything there is.
    #[must_use]
    pub fn snapshot(&self, from: Option<u64>) -> StateData {
        let levels = self.slots.values().filter(|slot| !slot.cell.is_empty()).map(|slot| level(&slot.cell));
        self.data(levels.collect(), from)
    }

    /// What changed after `from`; `None` when a whole state must be sent instead: `from` is not of this run,
    /// too old, or the difference has as many levels as the state.
    #[must_use]
    pub fn difference(&self, from: u64) -> Option<StateData> {
        if from > self.seq || from < self.complete_from || from == 0 {
            return None;
        }
        let levels: Vec<_> =
            self.slots.values().filter(|slot| slot.changed > from).map(|slot| level(&slot.cell)).collect();
        (levels.len() < self.live.max(1)).then(|| self.data(levels, Some(from)))
    }

    fn data(&self, levels: Vec<LevelMessage>, from: Option<u64>) -> StateData {
        let since = self.counters.since(self.counters_before(from));
        StateData {
            levels,
            current_price: self.price.into(),
            positions_created: since.created,
            positions_consumed: since.consumed,
        }
    }

    /// The totals at `from`, or before the last change where `from` is unknown.
    fn counters_before(&self, from: Option<u64>) -> Counters {
        let at = |seq: u64| {
            let index = self.counters_at.binary_search_by_key(&seq, |(seq, _)| *seq).ok()?;
            Some(self.counters_at[index].1)
        };
        from.and_then(at).or_else(|| at(self.seq.saturating_sub(1))).unwrap_or_default()
    }

    /// Names the run of `seq`.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The last change.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Hash of all levels.
    #[must_use]
    pub const fn hash(&self) -> StateHash {
        self.hash
    }

    /// Time of the newest market event in it.
    #[must_use]
    pub const fn as_of(&self) -> UnixMs {
        self.as_of
    }

    /// The price now.
    #[must_use]
    pub const fn price(&self) -> Price {
        self.price
    }

    /// Number of levels with mass.
    #[must_use]
    pub const fn levels(&self) -> usize {
        self.live
    }
}

fn level(cell: &Cell) -> LevelMessage {
    LevelMessage { price: cell.price.into(), long_density: cell.long_usd, short_density: cell.short_usd }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_wire::Decimal;
    use proptest::prelude::*;

    fn update(epoch: &str, cells: &BTreeMap<i64, (u64, u64)>, price: i64, total: u64) -> BoardUpdate {
        BoardUpdate {
            epoch: epoch.into(),
            cells: cells
                .iter()
                .map(|(price, (long, short))| Cell {
                    price: Price::from_units(*price),
                    long_usd: *long,
                    short_usd: *short,
                })
                .collect(),
            price: Price::from_units(price),
            as_of: UnixMs(total as i64),
            counters: Counters { created: total, consumed: total / 2 },
        }
    }

    type Levels = BTreeMap<Decimal, (u64, u64)>;

    fn play(state: &mut Levels, data: &StateData, whole: bool) {
        if whole {
            state.clear();
        }
        for level in &data.levels {
            match (level.long_density, level.short_density) {
                (0, 0) => state.remove(&level.price),
                densities => state.insert(level.price, densities),
            };
        }
    }

    type Step = (BTreeMap<i64, (u64, u64)>, i64);

    fn histories() -> impl Strategy<Value = Vec<Step>> {
        let cells = prop::collection::btree_map(1i64..30, (0u64..3, 0u64..3), 0..20);
        prop::collection::vec((cells, 1i64..4), 1..60)
    }

    proptest! {
        /// The promise of the protocol: whatever a client has skipped, one frame brings it to the newest state.
        #[test]
        fn any_difference_leads_to_the_newest_state(history in histories(), lags in prop::collection::vec(0usize..7, 60)) {
            let mut board: Option<Board> = None;
            let mut client: (u64, Levels) = (0, Levels::new());
            for (step, (cells, price)) in history.iter().enumerate() {
                let update = update("e", cells, *price, step as u64);
                let expected_hash = StateHash::of(&update.cells);
                match &mut board {
                    None => board = Some(Board::new(update)),
                    Some(board) => {
                        let before = board.seq();
                        let changed = board.apply(update);
                        prop_assert_eq!(board.seq(), before + u64::from(changed));
                    }
                }
                let board = board.as_ref().unwrap();
                prop_assert_eq!(board.hash(), expected_hash);
                if lags[step] > 2 {
                    continue;
                }
                match board.difference(client.0) {
                    Some(data) => play(&mut client.1, &data, false),
                    None => play(&mut client.1, &board.snapshot(None), true),
                }
                client.0 = board.seq();
                let mut whole = Levels::new();
                play(&mut whole, &board.snapshot(None), true);
                prop_assert_eq!(&client.1, &whole);
            }
        }
    }

    #[test]
    fn nothing_changed_is_no_change() {
        let cells = BTreeMap::from([(1, (5, 0))]);
        let mut board = Board::new(update("e", &cells, 1, 1));
        assert!(!board.apply(update("e", &cells, 1, 2)));
        assert_eq!((board.seq(), board.as_of()), (1, UnixMs(2)));
        assert!(board.apply(update("e", &cells, 2, 3)), "a new price is a change");
        assert_eq!(board.difference(1).unwrap().levels.len(), 0);
    }

    #[test]
    fn a_new_epoch_starts_again() {
        let mut board = Board::new(update("a", &BTreeMap::from([(1, (5, 0)), (2, (1, 1))]), 1, 1));
        assert!(board.apply(update("b", &BTreeMap::from([(1, (5, 0))]), 1, 4)));
        assert_eq!((board.epoch(), board.seq(), board.levels()), ("b", 1, 1));
        assert_eq!(board.snapshot(None).positions_created, 3, "counted since the last change");
    }

    #[test]
    fn counters_are_since_the_state_the_client_had() {
        let mut board = Board::new(update("e", &BTreeMap::new(), 1, 10));
        for step in 2..=6u64 {
            board.apply(update("e", &BTreeMap::new(), step as i64, step * 10));
        }
        assert_eq!(board.snapshot(None).positions_created, 10);
        assert_eq!(board.snapshot(Some(2)).positions_created, 40);
        assert_eq!(board.snapshot(Some(2)).positions_consumed, 20);
        assert_eq!(board.snapshot(Some(99)).positions_created, 10, "an unknown state counts as the last");
    }

    #[test]
    fn tombstones_are_bounded_and_old_clients_get_the_whole() {
        let mut board = Board::new(update("e", &BTreeMap::from([(1, (1, 1))]), 1, 0));
        for step in 0..2_000i64 {
            board.apply(update("e", &BTreeMap::from([(step, (1, 1)), (step + 1, (2, 2))]), 1, 0));
        }
        assert!(board.slots.len() <= 2 + Board::TOMBSTONES_MIN);
        assert_eq!(board.difference(5), None);
    }
}
