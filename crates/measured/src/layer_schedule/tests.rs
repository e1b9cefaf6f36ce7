use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{AccountState, CoinMarket};

const PUBLISH_MS: i64 = 1_000;

fn address(number: u8) -> Address {
    Address::new([number; 20])
}

fn empty_account(now: UnixMs) -> AccountState {
    AccountState { as_of: now, cross_value: 0.0, cross_maintenance: 0.0, positions: Vec::new() }
}

fn markets() -> [CoinMarket; 1] {
    [CoinMarket { coin: "BTC".into(), mark: 100_000.0, open_interest_both_sides: 20.0 }]
}

fn begun(commands: &[LayerCommand]) -> Vec<ScheduledRequest> {
    let requests = commands.iter().filter_map(|command| match command {
        LayerCommand::Begin(request) => Some(*request),
        _ => None,
    });
    requests.collect()
}

#[test]
fn everything_is_due_at_the_start_and_four_accounts_are_asked_at_once() {
    let mut tracker = AccountTracker::default();
    tracker.on_listed((1..=6).map(address), UnixMs(0));
    let mut schedule = LayerSchedule::new(PUBLISH_MS, UnixMs(0));
    let commands = schedule.on(LayerEvent::Tick, &mut tracker, UnixMs(0));
    let requests = begun(&commands);
    assert_eq!(
        requests[..3],
        [ScheduledRequest::Markets, ScheduledRequest::Leaderboard, ScheduledRequest::Store]
    );
    assert_eq!(requests.len(), 3 + LOOKS_AT_ONCE);
    assert!(commands.contains(&LayerCommand::Publish { is_stale: false }));
    assert!(commands.contains(&LayerCommand::DropIdle));
    assert_eq!(schedule.on(LayerEvent::Tick, &mut tracker, UnixMs(PUBLISH_MS - 1)), []);
    // An account that failed gives its place to another one.
    let ended = schedule.on(LayerEvent::Failed(requests[3]), &mut tracker, UnixMs(1));
    assert_eq!(ended[0], LayerCommand::LogFailure(requests[3]));
    assert_eq!(begun(&ended).len(), 1);
    assert_ne!(begun(&ended)[0], requests[3]);
    // Of several failures within a minute one is logged; the leaderboard's and the store's always are.
    let silent = schedule.on(LayerEvent::Failed(ScheduledRequest::Markets), &mut tracker, UnixMs(2));
    assert!(!silent.iter().any(|command| matches!(command, LayerCommand::LogFailure(_))));
    for request in [ScheduledRequest::Leaderboard, ScheduledRequest::Store] {
        let logged = schedule.on(LayerEvent::Failed(request), &mut tracker, UnixMs(3));
        assert_eq!(logged, [LayerCommand::LogFailure(request)]);
    }
}

#[test]
fn a_request_repeats_after_its_interval_and_sooner_after_a_failure() {
    for (request, after_answer, after_failure) in [
        (ScheduledRequest::Markets, 15_000, 15_000),
        (ScheduledRequest::Leaderboard, 24 * HOUR_MS, HOUR_MS),
        (ScheduledRequest::Store, MINUTE_MS, MINUTE_MS),
    ] {
        for (event, pause_ms) in
            [(LayerEvent::Answered(request), after_answer), (LayerEvent::Failed(request), after_failure)]
        {
            let mut tracker = AccountTracker::default();
            let mut schedule = LayerSchedule::new(PUBLISH_MS, UnixMs(0));
            schedule.on(LayerEvent::Tick, &mut tracker, UnixMs(0));
            let begins = |schedule: &mut LayerSchedule, tracker: &mut AccountTracker, event, now| {
                begun(&schedule.on(event, tracker, UnixMs(now))).contains(&request)
            };
            assert!(!begins(&mut schedule, &mut tracker, LayerEvent::Tick, 48 * HOUR_MS), "under way");
            assert!(!begins(&mut schedule, &mut tracker, event, 48 * HOUR_MS));
            let due = 48 * HOUR_MS + pause_ms;
            assert!(!begins(&mut schedule, &mut tracker, LayerEvent::Tick, due - 1));
            assert!(begins(&mut schedule, &mut tracker, LayerEvent::Tick, due), "{request:?} {event:?}");
        }
    }
}

#[test]
fn layers_under_old_marks_are_stale_and_not_stored() {
    let mut tracker = AccountTracker::default();
    let mut schedule = LayerSchedule::new(PUBLISH_MS, UnixMs(0));
    schedule.on(LayerEvent::Tick, &mut tracker, UnixMs(0));
    let long_after = UnixMs(10 * MINUTE_MS);
    assert!(
        !schedule
            .on(LayerEvent::Tick, &mut tracker, long_after)
            .contains(&LayerCommand::LogStale { marked: UnixMs(0) }),
        "without marks there is no layer that could be stale"
    );
    tracker.on_markets(markets(), long_after);
    schedule.on(LayerEvent::Answered(ScheduledRequest::Markets), &mut tracker, long_after);
    assert_eq!(schedule.stored_moment(long_after), Some(long_after));
    let old = UnixMs(15 * MINUTE_MS);
    let commands = schedule.on(LayerEvent::Tick, &mut tracker, old);
    assert_eq!(commands[0], LayerCommand::LogStale { marked: long_after });
    assert!(commands.contains(&LayerCommand::Publish { is_stale: true }));
    assert_eq!(schedule.stored_moment(old), None);
    tracker.on_markets(markets(), old);
    let commands = schedule.on(LayerEvent::Answered(ScheduledRequest::Markets), &mut tracker, old);
    assert_eq!(commands, [LayerCommand::LogRecovered]);
    assert_eq!(schedule.stored_moment(old), Some(old), "the moment was not used up while stale");
}

/// Requests that were begun and not ended, as the caller sees them.
#[derive(Default)]
struct Caller {
    tracker: AccountTracker,
    under_way: BTreeSet<ScheduledRequest>,
    /// Until when a request that failed waits.
    retry_at: BTreeMap<ScheduledRequest, UnixMs>,
    is_stale_logged: bool,
}

impl Caller {
    fn step(
        &mut self,
        schedule: &mut LayerSchedule,
        event: LayerEvent,
        now: UnixMs,
    ) -> Result<(), TestCaseError> {
        for command in schedule.on(event, &mut self.tracker, now) {
            match command {
                LayerCommand::Begin(request) => {
                    prop_assert!(self.under_way.insert(request), "{:?} is under way already", request);
                    if let Some(retry_at) = self.retry_at.remove(&request) {
                        prop_assert!(now >= retry_at, "{:?} before its backoff", request);
                    }
                }
                LayerCommand::LogStale { marked } => {
                    prop_assert!(!self.is_stale_logged, "logged twice");
                    prop_assert!(now.since(marked) > MARKS_STALE_MS);
                    self.is_stale_logged = true;
                }
                LayerCommand::LogRecovered => {
                    prop_assert!(self.is_stale_logged, "nothing to recover from");
                    self.is_stale_logged = false;
                }
                LayerCommand::Publish { is_stale } => prop_assert_eq!(is_stale, self.is_stale_logged),
                LayerCommand::DropIdle | LayerCommand::LogFailure(_) => {}
            }
        }
        let looks = self.under_way.iter().filter(|one| matches!(one, ScheduledRequest::Look(_))).count();
        prop_assert!(looks <= LOOKS_AT_ONCE);
        let is_stale = self.tracker.marked().is_some_and(|marked| now.since(marked) > MARKS_STALE_MS);
        prop_assert_eq!(self.is_stale_logged, is_stale);
        Ok(())
    }

    /// Answers all requests for accounts, those that begin meanwhile included.
    fn answer_looks(&mut self, schedule: &mut LayerSchedule, now: UnixMs) -> Result<(), TestCaseError> {
        let look = |one: &ScheduledRequest| match one {
            ScheduledRequest::Look(address) => Some(*address),
            _ => None,
        };
        while let Some(address) = self.under_way.iter().find_map(look) {
            let request = ScheduledRequest::Look(address);
            self.under_way.remove(&request);
            self.tracker.on_look(address, empty_account(now), now);
            self.step(schedule, LayerEvent::Answered(request), now)?;
        }
        Ok(())
    }
}

proptest! {
    /// Whatever the order of answers and failures: no request is under way twice, none is repeated before its backoff,
    /// old marks are reported once until they are received again, and everything that failed is repeated in the end.
    #[test]
    fn requests_end_before_they_repeat_and_failures_are_retried(
        steps in prop::collection::vec((0_u8..6, any::<prop::sample::Index>(), 0_i64..90_000), 1..200)
    ) {
        let mut caller = Caller::default();
        let mut now = UnixMs(0);
        let mut schedule = LayerSchedule::new(PUBLISH_MS, now);
        for (action, index, step) in steps {
            now = now.plus(step);
            let under_way: Vec<ScheduledRequest> = caller.under_way.iter().copied().collect();
            let ended = (!under_way.is_empty()).then(|| *index.get(&under_way));
            let event = match (action, ended) {
                (0 | 1, Some(request)) => {
                    caller.under_way.remove(&request);
                    match request {
                        ScheduledRequest::Look(address) => caller.tracker.on_look(address, empty_account(now), now),
                        ScheduledRequest::Markets => caller.tracker.on_markets(markets(), now),
                        ScheduledRequest::Leaderboard => caller.tracker.on_listed((10..13).map(address), now),
                        ScheduledRequest::Store => {}
                    }
                    LayerEvent::Answered(request)
                }
                (2 | 3, Some(request)) => {
                    caller.under_way.remove(&request);
                    caller.retry_at.insert(request, now.plus(request.retry_ms()));
                    LayerEvent::Failed(request)
                }
                (4, _) => {
                    let number = u8::try_from(index.index(8)).unwrap();
                    caller.tracker.on_traded([address(number)], now);
                    LayerEvent::Tick
                }
                _ => LayerEvent::Tick,
            };
            caller.step(&mut schedule, event, now)?;
        }
        // Time alone repeats what failed, once places are free.
        caller.answer_looks(&mut schedule, now)?;
        now = now.plus(HOUR_MS);
        let mut rounds = 0;
        while !caller.retry_at.is_empty() {
            rounds += 1;
            prop_assert!(rounds < 100, "never repeated: {:?}", caller.retry_at);
            caller.step(&mut schedule, LayerEvent::Tick, now)?;
            caller.answer_looks(&mut schedule, now)?;
        }
    }
}
