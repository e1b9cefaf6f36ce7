//! Several servers, with a real Redis and a real nginx between and before them, and what happens when one of
//! them dies, stands still or forgets everything.
//!
//! In every test clients keep the state they were told and check each word (`liqheat_testkit::Shadow`): a
//! client's state is right at every `seq`, or it was told; and no name is ever given to two states.
//! `make test-cluster` runs them; `scripts/setup-services.sh` gets what they start.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

/// The same made-up market as the other tests load.
#[allow(dead_code, reason = "only its files are needed here")]
#[path = "../it/market.rs"]
mod market;

/// All in one module, so that `--skip cluster::` leaves them out.
#[path = "."]
mod cluster {
    mod chaos;
    mod edge;
    mod failover;
    mod foreign;
    mod group;
    mod nginx;
    mod outage;
    mod secure;
    mod sentinel;
    mod support;
}
