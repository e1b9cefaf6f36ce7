//! The newest state of one symbol, with the change number of every cell.
//!
//! Invariants: `seq` rises by one with each change and never otherwise; the hash is that of the cells with
//! mass; a cell that lost its mass stays as a tombstone, so that a difference can say it is gone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use liqheat_market::{Price, UnixMs};
use liqheat_wire::{Cell, Mode, StateHash};

use crate::view::{ChangedLevel, View, sum_into};

mod remote;

pub use remote::{BoardStep, Misfit, RemoteState};

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
    /// Height of a level; another one than before needs another epoch.
    pub base_bin: Price,
    /// Time of the newest market event in it.
    pub as_of: UnixMs,
    /// Running totals.
    pub counters: Counters,
}

/// A state, or the way to it from an earlier one, as it is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateUpdate {
    /// The state it applies to; `None` is a whole state.
    pub(crate) from: Option<u64>,
    pub(crate) epoch: Arc<str>,
    pub(crate) seq: u64,
    /// Of the whole state in the view.
    pub(crate) hash: StateHash,
    pub(crate) as_of: UnixMs,
    pub(crate) price: Price,
    /// Since the state the client had.
    pub(crate) counters: Counters,
    /// In order of price; in a difference, those without mass are gone.
    pub(crate) cells: Vec<Cell>,
}

/// The versioned state of one symbol.
#[derive(Debug, Clone)]
pub struct Board {
    epoch: Arc<str>,
    seq: u64,
    slots: BTreeMap<Price, ChangedLevel>,
    live: usize,
    hash: StateHash,
    price: Price,
    base_bin: Price,
    as_of: UnixMs,
    counters: Counters,
    /// Totals at recent changes, oldest first: (seq, totals at that seq).
    counters_at: VecDeque<(u64, Counters)>,
    /// Differences from before this change are no longer complete, because tombstones were dropped.
    complete_from: u64,
}

impl Board {
    /// Changes whose totals are remembered; a client further behind gets the totals of the last change.
    const COUNTERS_KEPT: usize = 4_096;
    /// Tombstones beyond this many, and beyond the number of live cells, are dropped.
    const TOMBSTONES_MIN: usize = 256;

    /// A board with its first state, at `seq` 1.
    #[must_use]
    pub fn new(first: BoardUpdate) -> Self {
        let mut board = Self {
            epoch: Arc::from(""),
            seq: 0,
            slots: BTreeMap::new(),
            live: 0,
            hash: StateHash::default(),
            price: first.price,
            base_bin: first.base_bin,
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
        let new_epoch = *self.epoch != *update.epoch;
        debug_assert!(
            new_epoch || self.base_bin == update.base_bin,
            "invariant: another height of levels is another epoch"
        );
        if new_epoch {
            *self = Self {
                epoch: Arc::from(update.epoch),
                seq: 0,
                slots: BTreeMap::new(),
                live: 0,
                hash: StateHash::default(),
                counters_at: VecDeque::from([(0, self.counters)]),
                complete_from: 0,
                price: update.price,
                base_bin: update.base_bin,
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
            let old = self.slots.insert(cell.price, ChangedLevel { cell: *cell, changed: seq });
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

    /// What a client in `mode` that has `from` (of this epoch) must be told: what changed after `from`, or a
    /// whole state, where whole states are wanted, `from` is unknown or too old, or the difference has as many
    /// levels as the state.
    #[must_use]
    pub(crate) fn update_for(&self, view: &View, mode: Mode, from: Option<u64>) -> StateUpdate {
        let known = from.filter(|from| (self.complete_from.max(1)..=self.seq).contains(from));
        let wanted = known.filter(|_| mode == Mode::Delta);
        let mut hash = self.hash;
        let (mut live, mut cells) = (self.live, Vec::new());
        if view.is_whole() {
            let changed = self.slots.values().filter(|level| wanted.is_none_or(|from| level.changed > from));
            cells.extend(changed.map(|level| level.cell));
        } else {
            (hash, live) = (StateHash::default(), 0);
            for level in self.look(view) {
                hash.add(&level.cell);
                live += usize::from(!level.cell.is_empty());
                if wanted.is_none_or(|from| level.changed > from) {
                    cells.push(level.cell);
                }
            }
        }
        let mut update = StateUpdate {
            from: wanted,
            epoch: Arc::clone(&self.epoch),
            seq: self.seq,
            hash,
            as_of: self.as_of,
            price: self.price,
            counters: self.counters.since(self.counters_before(from)),
            cells,
        };
        if wanted.is_none() {
            update.cells.retain(|cell| !cell.is_empty());
        } else if update.cells.len() >= live.max(1) {
            return self.update_for(view, Mode::Snapshot, from);
        }
        update
    }

    /// Hash of a view's levels.
    pub(crate) fn hash_of(&self, view: &View) -> StateHash {
        if view.is_whole() {
            return self.hash;
        }
        let mut hash = StateHash::default();
        self.look(view).for_each(|level| hash.add(&level.cell));
        hash
    }

    /// The levels of a view in order of price, with those that lost their mass.
    fn look(&self, view: &View) -> impl Iterator<Item = ChangedLevel> {
        let span =
            view.span(self.base_bin).unwrap_or((Price::from_units(i64::MIN), Price::from_units(i64::MAX)));
        let inside = self.slots.range(span.0..span.1).map(|(_, level)| *level);
        sum_into(view.bin.unwrap_or(self.base_bin), inside)
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
    pub const fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// Height of a level.
    #[must_use]
    pub const fn base_bin(&self) -> Price {
        self.base_bin
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

    /// Levels with mass, ascending in price.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        self.slots.values().map(|level| level.cell).filter(|cell| !cell.is_empty()).collect()
    }

    /// Number of levels with mass.
    #[must_use]
    pub const fn levels(&self) -> usize {
        self.live
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            base_bin: Price::from_units(1),
            as_of: UnixMs(total as i64),
            counters: Counters { created: total, consumed: total / 2 },
        }
    }

    /// What a client keeps.
    #[derive(Debug, Default)]
    struct Client {
        from: Option<u64>,
        levels: BTreeMap<Price, Cell>,
    }

    impl Client {
        fn apply(&mut self, update: &StateUpdate) {
            match update.from {
                Some(from) => assert_eq!(self.from, Some(from), "a difference from what the client has"),
                None => self.levels.clear(),
            }
            for cell in &update.cells {
                if cell.is_empty() {
                    self.levels.remove(&cell.price);
                } else {
                    self.levels.insert(cell.price, *cell);
                }
            }
            self.from = Some(update.seq);
            assert_eq!(StateHash::of(self.levels.values()), update.hash);
        }
    }

    /// A view computed the slow, obvious way.
    fn look_at(cells: &[Cell], low: i64, high: i64, bin: i64) -> BTreeMap<Price, Cell> {
        let mut seen = BTreeMap::new();
        for cell in cells.iter().filter(|cell| !cell.is_empty()) {
            let price = Price::from_units(cell.price.units() / bin * bin);
            let touches = price.units() + bin > low && price.units() <= high;
            if touches {
                let sum = seen.entry(price).or_insert(Cell { price, long_usd: 0, short_usd: 0 });
                sum.long_usd += cell.long_usd;
                sum.short_usd += cell.short_usd;
            }
        }
        seen
    }

    type Step = (BTreeMap<i64, (u64, u64)>, i64);

    fn histories() -> impl Strategy<Value = Vec<Step>> {
        let cells = prop::collection::btree_map(1i64..30, (0u64..3, 0u64..3), 0..20);
        prop::collection::vec((cells, 1i64..4), 1..60)
    }

    proptest! {
        /// The promise of the protocol: whatever a client has skipped, and whatever part it looks at, one frame
        /// brings it to the newest state.
        #[test]
        fn any_difference_leads_to_the_newest_state(
            history in histories(),
            lags in prop::collection::vec(0usize..7, 60),
            (low, high, bin) in (0i64..30, 1i64..30, 1i64..8),
        ) {
            let mut board: Option<Board> = None;
            let part = View {
                price_range: Some((Price::from_units(low), Price::from_units(low + high))),
                bin: Some(Price::from_units(bin)),
            };
            let views = [View::default(), part, part.canonical(Price::from_units(1))];
            let mut clients: [Client; 3] = Default::default();
            for (step, (cells, price)) in history.iter().enumerate() {
                let update = update("e", cells, *price, step as u64);
                let cells = update.cells.clone();
                match &mut board {
                    None => board = Some(Board::new(update)),
                    Some(board) => {
                        let before = board.seq();
                        let changed = board.apply(update);
                        prop_assert_eq!(board.seq(), before + u64::from(changed));
                    }
                }
                let board = board.as_ref().unwrap();
                prop_assert_eq!(board.hash(), StateHash::of(&cells));
                for (client, view) in clients.iter_mut().zip(&views).filter(|_| lags[step] < 3) {
                    let update = board.update_for(view, Mode::Delta, client.from);
                    client.apply(&update);
                    let expected = if view.is_whole() {
                        look_at(&cells, 0, 1_000, 1)
                    } else {
                        look_at(&cells, low, low + high, bin)
                    };
                    prop_assert_eq!(&client.levels, &expected);
                    prop_assert!(update.cells.len() <= expected.len().max(1), "never larger than a snapshot");
                }
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
        let update = board.update_for(&View::default(), Mode::Delta, Some(1));
        assert_eq!((update.from, update.cells.len()), (Some(1), 0));
        assert_eq!(board.update_for(&View::default(), Mode::Snapshot, Some(1)).from, None);
        assert_eq!(
            board.update_for(&View::default(), Mode::Delta, Some(3)).from,
            None,
            "never heard of that one"
        );
    }

    #[test]
    fn a_new_epoch_starts_again() {
        let mut board = Board::new(update("a", &BTreeMap::from([(1, (5, 0)), (2, (1, 1))]), 1, 1));
        assert!(board.apply(update("b", &BTreeMap::from([(1, (5, 0))]), 1, 4)));
        assert_eq!((&**board.epoch(), board.seq(), board.levels()), ("b", 1, 1));
        assert_eq!(created(&board, None), 3, "counted since the last change");
    }

    fn created(board: &Board, from: Option<u64>) -> u64 {
        board.update_for(&View::default(), Mode::Delta, from).counters.created
    }

    #[test]
    fn counters_are_since_the_state_the_client_had() {
        let mut board = Board::new(update("e", &BTreeMap::new(), 1, 10));
        for step in 2..=6u64 {
            board.apply(update("e", &BTreeMap::new(), step as i64, step * 10));
        }
        assert_eq!(created(&board, None), 10);
        assert_eq!(created(&board, Some(2)), 40);
        assert_eq!(board.update_for(&View::default(), Mode::Snapshot, Some(2)).counters.consumed, 20);
        assert_eq!(created(&board, Some(99)), 10, "an unknown state counts as the last");
    }

    #[test]
    fn tombstones_are_bounded_and_old_clients_get_the_whole() {
        let mut board = Board::new(update("e", &BTreeMap::from([(1, (1, 1))]), 1, 0));
        for step in 0..2_000i64 {
            board.apply(update("e", &BTreeMap::from([(step, (1, 1)), (step + 1, (2, 2))]), 1, 0));
        }
        assert!(board.slots.len() <= 2 + Board::TOMBSTONES_MIN);
        assert_eq!(board.update_for(&View::default(), Mode::Delta, Some(5)).from, None);
    }
}
