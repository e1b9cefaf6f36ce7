//! Fetching what is missing and what is polled: the planner decides what is requested when, the budget how much, and
//! [`RestClient`] sends the requests.

mod budget;
mod command;
mod fetch_error;
mod losses;
mod paging;
mod planner;
#[cfg(test)]
mod properties;
mod rest;
mod task;

pub(super) use budget::{Budget, Priority};
pub(super) use command::BackfillCommand;
pub(super) use fetch_error::FetchError;
pub(super) use planner::{BackfillPlanner, BackfillPolicy, Failure, PlanTime};
pub(super) use rest::{FetchedPage, RestClient};
pub(super) use task::{BackfillRequest, TaskKind};
