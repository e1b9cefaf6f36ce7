//! Archive files as a user has them: on disk, zipped, odd, broken.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![expect(clippy::unwrap_used, reason = "what a test makes for itself is there")]

mod broken;
mod families;
mod oddities;
mod random;
mod real;
mod support;
