//! Requests for missing and polled data: which are due, and what their answers mean.

use super::{VenueCommand, VenueState};
use crate::live::Delivery;
use crate::live::backfill::{
    BackfillCommand, BackfillRequest, Budget, Failure, FetchError, FetchedPage, PlanTime, TaskKind,
};
use crate::live::clock::{ClockReading, Uptime};
use crate::live::health::StreamMessage;
use crate::venues::StreamKind;

impl VenueState {
    /// A request ended.
    pub(in super::super) fn on_fetched(
        &mut self,
        request: &BackfillRequest,
        result: Result<FetchedPage, FetchError>,
        now: ClockReading,
        random: f64,
    ) {
        let commands = match result {
            Ok(fetched) => self.on_page(request, fetched),
            Err(error) => self.on_fetch_error(request, &error, now.uptime, random),
        };
        for command in commands {
            // Requests are begun by the next poll.
            let _ = self.on_backfill_command(command, now.uptime);
        }
    }

    fn on_page(&mut self, request: &BackfillRequest, fetched: FetchedPage) -> Vec<BackfillCommand> {
        let FetchedPage { page, sent, received } = fetched;
        self.health.on_answer();
        if let Some(time) = page.time {
            self.clock.on_time(time, sent, received);
        }
        let contract = request.contract;
        for event in &page.events {
            let is_new = request.task == TaskKind::Poll && !self.planner.is_same_poll(contract, event);
            // What is fetched of trades and klines says nothing about their streams. When the venue counted says nothing
            // about the way here: such an answer is never late.
            if matches!(request.task, TaskKind::Poll | TaskKind::Funding) {
                let (stream, as_of) = (StreamKind::of(event), Some(event.known_at()));
                self.health.on_message(StreamMessage {
                    contract,
                    stream,
                    received,
                    lag_ms: None,
                    as_of,
                    is_new,
                });
            }
        }
        let now = PlanTime { uptime: received, venue: self.clock.latest(received) };
        let gate = &mut self.gates[contract];
        let commands = self.planner.on_page(request, page, now, gate, &mut self.admitted);
        self.outbox.extend(contract, self.admitted.drain(..));
        commands
    }

    fn on_fetch_error(
        &mut self,
        request: &BackfillRequest,
        error: &FetchError,
        now: Uptime,
        random: f64,
    ) -> Vec<BackfillCommand> {
        let contract = request.contract;
        let (symbol, query) = (&self.planner.contract(contract).symbol, &request.query);
        let reason = format!("{symbol}: {query}: {error}");
        self.warn_sometimes("request failed", &reason, now);
        self.health.on_request_failed(reason);
        let failure = match error {
            FetchError::NoAnswer(_) => Failure::NoAnswer,
            FetchError::Throttled { .. } => Failure::Throttled,
            FetchError::Failed { .. } | FetchError::Malformed(_) => Failure::Unusable(error.to_string()),
            FetchError::BeginsTooEarly { .. } => Failure::BeginsTooEarly(error.to_string()),
            FetchError::Refused { .. } | FetchError::NotOffered => Failure::Permanent(error.to_string()),
        };
        let now = self.plan_time(now);
        self.planner.on_failure(request, failure, now, random, &mut self.gates[contract])
    }

    /// Does what the planner says, but for requests, which are returned.
    fn on_backfill_command(&mut self, command: BackfillCommand, now: Uptime) -> Option<BackfillRequest> {
        match command {
            BackfillCommand::Fetch(request) => return Some(request),
            BackfillCommand::Gap { contract, stream, from, to, cause, reason } => {
                self.gap(contract, stream, from, to, cause, reason);
            }
            BackfillCommand::Filled { contract, stream, from, to, events } => {
                self.health.on_filled();
                let instrument = self.outbox.instrument(contract).clone();
                self.outbox.push(Delivery::Filled { instrument, stream, from, to, events });
            }
            BackfillCommand::Refused { reason, row } => self.refused(&reason, &row, now),
        }
        None
    }

    /// The requests that are due.
    pub(in super::super) fn poll(&mut self, now: Uptime, budget: &mut Budget) -> Vec<VenueCommand> {
        let time = self.plan_time(now);
        let commands = self.planner.poll(time, &mut self.gates, budget);
        let requests = commands.into_iter().filter_map(|command| self.on_backfill_command(command, now));
        requests.map(VenueCommand::Fetch).collect()
    }

    fn plan_time(&self, uptime: Uptime) -> PlanTime {
        PlanTime { uptime, venue: self.clock.at(uptime) }
    }
}
