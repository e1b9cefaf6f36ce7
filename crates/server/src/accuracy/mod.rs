//! The running score: this server grades its own map, hour by hour.
//!
//! When an hour begins, the map and what simpler predictors say are frozen and stored. When it has ended, they are graded
//! against the liquidations that the venue reported. [`plan`] decides when, [`grader`] does it, and the arithmetic is
//! that of `liqheat backtest`, in crate `liqheat-score`.

mod grader;
mod plan;

pub(crate) use grader::{Grader, GraderParts};
