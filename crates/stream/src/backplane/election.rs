//! Who makes the states: a lease in Redis, as a state machine without Redis and without a clock.
//!
//! A server that could make states asks for the lease now and then; whoever has it renews it several times
//! before it runs out. Every grant comes with a token larger than all before, and Redis refuses what is
//! published under an older one, so a server that slept through the end of its lease does no harm: the
//! lease says who should publish, the token who can.

use std::time::Duration;

use tokio::time::Instant;

/// Times of the lease.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTimes {
    /// How long it holds without being renewed.
    pub ttl: Duration,
    /// Time between renewals.
    pub renew_every: Duration,
    /// Time between two questions of one who has none, on average.
    pub contend_every: Duration,
}

impl Default for LeaseTimes {
    /// A dead producer is followed by another after 1.5 to 2.4 seconds.
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(2),
            renew_every: Duration::from_millis(500),
            contend_every: Duration::from_millis(300),
        }
    }
}

/// What to ask Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// For the lease, if it is free or ours.
    Take,
    /// To hold it for longer.
    Renew { token: u64 },
    /// To end it, because this server cannot make states now.
    GiveUp { token: u64 },
}

/// What Redis said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The lease is ours, under this token.
    Ours { token: u64 },
    /// It is somebody else's, or nobody's after it was given up.
    NotOurs,
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    Same,
    /// This server makes the states from now on.
    Won { token: u64 },
    /// It does not any more.
    Lost,
}

/// One server's part in the election.
#[derive(Debug)]
pub(crate) struct Election {
    times: LeaseTimes,
    token: Option<u64>,
    next: Instant,
}

impl Election {
    pub(crate) const fn new(times: LeaseTimes, now: Instant) -> Self {
        Self { times, token: None, next: now }
    }

    /// The token under which this server publishes, while it may.
    pub(crate) const fn token(&self) -> Option<u64> {
        self.token
    }

    /// When to ask next.
    pub(crate) const fn next(&self) -> Instant {
        self.next
    }

    /// What to ask now. `able` says whether this server could make states.
    pub(crate) fn ask(&self, able: bool) -> Option<Ask> {
        match (self.token, able) {
            (Some(token), true) => Some(Ask::Renew { token }),
            (Some(token), false) => Some(Ask::GiveUp { token }),
            (None, true) => Some(Ask::Take),
            (None, false) => None,
        }
    }

    /// Nothing is asked now; `dice` is 0 to 1.
    pub(crate) fn wait(&mut self, now: Instant, dice: f64) {
        self.next = now + self.times.contend_every.mul_f64(0.7 + 0.6 * dice);
    }

    /// An answer to what was asked at `sent`; `dice` is 0 to 1, so that servers do not all ask at once.
    pub(crate) fn answered(&mut self, answer: Answer, sent: Instant, dice: f64) -> Turn {
        let before = self.token;
        match answer {
            Answer::Ours { token } => {
                self.token = Some(token);
                self.next = sent + self.times.renew_every;
                if before == Some(token) { Turn::Same } else { Turn::Won { token } }
            }
            Answer::NotOurs => {
                self.token = None;
                self.wait(sent, dice);
                if before.is_some() { Turn::Lost } else { Turn::Same }
            }
        }
    }

    /// Redis refused what was published: somebody has a newer token, or it lost ours. Asks at once.
    pub(crate) const fn fenced(&mut self, now: Instant) {
        self.token = None;
        self.next = now;
    }

    /// Redis is there again. The lease may be ours still, so it is asked for at once; whoever gets it anew
    /// gets a new token.
    pub(crate) const fn reconnected(&mut self, now: Instant) {
        self.token = None;
        self.next = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The scripts of `redis.rs`, in words.
    #[derive(Debug, Default)]
    struct Redis {
        lease: Option<(usize, Instant)>,
        token: u64,
        accepted: Vec<(u64, usize)>,
    }

    impl Redis {
        fn holder(&self, now: Instant) -> Option<usize> {
            self.lease.filter(|(_, until)| *until > now).map(|(who, _)| who)
        }

        fn answer(&mut self, who: usize, ask: Ask, now: Instant, ttl: Duration) -> Answer {
            let holder = self.holder(now);
            match ask {
                Ask::Take if holder.is_none_or(|holder| holder == who) => {
                    if holder.is_none() {
                        self.token += 1;
                    }
                    self.lease = Some((who, now + ttl));
                    Answer::Ours { token: self.token }
                }
                Ask::Renew { token } if holder == Some(who) && token == self.token => {
                    self.lease = Some((who, now + ttl));
                    Answer::Ours { token }
                }
                Ask::GiveUp { token } if holder == Some(who) && token == self.token => {
                    self.lease = None;
                    Answer::NotOurs
                }
                _ => Answer::NotOurs,
            }
        }

        fn publish(&mut self, who: usize, token: u64) -> bool {
            let accepted = token == self.token;
            if accepted {
                self.accepted.push((token, who));
            }
            accepted
        }
    }

    const TICK: Duration = Duration::from_millis(20);

    proptest! {
        /// Servers that stand still, die and come back at any moment: no two publish under the same token, tokens
        /// of what is accepted never fall, and while one server is well, somebody publishes three seconds after
        /// the last holder of the lease fell silent at the latest. Each holder that dies costs a time of the lease
        /// of its own: one that dies as soon as it won has published nothing.
        #[test]
        fn one_publishes_and_never_none_for_long(
            naps in prop::collection::vec((0usize..3, 0u64..1_500, 1u64..400), 0..12),
            dice in prop::collection::vec(0.0f64..1.0, 64),
        ) {
            let times = LeaseTimes::default();
            let began = Instant::now();
            let mut redis = Redis::default();
            let mut servers: Vec<Election> = (0..3).map(|_| Election::new(times, began)).collect();
            let mut well_since = [began; 3];
            let mut was_asleep = [false; 3];
            let mut last_sign = began;
            for tick in 0..2_000u64 {
                let now = began + TICK * tick as u32;
                for who in 0..servers.len() {
                    let asleep = naps.iter().any(|(napper, from, length)| *napper == who && (*from..from + length).contains(&tick));
                    let fell_silent = asleep && !was_asleep[who];
                    was_asleep[who] = asleep;
                    if fell_silent && redis.holder(now) == Some(who) {
                        last_sign = now;
                    }
                    if asleep {
                        well_since[who] = now;
                        continue;
                    }
                    let server = &mut servers[who];
                    let die = dice[(tick as usize * 3 + who) % dice.len()];
                    if let Some(token) = server.token() {
                        if redis.publish(who, token) {
                            last_sign = now;
                        } else {
                            server.fenced(now);
                        }
                    }
                    if server.next() <= now && let Some(ask) = server.ask(true) {
                        let answer = redis.answer(who, ask, now, times.ttl);
                        server.answered(answer, now, die);
                    }
                }
                let somebody_is_well = well_since.iter().any(|since| now - *since >= Duration::from_secs(3));
                if somebody_is_well {
                    prop_assert!(now - last_sign <= Duration::from_secs(3), "nobody for too long at {:?}", now - began);
                }
            }
            prop_assert!(redis.accepted.is_sorted_by_key(|(token, _)| *token));
            for pair in redis.accepted.windows(2) {
                prop_assert!(pair[0].0 != pair[1].0 || pair[0].1 == pair[1].1, "two under one token");
            }
        }
    }

    #[test]
    fn who_cannot_make_states_gives_the_lease_up() {
        let now = Instant::now();
        let mut server = Election::new(LeaseTimes::default(), now);
        assert_eq!(server.ask(false), None);
        assert_eq!(server.ask(true), Some(Ask::Take));
        assert_eq!(server.answered(Answer::Ours { token: 7 }, now, 0.5), Turn::Won { token: 7 });
        assert_eq!(server.answered(Answer::Ours { token: 7 }, now, 0.5), Turn::Same);
        assert_eq!(server.ask(false), Some(Ask::GiveUp { token: 7 }));
        assert_eq!(server.answered(Answer::NotOurs, now, 0.5), Turn::Lost);
        assert_eq!(server.token(), None);
        assert!(server.next() > now && server.next() < now + Duration::from_secs(1));
        server.reconnected(now);
        assert_eq!(server.next(), now);
    }
}
