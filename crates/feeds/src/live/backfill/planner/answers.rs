//! What an answer to a request, or its failure, changes in the plan.

use liqheat_market::Event;
use liqheat_market::convert::signed_ms;

use crate::live::GapCause;
use crate::live::backfill::command::BackfillCommand;
use crate::live::backfill::losses::{LostRows, report_lost};
use crate::live::backfill::paging::{advances, query_of, skip};
use crate::live::backfill::task::{BackfillRequest, TaskKind, TaskState};
use crate::live::clock::Uptime;
use crate::live::contract::ContractIndex;
use crate::live::pipeline::{EventGate, GateVerdict, Loss, Origin};
use crate::venues::{LIVE_INTERVAL, Page, RestQuery, RowSubject, StreamKind};

use super::{
    BackfillPlanner, CLOCK_INTERVAL, FAILED_ANSWERS_MAX, FUNDING_INTERVAL, Failure, PlanTime, TICKS_LATE_MS,
};

impl BackfillPlanner {
    /// The venue keeps nothing of a query, or does not offer it.
    pub(super) fn on_not_kept(
        &mut self,
        contract: ContractIndex,
        task: TaskKind,
        query: RestQuery,
        now: PlanTime,
        gate: &mut EventGate,
        commands: &mut Vec<BackfillCommand>,
    ) {
        let venue = now.venue.unwrap_or_default();
        let state = self.plans[contract].tasks.entry(task).or_insert_with(TaskState::new);
        (state.remaining, state.whole) = (None, None);
        // Klines of the newest minutes may still be made of ticks: there is no other chance to have them.
        let late = venue.plus(-TICKS_LATE_MS).floor_to(LIVE_INTERVAL.ms());
        let query = match query {
            RestQuery::Klines { from, to, .. } if to > late => {
                state.not_before = now.uptime.plus(TaskState::RETRY_MIN);
                if from >= late {
                    return;
                }
                query.with_span(from, late)
            }
            _ => query,
        };
        if !matches!(task, TaskKind::Series(..)) {
            state.not_before = now.uptime.plus(CLOCK_INTERVAL);
        }
        self.give_up(contract, task, &query, Loss::Stored, "the venue does not keep it", gate, commands);
        self.finish(contract, task);
    }

    /// A page arrived. Its new events are appended to `out`.
    pub(in crate::live) fn on_page(
        &mut self,
        request: &BackfillRequest,
        page: Page,
        now: PlanTime,
        gate: &mut EventGate,
        out: &mut Vec<Event>,
    ) -> Vec<BackfillCommand> {
        *self.running(request.task) -= 1;
        let (contract, task) = (request.contract, request.task);
        let venue = now.venue.unwrap_or_default();
        let mut commands = Vec::new();
        let times = page.events.first().zip(page.events.last());
        let times = times.map(|(first, last)| (first.known_at(), last.known_at()));
        let mut brought = 0;
        let mut refused = LostRows::new(contract);
        for event in page.events {
            match gate.on_event(event, Origin::Answer, venue, out) {
                GateVerdict::New => brought += 1,
                GateVerdict::Repeated => {}
                GateVerdict::Implausible(reason) => {
                    if let Some(query) = query_of(&event) {
                        refused.add(task, &query, reason, gate, &mut commands);
                    }
                    let (reason, row) = (reason.to_owned(), format!("{event:?}"));
                    commands.push(BackfillCommand::Refused { reason, row });
                }
            }
            if task == TaskKind::Poll {
                self.on_poll(contract, event);
            }
        }
        for rejected in page.rejected {
            let reason = rejected.error.to_string();
            if let (RowSubject::Data(query), false) = (&rejected.subject, rejected.is_partial) {
                refused.add(task, query, &reason, gate, &mut commands);
            }
            commands.push(BackfillCommand::Refused { reason, row: rejected.text });
        }
        refused.report(&mut commands);
        // A page that leads back to itself would be requested for ever.
        let next = page.next.filter(|next| advances(&request.query, next));
        let state = self.state(contract, task);
        state.on_page(brought, times);
        state.remaining = next;
        if next.is_none() {
            self.on_complete(contract, task, now, gate, &mut commands);
        }
        commands
    }

    /// A request brought nothing. `random` in `0.0..1.0` spreads attempts.
    pub(in crate::live) fn on_failure(
        &mut self,
        request: &BackfillRequest,
        failure: Failure,
        now: PlanTime,
        random: f64,
        gate: &mut EventGate,
    ) -> Vec<BackfillCommand> {
        *self.running(request.task) -= 1;
        let (contract, task, query) = (request.contract, request.task, request.query);
        let mut commands = Vec::new();
        let state = self.state(contract, task);
        state.is_running = false;
        // Whatever is done next is done to the page that failed.
        if task.is_fill() {
            state.remaining = Some(query);
        }
        match failure {
            Failure::Throttled => {}
            Failure::NoAnswer => state.not_before = now.uptime.plus(state.backoff.next_delay(random)),
            Failure::Unusable(reason) => {
                state.not_before = now.uptime.plus(state.backoff.next_delay(random));
                state.failed_answers += 1;
                if state.failed_answers >= FAILED_ANSWERS_MAX
                    && let Some((skipped, rest)) = skip(&query)
                {
                    state.failed_answers = 0;
                    state.remaining = rest;
                    let reason = format!("{FAILED_ANSWERS_MAX} answers could not be used: {reason}");
                    self.give_up(contract, task, &skipped, Loss::All, &reason, gate, &mut commands);
                    if rest.is_none() {
                        self.on_complete(contract, task, now, gate, &mut commands);
                    }
                }
            }
            Failure::BeginsTooEarly(reason) => {
                let step = state.begin_step;
                state.begin_step = step.saturating_mul(2);
                let Some((from, to)) = query.span() else {
                    return self.on_permanent(request, &reason, now, gate);
                };
                let later = from.plus(signed_ms(step));
                let (lost, rest) = if later < to {
                    (query.with_span(from, later), Some(query.with_span(later, to)))
                } else {
                    (query, None)
                };
                state.remaining = rest;
                self.give_up(contract, task, &lost, Loss::Stored, &reason, gate, &mut commands);
                if rest.is_none() {
                    self.on_complete(contract, task, now, gate, &mut commands);
                }
            }
            Failure::Permanent(reason) => return self.on_permanent(request, &reason, now, gate),
        }
        commands
    }

    fn on_permanent(
        &mut self,
        request: &BackfillRequest,
        reason: &str,
        now: PlanTime,
        gate: &mut EventGate,
    ) -> Vec<BackfillCommand> {
        let (contract, task) = (request.contract, request.task);
        let state = self.state(contract, task);
        (state.remaining, state.whole) = (None, None);
        let pause = if matches!(task, TaskKind::Series(..)) { TaskState::RETRY_MIN } else { CLOCK_INTERVAL };
        state.not_before = now.uptime.plus(pause);
        let mut commands = Vec::new();
        self.give_up(contract, task, &request.query, Loss::All, reason, gate, &mut commands);
        self.finish(contract, task);
        commands
    }

    /// Everything that the venue has of a query came.
    fn on_complete(
        &mut self,
        contract: ContractIndex,
        task: TaskKind,
        now: PlanTime,
        gate: &mut EventGate,
        commands: &mut Vec<BackfillCommand>,
    ) {
        let venue = now.venue.unwrap_or_default();
        let least_poll_ms = self.poll_interval_range().0;
        let plan = &mut self.plans[contract];
        let poll_ms = plan.poll_interval_ms.max(least_poll_ms).max(1);
        let state = plan.tasks.entry(task).or_insert_with(TaskState::new);
        let (whole, events, times) = (state.whole.take(), state.events, state.times.take());
        state.remaining = None;
        match task {
            TaskKind::Clock => state.not_before = now.uptime.plus(CLOCK_INTERVAL),
            TaskKind::Poll => state.not_before = Uptime(now.uptime.0.saturating_add(poll_ms)),
            TaskKind::Funding => {
                state.not_before = now.uptime.plus(FUNDING_INTERVAL);
                if let Some(newest) = gate.newest_funding() {
                    plan.funding_from = plan.funding_from.max(newest.plus(1));
                }
            }
            TaskKind::OpenInterestHistory => self.finish(contract, task),
            // What the venue has not yet it has in a while.
            TaskKind::Series(..) => state.not_before = now.uptime.plus(TaskState::RETRY_MIN),
        }
        if let (TaskKind::Series(..), Some(whole)) = (task, &whole) {
            let mut lost = Vec::new();
            gate.on_complete(whole, venue, &mut lost);
            report_lost(contract, &lost, GapCause::Unavailable, "the venue does not have it", commands);
        }
        let span = whole.as_ref().and_then(RestQuery::span).or(times);
        if task.is_fill()
            && events > 0
            && let (Some(stream), Some((from, to))) = (task.stream(), span)
        {
            commands.push(BackfillCommand::Filled { contract, stream, from, to, events });
        }
    }

    /// Nothing more is requested of a task that has no sequence of its own.
    fn finish(&mut self, contract: ContractIndex, task: TaskKind) {
        if task == TaskKind::OpenInterestHistory {
            let plan = &mut self.plans[contract];
            plan.open_interest_from = None;
            plan.has_open_interest = true;
        }
    }

    /// Gives up the data of a query, and reports what is lost by it.
    #[expect(clippy::too_many_arguments, reason = "what, why, and where it is reported")]
    pub(super) fn give_up(
        &self,
        contract: ContractIndex,
        task: TaskKind,
        query: &RestQuery,
        loss: Loss,
        reason: &str,
        gate: &mut EventGate,
        commands: &mut Vec<BackfillCommand>,
    ) {
        match task {
            TaskKind::Series(..) => {
                let mut lost = Vec::new();
                gate.on_unavailable(query, loss, &mut lost);
                report_lost(contract, &lost, GapCause::Unavailable, reason, commands);
            }
            TaskKind::OpenInterestHistory => {
                let is_lost = loss == Loss::All || self.plans[contract].has_open_interest;
                if let Some((from, to)) = query.span().filter(|_| is_lost) {
                    let stream = StreamKind::OpenInterest;
                    let reason = reason.to_owned();
                    commands.push(BackfillCommand::Gap {
                        contract,
                        stream,
                        from,
                        to,
                        cause: GapCause::Unavailable,
                        reason,
                    });
                }
            }
            TaskKind::Clock | TaskKind::Poll | TaskKind::Funding => {}
        }
    }
}
