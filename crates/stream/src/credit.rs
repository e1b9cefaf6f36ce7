//! Credit: how many states may be on their way unpainted.
//!
//! A browser reads its socket even while its page is too busy to paint, and keeps what it read in memory
//! without limit; TCP never sees it. A client that says what it has painted (`ack`) is therefore sent at most
//! two states beyond that.

use liqheat_market::UnixMs;
use tokio::time::Instant;

/// States that may be on their way unpainted.
const IN_FLIGHT_MAX: usize = 2;

/// A state that was sent and not acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnpaintedState {
    pub(crate) seq: u64,
    pub(crate) as_of: UnixMs,
    pub(crate) sent: Instant,
}

/// What an acknowledgement says.
#[derive(Debug)]
pub(crate) enum AckOutcome {
    /// The newest painted state is this one.
    OnItsWay(UnpaintedState),
    /// One sent before the states on their way, and not acknowledged before: the page stood still, and tells of each
    /// state as it gets to it.
    Late,
    /// Acknowledged before, or never sent.
    Unknown,
}

/// The last states sent, and which of them are painted.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    /// A client that never says so is sent everything.
    on: bool,
    /// The newest two, the newer one first.
    last: [Option<UnpaintedState>; IN_FLIGHT_MAX],
    unpainted: usize,
    /// The newest sequence of the present epoch that was acknowledged; none is 0.
    acked: u64,
}

impl Credit {
    /// Whether one more may go.
    pub(crate) fn is_left(&self) -> bool {
        !self.on || self.unpainted < IN_FLIGHT_MAX
    }

    pub(crate) fn sent(&mut self, state: UnpaintedState) {
        let [newest, _] = self.last;
        // Sequences begin again with an epoch, and a state that is asked for again is acknowledged again.
        if newest.is_some_and(|newest| state.seq <= newest.seq) {
            self.acked = 0;
        }
        self.last = [Some(state), newest];
        self.unpainted = (self.unpainted + 1).min(IN_FLIGHT_MAX);
    }

    /// The client painted the state of this sequence, and with it all before it.
    pub(crate) fn on_painted(&mut self, seq: u64) -> AckOutcome {
        let states = (0..).zip(self.last).filter_map(|(newer, state)| Some((newer, state?)));
        let on_its_way = states.take(self.unpainted).find(|(_, state)| state.seq == seq);
        if let Some((newer, state)) = on_its_way {
            self.on = true;
            self.unpainted = newer;
            self.acked = seq;
            return AckOutcome::OnItsWay(state);
        }
        let is_late = self.last[1].is_some_and(|older| self.acked < seq && seq < older.seq);
        if is_late {
            self.on = true;
            self.acked = seq;
            return AckOutcome::Late;
        }
        AckOutcome::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(seq: u64) -> UnpaintedState {
        UnpaintedState { seq, as_of: UnixMs(0), sent: Instant::now() }
    }

    #[test]
    fn without_acks_everything_goes() {
        let mut credit = Credit::default();
        for seq in 1..100 {
            assert!(credit.is_left());
            credit.sent(state(seq));
        }
    }

    fn is_on_its_way(credit: &mut Credit, seq: u64) -> bool {
        matches!(credit.on_painted(seq), AckOutcome::OnItsWay(state) if state.seq == seq)
    }

    #[test]
    fn two_are_on_their_way_at_most() {
        let mut credit = Credit::default();
        for seq in 1..=5 {
            credit.sent(state(seq));
        }
        assert!(is_on_its_way(&mut credit, 5), "the first ack turns it on");
        credit.sent(state(6));
        assert!(credit.is_left());
        credit.sent(state(9));
        assert!(!credit.is_left());
        assert!(matches!(credit.on_painted(7), AckOutcome::Unknown), "never sent");
        assert!(!credit.is_left());
        assert!(is_on_its_way(&mut credit, 6));
        assert!(credit.is_left());
        assert!(matches!(credit.on_painted(6), AckOutcome::Unknown), "said already");
        credit.sent(state(12));
        assert!(!credit.is_left());
        assert!(is_on_its_way(&mut credit, 12), "and with it the one before");
        credit.sent(state(13));
        assert!(credit.is_left());
    }

    /// A page that stood still from its first state on acknowledges one after the other: each is honest, none twice.
    #[test]
    fn late_acknowledgements_are_known_once_each() {
        let mut credit = Credit::default();
        for seq in 1..=9 {
            credit.sent(state(seq));
        }
        for seq in 1..=7 {
            assert!(matches!(credit.on_painted(seq), AckOutcome::Late), "{seq}");
            assert!(matches!(credit.on_painted(seq), AckOutcome::Unknown), "{seq} again");
            assert!(!credit.is_left(), "two are still on their way");
        }
        assert!(matches!(credit.on_painted(3), AckOutcome::Unknown), "older than what was said");
        assert!(is_on_its_way(&mut credit, 8) && is_on_its_way(&mut credit, 9));
        assert!(matches!(credit.on_painted(10), AckOutcome::Unknown), "never sent");
        // Another epoch counts from its own beginning.
        for seq in 1..=4 {
            credit.sent(state(seq));
        }
        assert!(matches!(credit.on_painted(1), AckOutcome::Late));
        assert!(matches!(credit.on_painted(9), AckOutcome::Unknown), "of the epoch before");
        assert!(is_on_its_way(&mut credit, 4));
    }
}
