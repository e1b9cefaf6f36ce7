//! Numbers as people expect to see them in JSON: 98000, not 98000.0, and 0.1, not 0.1000000001.

use std::borrow::Cow;

use liqheat_market::{Price, UNIT_SCALE};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// A decimal in fixed units that is written as the shortest exact JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i128);

impl Decimal {
    /// From 1e-8 units.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units as i128)
    }
}

impl From<Price> for Decimal {
    fn from(price: Price) -> Self {
        Self(price.units().into())
    }
}

impl From<liqheat_market::Qty> for Decimal {
    fn from(qty: liqheat_market::Qty) -> Self {
        Self(qty.units())
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scale = i128::from(UNIT_SCALE);
        match i64::try_from(self.0 / scale) {
            Ok(whole) if self.0 % scale == 0 => serializer.serialize_i64(whole),
            // The float nearest to the decimal text: dividing floats would round twice, and print digits that were
            // never there.
            _ => {
                let sign = if self.0 < 0 { "-" } else { "" };
                let (whole, fraction) = (
                    self.0.unsigned_abs() / scale.unsigned_abs(),
                    self.0.unsigned_abs() % scale.unsigned_abs(),
                );
                let text = format!("{sign}{whole}.{fraction:08}");
                serializer.serialize_f64(text.parse().map_err(serde::ser::Error::custom)?)
            }
        }
    }
}

impl JsonSchema for Decimal {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_beyond_64_bits_are_written() {
        for text in ["93000000000", "123456789012.5"] {
            let qty = liqheat_market::Qty::parse(text).unwrap();
            assert_eq!(serde_json::to_string(&Decimal::from(qty)).unwrap(), text);
        }
        assert_eq!(serde_json::to_string(&Decimal::from(liqheat_market::Qty::MAX)).unwrap(), "1e+22");
    }

    #[test]
    fn whole_numbers_have_no_point() {
        for (units, text) in [
            (9_800_000_000_000, "98000"),
            (10_000_000, "0.1"),
            (11_344_620_000_000, "113446.2"),
            (1, "1e-8"),
            (-150_000_000, "-1.5"),
        ] {
            assert_eq!(serde_json::to_string(&Decimal::from_units(units)).unwrap(), text);
        }
    }
}
