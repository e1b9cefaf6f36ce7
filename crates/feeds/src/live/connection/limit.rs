//! How many connections a venue allows from one address: open at once, and new ones within a time. Pure.

use std::time::Duration;

use crate::live::clock::Uptime;
use crate::live::sliding_window::SlidingWindow;
use crate::venues::RateLimit;
use liqheat_market::convert::signed_ms;

/// The limit of one venue.
#[derive(Debug)]
pub(super) struct ConnectLimit {
    open_max: Option<usize>,
    new: Option<RateLimit>,
    open: usize,
    /// Connections that were opened within the last `new.per`.
    opened: SlidingWindow<()>,
}

impl ConnectLimit {
    /// When all places are taken, a place is asked for again after this time.
    const RETRY: Duration = Duration::from_secs(5);

    pub(super) const fn new(open_max: Option<usize>, new: Option<RateLimit>) -> Self {
        Self { open_max, new, open: 0, opened: SlidingWindow::new() }
    }

    /// Takes a place for a new connection, or says when to ask again.
    pub(super) fn connect(&mut self, now: Uptime) -> Result<(), Uptime> {
        if self.open_max.is_some_and(|most| self.open >= most.max(1)) {
            return Err(now.plus(Self::RETRY));
        }
        if let Some(limit) = self.new {
            let per_ms = signed_ms(limit.per);
            self.opened.advance(per_ms, now.0);
            if self.opened.count(|()| true) >= (limit.requests as usize).max(1) {
                return Err(self.opened.next_free_ms(per_ms, |()| true).map_or(now, Uptime));
            }
            self.opened.push(now.0, ());
        }
        self.open += 1;
        Ok(())
    }

    /// Gives a place back.
    pub(super) const fn disconnected(&mut self) {
        self.open = self.open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn hyperliquid() -> ConnectLimit {
        ConnectLimit::new(Some(10), Some(RateLimit { name: "connections", requests: 30, per: MINUTE }))
    }

    #[test]
    fn a_place_is_free_again_after_a_connection_ended() {
        let mut limit = hyperliquid();
        for _ in 0..10 {
            assert_eq!(limit.connect(Uptime(0)), Ok(()));
        }
        assert_eq!(limit.connect(Uptime(1)), Err(Uptime(5_001)));
        limit.disconnected();
        assert_eq!(limit.connect(Uptime(5_001)), Ok(()));
    }

    #[test]
    fn without_limits_everything_is_allowed() {
        let mut limit = ConnectLimit::new(None, None);
        assert!((0..1_000).all(|_| limit.connect(Uptime(0)).is_ok()));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_thirty_and_waiting_helps(steps in proptest::collection::vec((0_i64..4_000, any::<bool>()), 1..300)) {
            let mut limit = hyperliquid();
            let (mut now, mut open, mut opened) = (0, 0, Vec::new());
            for (step, ends) in steps {
                now += step;
                if ends && open > 0 {
                    limit.disconnected();
                    open -= 1;
                }
                match limit.connect(Uptime(now)) {
                    Ok(()) => {
                        open += 1;
                        opened.push(now);
                    }
                    Err(at) => {
                        prop_assert!(at > Uptime(now));
                        if open < 10 {
                            prop_assert_eq!(limit.connect(at), Ok(()));
                            now = at.0;
                            open += 1;
                            opened.push(now);
                        }
                    }
                }
                prop_assert!(open <= 10);
                prop_assert!(opened.iter().filter(|&&at| at > now - 60_000).count() <= 30);
            }
        }
    }
}
