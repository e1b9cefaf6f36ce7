//! Sessions over real sockets, seen from the client's side.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod channels;
mod churn;
mod conformance;
mod events;
mod forms;
mod limits;
mod session;
mod world;
