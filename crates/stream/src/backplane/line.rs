//! The run of states that one server makes of one symbol, and how a run passes from one server to the next.
//!
//! The rule behind it: a pair of epoch and `seq` is made once. A producer makes the next state only with the
//! consent of Redis; where that cannot be had, or is in doubt, it goes on under another epoch. So two servers
//! that lost sight of each other never give the same name to different states, and a client that changes between them is told.

use std::collections::VecDeque;

use liqheat_wire::StateHash;

use crate::board::{Board, BoardUpdate, RemoteState};

/// Names for epochs that nobody else has, nor this server had before.
#[derive(Debug)]
pub(crate) struct Names {
    tag: String,
    next: u64,
}

impl Names {
    /// `tag` tells this process from all others.
    pub(crate) const fn new(tag: String) -> Self {
        Self { tag, next: 0 }
    }

    /// A new name for a run of what the updater calls `epoch`.
    fn take(&mut self, epoch: &str) -> String {
        let name = format!("{epoch}.{}.{}", self.tag, self.next);
        self.next += 1;
        name
    }
}

/// A run of states in the hands of this server.
#[derive(Debug)]
pub(crate) struct Line {
    board: Board,
    /// What the updater calls the epoch; it changes with the grid of prices.
    source: String,
    /// Whether Redis has not agreed to its newest state.
    apart: bool,
}

/// Hashes of the levels that this server had lately, whoever made the states. A few hundred bytes.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<StateHash>);

impl Recent {
    /// More than there are between the last word of a producer and the next one.
    const KEPT: usize = 64;

    pub(crate) fn add(&mut self, update: &BoardUpdate) {
        let hash = StateHash::of(&update.cells);
        if self.0.back() != Some(&hash) {
            self.0.push_back(hash);
        }
        if self.0.len() > Self::KEPT {
            self.0.pop_front();
        }
    }

    fn contains(&self, hash: StateHash) -> bool {
        self.0.contains(&hash)
    }
}

/// How a server that begins to make states goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Where the last one stopped: the levels are the same.
    Continued,
    /// With its own run, which the others hear of now.
    Kept,
    /// With a new one.
    Begun,
}

impl Line {
    /// A run that this server has not made, seen on its board: it is left as soon as there is something new.
    pub(crate) const fn seen(board: Board, source: String) -> Self {
        Self { board, source, apart: false }
    }

    /// A new run.
    pub(crate) fn begin(update: BoardUpdate, names: &mut Names) -> Self {
        let source = update.epoch.clone();
        let epoch = names.take(&source);
        Self { board: Board::new(BoardUpdate { epoch, ..update }), source, apart: false }
    }

    pub(crate) const fn board(&self) -> &Board {
        &self.board
    }

    /// Whether its newest state is of this server alone.
    pub(crate) const fn is_apart(&self) -> bool {
        self.apart
    }

    /// Whether an update would change what clients see.
    pub(crate) fn differs(&self, update: &BoardUpdate) -> bool {
        update.price != self.board.price()
            || update.epoch != self.source
            || !self.board.has(&update.cells, update.base_bin)
    }

    /// Takes the newest state with the consent of Redis to come: gives what to publish if there is something new.
    pub(crate) fn advance(&mut self, update: BoardUpdate, names: &mut Names) -> Option<RemoteState> {
        let epoch = if update.epoch == self.source && update.base_bin == self.board.base_bin() {
            self.board.epoch().to_string()
        } else {
            self.source.clone_from(&update.epoch);
            names.take(&update.epoch)
        };
        self.board.apply(BoardUpdate { epoch, ..update }).then(|| self.board.last_change())
    }

    /// Takes the newest state without Redis: what is new goes under an epoch of its own.
    pub(crate) fn advance_alone(&mut self, update: BoardUpdate, names: &mut Names) -> Option<RemoteState> {
        if !self.differs(&update) {
            return None;
        }
        if self.apart {
            return self.advance(update, names);
        }
        self.part(update, names);
        Some(self.board.whole())
    }

    /// The consent to the newest state is in doubt or refused: it gets another name.
    pub(crate) fn part(&mut self, update: BoardUpdate, names: &mut Names) {
        *self = Self { apart: true, ..Self::begin(update, names) };
    }

    /// Redis has its newest state.
    pub(crate) const fn agreed(&mut self) {
        self.apart = false;
    }

    /// The run that a server goes on with when it gets the right to make states. `own` is the run it had, made by
    /// itself; `stored` what Redis has; `seen` its board; `recent` the levels that it had lately itself, the newest
    /// included. Where the last state is one of those, both servers see the same market, and the run goes on.
    pub(crate) fn pass(
        own: Option<Self>,
        (stored, seen): (Option<Board>, Option<Board>),
        update: &BoardUpdate,
        recent: &Recent,
        names: &mut Names,
    ) -> (Self, Passed) {
        let fits = |board: &Board| board.base_bin() == update.base_bin && recent.contains(board.hash());
        let goes_on = |board: Board| Self::seen(board, update.epoch.clone());
        match own {
            // Nobody made states meanwhile: Redis has the last of ours, or lost some of them, or all.
            Some(own) if !own.apart && stored.as_ref().is_none_or(|stored| own.covers(stored)) => {
                return (own, Passed::Kept);
            }
            Some(own) if own.apart && !stored.as_ref().is_some_and(fits) => return (own, Passed::Kept),
            _ => {}
        }
        // Redis that was restored from an old file has forgotten states that clients may have.
        let last = match (stored, seen) {
            (Some(stored), Some(seen)) if seen.epoch() == stored.epoch() && seen.seq() > stored.seq() => {
                Some(seen)
            }
            (Some(stored), _) => Some(stored),
            (None, seen) => seen,
        };
        match last.filter(fits) {
            Some(last) => (goes_on(last), Passed::Continued),
            None => (Self::begin(update.clone(), names), Passed::Begun),
        }
    }

    fn covers(&self, stored: &Board) -> bool {
        let (ours, theirs) = (self.board.seq(), stored.seq());
        let further = ours > theirs || ours == theirs && self.board.hash() == stored.hash();
        self.board.epoch() == stored.epoch() && further
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::{Price, UnixMs};
    use liqheat_wire::Cell;

    use super::*;
    use crate::board::{Counters, Step};

    fn update(usd: u64) -> BoardUpdate {
        BoardUpdate {
            epoch: "run-1".into(),
            cells: vec![Cell { price: Price::from_units(10), long_usd: usd, short_usd: 0 }],
            price: Price::from_units(11),
            base_bin: Price::from_units(10),
            as_of: UnixMs(5),
            counters: Counters::default(),
        }
    }

    fn recent(usd: u64) -> Recent {
        let mut recent = Recent::default();
        recent.add(&update(usd));
        recent
    }

    /// Goes on with levels of so many dollars, the only ones it had.
    fn pass(
        own: Option<Line>,
        stored: Option<Board>,
        seen: Option<Board>,
        usd: u64,
        names: &mut Names,
    ) -> (Line, Passed) {
        Line::pass(own, (stored, seen), &update(usd), &recent(usd), names)
    }

    fn names(tag: &str) -> Names {
        Names::new(tag.into())
    }

    fn at(line: &Line) -> (String, u64) {
        (line.board.epoch().to_string(), line.board.seq())
    }

    #[test]
    fn a_run_goes_on_and_a_new_grid_is_a_new_one() {
        let names = &mut names("a");
        let mut line = Line::begin(update(1), names);
        assert_eq!(at(&line), ("run-1.a.0".into(), 1));
        assert_eq!(line.advance(update(1), names), None);
        let change = line.advance(update(2), names).unwrap();
        assert!(matches!(change.step, Step::Change { from: 1, .. }) && change.seq == 2);
        let grid = line.advance(BoardUpdate { epoch: "run-2".into(), ..update(2) }, names).unwrap();
        assert!(matches!(grid.step, Step::Whole { .. }));
        assert_eq!(at(&line), ("run-2.a.1".into(), 1));
    }

    #[test]
    fn what_is_made_alone_has_another_name() {
        let names = &mut names("a");
        let mut line = Line::begin(update(1), names);
        assert_eq!(line.advance_alone(update(1), names), None);
        assert!(!line.is_apart(), "nothing new, nothing made");
        assert!(matches!(line.advance_alone(update(2), names).unwrap().step, Step::Whole { .. }));
        assert_eq!((at(&line), line.is_apart()), (("run-1.a.1".into(), 1), true));
        assert!(matches!(line.advance_alone(update(3), names).unwrap().step, Step::Change { from: 1, .. }));
        assert_eq!(at(&line), ("run-1.a.1".into(), 2), "only once");
    }

    #[test]
    fn a_run_passes_on_where_the_levels_are_the_same() {
        let mut theirs = Line::begin(update(1), &mut names("a"));
        theirs.advance(update(2), &mut names("a"));
        let stored = || Some(theirs.board().clone());
        let names = &mut names("b");
        let (line, passed) = pass(None, stored(), None, 2, names);
        assert_eq!((at(&line), passed), (at(&theirs), Passed::Continued));
        let (line, passed) = pass(None, stored(), stored(), 3, names);
        assert_eq!((at(&line), passed), (("run-1.b.0".into(), 1), Passed::Begun));
        let (line, passed) = pass(None, None, stored(), 2, names);
        assert_eq!((at(&line), passed), (at(&theirs), Passed::Continued), "an empty Redis, but it was seen");
        let (_, passed) = pass(None, None, None, 2, names);
        assert_eq!(passed, Passed::Begun);
    }

    #[test]
    fn a_run_passes_on_while_it_moves_if_the_next_one_was_there_too() {
        let mut theirs = Line::begin(update(1), &mut names("a"));
        theirs.advance(update(2), &mut names("a"));
        let mut had = recent(1);
        [2, 3].into_iter().for_each(|usd| had.add(&update(usd)));
        let names = &mut names("b");
        let stored = || (Some(theirs.board().clone()), None);
        let (mut line, passed) = Line::pass(None, stored(), &update(3), &had, names);
        assert_eq!((at(&line), passed), (at(&theirs), Passed::Continued));
        let change = line.advance(update(3), names).unwrap();
        assert!(
            matches!(change.step, Step::Change { from: 2, .. }) && change.epoch == *theirs.board().epoch()
        );
        let taller = BoardUpdate { base_bin: Price::from_units(20), ..update(3) };
        assert_eq!(Line::pass(None, stored(), &taller, &had, names).1, Passed::Begun);
        (10..10 + Recent::KEPT as u64).for_each(|usd| had.add(&update(usd)));
        assert_eq!(Line::pass(None, stored(), &update(3), &had, names).1, Passed::Begun, "too long ago");
    }

    #[test]
    fn an_old_file_of_redis_is_not_believed() {
        let mut theirs = Line::begin(update(1), &mut names("a"));
        let old = theirs.board().clone();
        theirs.advance(update(2), &mut names("a"));
        let names = &mut names("b");
        let seen = theirs.board().clone();
        let (_, passed) = pass(None, Some(old.clone()), Some(seen.clone()), 1, names);
        assert_eq!(passed, Passed::Begun, "seq 2 was made already");
        let (line, passed) = pass(None, Some(old.clone()), Some(seen), 2, names);
        assert_eq!((at(&line), passed), (at(&theirs), Passed::Continued));
        let own = Line { board: theirs.board().clone(), source: "run-1".into(), apart: false };
        let (line, passed) = pass(Some(own), Some(old), None, 3, names);
        assert_eq!((at(&line), passed), (at(&theirs), Passed::Kept));
    }

    #[test]
    fn what_was_made_apart_is_kept_unless_the_levels_are_those_of_redis() {
        let mut own = Line::begin(update(1), &mut names("a"));
        let stored = own.board().clone();
        own.advance_alone(update(2), &mut names("x"));
        let apart = at(&own);
        let names = &mut names("y");
        let (line, passed) = pass(Some(own), Some(stored.clone()), None, 3, names);
        assert_eq!((at(&line), passed), (apart, Passed::Kept));
        let (line, passed) = pass(Some(line), Some(stored.clone()), None, 1, names);
        assert_eq!((line.board().epoch(), passed), (stored.epoch(), Passed::Continued));
        // Somebody else went on meanwhile.
        let mut other = Line::seen(stored, "run-1".into());
        other.advance(update(7), names);
        let ours = Line::seen(line.board().clone(), "run-1".into());
        let (line, passed) = pass(Some(ours), Some(other.board().clone()), None, 8, names);
        assert_eq!(passed, Passed::Begun);
        assert_ne!(line.board().epoch(), other.board().epoch());
    }
}
