//! Whole numbers in fixed units: a hundred-millionth of a quote unit, of a coin, of one; milliseconds.
//!
//! A decimal text is read digit by digit, never through a float, so "0.1" is exactly 10,000,000 units and a
//! number that does not fit is refused instead of rounded.

use std::fmt;

/// Units in one quote currency unit, one coin, or a rate of 1.0.
pub const UNIT_SCALE: i64 = 100_000_000;

/// Why a decimal text is not a price, a quantity or a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Nothing where a number should be. For optional columns this means "unknown", not zero.
    #[error("empty where a number was expected")]
    Empty,
    /// Not a plain decimal number.
    #[error("'{0}' is not a decimal number")]
    Malformed(String),
    /// More than fits in 64 bits of 1e-8 units (about 92 billion).
    #[error("'{0}' is too large (limit is about 92,000,000,000)")]
    TooLarge(String),
}

/// Reads a plain decimal text as 1e-8 units. Digits beyond the eighth are cut off, not rounded: venues print
/// trailing zeros up to the 16th place.
fn parse_units(text: &[u8]) -> Result<i64, DecimalError> {
    match parse_short(text) {
        Some(units) => Ok(units),
        None => parse_any(text),
    }
}

/// Digits with at most one point among them, too few to overflow while they are gathered: what nearly every
/// field of a file is. `None` leaves the rest, good or bad, to [`parse_any`].
fn parse_short(text: &[u8]) -> Option<i64> {
    const BYTES_MAX: usize = 18;
    const POWERS: [i64; 9] = [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    if text.len() > BYTES_MAX {
        return None;
    }
    let mut gathered: i64 = 0;
    let mut point = None;
    for (at, &byte) in text.iter().enumerate() {
        if byte.is_ascii_digit() {
            gathered = gathered * 10 + i64::from(byte - b'0');
        } else if byte == b'.' && point.is_none() {
            point = Some(at);
        } else {
            return None;
        }
    }
    let places = point.map_or(0, |at| text.len() - at - 1);
    let has_digits = text.len() > usize::from(point.is_some());
    if has_digits { gathered.checked_mul(*POWERS.get(places)?) } else { None }
}

fn parse_any(text: &[u8]) -> Result<i64, DecimalError> {
    let trimmed = text.trim_ascii();
    let (negative, digits) = match trimmed.split_first() {
        None => return Err(DecimalError::Empty),
        Some((b'-', rest)) => (true, rest),
        Some(_) => (false, trimmed),
    };
    let malformed = || DecimalError::Malformed(shorten(text));
    let too_large = || DecimalError::TooLarge(shorten(text));
    let point = digits.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &digits[digits.len()..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(malformed());
    }
    let mut units: i64 = 0;
    for &byte in whole {
        let digit = decimal_digit(byte).ok_or_else(malformed)?;
        units = units.checked_mul(10).and_then(|u| u.checked_add(digit)).ok_or_else(too_large)?;
    }
    units = units.checked_mul(UNIT_SCALE).ok_or_else(too_large)?;
    let mut place_units = UNIT_SCALE;
    for &byte in fraction {
        let digit = decimal_digit(byte).ok_or_else(malformed)?;
        place_units /= 10;
        units = units.checked_add(digit * place_units).ok_or_else(too_large)?;
    }
    Ok(if negative { -units } else { units })
}

fn decimal_digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// Error texts quote what was found, but never a whole broken file.
fn shorten(text: &[u8]) -> String {
    const QUOTED_BYTES_MAX: usize = 40;
    let quoted = String::from_utf8_lossy(&text[..text.len().min(QUOTED_BYTES_MAX)]);
    let ellipsis = if text.len() > QUOTED_BYTES_MAX { ".." } else { "" };
    format!("{quoted}{ellipsis}")
}

fn write_units(units: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if units < 0 { "-" } else { "" };
    let magnitude = units.unsigned_abs();
    let scale = UNIT_SCALE.unsigned_abs();
    let (whole, fraction) = (magnitude / scale, magnitude % scale);
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let padded = format!("{fraction:08}");
    write!(f, "{sign}{whole}.{}", padded.trim_end_matches('0'))
}

macro_rules! decimal_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// From 1e-8 units, as stored.
            #[must_use]
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }

            /// The 1e-8 units inside.
            #[must_use]
            pub const fn units(self) -> i64 {
                self.0
            }

            /// Reads a plain decimal text, exactly.
            ///
            /// # Errors
            /// When the text is empty, not a decimal number, or out of range.
            pub fn parse(text: &str) -> Result<Self, DecimalError> {
                parse_units(text.as_bytes()).map(Self)
            }

            /// The same from bytes, for readers of files that are mostly digits.
            ///
            /// # Errors
            /// When the bytes are empty, not a decimal number, or out of range.
            pub fn parse_bytes(text: &[u8]) -> Result<Self, DecimalError> {
                parse_units(text).map(Self)
            }

            /// The nearest representable value, for numbers that were floats to begin with.
            ///
            /// # Errors
            /// When the number is not finite or out of range.
            pub fn from_f64(value: f64) -> Result<Self, DecimalError> {
                let units = (value * UNIT_SCALE as f64).round();
                if !units.is_finite() {
                    return Err(DecimalError::Malformed(value.to_string()));
                }
                // 2^63 as a float; anything at or beyond it does not fit.
                if units.abs() >= 9_223_372_036_854_775_808.0 {
                    return Err(DecimalError::TooLarge(value.to_string()));
                }
                Ok(Self(units as i64))
            }

            /// As a float, for the edges.
            #[must_use]
            pub fn to_f64(self) -> f64 {
                self.0 as f64 / UNIT_SCALE as f64
            }

            /// Greater than zero.
            #[must_use]
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_units(self.0, f)
            }
        }
    };
}

decimal_newtype! {
    /// A price in the quote currency (USD or USDT), in units of 1e-8.
    Price
}
decimal_newtype! {
    /// A quantity in coins of the base asset, in units of 1e-8. Never contracts, never USD.
    Qty
}
decimal_newtype! {
    /// A dimensionless rate (funding, margin), in units of 1e-8.
    Rate
}

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// This time moved by some milliseconds.
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this time.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The last multiple of `step_ms` at or before this time.
    #[must_use]
    pub const fn floor_to(self, step_ms: i64) -> Self {
        Self(self.0 - self.0.rem_euclid(step_ms))
    }
}

/// The length of a bar, as venues and charts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    ms: i64,
}

impl Interval {
    /// One minute.
    pub const M1: Self = Self { ms: 60_000 };
    /// Five minutes.
    pub const M5: Self = Self { ms: 300_000 };
    const NAMES: [(&'static str, i64); 12] = [
        ("1m", 60_000),
        ("3m", 180_000),
        ("5m", 300_000),
        ("15m", 900_000),
        ("30m", 1_800_000),
        ("1h", 3_600_000),
        ("2h", 7_200_000),
        ("4h", 14_400_000),
        ("6h", 21_600_000),
        ("8h", 28_800_000),
        ("12h", 43_200_000),
        ("1d", 86_400_000),
    ];

    /// From a name such as `5m`, `1h` or `1d`; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, ms)| Self { ms: *ms })
    }

    /// From a length in milliseconds that has a name.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        Self::NAMES.iter().any(|(_, known)| *known == ms).then_some(Self { ms })
    }

    /// Its length in milliseconds; always greater than zero.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.ms
    }

    /// Its name, such as `5m`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, ms)| *ms == self.ms).map_or("?", |(name, _)| name)
    }

    /// All names, shortest interval first, for error texts.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_decimals_exactly() {
        for (text, units) in [
            ("0.1", 10_000_000),
            ("113446.20", 11_344_620_000_000),
            ("88004.43600000", 8_800_443_600_000),
            ("76643.1910000000000000", 7_664_319_100_000),
            ("-0.00012", -12_000),
            (".5", 50_000_000),
            ("7.", 700_000_000),
            (" 1 ", 100_000_000),
        ] {
            assert_eq!(Price::parse(text), Ok(Price::from_units(units)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_number() {
        assert_eq!(Qty::parse(""), Err(DecimalError::Empty));
        for text in ["-", ".", "1e5", "1,000", "NaN", "0x10", "1.2.3", "--1", "+1", "١"] {
            assert!(matches!(Qty::parse(text), Err(DecimalError::Malformed(_))), "{text}");
        }
        for text in ["92233720369", "99999999999999999999999999"] {
            assert!(matches!(Qty::parse(text), Err(DecimalError::TooLarge(_))), "{text}");
        }
        assert!(Price::from_f64(f64::NAN).is_err());
        assert!(Price::from_f64(1e30).is_err());
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(units in any::<i64>()) {
            prop_assume!(units != i64::MIN);
            let price = Price::from_units(units);
            prop_assert_eq!(Price::parse(&price.to_string()), Ok(price));
        }

        #[test]
        fn the_short_way_agrees_with_the_long(text in "-?[0-9]{0,12}\\.?[0-9]{0,10}") {
            if let Some(units) = parse_short(text.as_bytes()) {
                prop_assert_eq!(parse_any(text.as_bytes()), Ok(units));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = Price::parse(&text);
        }
    }

    #[test]
    fn intervals_have_names() {
        assert_eq!(Interval::from_name("4h").map(Interval::ms), Some(14_400_000));
        assert_eq!(Interval::from_name("7m"), None);
        assert_eq!(Interval::M5.to_string(), "5m");
        assert_eq!(UnixMs(-1).floor_to(60_000), UnixMs(-60_000));
    }
}
