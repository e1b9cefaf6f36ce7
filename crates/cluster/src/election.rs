//! Who is the producer: a lease in Redis, as a state machine without Redis and without a clock.
//!
//! A server that could produce asks for the lease at intervals; the holder renews it several times before it expires.
//! Every grant comes with a fencing token larger than all before, and Redis refuses publications under an older one,
//! so a server that slept past the end of its lease does no harm: the lease says who should publish, the token who can.

use std::time::Duration;

use tokio::time::Instant;

/// Times of the lease.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTimes {
    /// Expiry of a lease that is not renewed.
    pub ttl: Duration,
    /// Time between renewals.
    pub renew_every: Duration,
    /// Mean time between two requests of a server that does not have it.
    pub contend_every: Duration,
}

impl Default for LeaseTimes {
    /// A dead producer is replaced after 1.5 to 2.4 seconds.
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(2),
            renew_every: Duration::from_millis(500),
            contend_every: Duration::from_millis(300),
        }
    }
}

/// A request to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseRequest {
    /// For the lease, if it is free or ours.
    Take,
    /// To extend it.
    Renew { token: u64 },
    /// To end it, because this server cannot produce now.
    GiveUp { token: u64 },
}

/// The answer of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseAnswer {
    /// The lease is ours, under this token.
    Ours { token: u64 },
    /// It belongs to another server, or to none after it was given up.
    NotOurs,
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseChange {
    /// Nothing.
    Same,
    /// This server is the producer from now on.
    Won { token: u64 },
    /// It is not any more.
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

    /// Time of the next request.
    pub(crate) const fn next_at(&self) -> Instant {
        self.next
    }

    /// The request to send now. `able` says whether this server could produce.
    pub(crate) fn request(&self, able: bool) -> Option<LeaseRequest> {
        match (self.token, able) {
            (Some(token), true) => Some(LeaseRequest::Renew { token }),
            (Some(token), false) => Some(LeaseRequest::GiveUp { token }),
            (None, true) => Some(LeaseRequest::Take),
            (None, false) => None,
        }
    }

    /// No request is sent now; `dice` is 0 to 1.
    pub(crate) fn wait(&mut self, now: Instant, dice: f64) {
        self.next = now + self.times.contend_every.mul_f64(0.7 + 0.6 * dice);
    }

    /// The answer to a request sent at `sent`; `dice` is 0 to 1 and spreads the requests of several servers.
    pub(crate) fn on_answer(&mut self, answer: LeaseAnswer, sent: Instant, dice: f64) -> LeaseChange {
        let before = self.token;
        match answer {
            LeaseAnswer::Ours { token } => {
                self.token = Some(token);
                self.next = sent + self.times.renew_every;
                if before == Some(token) { LeaseChange::Same } else { LeaseChange::Won { token } }
            }
            LeaseAnswer::NotOurs => {
                self.token = None;
                self.wait(sent, dice);
                if before.is_some() { LeaseChange::Lost } else { LeaseChange::Same }
            }
        }
    }

    /// Redis refused a publication: another server has a newer token, or Redis lost ours. Asks at once.
    pub(crate) const fn on_fenced(&mut self, now: Instant) {
        self.token = None;
        self.next = now;
    }

    /// Redis is reachable again. The lease may still be ours, so the request is sent at once; a new grant has a new
    /// token.
    pub(crate) const fn on_reconnected(&mut self, now: Instant) {
        self.token = None;
        self.next = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The scripts of `redis.rs`, in Rust.
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

        fn answer(&mut self, who: usize, request: LeaseRequest, now: Instant, ttl: Duration) -> LeaseAnswer {
            let holder = self.holder(now);
            match request {
                LeaseRequest::Take if holder.is_none_or(|holder| holder == who) => {
                    if holder.is_none() {
                        self.token += 1;
                    }
                    self.lease = Some((who, now + ttl));
                    LeaseAnswer::Ours { token: self.token }
                }
                LeaseRequest::Renew { token } if holder == Some(who) && token == self.token => {
                    self.lease = Some((who, now + ttl));
                    LeaseAnswer::Ours { token }
                }
                LeaseRequest::GiveUp { token } if holder == Some(who) && token == self.token => {
                    self.lease = None;
                    LeaseAnswer::NotOurs
                }
                _ => LeaseAnswer::NotOurs,
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
                            server.on_fenced(now);
                        }
                    }
                    if server.next_at() <= now && let Some(request) = server.request(true) {
                        let answer = redis.answer(who, request, now, times.ttl);
                        server.on_answer(answer, now, die);
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
    fn a_server_that_cannot_produce_gives_the_lease_up() {
        let now = Instant::now();
        let mut server = Election::new(LeaseTimes::default(), now);
        assert_eq!(server.request(false), None);
        assert_eq!(server.request(true), Some(LeaseRequest::Take));
        assert_eq!(server.on_answer(LeaseAnswer::Ours { token: 7 }, now, 0.5), LeaseChange::Won { token: 7 });
        assert_eq!(server.on_answer(LeaseAnswer::Ours { token: 7 }, now, 0.5), LeaseChange::Same);
        assert_eq!(server.request(false), Some(LeaseRequest::GiveUp { token: 7 }));
        assert_eq!(server.on_answer(LeaseAnswer::NotOurs, now, 0.5), LeaseChange::Lost);
        assert_eq!(server.token(), None);
        assert!(server.next_at() > now && server.next_at() < now + Duration::from_secs(1));
        server.on_reconnected(now);
        assert_eq!(server.next_at(), now);
    }
}
