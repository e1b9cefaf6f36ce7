//! Archive files as a user has them: on disk, zipped, odd, broken.

#![expect(clippy::unwrap_used, reason = "what a test makes for itself is there")]

mod broken;
mod families;
mod oddities;
mod random;
mod real;
mod support;
