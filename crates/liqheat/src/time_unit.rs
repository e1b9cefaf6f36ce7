//! Lengths of time on command lines: a number of seconds, hours or days.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A unit that a flag's value counts.
pub(crate) struct TimeUnit {
    name: &'static str,
    seconds: f64,
    /// Values for the error message.
    examples: &'static str,
}

pub(crate) const SECONDS: TimeUnit = TimeUnit { name: "seconds", seconds: 1.0, examples: "5 or 0.5" };
pub(crate) const HOURS: TimeUnit = TimeUnit { name: "hours", seconds: 3_600.0, examples: "24" };
pub(crate) const DAYS: TimeUnit = TimeUnit { name: "days", seconds: 86_400.0, examples: "30" };

impl TimeUnit {
    pub(crate) fn parse(&self, text: &str, range: RangeInclusive<f64>) -> Result<Duration, String> {
        let Self { name, seconds, examples } = self;
        let number: f64 =
            text.trim().parse().map_err(|_| format!("must be a number of {name}, such as {examples}"))?;
        if !range.contains(&number) {
            return Err(format!("must be {} to {} {name}", range.start(), range.end()));
        }
        Ok(Duration::from_secs_f64(number * seconds))
    }
}

/// Parses a number of seconds, 0.1 to 3600.
///
/// # Errors
/// With what the value must be.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    SECONDS.parse(text, 0.1..=3_600.0)
}
