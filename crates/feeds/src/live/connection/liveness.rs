//! Whether a connection brings data. Pure.
//!
//! An acknowledged subscription proves nothing; data does. The mark price never rests, so a connection without a tick of
//! any contract for a while is dead. Silent streams of a living connection are found by
//! [`Health`](crate::live::health::Health), which knows them over all connections.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::live::clock::Uptime;
use crate::live::contract::ContractIndex;

/// Times of one connection.
#[derive(Debug)]
pub(super) struct Liveness {
    /// Largest age of the newest tick of the mark price.
    silence_max: Duration,
    /// The first tick may take as long as connecting may.
    first_tick_max: Duration,
    contracts: usize,
    /// Contracts whose mark price has come.
    ticked: BTreeSet<ContractIndex>,
    first_tick: Option<Uptime>,
    last_tick: Uptime,
    is_proved: bool,
}

/// What the passing of time shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LivenessVerdict {
    /// Nothing new.
    Unchanged,
    /// It brings data from its contracts, or from some for long enough. Said once.
    Proved,
    /// No data for too long.
    Dead {
        /// Whether anything ever came.
        had_data: bool,
    },
}

impl Liveness {
    pub(super) fn new(
        contracts: usize,
        silence_max: Duration,
        connect_timeout: Duration,
        now: Uptime,
    ) -> Self {
        Self {
            silence_max,
            first_tick_max: silence_max.max(connect_timeout),
            contracts,
            ticked: BTreeSet::new(),
            first_tick: None,
            last_tick: now,
            is_proved: false,
        }
    }

    /// The mark price of a contract came.
    pub(super) fn on_tick(&mut self, contract: ContractIndex, now: Uptime) {
        self.last_tick = now;
        self.first_tick.get_or_insert(now);
        if !self.is_proved {
            self.ticked.insert(contract);
        }
    }

    /// Nothing was read for `time`, because nobody took what had been read: that silence is not the venue's.
    pub(super) const fn on_backpressure(&mut self, time: Duration) {
        self.last_tick = self.last_tick.plus(time);
    }

    /// That it is proved could not be reported: it will be again.
    pub(super) const fn on_proof_unreported(&mut self) {
        self.is_proved = false;
    }

    /// Time passed.
    pub(super) fn on_time(&mut self, now: Uptime) -> LivenessVerdict {
        let patience = if self.first_tick.is_some() { self.silence_max } else { self.first_tick_max };
        if self.last_tick.plus(patience) < now {
            return LivenessVerdict::Dead { had_data: self.first_tick.is_some() };
        }
        let Some(first_tick) = self.first_tick.filter(|_| !self.is_proved) else {
            return LivenessVerdict::Unchanged;
        };
        if self.ticked.len() < self.contracts && !first_tick.has_elapsed(self.silence_max * 2, now) {
            return LivenessVerdict::Unchanged;
        }
        self.is_proved = true;
        self.ticked.clear();
        LivenessVerdict::Proved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::contract::ContractMap;

    const SILENCE: Duration = Duration::from_secs(5);

    fn two() -> (Liveness, [ContractIndex; 2]) {
        let mut contracts = ContractMap::default();
        let indices = [contracts.push(()), contracts.push(())];
        (Liveness::new(2, SILENCE, Duration::from_secs(10), Uptime(0)), indices)
    }

    #[test]
    fn it_is_proved_once_when_every_contract_ticked() {
        let (mut liveness, [first, second]) = two();
        assert_eq!(liveness.on_time(Uptime(9_000)), LivenessVerdict::Unchanged);
        liveness.on_tick(first, Uptime(9_500));
        assert_eq!(liveness.on_time(Uptime(9_500)), LivenessVerdict::Unchanged);
        liveness.on_tick(second, Uptime(9_600));
        assert_eq!(liveness.on_time(Uptime(9_700)), LivenessVerdict::Proved);
        assert_eq!(liveness.on_time(Uptime(9_800)), LivenessVerdict::Unchanged);
        assert_eq!(liveness.on_time(Uptime(14_601)), LivenessVerdict::Dead { had_data: true });
    }

    #[test]
    fn a_contract_that_never_ticks_does_not_hold_it_up_for_ever() {
        let (mut liveness, [first, _]) = two();
        for at in 0..10 {
            liveness.on_tick(first, Uptime(at * 1_000));
            assert_eq!(liveness.on_time(Uptime(at * 1_000)), LivenessVerdict::Unchanged);
        }
        liveness.on_tick(first, Uptime(10_000));
        assert_eq!(liveness.on_time(Uptime(10_000)), LivenessVerdict::Proved);
    }

    #[test]
    fn an_acknowledged_connection_without_data_dies_after_the_time_to_connect() {
        let (mut liveness, _) = two();
        assert_eq!(liveness.on_time(Uptime(10_000)), LivenessVerdict::Unchanged);
        assert_eq!(liveness.on_time(Uptime(10_001)), LivenessVerdict::Dead { had_data: false });
    }

    #[test]
    fn time_in_which_nothing_was_read_is_not_silence() {
        let (mut liveness, [first, _]) = two();
        liveness.on_tick(first, Uptime(0));
        liveness.on_backpressure(Duration::from_secs(60));
        assert_eq!(liveness.on_time(Uptime(64_000)), LivenessVerdict::Proved);
        assert_eq!(liveness.on_time(Uptime(65_001)), LivenessVerdict::Dead { had_data: true });
    }
}
