//! Numbers as venues write them: decimal texts, now and then bare JSON numbers. Both are read digit by digit.

use liqheat_market::{Qty, Rate, UnixMs};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::FrameError;

/// A decimal in a frame, not looked at yet: `"1.5"` or `1.5`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct Decimal<'a>(#[serde(borrow)] &'a RawValue);

impl<'a> Decimal<'a> {
    pub(super) fn text(self) -> &'a str {
        let raw = self.0.get();
        raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw)
    }

    /// An empty text, which some venues write for "none".
    pub(super) fn is_empty(self) -> bool {
        self.text().is_empty()
    }

    /// More than zero.
    pub(super) fn size(self, field: &'static str) -> Result<Qty, FrameError> {
        let qty = self.qty(field)?;
        if qty.is_positive() { Ok(qty) } else { Err(value(field, self.text(), "an amount above zero")) }
    }

    /// Zero or more.
    pub(super) fn amount(self, field: &'static str) -> Result<Qty, FrameError> {
        let qty = self.qty(field)?;
        if qty.units() >= 0 { Ok(qty) } else { Err(value(field, self.text(), "an amount of zero or more")) }
    }

    fn qty(self, field: &'static str) -> Result<Qty, FrameError> {
        Qty::parse(self.text()).map_err(|error| FrameError::Number { field, error })
    }

    /// Between -1 and 1.
    pub(super) fn rate(self, field: &'static str) -> Result<Rate, FrameError> {
        let rate = Rate::parse(self.text()).map_err(|error| FrameError::Number { field, error })?;
        let fits = rate.units().abs() <= liqheat_market::UNIT_SCALE;
        if fits { Ok(rate) } else { Err(value(field, self.text(), "a rate between -1 and 1")) }
    }

    /// Milliseconds since 1970, from a text or a number.
    pub(super) fn time(self, field: &'static str) -> Result<UnixMs, FrameError> {
        let ms =
            self.text().parse::<i64>().map_err(|_| value(field, self.text(), "a time in milliseconds"))?;
        time(field, ms)
    }
}

/// Milliseconds between 2001 and 2286: anything else is another unit or nonsense.
pub(super) fn time(field: &'static str, ms: i64) -> Result<UnixMs, FrameError> {
    if (1_000_000_000_000..10_000_000_000_000).contains(&ms) {
        return Ok(UnixMs(ms));
    }
    Err(value(field, &ms.to_string(), "a time in milliseconds"))
}

/// The error of a field that holds something else than it should.
pub(super) fn value(field: &'static str, found: &str, expected: &'static str) -> FrameError {
    FrameError::Value { field, found: found.chars().take(40).collect(), expected }
}

/// JSON of the form that is expected.
pub(super) fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, FrameError> {
    serde_json::from_slice(bytes).map_err(|error| FrameError::Form(error.to_string()))
}

/// A name as part of a query: everything but letters, digits and `-_.~` of ASCII is percent-encoded (RFC 3986).
pub(super) fn encoded(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn texts_and_numbers_are_the_same() {
        assert_eq!(read("\"61800.30\"").size("q"), read("61800.3").size("q"));
        assert!(read("\"\"").is_empty());
        assert_eq!(read("\"1700000000000\"").time("T"), Ok(UnixMs(1_700_000_000_000)));
    }

    #[test]
    fn names_are_encoded() {
        assert_eq!(encoded("BTC-USDT-SWAP"), "BTC-USDT-SWAP");
        assert_eq!(encoded("币A&b=USDT"), "%E5%B8%81A%26b%3DUSDT");
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (error, words) in [
            (read("\"-1\"").size("q").unwrap_err(), "field q: '-1' is not an amount above zero"),
            (read("\"0\"").size("q").unwrap_err(), "field q: '0' is not an amount above zero"),
            (read("null").size("q").unwrap_err(), "field q: 'null' is not a decimal number"),
            (read("\"2\"").rate("r").unwrap_err(), "field r: '2' is not a rate between -1 and 1"),
            (
                read("1700000000").time("T").unwrap_err(),
                "field T: '1700000000' is not a time in milliseconds",
            ),
        ] {
            assert_eq!(error.to_string(), words);
        }
    }
}
