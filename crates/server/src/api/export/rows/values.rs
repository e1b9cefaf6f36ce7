//! Values of a row. Numbers are those of the routes that answer the same: prices and quantities the nearest floating point
//! number, USD whole dollars.

use liqheat_market::Price;
use liqheat_store::ExportValue;
use liqheat_wire::Decimal;

/// The number nearest to a decimal text: dividing units would round twice.
pub(super) fn decimal(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

pub(super) fn price(price: Price) -> ExportValue {
    ExportValue::Number(decimal(&price.to_string()))
}

pub(super) fn number(number: Decimal) -> ExportValue {
    let number = serde_json::to_value(number).ok().and_then(|value| value.as_f64());
    number.map_or(ExportValue::Unknown, ExportValue::Number)
}

pub(super) fn whole(usd: u64) -> ExportValue {
    ExportValue::Whole(i64::try_from(usd).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_nearest_to_their_text() {
        assert_eq!(price(Price::parse("0.1").unwrap()), ExportValue::Number(0.1));
        assert_eq!(
            number(Price::parse("98450.12345678").unwrap().into()),
            ExportValue::Number(98450.12345678)
        );
    }
}
