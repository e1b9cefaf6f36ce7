//! Times on the wire are RFC 3339 in UTC, such as `2025-12-28T14:30:00Z`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use liqheat_market::UnixMs;

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time (write 2025-12-28T14:30:00Z, 2025-12-28 or milliseconds since 1970)")]
pub struct TimeError(String);

/// Writes a time; fractions of a second appear only when there are any.
#[must_use]
pub fn format_time(time: UnixMs) -> String {
    // The representable range of a timestamp is far wider than any market's; a time outside it can only be
    // nonsense that was let in, and is shown as the epoch rather than ending the process.
    Timestamp::from_millisecond(time.0).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// Reads a time: RFC 3339 with any offset, a date or a date with time (taken as UTC), or milliseconds.
///
/// # Errors
/// When the text is none of these.
pub fn parse_time(text: &str) -> Result<UnixMs, TimeError> {
    let trimmed = text.trim();
    let error = || TimeError(trimmed.chars().take(40).collect());
    if let Ok(ms) = trimmed.parse::<i64>() {
        // Four digits are a year somebody began to type, not a moment of 1970.
        const PLAUSIBLE_MS: std::ops::RangeInclusive<i64> = 1_000_000_000..=99_999_999_999_999;
        return if PLAUSIBLE_MS.contains(&ms) { Ok(UnixMs(ms)) } else { Err(error()) };
    }
    if let Ok(timestamp) = trimmed.parse::<Timestamp>() {
        return Ok(UnixMs(timestamp.as_millisecond()));
    }
    let civil = trimmed
        .parse::<DateTime>()
        .or_else(|_| trimmed.parse::<Date>().map(|date| date.at(0, 0, 0, 0)))
        .map_err(|_| error())?;
    let zoned = civil.to_zoned(TimeZone::UTC).map_err(|_| error())?;
    Ok(UnixMs(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        let expected = Ok(UnixMs(1_766_932_200_000));
        for text in [
            "2025-12-28T14:30:00Z",
            "2025-12-28T14:30:00.000+00:00",
            "2025-12-28T16:30:00+02:00",
            "2025-12-28T14:30:00",
            "2025-12-28 14:30",
            "2025-12-28 14:30:00",
            "1766932200000",
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
        assert_eq!(parse_time("2025-12-28"), Ok(UnixMs(1_766_880_000_000)));
        for text in ["", "yesterday", "2025", "2025-13-01", "2025-12-28T25:00:00Z"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_agree(ms in 1_000_000_000i64..4_000_000_000_000) {
            prop_assert_eq!(parse_time(&format_time(UnixMs(ms))), Ok(UnixMs(ms)));
        }
    }
}
