//! Bodies of TradingView's Universal Data Feed, after its documentation (charting library, "UDF").
//!
//! Times are seconds since 1970, and tables are objects of columns.

use liqheat_wire::Decimal;
use schemars::JsonSchema;
use serde::Serialize;

/// A refusal: `s` is `error`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UdfError")]
pub(in super::super::super) struct ErrorBody {
    pub(super) s: &'static str,
    pub(super) errmsg: String,
}

/// `/udf/config`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UdfConfig")]
pub(in super::super::super) struct Config {
    pub(super) supported_resolutions: Vec<&'static str>,
    pub(super) supports_group_request: bool,
    pub(super) supports_search: bool,
    pub(super) supports_marks: bool,
    pub(super) supports_timescale_marks: bool,
    pub(super) supports_time: bool,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) symbols_types: Vec<SymbolType>,
}

/// An exchange that a search may name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UdfExchange")]
pub(in super::super::super) struct Exchange {
    /// Empty for all.
    pub(super) value: &'static str,
    pub(super) name: &'static str,
    pub(super) desc: &'static str,
}

/// A kind of symbol that a search may name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UdfSymbolType")]
pub(in super::super::super) struct SymbolType {
    pub(super) name: &'static str,
    pub(super) value: &'static str,
}

/// `/udf/symbols`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UdfSymbol")]
pub(in super::super::super) struct SymbolInfo {
    pub(super) name: String,
    /// What other routes take as `symbol`.
    pub(super) ticker: String,
    pub(super) description: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) session: &'static str,
    pub(super) timezone: &'static str,
    pub(super) exchange: &'static str,
    #[serde(rename = "exchange-listed")]
    pub(super) exchange_listed: &'static str,
    #[serde(rename = "exchange-traded")]
    pub(super) exchange_traded: &'static str,
    pub(super) minmov: u32,
    /// Steps of a price in one unit of the quote currency, a power of ten.
    pub(super) pricescale: u64,
    pub(super) has_intraday: bool,
    pub(super) has_daily: bool,
    pub(super) has_weekly_and_monthly: bool,
    pub(super) intraday_multipliers: Vec<&'static str>,
    pub(super) supported_resolutions: Vec<&'static str>,
    pub(super) volume_precision: u32,
    pub(super) currency_code: String,
    pub(super) data_status: &'static str,
}

/// A row of `/udf/search`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UdfFound")]
pub(in super::super::super) struct SearchResult {
    pub(super) symbol: String,
    pub(super) full_name: String,
    pub(super) description: String,
    pub(super) exchange: &'static str,
    pub(super) ticker: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// `/udf/history`: columns of bars, oldest first.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "UdfHistory")]
pub(in super::super::super) struct BarColumns {
    /// `ok`, or `no_data`.
    pub(super) s: &'static str,
    pub(super) t: Vec<i64>,
    pub(super) o: Vec<Decimal>,
    pub(super) h: Vec<Decimal>,
    pub(super) l: Vec<Decimal>,
    pub(super) c: Vec<Decimal>,
    /// Coins; 0 where the volume is not known.
    pub(super) v: Vec<Decimal>,
    /// With `no_data`: the newest bar before the requested time.
    #[serde(rename = "nextTime", skip_serializing_if = "Option::is_none")]
    pub(super) next_time: Option<i64>,
}

/// `/udf/marks`: columns of marks on bars.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "UdfMarks")]
pub(in super::super::super) struct Marks {
    pub(super) id: Vec<String>,
    /// Of the bar.
    pub(super) time: Vec<i64>,
    pub(super) color: Vec<&'static str>,
    pub(super) text: Vec<String>,
    pub(super) label: Vec<&'static str>,
    #[serde(rename = "labelFontColor")]
    pub(super) label_font_color: Vec<&'static str>,
    /// Pixels.
    #[serde(rename = "minSize")]
    pub(super) min_size: Vec<u32>,
}

/// A mark of `/udf/timescale_marks`.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "UdfTimescaleMark")]
pub(in super::super::super) struct TimescaleMark {
    pub(super) id: String,
    pub(super) time: i64,
    pub(super) color: &'static str,
    pub(super) label: &'static str,
    pub(super) tooltip: Vec<String>,
}
