//! Tests of the model through its public interface.

mod assemble;
mod cells;
mod checkpoint;
mod history;
mod invariants;
mod recorded;
mod reference;
mod steps;
mod support;
