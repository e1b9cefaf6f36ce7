//! Fields of a row: splitting a line, and numbers and times from bytes.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use liqheat_market::{DecimalError, Price, Qty, Rate, UnixMs};

use super::report::RefusedRows;

/// More fields than any family has; what lies beyond is only counted.
pub(super) const FIELDS_MAX: usize = 16;

/// The fields of one line.
pub(super) struct Fields<'a> {
    fields: [&'a [u8]; FIELDS_MAX],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Splits at commas. Archive files quote nothing but empty fields (`""`), so quotes are only taken off.
    pub(super) fn split(line: &'a [u8]) -> Self {
        let mut fields: [&[u8]; FIELDS_MAX] = [&[]; FIELDS_MAX];
        let (mut count, mut start) = (0, 0);
        let mut keep = |field: &'a [u8]| {
            if let Some(kept) = fields.get_mut(count) {
                *kept = bare(field);
            }
            count += 1;
        };
        for at in memchr::memchr_iter(b',', line) {
            keep(&line[start..at]);
            start = at + 1;
        }
        keep(&line[start..]);
        Self { fields, count }
    }

    /// How many there were.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// One of them; empty beyond the last.
    pub(super) fn at(&self, index: usize) -> &'a [u8] {
        self.fields.get(index).copied().unwrap_or_default()
    }

    /// All that were kept.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.fields.iter().copied().take(self.count)
    }
}

fn bare(field: &[u8]) -> &[u8] {
    // Nearly every field begins and ends with a digit.
    if let ([first, ..], [.., last]) = (field, field)
        && first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
    {
        return field;
    }
    let trimmed = field.trim_ascii();
    match trimmed {
        [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        _ => trimmed,
    }
}

/// Why a decimal field is refused, naming its column.
fn refusal(column: &'static str, error: &DecimalError) -> RefusedRows {
    match error {
        DecimalError::Empty => RefusedRows::Empty(column),
        DecimalError::Malformed(_) => RefusedRows::NotANumber(column),
        DecimalError::TooLarge(_) | DecimalError::AmountTooLarge(_) => RefusedRows::Absurd(column),
        DecimalError::TooFine(_) => RefusedRows::TooFine(column),
    }
}

/// A price that something was or could be traded at: greater than zero, and below what any coin ever cost.
pub(super) fn price(field: &[u8], column: &'static str) -> Result<Price, RefusedRows> {
    /// A hundred million USD a coin: a thousand times the dearest.
    const PRICE_MAX: Price = Price::from_units(100_000_000 * liqheat_market::UNIT_SCALE);
    let price = Price::parse_bytes(field).map_err(|error| refusal(column, &error))?;
    match price.units() {
        0 => Err(RefusedRows::Zero(column)),
        ..0 => Err(RefusedRows::Negative(column)),
        _ if price > PRICE_MAX => Err(RefusedRows::Absurd(column)),
        _ => Ok(price),
    }
}

/// A quantity; zero is one.
pub(super) fn qty(field: &[u8], column: &'static str) -> Result<Qty, RefusedRows> {
    let qty = Qty::parse_bytes(field).map_err(|error| refusal(column, &error))?;
    if qty.units() < 0 { Err(RefusedRows::Negative(column)) } else { Ok(qty) }
}

/// A quantity, or unknown when the field is empty.
pub(super) fn qty_or_unknown(field: &[u8], column: &'static str) -> Result<Option<Qty>, RefusedRows> {
    if field.is_empty() { Ok(None) } else { qty(field, column).map(Some) }
}

/// A rate.
pub(super) fn rate(field: &[u8], column: &'static str) -> Result<Rate, RefusedRows> {
    Rate::parse_bytes(field).map_err(|error| refusal(column, &error))
}

/// A whole number that is not negative.
pub(super) fn count(field: &[u8], column: &'static str) -> Result<i64, RefusedRows> {
    if field.is_empty() {
        return Err(RefusedRows::Empty(column));
    }
    let mut value: i64 = 0;
    for &byte in field {
        if !byte.is_ascii_digit() {
            let negative = field.first() == Some(&b'-');
            return Err(if negative {
                RefusedRows::Negative(column)
            } else {
                RefusedRows::NotANumber(column)
            });
        }
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(i64::from(byte - b'0')))
            .ok_or(RefusedRows::Absurd(column))?;
    }
    Ok(value)
}

/// A moment: a stamp in milliseconds or microseconds, or `YYYY-MM-DD HH:MM:SS` in UTC.
pub(super) fn time(field: &[u8], column: &'static str) -> Result<UnixMs, RefusedRows> {
    /// Above this a stamp is in microseconds. As milliseconds it would be the year 5138, as microseconds
    /// it is 1973: no row of an exchange lies near either.
    const MILLISECONDS_MAX: i64 = 100_000_000_000_000;
    let time = if field.get(4) == Some(&b'-') {
        text_time(field).ok_or(RefusedRows::NotATime(column))?
    } else {
        let stamp = count(field, column)?;
        UnixMs(if stamp > MILLISECONDS_MAX { stamp / 1000 } else { stamp })
    };
    if (TIME_FIRST..TIME_END).contains(&time.0) { Ok(time) } else { Err(RefusedRows::Absurd(column)) }
}

/// 2017-01-01: the exchange is younger.
const TIME_FIRST: i64 = 1_483_228_800_000;
/// 2100-01-01.
const TIME_END: i64 = 4_102_444_800_000;

fn text_time(text: &[u8]) -> Option<UnixMs> {
    let text = text.strip_suffix(b"Z").unwrap_or(text);
    // Fractions of a second occur in edited files and are dropped.
    let whole = match text.get(19..) {
        Some([]) => text,
        Some([b'.', digits @ ..]) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            &text[..19]
        }
        _ => return None,
    };
    let separators = [whole[4], whole[7], whole[10], whole[13], whole[16]];
    if !matches!(separators, [b'-', b'-', b' ' | b'T', b':', b':']) {
        return None;
    }
    let day = date(digits(&whole[..4])?, digits(&whole[5..7])?, digits(&whole[8..10])?)?;
    let (hour, minute, second) = (digits(&whole[11..13])?, digits(&whole[14..16])?, digits(&whole[17..19])?);
    let time = Time::new(narrow(hour)?, narrow(minute)?, narrow(second)?, 0).ok()?;
    unix_time(day.to_datetime(time))
}

/// A number of ASCII digits and nothing else.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter()
        .try_fold(0_i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

fn narrow(number: i64) -> Option<i8> {
    i8::try_from(number).ok()
}

fn date(year: i64, month: i64, day: i64) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, narrow(month)?, narrow(day)?).ok()
}

fn unix_time(civil: DateTime) -> Option<UnixMs> {
    TimeZone::UTC.to_timestamp(civil).ok().map(|timestamp| UnixMs(timestamp.as_millisecond()))
}

/// Midnight UTC at which a date of the Gregorian calendar starts; `None` when there is no such date, or before 1970.
pub(crate) fn start_of_date(year: i64, month: i64, day: i64) -> Option<UnixMs> {
    let start = unix_time(date(year, month, day)?.to_datetime(Time::midnight()))?;
    (start >= UnixMs(0)).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_split() {
        let fields = Fields::split(b"1, 2 ,\"\",,\"x\"");
        assert_eq!(fields.count(), 5);
        assert_eq!(fields.iter().collect::<Vec<_>>(), [&b"1"[..], b"2", b"", b"", b"x"]);
        assert_eq!(Fields::split(b"").count(), 1);
        assert_eq!(Fields::split(&[b','; 40]).count(), 41);
        assert_eq!(Fields::split(b"\"").at(0), b"\"");
    }

    #[test]
    fn units_of_a_timestamp_are_recognized_by_its_size() {
        assert_eq!(time(b"1756080000000", "t"), Ok(UnixMs(1_756_080_000_000)));
        assert_eq!(time(b"1756080000000123", "t"), Ok(UnixMs(1_756_080_000_000)));
        for absurd in ["0", "1756080000", "1756080000000000000", "99999999999999999999"] {
            assert_eq!(time(absurd.as_bytes(), "t"), Err(RefusedRows::Absurd("t")), "{absurd}");
        }
        assert_eq!(time(b"", "t"), Err(RefusedRows::Empty("t")));
        assert_eq!(time(b"-1756080000000", "t"), Err(RefusedRows::Negative("t")));
    }

    #[test]
    fn times_are_read_from_text() {
        assert_eq!(time(b"2025-08-25 00:00:00", "t"), Ok(UnixMs(1_756_080_000_000)));
        assert_eq!(time(b"2024-02-29T23:59:59.250Z", "t"), Ok(UnixMs(1_709_251_199_000)));
        for bad in [
            "2025-02-29 00:00:00",
            "2025-8-25 00:00:00",
            "2025-08-25",
            "2025-08-25 24:00:00",
            "2025-08-25 0a:00:00",
            "2025-08-25 23:59:60",
            "2025-08-25 00:00+02",
            "2025-08-25 00:00:00+02:00",
        ] {
            assert_eq!(time(bad.as_bytes(), "t"), Err(RefusedRows::NotATime("t")), "{bad}");
        }
    }

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(start_of_date(1970, 1, 1), Some(UnixMs(0)));
        for none in
            [(1969, 12, 31), (2025, 2, 29), (2025, 13, 1), (2025, 0, 1), (10_000, 1, 1), (2025, 1, 257)]
        {
            assert_eq!(start_of_date(none.0, none.1, none.2), None, "{none:?}");
        }
        let mut expected = 0;
        for year in 1970..2110 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(start) = start_of_date(year, month, day) {
                        assert_eq!(start.0, expected, "{year}-{month}-{day}");
                        expected += 86_400_000;
                    }
                }
            }
        }
        // 140 years with 34 leap days (2100 has none).
        assert_eq!(expected / 86_400_000, 140 * 365 + 34);
    }

    #[test]
    fn numbers_may_carry_an_exponent() {
        // Tools that went through floats print small numbers so.
        assert_eq!(price(b"8.12e-06", "p"), Ok(Price::from_units(812)));
        assert_eq!(qty(b"1.5E+3", "q"), Ok(Qty::from_units(150_000_000_000_i64)));
        assert_eq!(price(b"0.0000000162345", "p"), Err(RefusedRows::TooFine("p")));
        assert_eq!(price(b"4e-9", "p"), Err(RefusedRows::TooFine("p")));
        for (text, units) in [
            ("0.0001", 10_000),
            ("8.514e-05", 8_514),
            ("-2.697E-05", -2_697),
            ("1e-4", 10_000),
            ("1.5e+1", 1_500_000_000),
            ("0e0", 0),
            ("3e-30", 0),
        ] {
            assert_eq!(rate(text.as_bytes(), "r"), Ok(Rate::from_units(units)), "{text}");
        }
        for bad in ["e", "e-5", "1e", "1e5.5", "1.2.3e4", "abc"] {
            assert_eq!(rate(bad.as_bytes(), "r"), Err(RefusedRows::NotANumber("r")), "{bad}");
        }
        assert_eq!(rate(b"1e999", "r"), Err(RefusedRows::Absurd("r")));
    }

    #[test]
    fn prices_must_make_sense() {
        assert_eq!(price(b"0.000", "p"), Err(RefusedRows::Zero("p")));
        assert_eq!(price(b"-1", "p"), Err(RefusedRows::Negative("p")));
        assert_eq!(price(b"100000001", "p"), Err(RefusedRows::Absurd("p")));
        assert_eq!(price(b"", "p"), Err(RefusedRows::Empty("p")));
        assert_eq!(qty(b"-0.1", "q"), Err(RefusedRows::Negative("q")));
        assert_eq!(qty_or_unknown(b"", "q"), Ok(None));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let fields = Fields::split(&bytes);
            for field in fields.iter() {
                let _ = (price(field, ""), qty(field, ""), rate(field, ""), time(field, ""), count(field, ""));
            }
            let _ = (time(&bytes, ""), rate(&bytes, ""));
        }
    }
}
