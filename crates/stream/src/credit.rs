//! Credit: how many states may be on their way unpainted.
//!
//! A browser reads its socket even while its page is too busy to paint, and keeps what it read in memory
//! without limit; TCP never sees it. A client that says what it has painted (`ack`) is therefore sent at most
//! two states beyond that.

use liqheat_market::UnixMs;
use tokio::time::Instant;

/// States that may be on their way unpainted.
const IN_FLIGHT_MAX: usize = 2;

/// A state on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlight {
    pub(crate) seq: u64,
    pub(crate) as_of: UnixMs,
    pub(crate) sent: Instant,
}

/// The last states sent, and which of them are painted.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    /// A client that never says so is sent everything.
    on: bool,
    /// The newest two, the newer one first.
    last: [Option<InFlight>; IN_FLIGHT_MAX],
    unpainted: usize,
}

impl Credit {
    /// Whether one more may go.
    pub(crate) fn is_left(&self) -> bool {
        !self.on || self.unpainted < IN_FLIGHT_MAX
    }

    pub(crate) fn sent(&mut self, state: InFlight) {
        self.last = [Some(state), self.last[0]];
        self.unpainted = (self.unpainted + 1).min(IN_FLIGHT_MAX);
    }

    /// The client painted this state, and with it all before it. Gives the state if it was on its way.
    pub(crate) fn painted(&mut self, seq: u64) -> Option<InFlight> {
        let newer = (0..).zip(self.last).take(self.unpainted);
        let (newer, state) =
            newer.filter_map(|(newer, state)| Some((newer, state?))).find(|(_, s)| s.seq == seq)?;
        self.on = true;
        self.unpainted = newer;
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(seq: u64) -> InFlight {
        InFlight { seq, as_of: UnixMs(0), sent: Instant::now() }
    }

    #[test]
    fn without_acks_everything_goes() {
        let mut credit = Credit::default();
        for seq in 1..100 {
            assert!(credit.is_left());
            credit.sent(state(seq));
        }
    }

    #[test]
    fn two_are_on_their_way_at_most() {
        let mut credit = Credit::default();
        for seq in 1..=5 {
            credit.sent(state(seq));
        }
        assert!(credit.painted(5).is_some(), "the first ack turns it on");
        credit.sent(state(6));
        assert!(credit.is_left());
        credit.sent(state(9));
        assert!(!credit.is_left());
        assert!(credit.painted(7).is_none(), "never sent");
        assert!(!credit.is_left());
        assert!(credit.painted(6).is_some());
        assert!(credit.is_left());
        assert!(credit.painted(6).is_none(), "said already");
        credit.sent(state(12));
        assert!(!credit.is_left());
        assert_eq!(credit.painted(12).map(|state| state.seq), Some(12), "and with it the one before");
        credit.sent(state(13));
        assert!(credit.is_left());
    }
}
