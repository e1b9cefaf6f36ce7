//! When a supervisor opens and closes connections. Pure.
//!
//! A connection is replaced before the venue cuts it: its successor is opened while it still works and takes over when it
//! brings data. A lost connection is opened again after a backoff that ends only with data, so that a venue that accepts
//! and stays silent is not hammered.

use std::time::Duration;

use liqheat_market::Backoff;

use super::RemainingConnections;
use crate::live::clock::Uptime;

/// Something that happened to a supervisor.
#[derive(Debug)]
pub(super) enum SupervisionEvent {
    /// A timer fired; see [`Supervision::next_deadline`].
    Time,
    /// A connection brings data.
    Proved(u64),
    /// A successor to this connection, or to the current one, is advisable.
    ReplaceAdvised { connection: Option<u64>, reason: String },
    /// A connection ended by itself or could not be opened.
    Ended { connection: u64, reason: String },
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SupervisionCommand {
    /// Open a connection, and say so with [`Supervision::on_opening`].
    Open,
    /// Close a connection.
    Close(u64),
    /// Report that the contracts have data.
    ReportProved,
    /// Report that a successor took over.
    ReportRolledOver,
    /// Report a lost connection.
    ReportLost { reason: String, remaining: RemainingConnections },
    /// Log that a successor is opened for this reason.
    LogReplacement(String),
}

#[derive(Debug, Clone, Copy)]
struct OpenConnection {
    number: u64,
    opened_at: Uptime,
}

/// The connections of one supervisor.
#[derive(Debug)]
pub(super) struct Supervision {
    /// Age at which a connection is replaced.
    life: Duration,
    /// How long a replaced connection is kept, so that nothing falls between the two.
    overlap: Duration,
    backoff: Backoff,
    /// The one that brings data.
    current: Option<OpenConnection>,
    /// The one that is to follow it.
    successor: Option<OpenConnection>,
    /// The one that was replaced, and when it is closed.
    replaced: Option<(OpenConnection, Uptime)>,
    /// No attempt before this moment; `None` while one is under way.
    open_at: Option<Uptime>,
    /// Replacements of silent streams: the last one, and the time until the next is allowed.
    renewed: Option<Uptime>,
    renew_after: Duration,
}

impl Supervision {
    /// A stream of a contract that nobody trades must not cost a connection every few minutes: the time between
    /// replacements doubles.
    const RENEW_MIN: Duration = Duration::from_secs(300);
    const RENEW_MAX: Duration = Duration::from_secs(6 * 3600);

    pub(super) const fn new(life: Duration, overlap: Duration, backoff: Backoff, now: Uptime) -> Self {
        Self {
            life,
            overlap,
            backoff,
            current: None,
            successor: None,
            replaced: None,
            open_at: Some(now),
            renewed: None,
            renew_after: Self::RENEW_MIN,
        }
    }

    /// When [`SupervisionEvent::Time`] is due next; `None` while only other events can change anything.
    pub(super) fn next_deadline(&self) -> Option<Uptime> {
        let closing = self.replaced.map(|(_, at)| at);
        [self.opening_due(), closing].into_iter().flatten().min()
    }

    fn opening_due(&self) -> Option<Uptime> {
        match (self.current, self.successor) {
            (_, Some(_)) => None,
            (None, None) => self.open_at,
            // A successor that failed is tried again after the backoff.
            (Some(current), None) => {
                let old = current.opened_at.plus(self.life);
                Some(self.open_at.map_or(old, |open_at| old.max(open_at)))
            }
        }
    }

    /// A connection is being opened.
    pub(super) const fn on_opening(&mut self, number: u64, now: Uptime) {
        self.successor = Some(OpenConnection { number, opened_at: now });
        self.open_at = None;
    }

    /// The venue allows no further connection before `at`.
    pub(super) const fn on_limited(&mut self, at: Uptime) {
        self.open_at = Some(at);
    }

    /// What follows from an event. `random` in `0.0..1.0` spreads attempts.
    pub(super) fn on_event(
        &mut self,
        event: SupervisionEvent,
        now: Uptime,
        random: f64,
    ) -> Vec<SupervisionCommand> {
        match event {
            SupervisionEvent::Time => self.on_time(now),
            SupervisionEvent::Proved(number) => self.on_proved(number, now),
            SupervisionEvent::ReplaceAdvised { connection, reason } => {
                self.on_replace_advised(connection, reason, now)
            }
            SupervisionEvent::Ended { connection, reason } => self.on_ended(connection, reason, now, random),
        }
    }

    fn on_time(&mut self, now: Uptime) -> Vec<SupervisionCommand> {
        let mut commands = Vec::new();
        if let Some((replaced, _)) = self.replaced.take_if(|(_, at)| *at <= now) {
            commands.push(SupervisionCommand::Close(replaced.number));
        }
        if self.opening_due().is_some_and(|due| due <= now) {
            commands.push(SupervisionCommand::Open);
        }
        commands
    }

    fn on_proved(&mut self, number: u64, now: Uptime) -> Vec<SupervisionCommand> {
        let Some(successor) = self.successor.take_if(|successor| successor.number == number) else {
            return Vec::new();
        };
        self.backoff.reset();
        let mut commands = vec![SupervisionCommand::ReportProved];
        if let Some(before) = self.current.replace(successor) {
            if let Some((older, _)) = self.replaced.replace((before, now.plus(self.overlap))) {
                commands.push(SupervisionCommand::Close(older.number));
            }
            commands.push(SupervisionCommand::ReportRolledOver);
        }
        commands
    }

    fn on_replace_advised(
        &mut self,
        connection: Option<u64>,
        reason: String,
        now: Uptime,
    ) -> Vec<SupervisionCommand> {
        let Some(current) = self.current else { return Vec::new() };
        let is_current = connection.is_none_or(|number| number == current.number);
        let is_allowed = self.renewed.is_none_or(|at| at.has_elapsed(self.renew_after, now))
            && self.open_at.is_none_or(|at| at <= now);
        if !is_current || !is_allowed || self.successor.is_some() {
            return Vec::new();
        }
        if self.renewed.replace(now).is_some() {
            self.renew_after = (self.renew_after * 2).min(Self::RENEW_MAX);
        }
        vec![SupervisionCommand::LogReplacement(reason), SupervisionCommand::Open]
    }

    fn on_ended(&mut self, number: u64, reason: String, now: Uptime, random: f64) -> Vec<SupervisionCommand> {
        if self.replaced.take_if(|(replaced, _)| replaced.number == number).is_some() {
            return Vec::new();
        }
        let is_ours = self.current.take_if(|running| running.number == number).is_some()
            || self.successor.take_if(|running| running.number == number).is_some();
        if !is_ours {
            return Vec::new();
        }
        self.open_at = Some(now.plus(self.backoff.next_delay(random)));
        let is_last = self.current.is_none() && self.successor.is_none();
        let remaining = if is_last { RemainingConnections::None } else { RemainingConnections::Some };
        vec![SupervisionCommand::ReportLost { reason, remaining }]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIFE: Duration = Duration::from_secs(3_600);
    const OVERLAP: Duration = Duration::from_secs(5);

    fn supervision() -> Supervision {
        Supervision::new(LIFE, OVERLAP, Backoff::new(SECOND, 60 * SECOND).unwrap(), Uptime(0))
    }

    fn lost(remaining: RemainingConnections) -> Vec<SupervisionCommand> {
        vec![SupervisionCommand::ReportLost { reason: "cut".to_owned(), remaining }]
    }

    fn ended(connection: u64) -> SupervisionEvent {
        SupervisionEvent::Ended { connection, reason: "cut".to_owned() }
    }

    #[test]
    fn an_old_connection_is_replaced_without_a_break() {
        use SupervisionCommand::{Close, Open, ReportProved, ReportRolledOver};
        let mut supervision = supervision();
        let at = |seconds: i64| Uptime(seconds * 1_000);
        assert_eq!(supervision.on_event(SupervisionEvent::Time, at(0), 1.0), [Open]);
        supervision.on_opening(1, at(0));
        assert_eq!(supervision.next_deadline(), None);
        assert_eq!(supervision.on_event(SupervisionEvent::Proved(1), at(2), 1.0), [ReportProved]);
        assert_eq!(supervision.next_deadline(), Some(at(3_600)));
        assert_eq!(supervision.on_event(SupervisionEvent::Time, at(3_600), 1.0), [Open]);
        supervision.on_opening(2, at(3_600));
        let proved = supervision.on_event(SupervisionEvent::Proved(2), at(3_602), 1.0);
        assert_eq!(proved, [ReportProved, ReportRolledOver]);
        assert_eq!(supervision.next_deadline(), Some(at(3_607)));
        assert_eq!(supervision.on_event(SupervisionEvent::Time, at(3_607), 1.0), [Close(1)]);
        assert_eq!(supervision.next_deadline(), Some(at(7_200)));
    }

    #[test]
    fn pauses_grow_until_data_comes_and_a_failed_successor_takes_nothing_away() {
        let mut supervision = supervision();
        let mut now = Uptime(0);
        for (number, pause) in [(1, 1), (2, 2), (3, 4)] {
            supervision.on_opening(number, now);
            assert_eq!(supervision.on_event(ended(number), now, 1.0), lost(RemainingConnections::None));
            let due = supervision.next_deadline().unwrap();
            assert_eq!(due.since(now), pause * 1_000);
            now = due;
        }
        supervision.on_opening(4, now);
        supervision.on_event(SupervisionEvent::Proved(4), now, 1.0);
        supervision.on_opening(5, now);
        assert_eq!(supervision.on_event(ended(5), now, 1.0), lost(RemainingConnections::Some));
        assert_eq!(supervision.next_deadline(), Some(now.plus(LIFE)), "the current one is not old yet");
    }

    #[test]
    fn replacements_of_silent_streams_become_rare() {
        let mut supervision = supervision();
        let advice = || SupervisionEvent::ReplaceAdvised { connection: None, reason: "silent".to_owned() };
        supervision.on_opening(1, Uptime(0));
        assert!(supervision.on_event(advice(), Uptime(0), 1.0).is_empty(), "it has no data yet");
        supervision.on_event(SupervisionEvent::Proved(1), Uptime(0), 1.0);
        let mut renewed = Vec::new();
        let mut number = 1;
        for minute in 0..60 {
            let now = Uptime(minute * 60_000);
            if !supervision.on_event(advice(), now, 1.0).is_empty() {
                number += 1;
                supervision.on_opening(number, now);
                supervision.on_event(SupervisionEvent::Proved(number), now, 1.0);
                renewed.push(minute);
            }
        }
        assert_eq!(renewed, [0, 5, 15, 35]);
    }

    proptest! {
        /// Whatever ends and proves in whatever order: at most three are open, and while none is, the next attempt is
        /// due within the longest pause.
        #[test]
        fn it_never_stops_trying_and_never_piles_up(steps in proptest::collection::vec((0_u8..5, 0_i64..90_000, any::<proptest::sample::Index>()), 1..200)) {
            let mut supervision = supervision();
            let mut open = BTreeSet::new();
            let (mut now, mut number) = (Uptime(0), 0);
            for (kind, step, pick) in steps {
                now = Uptime(now.0 + step);
                let picked = (!open.is_empty()).then(|| *pick.get(&open.iter().copied().collect::<Vec<u64>>()));
                let event = match (kind, picked) {
                    (0, Some(number)) => SupervisionEvent::Proved(number),
                    (1, Some(connection)) => SupervisionEvent::Ended { connection, reason: String::new() },
                    (2, connection) => SupervisionEvent::ReplaceAdvised { connection, reason: String::new() },
                    _ => SupervisionEvent::Time,
                };
                if let SupervisionEvent::Ended { connection, .. } = event {
                    open.remove(&connection);
                }
                for command in supervision.on_event(event, now, 0.5) {
                    match command {
                        SupervisionCommand::Open => {
                            number += 1;
                            open.insert(number);
                            supervision.on_opening(number, now);
                        }
                        SupervisionCommand::Close(number) => {
                            prop_assert!(open.remove(&number), "it was open");
                        }
                        _ => {}
                    }
                }
                prop_assert!(open.len() <= 3);
                if open.is_empty() {
                    let due = supervision.next_deadline().expect("an attempt is due");
                    prop_assert!(due.since(now) <= 60_000);
                }
            }
        }
    }
}
