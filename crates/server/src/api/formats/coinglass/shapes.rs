//! Bodies of the Coinglass API v4, after its public documentation (`coinglass-api/coinglass-api-docs`, folder
//! `rest/Futures/Liquidation`).
//!
//! Types are those of the original: prices and volumes of candles and the sums of a pair's history are strings, other
//! amounts are numbers; times of candles are seconds, all others milliseconds.

use liqheat_wire::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// What every answer is wrapped in.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super::super) struct Envelope<T> {
    /// `0`.
    code: &'static str,
    msg: &'static str,
    data: T,
}

impl<T> Envelope<T> {
    pub(super) const fn new(data: T) -> Self {
        Self { code: "0", msg: "success", data }
    }
}

/// A refusal: the status as text, and the reason.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassError")]
pub(in super::super::super) struct ErrorEnvelope {
    pub(super) code: String,
    pub(super) msg: String,
}

/// `heatmap` and `aggregated-heatmap`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassHeatmap")]
pub(in super::super::super) struct Heatmap {
    /// Prices of the rows, lower edges, ascending.
    pub(super) y_axis: Vec<Decimal>,
    /// Index of a candle, index of a price, USD of both sides. Cells without mass are absent.
    pub(super) liquidation_leverage_data: Vec<(usize, usize, f64)>,
    pub(super) price_candlesticks: Vec<Candle>,
}

/// Opening time in seconds; open, high, low, close; volume in USD.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassCandle")]
pub(in super::super::super) struct Candle(
    pub(super) i64,
    pub(super) String,
    pub(super) String,
    pub(super) String,
    pub(super) String,
    pub(super) String,
);

/// `map` and `aggregated-map`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassMap")]
pub(in super::super::super) struct Map {
    pub(super) data: MapLevels,
}

/// Rows by price, as an object whose keys are the prices as texts; ascending.
#[derive(Debug)]
pub(in super::super::super) struct MapLevels(pub(super) Vec<(String, Vec<MapRow>)>);

/// Price, USD, leverage (`null` where all are summed), and `null`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassMapRow")]
pub(in super::super::super) struct MapRow(
    pub(super) Decimal,
    pub(super) f64,
    pub(super) Option<Decimal>,
    pub(super) Option<Decimal>,
);

impl Serialize for MapLevels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (price, rows) in &self.0 {
            map.serialize_entry(price, rows)?;
        }
        map.end()
    }
}

impl JsonSchema for MapLevels {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CoinglassMapLevels".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        std::collections::BTreeMap::<String, Vec<MapRow>>::json_schema(generator)
    }
}

/// A row of `max-pain`. In the original's example the *long* level lies above the price and the *short* one below it,
/// and so they do here: a long level is the largest one of short positions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassMaxPain")]
pub(in super::super::super) struct MaxPain {
    /// The coin.
    pub(super) symbol: String,
    pub(super) price: Decimal,
    /// USD; 0 where there is no level above the price.
    pub(super) long_max_pain_liq_level: u64,
    pub(super) long_max_pain_liq_price: Option<Decimal>,
    /// USD; 0 where there is no level below the price.
    pub(super) short_max_pain_liq_level: u64,
    pub(super) short_max_pain_liq_price: Option<Decimal>,
}

/// A row of `history`.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassHistoryRow")]
pub(in super::super::super) struct HistoryRow {
    /// Beginning of the interval, ms.
    pub(super) time: i64,
    pub(super) long_liquidation_usd: String,
    pub(super) short_liquidation_usd: String,
}

/// A row of `aggregated-history`.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassAggregatedHistoryRow")]
pub(in super::super::super) struct AggregatedHistoryRow {
    /// Beginning of the interval, ms.
    pub(super) time: i64,
    pub(super) aggregated_long_liquidation_usd: f64,
    pub(super) aggregated_short_liquidation_usd: f64,
}

/// A row of `coin-list`: USD of the last hours at one exchange.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassCoinRow")]
pub(in super::super::super) struct CoinRow {
    /// The coin.
    pub(super) symbol: String,
    pub(super) liquidation_usd_24h: u64,
    pub(super) long_liquidation_usd_24h: u64,
    pub(super) short_liquidation_usd_24h: u64,
    pub(super) liquidation_usd_12h: u64,
    pub(super) long_liquidation_usd_12h: u64,
    pub(super) short_liquidation_usd_12h: u64,
    pub(super) liquidation_usd_4h: u64,
    pub(super) long_liquidation_usd_4h: u64,
    pub(super) short_liquidation_usd_4h: u64,
    pub(super) liquidation_usd_1h: u64,
    pub(super) long_liquidation_usd_1h: u64,
    pub(super) short_liquidation_usd_1h: u64,
}

/// A row of `exchange-list`. The sums of the sides bear two names each: that of the documentation, and that of the
/// original's answers, which published clients read.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassExchangeRow")]
pub(in super::super::super) struct ExchangeRow {
    /// `All` in the first row.
    pub(super) exchange: &'static str,
    pub(super) liquidation_usd: u64,
    pub(super) long_liquidation_usd: u64,
    pub(super) short_liquidation_usd: u64,
    #[serde(rename = "longLiquidation_usd")]
    pub(super) long_as_answered: u64,
    #[serde(rename = "shortLiquidation_usd")]
    pub(super) short_as_answered: u64,
}

/// A row of `order`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassOrder")]
pub(in super::super::super) struct Order {
    pub(super) exchange_name: &'static str,
    /// The pair.
    pub(super) symbol: String,
    /// The coin.
    pub(super) base_asset: String,
    pub(super) price: Decimal,
    pub(super) usd_value: f64,
    /// Of the order that closes the position: 1 buys (a short was liquidated), 2 sells (a long was).
    pub(super) side: u8,
    /// ms.
    pub(super) time: i64,
}

/// A pair of `supported-exchange-pairs`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CoinglassPair")]
pub(in super::super::super) struct Pair {
    /// The pair, as `symbol` of other routes takes it.
    pub(super) instrument_id: String,
    pub(super) base_asset: String,
    pub(super) quote_asset: String,
}
