//! Archive files as a user has them: on disk, zipped, odd, broken.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![expect(clippy::unwrap_used, reason = "what a test makes for itself is there")]

mod broken;
mod families;
mod oddities;
mod random;
mod real;
mod support;
