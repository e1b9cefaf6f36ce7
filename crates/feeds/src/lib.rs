//! Sources of market events: archive files, the simulated market, and live venues.
//!
//! Only this crate knows the formats of venues. It hands out [`liqheat_market::Event`]s and knows nothing of
//! the database they land in.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files"))]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]

pub mod archive;
pub mod http_client;
pub mod liquidation_file;
pub mod live;
pub mod raw;
pub mod sim;
pub mod tiers;
pub mod venues;
