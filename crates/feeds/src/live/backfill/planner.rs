//! What is requested of a venue, and when. Pure.
//!
//! Every missing stretch is filled, or reported as a gap once. A page, an error or a refusal moves the plan on: the same
//! query is not sent without end unless nobody answers at all, and then at a bounded rate.

mod answers;

use std::collections::BTreeMap;
use std::time::Duration;

use liqheat_market::convert::{approx_f64, signed_ms, trunc_i64};
use liqheat_market::{Event, UnixMs};

use super::budget::{Budget, Priority};
use super::command::BackfillCommand;
use super::losses::report_lost;
use super::task::{BackfillRequest, TaskKind, TaskState};
use crate::live::clock::Uptime;
use crate::live::contract::{ContractIndex, ContractMap};
use crate::live::pipeline::{EventGate, Loss};
use crate::live::{GapCause, ResumePoint};
use crate::venues::{Contract, Exchange, HistoryDepth, LIVE_INTERVAL, RestQuery, VenueLimits};

/// Requests under way at once, by priority.
const BACKFILL_MAX: usize = 2;
const LIVE_MAX: usize = 4;
/// Interval of requests for the venue's clock and for funding.
const CLOCK_INTERVAL: Duration = Duration::from_secs(600);
const FUNDING_INTERVAL: Duration = Duration::from_secs(600);
/// Without a sample for this long the history of open interest is requested.
const OPEN_INTEREST_GAP_MS: i64 = 600_000;
/// Klines of the mark price that cannot be requested are expected from ticks for this long after their end.
const TICKS_LATE_MS: i64 = 60_000;
/// Unusable answers to one page after which it is skipped.
const FAILED_ANSWERS_MAX: u32 = 12;

/// How far back is filled.
#[derive(Debug, Clone, Copy)]
pub(in crate::live) struct BackfillPolicy {
    pub(in crate::live) klines: Duration,
    pub(in crate::live) open_interest: Duration,
    /// Largest number of missing trades that is fetched.
    pub(in crate::live) trades_max: u64,
    /// Share of the venue's limits that is used.
    pub(in crate::live) budget_share: f64,
}

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::live) enum Failure {
    /// Nobody answered.
    NoAnswer,
    /// The budget pauses; the request is sent again when it allows it.
    Throttled,
    /// The answer cannot be used; another one may be.
    Unusable(String),
    /// The query begins before what the venue keeps.
    BeginsTooEarly(String),
    /// The same request would be refused again.
    Permanent(String),
}

/// Now, on the two clocks that matter here.
#[derive(Debug, Clone, Copy)]
pub(in crate::live) struct PlanTime {
    pub(in crate::live) uptime: Uptime,
    /// The venue's time; `None` until it is known.
    pub(in crate::live) venue: Option<UnixMs>,
}

/// One contract.
struct ContractPlan {
    contract: Contract,
    is_listed: bool,
    tasks: BTreeMap<TaskKind, TaskState>,
    /// Time between polls of open interest now.
    poll_interval_ms: i64,
    last_poll: Option<Event>,
    /// The history of open interest is requested from here on; `None` while nothing is missing.
    open_interest_from: Option<UnixMs>,
    /// Whether what is missing of it was once there.
    has_open_interest: bool,
    /// Funding is complete up to here.
    funding_from: UnixMs,
}

/// The plan of a venue.
pub(in crate::live) struct BackfillPlanner {
    exchange: &'static Exchange,
    limits: VenueLimits,
    policy: BackfillPolicy,
    plans: ContractMap<ContractPlan>,
    live_running: usize,
    backfill_running: usize,
    /// Where the search for the next task begins, so that no contract is passed over.
    cursor: usize,
}

impl BackfillPlanner {
    pub(in crate::live) fn new(
        exchange: &'static Exchange,
        limits: VenueLimits,
        policy: BackfillPolicy,
    ) -> Self {
        let plans = ContractMap::default();
        Self { exchange, limits, policy, plans, live_running: 0, backfill_running: 0, cursor: 0 }
    }

    /// Plans for a contract whose data is stored up to `resume`, and makes its gate.
    pub(in crate::live) fn add(
        &mut self,
        contract: Contract,
        resume: &ResumePoint,
        now: UnixMs,
    ) -> (ContractIndex, EventGate) {
        let policy = &self.policy;
        let from = |stored: Option<UnixMs>, back: Duration| {
            let oldest = now.plus(-signed_ms(back));
            stored.map_or(oldest, |time| time.plus(1).max(oldest))
        };
        // Where no history is kept, what was never stored is no loss.
        let has_open_interest = resume.open_interest.is_some();
        let is_wanted = has_open_interest || self.limits.history.open_interest != HistoryDepth::NotKept;
        let gate = EventGate::new(&self.limits, resume, policy.klines, policy.trades_max, now);
        let plan = ContractPlan {
            contract,
            is_listed: true,
            tasks: BTreeMap::new(),
            poll_interval_ms: 0,
            last_poll: None,
            open_interest_from: is_wanted.then(|| from(resume.open_interest, policy.open_interest)),
            has_open_interest,
            funding_from: from(resume.funding, policy.klines),
        };
        (self.plans.push(plan), gate)
    }

    /// A contract was listed or delisted. Nothing is requested of one that is not listed.
    pub(in crate::live) fn set_listed(&mut self, contract: ContractIndex, is_listed: bool) {
        self.plans[contract].is_listed = is_listed;
    }

    pub(in crate::live) fn contract(&self, contract: ContractIndex) -> &Contract {
        &self.plans[contract].contract
    }

    /// The contracts that are listed.
    pub(in crate::live) fn listed(&self) -> impl Iterator<Item = &Contract> {
        self.plans.values().filter(|plan| plan.is_listed).map(|plan| &plan.contract)
    }

    /// The venue changed the size of a contract.
    pub(in crate::live) fn resize(&mut self, contract: ContractIndex, size: liqheat_market::Qty) {
        self.plans[contract].contract.size = size;
    }

    /// What is due.
    pub(in crate::live) fn poll(
        &mut self,
        now: PlanTime,
        gates: &mut ContractMap<EventGate>,
        budget: &mut Budget,
    ) -> Vec<BackfillCommand> {
        let mut commands = Vec::new();
        let clock_contract = self.plans.iter().find(|(_, plan)| plan.is_listed).map(|(index, _)| index);
        for contract in self.plans.indices_from(self.cursor) {
            if !self.plans[contract].is_listed {
                continue;
            }
            if let Some(venue) = now.venue {
                gates[contract].on_time(venue);
            }
            // The clock is requested once for all contracts.
            let clock = (clock_contract == Some(contract)).then_some(TaskKind::Clock);
            for task in clock.into_iter().chain(TaskKind::OF_CONTRACT) {
                if self.may_begin(contract, task, now) {
                    self.begin(contract, task, now, &mut gates[contract], budget, &mut commands);
                }
            }
        }
        self.cursor = (self.cursor + 1) % self.plans.len().max(1);
        commands
    }

    fn may_begin(&self, contract: ContractIndex, task: TaskKind, now: PlanTime) -> bool {
        let has_room = match task.priority() {
            // No task is about accounts.
            Priority::Live | Priority::Accounts => self.live_running < LIVE_MAX,
            Priority::Backfill => self.backfill_running < BACKFILL_MAX,
        };
        let state = self.plans[contract].tasks.get(&task);
        let is_due = state.is_none_or(|state| !state.is_running && state.not_before <= now.uptime);
        // Which minutes have ended is a question of the venue's clock.
        has_room && is_due && (now.venue.is_some() || task == TaskKind::Clock)
    }

    /// Begins a task if it has something to request.
    fn begin(
        &mut self,
        contract: ContractIndex,
        task: TaskKind,
        now: PlanTime,
        gate: &mut EventGate,
        budget: &mut Budget,
        commands: &mut Vec<BackfillCommand>,
    ) {
        let venue = now.venue.unwrap_or_default();
        let Some(query) = self.next_query(contract, task, venue, gate, commands) else { return };
        let Some(query) = self.clip(contract, task, query, now, gate, commands) else { return };
        let plan = &mut self.plans[contract];
        let Some(request) = self.exchange.request(&plan.contract, &query, venue) else {
            return self.on_not_kept(contract, task, query, now, gate, commands);
        };
        let state = plan.tasks.entry(task).or_insert_with(TaskState::new);
        if let Err(until) = budget.take(&request, task.priority(), venue) {
            state.not_before = Uptime(now.uptime.0.saturating_add(until.since(venue).max(1)));
            return;
        }
        state.begin(query);
        *self.running(task) += 1;
        commands.push(BackfillCommand::Fetch(BackfillRequest { contract, task, query, request }));
    }

    const fn running(&mut self, task: TaskKind) -> &mut usize {
        match task.priority() {
            Priority::Live | Priority::Accounts => &mut self.live_running,
            Priority::Backfill => &mut self.backfill_running,
        }
    }

    fn next_query(
        &self,
        contract: ContractIndex,
        task: TaskKind,
        now: UnixMs,
        gate: &mut EventGate,
        commands: &mut Vec<BackfillCommand>,
    ) -> Option<RestQuery> {
        let plan = &self.plans[contract];
        if let Some(remaining) = plan.tasks.get(&task).and_then(|state| state.remaining) {
            return Some(remaining);
        }
        match task {
            TaskKind::Clock => Some(RestQuery::Time),
            TaskKind::Poll => self.limits.poll_open_interest.map(|_| RestQuery::OpenInterest),
            TaskKind::Series(series, reach) => {
                let mut lost = Vec::new();
                let query = gate.next_missing(series, reach, now, &mut lost);
                report_lost(contract, &lost, GapCause::Unavailable, "too much to be fetched", commands);
                query
            }
            TaskKind::OpenInterestHistory => {
                let from = plan.open_interest_from?;
                let is_due = now.since(from) > OPEN_INTEREST_GAP_MS;
                is_due.then_some(RestQuery::OpenInterestHistory { from, to: now })
            }
            TaskKind::Funding => Some(RestQuery::Funding { from: plan.funding_from, to: now }),
        }
    }

    /// Cuts off what the venue keeps no longer, or not at all.
    fn clip(
        &mut self,
        contract: ContractIndex,
        task: TaskKind,
        query: RestQuery,
        now: PlanTime,
        gate: &mut EventGate,
        commands: &mut Vec<BackfillCommand>,
    ) -> Option<RestQuery> {
        let clipped = self.limits.history.clip(&query, now.venue.unwrap_or_default());
        if clipped.query.is_none() {
            self.on_not_kept(contract, task, query, now, gate, commands);
        } else if let Some(lost) = clipped.lost {
            self.give_up(
                contract,
                task,
                &lost,
                Loss::Stored,
                "older than what the venue keeps",
                gate,
                commands,
            );
            if let Some(state) = self.plans[contract].tasks.get_mut(&task)
                && state.remaining.is_some()
            {
                state.remaining = clipped.query;
            }
        }
        clipped.query
    }

    fn state(&mut self, contract: ContractIndex, task: TaskKind) -> &mut TaskState {
        self.plans[contract].tasks.entry(task).or_insert_with(TaskState::new)
    }

    /// A poll brought a sample: one that does not change is polled less often.
    fn on_poll(&mut self, contract: ContractIndex, event: Event) {
        let (least, most) = self.poll_interval_range();
        let plan = &mut self.plans[contract];
        let is_same = plan.last_poll == Some(event);
        plan.poll_interval_ms =
            if is_same { (plan.poll_interval_ms * 3 / 2).clamp(least, most) } else { least };
        let before = plan.last_poll.replace(event).map(|event| event.known_at());
        self.on_open_interest(contract, before, event.known_at());
    }

    /// A sample of open interest came: after a long pause the history is requested.
    pub(in crate::live) fn on_open_interest(
        &mut self,
        contract: ContractIndex,
        before: Option<UnixMs>,
        time: UnixMs,
    ) {
        let plan = &mut self.plans[contract];
        if let Some(before) = before
            && time.since(before) > OPEN_INTEREST_GAP_MS
            && plan.open_interest_from.is_none()
        {
            plan.open_interest_from = Some(before.plus(1));
            plan.has_open_interest = true;
        }
    }

    /// Whether a sample is the same as the one that was polled before.
    pub(in crate::live) fn is_same_poll(&self, contract: ContractIndex, event: &Event) -> bool {
        self.plans[contract].last_poll.as_ref() == Some(event)
    }

    /// Shortest and longest time between polls of a contract in milliseconds, so that all of them together take at most
    /// half of the weight that may be used.
    fn poll_interval_range(&self) -> (i64, i64) {
        let wanted = signed_ms(self.limits.poll_open_interest.unwrap_or_default());
        let most = signed_ms(self.limits.poll_open_interest_max).max(wanted);
        let weight = f64::from(self.limits.weight_per_minute) * self.policy.budget_share / 2.0;
        let affordable = trunc_i64(approx_f64(self.plans.len()) / weight.max(1.0) * 60_000.0);
        (wanted.max(affordable), most.max(affordable))
    }

    /// Whether data of the past is still being fetched.
    pub(in crate::live) fn is_filling(&self, now: UnixMs, gates: &ContractMap<EventGate>) -> bool {
        let recent = now.plus(-3 * LIVE_INTERVAL.ms());
        self.plans.iter().filter(|(_, plan)| plan.is_listed).any(|(contract, plan)| {
            let has_history = plan.open_interest_from.is_some_and(|from| from < recent);
            let is_at_work = |(task, state): (&TaskKind, &TaskState)| {
                matches!(task, TaskKind::Series(..)) && state.whole.is_some()
            };
            has_history || (plan.tasks.iter().any(is_at_work) && !gates[contract].is_whole())
        })
    }
}
