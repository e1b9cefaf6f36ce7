//! Whole numbers in fixed units: a hundred-millionth of a quote unit, of a coin, of one.
//!
//! A decimal text is read digit by digit, never through a float, so "0.1" is exactly 10,000,000 units. A number that is
//! too large is refused, and so is one with digits below 1e-8 that make a difference (more than a millionth of it).

use std::fmt;

use crate::convert::approx_f64;

/// Units in one quote currency unit, one coin, or a rate of 1.0.
pub const UNIT_SCALE: i64 = 100_000_000;

/// Decimal places of a unit.
const UNIT_PLACES: i32 = 8;

/// Largest relative error that rounding to a unit may bring.
const FINE_DIGITS_LOST_MAX: f64 = 1e-6;

/// Why a decimal text is not a price, a quantity or a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Nothing where a number should be. For optional columns this means "unknown", not zero.
    #[error("empty where a number was expected")]
    Empty,
    /// Not a decimal number.
    #[error("'{0}' is not a decimal number")]
    Malformed(String),
    /// Digits below 1e-8 that rounding would change by more than a millionth of the value.
    #[error(
        "'{0}' has digits below 1e-8 that cannot be held (a coin this cheap is followed by the thousand, as 1000SHIBUSDT)"
    )]
    TooFine(String),
    /// More than fits in 64 bits of 1e-8 units (about 92 billion).
    #[error("'{0}' is too large (limit is about 92,000,000,000)")]
    TooLarge(String),
    /// More than [`Qty::MAX`].
    #[error("'{0}' is too large (limit is 10,000,000,000,000,000,000,000 coins)")]
    AmountTooLarge(String),
}

/// The integer that units are kept in.
trait Units: Copy + From<i64> + Into<i128> {
    /// The same number, if it is in range.
    fn fit(units: i128) -> Option<Self>;
    fn too_large(text: String) -> DecimalError;
}

impl Units for i64 {
    fn fit(units: i128) -> Option<Self> {
        Self::try_from(units).ok()
    }

    fn too_large(text: String) -> DecimalError {
        DecimalError::TooLarge(text)
    }
}

impl Units for i128 {
    fn fit(units: i128) -> Option<Self> {
        (units.unsigned_abs() <= QTY_UNITS_MAX.unsigned_abs()).then_some(units)
    }

    fn too_large(text: String) -> DecimalError {
        DecimalError::AmountTooLarge(text)
    }
}

/// The largest amount that is read: 1e22 coins. The sum of a hundred million of them still fits into 128 bits.
const QTY_UNITS_MAX: i128 = 10_i128.pow(30);

/// A factor between two units, such as coins in a contract: a fraction of whole numbers, in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

impl Ratio {
    /// The same unit.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator / denominator`; `None` when one of them is zero.
    #[must_use]
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if numerator == 0 || denominator == 0 {
            return None;
        }
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self { numerator: numerator / a, denominator: denominator / a })
    }

    /// This factor and then another; `None` when the result does not fit.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        let across =
            (Self::new(self.numerator, other.denominator)?, Self::new(other.numerator, self.denominator)?);
        Self::new(
            across.0.numerator.checked_mul(across.1.numerator)?,
            across.0.denominator.checked_mul(across.1.denominator)?,
        )
    }

    /// The way back.
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self { numerator: self.denominator, denominator: self.numerator }
    }
}

/// What becomes of digits below 1e-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FineDigits {
    /// They are rounded when that changes the value by no more than a millionth; otherwise the number is refused.
    Keep,
    /// They are rounded.
    Round,
}

/// Reads a decimal text, with or without an exponent, as 1e-8 units of `text x ratio`: scaled first, rounded to the
/// nearest unit last.
fn parse_units<U: Units>(text: &[u8], ratio: Ratio, fine: FineDigits) -> Result<U, DecimalError> {
    if ratio == Ratio::ONE
        && let Some(units) = parse_short(text)
    {
        return Ok(U::from(units));
    }
    parse_any(text, ratio, fine)
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

/// The digits of a number and the power of ten they are multiplied by.
struct Digits {
    is_negative: bool,
    digits: u128,
    exponent: i32,
}

/// Significant digits that are read; those behind them change nothing that can be held.
const DIGITS_MAX: u32 = 24;

fn parse_digits(text: &[u8]) -> Result<Digits, DecimalError> {
    let malformed = || DecimalError::Malformed(shorten(text));
    let trimmed = text.trim_ascii();
    let (is_negative, number) = match trimmed.split_first() {
        None => return Err(DecimalError::Empty),
        Some((b'-', rest)) => (true, rest),
        Some(_) => (false, trimmed),
    };
    let (number, mut exponent) = match number.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&number[..at], parse_exponent(&number[at + 1..]).ok_or_else(malformed)?),
        None => (number, 0),
    };
    let (mut digits, mut significant) = (0_u128, 0);
    let (mut has_digit, mut has_point) = (false, false);
    for &byte in number {
        match byte {
            b'0'..=b'9' => {
                has_digit = true;
                if significant < DIGITS_MAX {
                    digits = digits * 10 + u128::from(byte - b'0');
                    significant += u32::from(digits > 0);
                    exponent -= i32::from(has_point);
                } else {
                    exponent += i32::from(!has_point);
                }
            }
            b'.' if !has_point => has_point = true,
            _ => return Err(malformed()),
        }
    }
    if has_digit { Ok(Digits { is_negative, digits, exponent }) } else { Err(malformed()) }
}

/// `-06`, `+3`, `12`.
fn parse_exponent(text: &[u8]) -> Option<i32> {
    let (is_negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if !(1..=4).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    Some(if is_negative { -value } else { value })
}

fn parse_any<U: Units>(text: &[u8], ratio: Ratio, fine: FineDigits) -> Result<U, DecimalError> {
    let too_large = || U::too_large(shorten(text));
    let mut number = parse_digits(text)?;
    if number.digits == 0 {
        return Ok(U::from(0));
    }
    while number.digits.is_multiple_of(10) {
        number.digits /= 10;
        number.exponent += 1;
    }
    let power =
        |exponent: i32| u32::try_from(exponent).ok().and_then(|exponent| 10_u128.checked_pow(exponent));
    let shift = number.exponent + UNIT_PLACES;
    let scaled = number.digits.checked_mul(u128::from(ratio.numerator)).ok_or_else(too_large)?;
    let denominator = u128::from(ratio.denominator);
    // units = dividend / divisor; without a divisor it is below any unit.
    let (dividend, divisor) = if shift >= 0 {
        (power(shift).and_then(|power| scaled.checked_mul(power)).ok_or_else(too_large)?, Some(denominator))
    } else {
        (scaled, power(-shift).and_then(|power| denominator.checked_mul(power)))
    };
    let (whole, rest, divisor) = match divisor {
        Some(divisor) => (dividend / divisor, dividend % divisor, divisor),
        None => (0, dividend, u128::MAX),
    };
    let rounds_up = rest >= divisor - rest;
    let lost = if rounds_up { divisor - rest } else { rest };
    if fine == FineDigits::Keep && approx_f64(lost) > approx_f64(dividend) * FINE_DIGITS_LOST_MAX {
        return Err(DecimalError::TooFine(shorten(text)));
    }
    let units = i128::try_from(whole).ok().and_then(|units| units.checked_add(i128::from(rounds_up)));
    let units = units.map(|units| if number.is_negative { -units } else { units });
    units.and_then(U::fit).ok_or_else(too_large)
}

/// Error texts quote what was found, but never a whole broken file.
fn shorten(text: &[u8]) -> String {
    const QUOTED_BYTES_MAX: usize = 40;
    let quoted = String::from_utf8_lossy(&text[..text.len().min(QUOTED_BYTES_MAX)]);
    let ellipsis = if text.len() > QUOTED_BYTES_MAX { ".." } else { "" };
    format!("{quoted}{ellipsis}")
}

fn write_units(units: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if units < 0 { "-" } else { "" };
    let magnitude = units.unsigned_abs();
    let scale = i128::from(UNIT_SCALE).unsigned_abs();
    let (whole, fraction) = (magnitude / scale, magnitude % scale);
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let padded = format!("{fraction:08}");
    write!(f, "{sign}{whole}.{}", padded.trim_end_matches('0'))
}

macro_rules! decimal_newtype {
    ($(#[$doc:meta])* $name:ident($repr:ty), $fine:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name($repr);

        impl $name {
            /// The 1e-8 units inside.
            #[must_use]
            pub const fn units(self) -> $repr {
                self.0
            }

            /// Reads a decimal text, with or without an exponent.
            ///
            /// # Errors
            /// When the text is empty, not a decimal number, too large or too fine.
            pub fn parse(text: &str) -> Result<Self, DecimalError> {
                parse_units(text.as_bytes(), Ratio::ONE, $fine).map(Self)
            }

            /// Reads a decimal text in another unit: the text is multiplied by `ratio` before anything is rounded.
            ///
            /// # Errors
            /// When the text is empty, not a decimal number, or the product too large or too fine.
            pub fn parse_scaled(text: &str, ratio: Ratio) -> Result<Self, DecimalError> {
                parse_units(text.as_bytes(), ratio, $fine).map(Self)
            }

            /// The same from bytes, for readers of files that are mostly digits.
            ///
            /// # Errors
            /// When the bytes are empty, not a decimal number, too large or too fine.
            pub fn parse_bytes(text: &[u8]) -> Result<Self, DecimalError> {
                parse_units(text, Ratio::ONE, $fine).map(Self)
            }

            /// The nearest representable value, for numbers that were floats to begin with.
            ///
            /// # Errors
            /// When the number is not finite or out of range.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the cast saturates, and the ends of i128 are out of range of both"
            )]
            pub fn from_f64(value: f64) -> Result<Self, DecimalError> {
                let units = (value * approx_f64(UNIT_SCALE)).round();
                if !units.is_finite() {
                    return Err(DecimalError::Malformed(value.to_string()));
                }
                let fit = <$repr as Units>::fit(units as i128);
                fit.map(Self).ok_or_else(|| <$repr as Units>::too_large(value.to_string()))
            }

            /// As a float, for the edges.
            #[must_use]
            pub fn to_f64(self) -> f64 {
                approx_f64(self.0) / approx_f64(UNIT_SCALE)
            }

            /// Greater than zero.
            #[must_use]
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_units(self.0.into(), f)
            }
        }
    };
}

macro_rules! from_whole_units {
    ($name:ident) => {
        impl $name {
            /// From 1e-8 units, as stored.
            #[must_use]
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }
        }
    };
}

decimal_newtype! {
    /// A price in the quote currency (USD or USDT), in units of 1e-8 in 64 bits.
    Price(i64), FineDigits::Keep
}
from_whole_units!(Price);
decimal_newtype! {
    /// A quantity in coins of the base asset, in units of 1e-8 in 128 bits. Never contracts, never USD.
    ///
    /// Coins that cost a millionth of a cent trade by the trillion within a minute, which 64 bits of 1e-8 do not hold.
    Qty(i128), FineDigits::Keep
}

impl Qty {
    /// The largest quantity that is read from text or floats: 1e22 coins.
    pub const MAX: Self = Self(QTY_UNITS_MAX);

    /// One coin.
    pub const ONE: Self = Self(UNIT_SCALE as i128);

    /// From 1e-8 units, as stored. Sums of quantities up to [`Qty::MAX`] always fit.
    #[must_use]
    pub fn from_units(units: impl Into<i128>) -> Self {
        Self(units.into())
    }

    /// The sum of two quantities. Saturates at the ends of 128 bits, which sums of quantities up to [`Qty::MAX`] do not
    /// reach.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
decimal_newtype! {
    /// A dimensionless rate (funding, margin), in units of 1e-8, to the nearest of which texts are rounded.
    Rate(i64), FineDigits::Round
}
from_whole_units!(Rate);

#[cfg(test)]
mod tests;
