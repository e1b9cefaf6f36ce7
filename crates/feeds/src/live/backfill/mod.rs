//! Fetching what is missing and what is polled: the planner decides what is requested when, the budget how much, and
//! [`RestClient`] sends the requests.

mod budget;
mod losses;
mod paging;
mod planner;
#[cfg(test)]
mod properties;
mod rest;
mod task;

pub(super) use budget::{Budget, Priority};
pub(super) use planner::{BackfillCommand, BackfillPlanner, BackfillPolicy, Failure, PlanTime};
pub(super) use rest::{FetchError, FetchedPage, RestClient};
pub(super) use task::{BackfillRequest, TaskKind};
