//! One unbroken run of `seq` of one symbol, and how a run passes from one producer to the next.
//!
//! Invariant: a pair of epoch and `seq` names one state, ever. A producer assigns the next `seq` only when Redis
//! confirms the publication; where the confirmation is missing or in doubt, it continues under another epoch. So two
//! servers that lost sight of each other never give one name to different states, and a client that moves between them
//! gets a whole state.

use std::collections::VecDeque;

use liqheat_wire::StateHash;

use liqheat_stream::{Board, BoardUpdate, RemoteState};

/// Generates epochs that no other server has, nor this server had before.
#[derive(Debug)]
pub(crate) struct EpochNames {
    tag: String,
    next: u64,
}

impl EpochNames {
    /// `tag` identifies this process.
    pub(crate) const fn new(tag: String) -> Self {
        Self { tag, next: 0 }
    }

    /// A new epoch for a run of what the updater calls `epoch`.
    pub(crate) fn next(&mut self, epoch: &str) -> String {
        let name = format!("{epoch}.{}.{}", self.tag, self.next);
        self.next += 1;
        name
    }
}

/// A run that this server continues.
#[derive(Debug)]
pub(crate) struct EpochRun {
    board: Board,
    /// The updater's epoch; it changes with the height of levels.
    source: String,
    /// Redis does not have its newest state; no other server may know this epoch.
    unconfirmed: bool,
}

/// Hashes of the levels that this server's own ledger had lately, producer or not. A few hundred bytes.
#[derive(Debug, Default)]
pub(crate) struct RecentHashes(VecDeque<StateHash>);

impl RecentHashes {
    /// More than the states between the last publication of a producer and the takeover by another.
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

/// Whether a server's lease may have run out since it last published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continuity {
    /// It held all the time: no other server can have published.
    Unbroken,
    Broken,
}

/// How a new producer continues a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handover {
    /// The run of the last producer: the levels are the same.
    Continued,
    /// Its own run, which is published from now on.
    Kept,
    /// A new epoch.
    New,
}

impl Handover {
    /// The word used in logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Continued => "continued",
            Self::Kept => "kept",
            Self::New => "new",
        }
    }
}

impl EpochRun {
    /// The run on this server's board, whoever produced it.
    pub(crate) const fn on_board(board: Board, source: String) -> Self {
        Self { board, source, unconfirmed: false }
    }

    /// A new run.
    pub(crate) fn begin(update: BoardUpdate, names: &mut EpochNames) -> Self {
        let source = update.epoch.clone();
        let epoch = names.next(&source);
        Self { board: Board::new(BoardUpdate { epoch, ..update }), source, unconfirmed: false }
    }

    pub(crate) const fn board(&self) -> &Board {
        &self.board
    }

    /// Whether only this server has its newest state.
    pub(crate) const fn is_unconfirmed(&self) -> bool {
        self.unconfirmed
    }

    /// Whether an update would change what clients see.
    pub(crate) fn differs(&self, update: &BoardUpdate) -> bool {
        update.price != self.board.price()
            || update.epoch != self.source
            || !self.board.has(&update.cells, update.base_bin)
    }

    /// Takes the newest state; the caller publishes it and calls `confirm`. `None` when nothing has changed.
    pub(crate) fn advance(&mut self, update: BoardUpdate, names: &mut EpochNames) -> Option<RemoteState> {
        let epoch = if update.epoch == self.source && update.base_bin == self.board.base_bin() {
            self.board.epoch().to_string()
        } else {
            self.source.clone_from(&update.epoch);
            names.next(&update.epoch)
        };
        self.board.apply(BoardUpdate { epoch, ..update }).then(|| self.board.last_change())
    }

    /// Takes the newest state without Redis: what has changed goes under an epoch of its own.
    pub(crate) fn advance_unconfirmed(
        &mut self,
        update: BoardUpdate,
        names: &mut EpochNames,
    ) -> Option<RemoteState> {
        if !self.differs(&update) {
            return None;
        }
        if self.unconfirmed {
            return self.advance(update, names);
        }
        self.detach(update, names);
        Some(self.board.whole())
    }

    /// The confirmation of the newest state is missing or refused: the state gets another epoch.
    pub(crate) fn detach(&mut self, update: BoardUpdate, names: &mut EpochNames) {
        *self = Self { unconfirmed: true, ..Self::begin(update, names) };
    }

    /// Redis has its newest state.
    pub(crate) const fn confirm(&mut self) {
        self.unconfirmed = false;
    }

    /// The run that a server continues when it becomes the producer. `own` is the run that it produced itself before;
    /// `stored` the state in Redis; `seen` its board; `recent` the levels that its own ledger had lately, the newest
    /// included. Where the stored state is one of those, both servers see the same market, and the run continues.
    ///
    /// A run continues only from its newest state, or a `seq` would be given twice. Redis stores every state in the
    /// same step in which it publishes it, so the stored state is the newest, unless Redis lost data: then it is missing,
    /// or older than what this server has seen. After that only a producer whose lease never ran out knows that nobody
    /// went on with its run.
    pub(crate) fn take_over(
        own: Option<(Self, Continuity)>,
        (stored, seen): (Option<Board>, Option<Board>),
        update: &BoardUpdate,
        recent: &RecentHashes,
        names: &mut EpochNames,
    ) -> (Self, Handover) {
        let fits = |board: &Board| board.base_bin() == update.base_bin && recent.contains(board.hash());
        match own {
            Some((own, _)) if own.unconfirmed && !stored.as_ref().is_some_and(fits) => {
                return (own, Handover::Kept);
            }
            Some((own, continuity)) if !own.unconfirmed => {
                let is_newest = match &stored {
                    Some(stored) if own.is_at(stored) => true,
                    Some(stored) => continuity == Continuity::Unbroken && own.is_beyond(stored),
                    None => continuity == Continuity::Unbroken,
                };
                if is_newest {
                    return (own, Handover::Kept);
                }
            }
            _ => {}
        }
        let is_newest = |stored: &Board| {
            seen.as_ref().is_none_or(|seen| seen.epoch() != stored.epoch() || seen.seq() <= stored.seq())
        };
        match stored.filter(fits).filter(is_newest) {
            Some(stored) => (Self::on_board(stored, update.epoch.clone()), Handover::Continued),
            None => (Self::begin(update.clone(), names), Handover::New),
        }
    }

    fn is_at(&self, stored: &Board) -> bool {
        let board = &self.board;
        board.epoch() == stored.epoch() && board.seq() == stored.seq() && board.hash() == stored.hash()
    }

    fn is_beyond(&self, stored: &Board) -> bool {
        self.board.epoch() == stored.epoch() && self.board.seq() > stored.seq()
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::{Price, UnixMs};
    use liqheat_wire::Cell;

    use super::*;
    use liqheat_stream::{BoardStep, Counters};

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

    fn recent(usd: u64) -> RecentHashes {
        let mut recent = RecentHashes::default();
        recent.add(&update(usd));
        recent
    }

    /// Takes over with levels of this many dollars, the only ones it had.
    fn pass(
        own: Option<EpochRun>,
        stored: Option<Board>,
        seen: Option<Board>,
        usd: u64,
        names: &mut EpochNames,
    ) -> (EpochRun, Handover) {
        let own = own.map(|own| (own, Continuity::Unbroken));
        EpochRun::take_over(own, (stored, seen), &update(usd), &recent(usd), names)
    }

    fn names(tag: &str) -> EpochNames {
        EpochNames::new(tag.into())
    }

    fn at(run: &EpochRun) -> (String, u64) {
        (run.board.epoch().to_string(), run.board.seq())
    }

    #[test]
    fn a_run_continues_and_other_levels_begin_a_new_one() {
        let names = &mut names("a");
        let mut run = EpochRun::begin(update(1), names);
        assert_eq!(at(&run), ("run-1.a.0".into(), 1));
        assert_eq!(run.advance(update(1), names), None);
        let change = run.advance(update(2), names).unwrap();
        assert!(matches!(change.step, BoardStep::Change { from: 1, .. }) && change.seq == 2);
        let grid = run.advance(BoardUpdate { epoch: "run-2".into(), ..update(2) }, names).unwrap();
        assert!(matches!(grid.step, BoardStep::Whole { .. }));
        assert_eq!(at(&run), ("run-2.a.1".into(), 1));
    }

    #[test]
    fn an_unconfirmed_state_has_an_epoch_of_its_own() {
        let names = &mut names("a");
        let mut run = EpochRun::begin(update(1), names);
        assert_eq!(run.advance_unconfirmed(update(1), names), None);
        assert!(!run.is_unconfirmed(), "nothing new, nothing made");
        assert!(matches!(run.advance_unconfirmed(update(2), names).unwrap().step, BoardStep::Whole { .. }));
        assert_eq!((at(&run), run.is_unconfirmed()), (("run-1.a.1".into(), 1), true));
        assert!(matches!(
            run.advance_unconfirmed(update(3), names).unwrap().step,
            BoardStep::Change { from: 1, .. }
        ));
        assert_eq!(at(&run), ("run-1.a.1".into(), 2), "only once");
    }

    #[test]
    fn a_run_passes_on_where_the_levels_are_the_same() {
        let mut theirs = EpochRun::begin(update(1), &mut names("a"));
        theirs.advance(update(2), &mut names("a"));
        let stored = || Some(theirs.board().clone());
        let names = &mut names("b");
        let (run, passed) = pass(None, stored(), None, 2, names);
        assert_eq!((at(&run), passed), (at(&theirs), Handover::Continued));
        let (run, passed) = pass(None, stored(), stored(), 3, names);
        assert_eq!((at(&run), passed), (("run-1.b.0".into(), 1), Handover::New));
        let (run, passed) = pass(None, None, stored(), 2, names);
        assert_eq!(
            (at(&run).1, passed),
            (1, Handover::New),
            "an empty Redis: there may have been newer states"
        );
        let (_, passed) = pass(None, None, None, 2, names);
        assert_eq!(passed, Handover::New);
    }

    #[test]
    fn a_run_passes_on_while_it_moves_if_the_next_one_was_there_too() {
        let mut theirs = EpochRun::begin(update(1), &mut names("a"));
        theirs.advance(update(2), &mut names("a"));
        let mut had = recent(1);
        [2, 3].into_iter().for_each(|usd| had.add(&update(usd)));
        let names = &mut names("b");
        let stored = || (Some(theirs.board().clone()), None);
        let (mut run, passed) = EpochRun::take_over(None, stored(), &update(3), &had, names);
        assert_eq!((at(&run), passed), (at(&theirs), Handover::Continued));
        let change = run.advance(update(3), names).unwrap();
        assert!(
            matches!(change.step, BoardStep::Change { from: 2, .. })
                && change.epoch == *theirs.board().epoch()
        );
        let taller = BoardUpdate { base_bin: Price::from_units(20), ..update(3) };
        assert_eq!(EpochRun::take_over(None, stored(), &taller, &had, names).1, Handover::New);
        (10..10 + RecentHashes::KEPT as u64).for_each(|usd| had.add(&update(usd)));
        assert_eq!(
            EpochRun::take_over(None, stored(), &update(3), &had, names).1,
            Handover::New,
            "too long ago"
        );
    }

    #[test]
    fn an_old_file_of_redis_does_not_repeat_a_seq() {
        let mut theirs = EpochRun::begin(update(1), &mut names("a"));
        let old = theirs.board().clone();
        theirs.advance(update(2), &mut names("a"));
        let names = &mut names("b");
        let seen = theirs.board().clone();
        let (_, passed) = pass(None, Some(old.clone()), Some(seen.clone()), 1, names);
        assert_eq!(passed, Handover::New, "seq 2 was published already");
        let (_, passed) = pass(None, Some(old.clone()), Some(seen), 2, names);
        assert_eq!(passed, Handover::New, "seq 3 may have been");
        let own = || EpochRun { board: theirs.board().clone(), source: "run-1".into(), unconfirmed: false };
        for (stored, continuity, expected) in [
            (Some(&old), Continuity::Unbroken, Handover::Kept),
            (Some(&old), Continuity::Broken, Handover::New),
            (None, Continuity::Unbroken, Handover::Kept),
            (None, Continuity::Broken, Handover::New),
            (Some(theirs.board()), Continuity::Broken, Handover::Kept),
        ] {
            let (own, stored) = (Some((own(), continuity)), (stored.cloned(), None));
            let (run, passed) = EpochRun::take_over(own, stored, &update(3), &recent(3), names);
            assert_eq!(passed, expected);
            assert_eq!(at(&run) == at(&theirs), expected == Handover::Kept);
        }
    }

    #[test]
    fn an_unconfirmed_run_is_kept_unless_the_levels_are_those_of_redis() {
        let mut own = EpochRun::begin(update(1), &mut names("a"));
        let stored = own.board().clone();
        own.advance_unconfirmed(update(2), &mut names("x"));
        let unconfirmed = at(&own);
        let names = &mut names("y");
        let (run, passed) = pass(Some(own), Some(stored.clone()), None, 3, names);
        assert_eq!((at(&run), passed), (unconfirmed, Handover::Kept));
        let (run, passed) = pass(Some(run), Some(stored.clone()), None, 1, names);
        assert_eq!((run.board().epoch(), passed), (stored.epoch(), Handover::Continued));
        // Somebody else went on meanwhile.
        let mut other = EpochRun::on_board(stored, "run-1".into());
        other.advance(update(7), names);
        let ours = EpochRun::on_board(run.board().clone(), "run-1".into());
        let (run, passed) = pass(Some(ours), Some(other.board().clone()), None, 8, names);
        assert_eq!(passed, Handover::New);
        assert_ne!(run.board().epoch(), other.board().epoch());
    }
}
