//! Tests of the model through its public interface.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![expect(clippy::unwrap_used, reason = "what must not fail in a test may stop it")]

mod assemble;
mod cells;
mod checkpoint;
mod classes;
mod history;
mod invariants;
mod recorded;
mod reference;
mod steps;
mod support;
