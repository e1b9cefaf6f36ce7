//! A board on several servers: what one server tells the others of it, and how they take it.
//!
//! One server is the producer; all others hold copies. A copy has the epoch, the `seq`, the hash and the last
//! change of every level, so a difference from any of its states is the same wherever a client asks. What
//! does not fit onto a copy leaves it as it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use liqheat_market::{Price, UnixMs};
use liqheat_wire::{Cell, StateHash};

use super::{Board, Counters};
use crate::view::ChangedLevel;

/// A state of a board, or the way to it, as servers tell each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteState {
    /// Names the run of `seq`.
    pub epoch: Arc<str>,
    /// The state it leads to.
    pub seq: u64,
    /// Hash of all levels of that state.
    pub hash: StateHash,
    /// Time of the newest market event in it.
    pub as_of: UnixMs,
    /// The price.
    pub price: Price,
    /// Height of a level.
    pub base_bin: Price,
    /// Counted by the last change alone.
    pub counted: Counters,
    /// How it leads there.
    pub step: BoardStep,
}

/// How a [`RemoteState`] leads to its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardStep {
    /// It is the state that there was: a sign of life.
    Still,
    /// By levels that changed, in order of price; those without mass are gone.
    Change {
        /// From this state.
        from: u64,
        /// The levels.
        cells: Vec<Cell>,
    },
    /// By nothing but itself.
    Whole {
        /// Differences from before this change cannot be made of it.
        complete_from: u64,
        /// Every level, and those gone since `complete_from`, in order of price.
        levels: Vec<ChangedLevel>,
    },
}

/// Why a state does not go onto a board. The board is left as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The board is there already, or further.
    #[error("older than the board")]
    Old,
    /// Something in between was missed.
    #[error("does not follow on the board's state")]
    Hole,
    /// It does not lead to the hash it says.
    #[error("leads to another hash than it says")]
    Hash,
}

impl Board {
    /// A board from a whole state.
    ///
    /// # Errors
    /// When it is not whole, or has another hash than it says.
    pub fn from_remote(state: &RemoteState) -> Result<Self, Misfit> {
        Self::whole_after(state, None)
    }

    /// The last change, for those who have the state before; a whole state where there is none before.
    #[must_use]
    pub fn last_change(&self) -> RemoteState {
        let from = self.seq.saturating_sub(1);
        if from < self.complete_from.max(1) {
            return self.whole();
        }
        let changed = self.slots.values().filter(|level| level.changed == self.seq);
        let cells = changed.map(|level| level.cell).collect();
        self.remote(BoardStep::Change { from, cells })
    }

    /// Everything, for those who have nothing.
    #[must_use]
    pub fn whole(&self) -> RemoteState {
        let levels = self.slots.values().copied().collect();
        self.remote(BoardStep::Whole { complete_from: self.complete_from, levels })
    }

    /// Where it stands, for those who should be there.
    #[must_use]
    pub fn still(&self) -> RemoteState {
        self.remote(BoardStep::Still)
    }

    fn remote(&self, step: BoardStep) -> RemoteState {
        RemoteState {
            epoch: Arc::clone(&self.epoch),
            seq: self.seq,
            hash: self.hash,
            as_of: self.as_of,
            price: self.price,
            base_bin: self.base_bin,
            counted: self.counters.since(self.counters_before(None)),
            step,
        }
    }

    /// Whether these are the levels it has, of the same height.
    #[must_use]
    pub fn has(&self, cells: &[Cell], base_bin: Price) -> bool {
        self.base_bin == base_bin && self.hash == StateHash::of(cells)
    }

    /// Takes a state that another server made. Returns whether anything that clients see changed.
    ///
    /// # Errors
    /// When it does not fit; nothing has changed then.
    pub fn take(&mut self, state: &RemoteState) -> Result<bool, Misfit> {
        let same_epoch = self.epoch == state.epoch;
        match &state.step {
            BoardStep::Whole { .. } if same_epoch && state.seq < self.seq => Err(Misfit::Old),
            BoardStep::Whole { .. } if same_epoch && state.seq == self.seq && state.hash == self.hash => {
                self.still_at(state);
                Ok(false)
            }
            BoardStep::Whole { .. } => {
                *self = Self::whole_after(state, Some(self))?;
                Ok(true)
            }
            _ if !same_epoch || self.base_bin != state.base_bin => Err(Misfit::Hole),
            BoardStep::Still if state.seq > self.seq => Err(Misfit::Hole),
            BoardStep::Still if state.seq < self.seq => Err(Misfit::Old),
            BoardStep::Still if state.hash != self.hash => Err(Misfit::Hash),
            BoardStep::Still => {
                self.still_at(state);
                Ok(false)
            }
            BoardStep::Change { .. } if state.seq <= self.seq => Err(Misfit::Old),
            BoardStep::Change { from, .. } if *from != self.seq => Err(Misfit::Hole),
            BoardStep::Change { cells, .. } => self.take_change(state, cells).map(|()| true),
        }
    }

    fn take_change(&mut self, state: &RemoteState, cells: &[Cell]) -> Result<(), Misfit> {
        let mut hash = self.hash;
        for cell in cells {
            if let Some(old) = self.slots.get(&cell.price) {
                hash.remove(&old.cell);
            }
            hash.add(cell);
        }
        if hash != state.hash {
            return Err(Misfit::Hash);
        }
        for cell in cells {
            let old = self.slots.insert(cell.price, ChangedLevel { cell: *cell, changed: state.seq });
            self.live -= usize::from(old.is_some_and(|old| !old.cell.is_empty()));
            self.live += usize::from(!cell.is_empty());
        }
        let before = self.seq;
        self.hash = hash;
        self.seq = state.seq;
        self.price = state.price;
        self.as_of = self.as_of.max(state.as_of);
        self.count(before, state.counted);
        self.drop_tombstones();
        Ok(())
    }

    /// The same state, later.
    fn still_at(&mut self, state: &RemoteState) {
        self.as_of = self.as_of.max(state.as_of);
        let now = self.counters_before(None).and(state.counted);
        // A sign of life may come late, and totals never fall.
        self.counters = Counters {
            created: now.created.max(self.counters.created),
            consumed: now.consumed.max(self.counters.consumed),
        };
    }

    /// The counters at the new `seq`: those at the state before, and what was counted since.
    fn count(&mut self, before: u64, counted: Counters) {
        let base = match self.counters_at.binary_search_by_key(&before, |(seq, _)| *seq) {
            Ok(index) => self.counters_at[index].1,
            Err(_) => {
                self.counters_at.push_back((before, self.counters));
                self.counters
            }
        };
        self.counters = base.and(counted);
        self.counters_at.push_back((self.seq, self.counters));
        while self.counters_at.len() > Self::COUNTERS_KEPT {
            self.counters_at.pop_front();
        }
    }

    /// The board of a whole state; what was counted before goes on, so that totals never fall.
    fn whole_after(state: &RemoteState, before: Option<&Self>) -> Result<Self, Misfit> {
        let BoardStep::Whole { complete_from, levels } = &state.step else { return Err(Misfit::Hole) };
        if StateHash::of(levels.iter().map(|level| &level.cell)) != state.hash || state.seq == 0 {
            return Err(Misfit::Hash);
        }
        let known = before.filter(|before| before.epoch == state.epoch && before.seq < state.seq);
        let mut board = Self {
            epoch: Arc::clone(&state.epoch),
            seq: state.seq,
            slots: levels.iter().map(|level| (level.cell.price, *level)).collect::<BTreeMap<_, _>>(),
            live: levels.iter().filter(|level| !level.cell.is_empty()).count(),
            hash: state.hash,
            price: state.price,
            base_bin: state.base_bin,
            as_of: state.as_of,
            counters: before.map(|before| before.counters).unwrap_or_default(),
            counters_at: known.map_or_else(VecDeque::new, |before| before.counters_at.clone()),
            complete_from: *complete_from,
        };
        board.count(state.seq - 1, state.counted);
        Ok(board)
    }
}

impl Counters {
    fn and(self, more: Self) -> Self {
        Self {
            created: self.created.saturating_add(more.created),
            consumed: self.consumed.saturating_add(more.consumed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::board::BoardUpdate;
    use crate::view::View;
    use liqheat_wire::Mode;

    fn update(epoch: u8, cells: &BTreeMap<i64, u64>, price: i64, total: u64) -> BoardUpdate {
        let cell = |(price, usd): (&i64, &u64)| Cell {
            price: Price::from_units(*price),
            long_usd: *usd,
            short_usd: usd / 2,
        };
        BoardUpdate {
            epoch: format!("e{epoch}"),
            cells: cells.iter().map(cell).collect(),
            price: Price::from_units(price),
            base_bin: Price::from_units(1),
            as_of: UnixMs(total as i64),
            counters: Counters { created: total, consumed: total / 2 },
        }
    }

    fn epochs_that_rise(steps: &[(bool, BTreeMap<i64, u64>, i64)]) -> Vec<BoardUpdate> {
        let mut epoch = 0;
        let mut made = Vec::new();
        for (number, (new, cells, price)) in steps.iter().enumerate() {
            epoch += u8::from(*new);
            made.push(update(epoch, cells, *price, number as u64 * 3));
        }
        made
    }

    fn histories() -> impl Strategy<Value = Vec<BoardUpdate>> {
        let cells = prop::collection::btree_map(1i64..40, 0u64..3, 0..25);
        let step = (prop::bool::weighted(0.05), cells, 1i64..4);
        prop::collection::vec(step, 1..80).prop_map(|steps| epochs_that_rise(&steps))
    }

    proptest! {
        /// Whatever is lost, doubled or late on the way: a copy is at a state of the original, with the levels
        /// of that state, and it knows when it is behind. From then on it tells clients what the original would.
        #[test]
        fn a_copy_is_the_original_or_knows_that_it_is_not(
            history in histories(),
            fates in prop::collection::vec(0u8..10, 80),
        ) {
            let mut original: Option<Board> = None;
            let mut copy: Option<Board> = None;
            let mut held_back: Option<RemoteState> = None;
            for (update, fate) in history.into_iter().zip(fates) {
                let before = original.clone();
                let changed = match &mut original {
                    None => { original = Some(Board::new(update)); true }
                    Some(board) => board.apply(update),
                };
                let original = original.as_ref().unwrap();
                let message = if changed { original.last_change() } else { original.still() };
                let mut sent = vec![message.clone()];
                match fate {
                    0 => sent.clear(),
                    1 => sent.push(message),
                    2 => { held_back = Some(message); sent.clear(); }
                    3 => sent.extend(held_back.take()),
                    _ => {}
                }
                let mut lacks = copy.is_none();
                for state in &sent {
                    let taken = match &mut copy {
                        None => Board::from_remote(state).map(|board| { copy = Some(board); true }),
                        Some(copy) => copy.take(state),
                    };
                    prop_assert_ne!(taken, Err(Misfit::Hash));
                    lacks = taken == Err(Misfit::Hole);
                }
                let current = copy.as_ref().is_some_and(|copy| copy.epoch == original.epoch && copy.seq == original.seq);
                prop_assert!(current || lacks || sent.is_empty() || fate == 3);
                if !current && !sent.is_empty() {
                    let whole = original.whole();
                    match &mut copy {
                        None => copy = Some(Board::from_remote(&whole).unwrap()),
                        Some(copy) => prop_assert_eq!(copy.take(&whole), Ok(true)),
                    }
                }
                let Some(copy) = &copy else { continue };
                if copy.epoch != original.epoch || copy.seq != original.seq {
                    continue;
                }
                prop_assert_eq!((copy.hash, copy.live, copy.price), (original.hash, original.live, original.price));
                prop_assert_eq!(copy.hash, StateHash::of(copy.slots.values().map(|level| &level.cell)));
                let from = before.as_ref().filter(|before| before.epoch == original.epoch).map(|before| before.seq);
                for from in [from, from.map(|from| from.saturating_sub(4)), None] {
                    for mode in [Mode::Delta, Mode::Snapshot] {
                        let (ours, theirs) = (copy.update_for(&View::default(), mode, from), original.update_for(&View::default(), mode, from));
                        prop_assert_eq!(&ours.cells, &theirs.cells);
                        prop_assert_eq!((ours.from, ours.seq, ours.hash), (theirs.from, theirs.seq, theirs.hash));
                    }
                }
                if sent.is_empty() || fate == 3 {
                    // What was counted without a change comes with the next sign of life; a late message is an older one.
                    continue;
                }
                let last = copy.update_for(&View::default(), Mode::Delta, None).counters;
                prop_assert_eq!(last, original.update_for(&View::default(), Mode::Delta, None).counters);
            }
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut original = Board::new(update(1, &BTreeMap::from([(1, 5), (2, 6)]), 1, 3));
        let copy = Board::from_remote(&original.whole()).unwrap();
        original.apply(update(1, &BTreeMap::from([(1, 5), (2, 7)]), 1, 5));
        let good = original.last_change();
        let refused = |state: &RemoteState, why: Misfit| {
            let mut tried = copy.clone();
            assert_eq!(tried.take(state), Err(why));
            assert_eq!(format!("{tried:?}"), format!("{copy:?}"));
        };
        refused(&RemoteState { hash: StateHash::default(), ..good.clone() }, Misfit::Hash);
        refused(&RemoteState { epoch: "other".into(), ..good.clone() }, Misfit::Hole);
        refused(&RemoteState { base_bin: Price::from_units(2), ..good.clone() }, Misfit::Hole);
        refused(&RemoteState { seq: 1, ..good.clone() }, Misfit::Old);
        let BoardStep::Change { cells, .. } = &good.step else { panic!("{good:?}") };
        let late = BoardStep::Change { from: 2, cells: cells.clone() };
        refused(&RemoteState { seq: 3, step: late, ..good.clone() }, Misfit::Hole);
        refused(&original.still(), Misfit::Hole);
        refused(&RemoteState { hash: StateHash::default(), ..original.whole() }, Misfit::Hash);
        let mut copy = copy;
        assert_eq!(copy.take(&good), Ok(true));
        assert_eq!(copy.take(&original.still()), Ok(false));
        assert_eq!(copy.take(&original.whole()), Ok(false));
        assert_eq!(Board::from_remote(&good).err(), Some(Misfit::Hole));
    }
}
