//! Column names and what the shape of a row says about its family.
//!
//! Headers came late: older files have none, some have one in the middle where files were glued together.
//! A header is only ever checked, never followed: columns in another order than the documented one are an
//! error, because a guess there would load volumes as prices.

use super::Family;
use super::fields::Fields;

/// What a header line or the shape of a row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Rows of this family.
    Family(Family),
    /// Klines, but not of which price.
    SomeKlines,
    /// Aggregate trades of the spot market.
    SpotTrades,
}

impl Shape {
    /// Whether rows of `family` may look like this.
    pub(super) fn fits(self, family: Family) -> bool {
        match self {
            Self::Family(shape) => shape == family,
            Self::SomeKlines => family.is_klines(),
            Self::SpotTrades => false,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Family(family) => family.name(),
            Self::SomeKlines => "klines",
            Self::SpotTrades => "spot aggTrades",
        }
    }
}

/// Each known header; alternatives for one column are separated by `|`.
const HEADERS: [(Shape, &[&str]); 8] = [
    (
        Shape::SomeKlines,
        &[
            "open_time",
            "open",
            "high",
            "low",
            "close",
            "volume",
            "close_time",
            "quote_volume|quote_asset_volume",
            "count|number_of_trades|num_trades|trades",
            "taker_buy_volume|taker_buy_base_volume|taker_buy_base_asset_volume",
            "taker_buy_quote_volume|taker_buy_quote_asset_volume",
            "ignore",
        ],
    ),
    (
        Shape::Family(Family::AggTrades),
        &[
            "agg_trade_id",
            "price",
            "quantity",
            "first_trade_id",
            "last_trade_id",
            "transact_time|timestamp",
            "is_buyer_maker",
        ],
    ),
    (
        Shape::SpotTrades,
        &[
            "agg_trade_id",
            "price",
            "quantity",
            "first_trade_id",
            "last_trade_id",
            "transact_time|timestamp",
            "is_buyer_maker",
            "is_best_match|was_best_match",
        ],
    ),
    (
        Shape::Family(Family::Metrics),
        &[
            "create_time",
            "symbol",
            "sum_open_interest",
            "sum_open_interest_value",
            "count_toptrader_long_short_ratio",
            "sum_toptrader_long_short_ratio",
            "count_long_short_ratio",
            "sum_taker_long_short_vol_ratio",
        ],
    ),
    (Shape::Family(Family::FundingRate), &["calc_time", "funding_interval_hours", "last_funding_rate"]),
    (Shape::Family(Family::FundingRate), &["funding_time", "funding_rate"]),
    (
        Shape::Family(Family::LiquidationSnapshot),
        &[
            "time",
            "side",
            "order_type",
            "time_in_force",
            "original_quantity",
            "price",
            "average_price",
            "order_status",
            "last_fill_quantity",
            "accumulated_fill_quantity",
        ],
    ),
    (
        Shape::Family(Family::LiquidationSnapshot),
        &[
            "time",
            "symbol",
            "side",
            "order_type",
            "time_in_force",
            "original_quantity",
            "price",
            "average_price",
            "order_status",
            "last_fill_quantity",
            "accumulated_fill_quantity",
        ],
    ),
];

/// How many columns rows of a family have, in words.
pub(super) const fn expected_count(family: Family) -> &'static str {
    match family {
        Family::AggTrades => "7",
        Family::Klines | Family::MarkPriceKlines => "12",
        Family::Metrics => "8",
        Family::FundingRate => "3 or 2",
        Family::LiquidationSnapshot => "10 or 11",
    }
}

/// Whether a line starts with a letter: rows start with a digit, whatever their family.
pub(super) fn is_text(line: &[u8]) -> bool {
    let first = line.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != b'"');
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
}

/// Whether every field is a word, as in a header nobody knows.
pub(super) fn is_header_like(fields: &Fields<'_>) -> bool {
    let word = |field: &[u8]| {
        field.first().is_some_and(u8::is_ascii_alphabetic)
            && field.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b' '))
    };
    fields.count() >= 2 && fields.iter().all(word)
}

/// What a header line says; `None` when it is no known header.
pub(super) fn shape_of_header(fields: &Fields<'_>) -> Option<Shape> {
    HEADERS.iter().find(|(_, columns)| matches_header(fields, columns)).map(|(shape, _)| *shape)
}

fn matches_header(fields: &Fields<'_>, columns: &[&str]) -> bool {
    let is_named = |(field, names): (&[u8], &&str)| {
        names.split('|').any(|name| field.eq_ignore_ascii_case(name.as_bytes()))
    };
    fields.count() == columns.len() && fields.iter().zip(columns).all(is_named)
}

/// What the columns of a row without a header say; `None` when they fit no family or several.
pub(super) fn shape_of_row(fields: &Fields<'_>) -> Option<Shape> {
    let is_bool = |field: &[u8]| field.eq_ignore_ascii_case(b"true") || field.eq_ignore_ascii_case(b"false");
    let is_side = |field: &[u8]| field.eq_ignore_ascii_case(b"buy") || field.eq_ignore_ascii_case(b"sell");
    let is_hours = |field: &[u8]| matches!(field.len(), 1 | 2) && field.iter().all(u8::is_ascii_digit);
    let is_date = |field: &[u8]| field.get(4) == Some(&b'-');
    match fields.count() {
        2 if is_date(fields.at(0)) => Some(Shape::Family(Family::FundingRate)),
        3 if is_hours(fields.at(1)) => Some(Shape::Family(Family::FundingRate)),
        7 if is_bool(fields.at(6)) => Some(Shape::Family(Family::AggTrades)),
        8 if is_bool(fields.at(6)) && is_bool(fields.at(7)) => Some(Shape::SpotTrades),
        8 if is_date(fields.at(0)) => Some(Shape::Family(Family::Metrics)),
        10 if is_side(fields.at(1)) => Some(Shape::Family(Family::LiquidationSnapshot)),
        11 if is_side(fields.at(2)) => Some(Shape::Family(Family::LiquidationSnapshot)),
        12 => Some(Shape::SomeKlines),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(line: &str) -> Option<Shape> {
        shape_of_header(&Fields::split(line.as_bytes()))
    }

    fn row(line: &str) -> Option<Shape> {
        shape_of_row(&Fields::split(line.as_bytes()))
    }

    #[test]
    fn every_header_is_known_and_recognised_as_text() {
        for (shape, columns) in HEADERS {
            let line =
                columns.iter().map(|names| names.split('|').next().unwrap()).collect::<Vec<_>>().join(",");
            assert_eq!(header(&line), Some(shape));
            assert_eq!(header(&line.to_uppercase()), Some(shape));
            assert!(is_text(line.as_bytes()) && is_header_like(&Fields::split(line.as_bytes())));
        }
    }

    #[test]
    fn columns_in_another_order_are_unknown() {
        let line = "open_time,open,low,high,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";
        assert_eq!(header(line), None);
        assert!(is_header_like(&Fields::split(line.as_bytes())));
    }

    #[test]
    fn rows_without_header_show_their_family() {
        let family = |family| Some(Shape::Family(family));
        assert_eq!(
            row("1752710400000,118590.70,118652.40,118582.30,118649.00,211.549,1752710699999,,,,,0"),
            Some(Shape::SomeKlines)
        );
        assert_eq!(row("5933014,61800.3,0.006,100,105,1723161256322,false"), family(Family::AggTrades));
        assert_eq!(row("5933014,61800.3,0.006,100,105,1723161256322,false,true"), Some(Shape::SpotTrades));
        assert_eq!(row("2025-07-17 00:00:00,BTCUSDT,89544.46,1,,,,"), family(Family::Metrics));
        assert_eq!(row("1735689600004,8,0.0001"), family(Family::FundingRate));
        assert_eq!(row("2024-12-31 00:00:00,0.0001"), family(Family::FundingRate));
        assert_eq!(
            row("1687656471926,BUY,LIMIT,IOC,7,30741.3,30631.6,FILLED,6,7"),
            family(Family::LiquidationSnapshot)
        );
        assert_eq!(
            row("1687656471926,X,BUY,LIMIT,IOC,7,30741.3,30631.6,FILLED,6,7"),
            family(Family::LiquidationSnapshot)
        );
        for unknown in ["", "1,2", "1,2,3,4", "1,2,3,4,5,6,7", "a,b,c"] {
            assert_eq!(row(unknown), None, "{unknown}");
        }
        assert!(!is_text(b"1752710400000,1") && !is_text(b"") && is_text(b"\"open_time\""));
    }
}
