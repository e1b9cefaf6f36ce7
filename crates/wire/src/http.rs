//! Bodies of HTTP answers.

use std::collections::BTreeMap;

use liqheat_market::{Kline, Side, SourceState};
use schemars::JsonSchema;
use serde::Serialize;

use crate::codes::{SideJson, SourceStateJson};
use crate::{Decimal, FeedState, GridHeader, LevelMessage, format_time};

/// The body of every refused request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrorBody {
    /// What was wrong and what would be right.
    pub detail: String,
}

/// `GET /prices/klines`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KlinesBody {
    /// Of which symbol.
    pub symbol: String,
    /// The interval's name.
    pub interval: String,
    /// Number of rows.
    pub count: usize,
    /// Oldest first.
    pub data: Vec<CandleRow>,
}

/// One candle.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CandleRow {
    /// Opening time, RFC 3339.
    pub timestamp: String,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Coins; `null` when unknown.
    pub volume: Option<Decimal>,
}

impl From<&Kline> for CandleRow {
    fn from(kline: &Kline) -> Self {
        Self {
            timestamp: format_time(kline.open_time),
            open: kline.open.into(),
            high: kline.high.into(),
            low: kline.low.into(),
            close: kline.close.into(),
            volume: kline.volume.map(Into::into),
        }
    }
}

/// `GET /v1/series`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SeriesBody {
    /// Of which symbol.
    pub symbol: String,
    /// The interval's name.
    pub interval: String,
    /// Number of rows.
    pub count: usize,
    /// Fields that no row has, because nothing of them is stored for this time.
    pub missing: Vec<&'static str>,
    /// Oldest first.
    pub data: Vec<SeriesRow>,
}

/// What was traded, held and paid in one interval.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SeriesRow {
    /// Beginning of the interval, RFC 3339.
    pub timestamp: String,
    /// Coins traded, all venues; `null` when a part is unknown.
    pub volume: Option<Decimal>,
    /// Coins that takers bought, all venues; `null` when a part is unknown.
    pub taker_buy_volume: Option<Decimal>,
    /// Open interest at the end of the interval in coins, of the venues that counted it then; `null` when none did.
    pub open_interest: Option<Decimal>,
    /// Venues in it.
    pub open_interest_venues: usize,
    /// Funding rate charged in the interval at the venue whose price is shown: paid by longs to shorts when positive;
    /// 0.0001 is 0.01 %.
    pub funding_rate: Option<f64>,
}

/// `GET /liquidations/heatmap-timeseries`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TimeseriesBody {
    /// One row an interval, oldest first.
    pub data: Vec<TimeseriesRow>,
    /// About all rows.
    pub meta: TimeseriesMeta,
}

/// The levels at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TimeseriesRow {
    /// RFC 3339.
    pub timestamp: String,
    /// Ascending in price.
    pub levels: Vec<LevelMessage>,
    /// (side, leverage class, bin) additions since the row before.
    pub positions_created: u64,
    /// (side, leverage class, bin) liquidations since the row before.
    pub positions_consumed: u64,
}

/// About a time series as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TimeseriesMeta {
    /// Of which symbol.
    pub symbol: String,
    /// RFC 3339.
    pub start_time: String,
    /// RFC 3339.
    pub end_time: String,
    /// The interval's name.
    pub interval: String,
    /// Number of rows.
    pub total_snapshots: usize,
    /// Lowest and highest level in it.
    pub price_range: PriceRange,
    /// USD of longs in the last row.
    pub total_long_volume: u64,
    /// USD of shorts in the last row.
    pub total_short_volume: u64,
    /// (side, leverage class, bin) liquidations over all rows.
    pub total_consumed: u64,
}

/// Lowest and highest price; both 0 when there is no level.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PriceRange {
    /// Lowest.
    pub min: Decimal,
    /// Highest.
    pub max: Decimal,
}

/// `GET /data/date-range`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DateRangeBody {
    /// Of which symbol.
    pub symbol: String,
    /// Opening time of the first bar, RFC 3339.
    pub start_date: String,
    /// Time of the newest market event, RFC 3339.
    pub end_date: String,
}

/// One row of `GET /liquidations/history`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OlderLiquidationRow {
    /// RFC 3339.
    pub timestamp: String,
    /// Of which symbol.
    pub symbol: String,
    /// `long` when a long was liquidated.
    #[serde(with = "SideJson")]
    pub side: Side,
    /// Reported price.
    pub price: Decimal,
    /// Coins.
    pub quantity: Decimal,
    /// Always `null`: no venue publishes it.
    pub leverage: Option<f64>,
}

/// `GET /v1/tiers`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TiersBody {
    /// Of which symbol.
    pub symbol: String,
    /// One entry a venue.
    pub venues: Vec<VenueTiers>,
}

/// The maintenance margin tiers of one venue.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct VenueTiers {
    /// The venue.
    pub venue: &'static str,
    /// Date of the table, RFC 3339.
    pub as_of: String,
    /// Lowest notional first.
    pub tiers: Vec<TierRow>,
}

/// One maintenance margin tier.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TierRow {
    /// Notional from which it holds, USD.
    pub floor_usd: f64,
    /// Fraction of notional.
    pub maintenance_rate: f64,
    /// Cumulative amount, USD.
    pub cumulative_usd: f64,
    /// Largest leverage that the venue allows in it.
    pub leverage_max: f64,
}

/// `GET /v1/liquidation-price`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LiquidationPriceBody {
    /// Of which symbol.
    pub symbol: String,
    /// `long` or `short`.
    #[serde(with = "SideJson")]
    pub side: Side,
    /// Entry price.
    pub entry_price: f64,
    /// Leverage.
    pub leverage: f64,
    /// Notional at entry, USD; 0 when none was given, which is the first tier.
    pub notional_usd: f64,
    /// One row a venue.
    pub data: Vec<LiquidationPriceRow>,
}

/// The liquidation price under one venue's tiers.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LiquidationPriceRow {
    /// The venue.
    pub venue: &'static str,
    /// `null` where there is none; `reason` says why.
    pub liquidation_price: Option<f64>,
    /// The price at which the margin is gone.
    pub bankruptcy_price: f64,
    /// Maintenance margin rate of the tier that holds at the liquidation price.
    pub maintenance_rate: f64,
    /// Distance of the liquidation price from the entry, per cent, signed.
    pub distance_pct: Option<f64>,
    /// Why there is no liquidation price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `GET /liquidations/levels`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LevelsBody {
    /// Of which symbol.
    pub symbol: String,
    /// Name and version of the model.
    pub model: String,
    /// The price now.
    pub current_price: Decimal,
    /// Levels of longs, nearest first.
    pub long_liquidations: Vec<LevelRow>,
    /// Levels of shorts, nearest first.
    pub short_liquidations: Vec<LevelRow>,
}

/// The mass of one leverage class in one bin.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LevelRow {
    /// Lower edge of the bin.
    pub price_level: Decimal,
    /// Whole USD.
    pub volume: u64,
    /// Such as `25x`.
    pub leverage: String,
    /// Distance of the bin's middle from the price, per cent, signed.
    pub distance_pct: f64,
}

/// `GET /v1/symbols`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SymbolsBody {
    /// What is served.
    pub symbols: Vec<SymbolRow>,
    /// Whether the market is made up.
    pub simulated: bool,
    /// Seconds of the market in a second of the clock; 1 for a live market.
    pub speed: f64,
    /// Whether `/ws/heatmap` accepts connections; a client that reads `false` polls without trying it first.
    pub websocket: bool,
}

/// One symbol that is served.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SymbolRow {
    /// Its name.
    pub symbol: String,
    /// Where it trades; `all` where it is the sum of several venues.
    pub venue: String,
    /// The venues in it; `SYMBOL@venue` is each of them alone.
    pub venues: Vec<&'static str>,
    /// Length of its bars; the longest, where venues differ.
    pub interval: String,
    /// Opening time of the first bar, ms; `null` before there is one.
    pub first: Option<i64>,
    /// Time of the newest market event shown, ms; `null` before there is one.
    pub last: Option<i64>,
    /// Height of a bin; `null` before the first state.
    pub base_bin: Option<Decimal>,
    /// How its data stands.
    pub state: FeedState,
    /// Whether its market is made up.
    pub simulated: bool,
    /// Share of open interest that the model has seen open, 0 to 1.
    pub seen_share: f64,
    /// The model's leverage classes, lowest first.
    pub leverages: Vec<Decimal>,
    /// Fingerprints of the model's parameters, in the order of `venues`; empty of measured positions.
    pub parameters: Vec<String>,
    /// Whether it is a layer of measured positions (`GET /v1/measured`) and no estimate; absent when it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub measured: bool,
}

/// `GET /v1/liquidations`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LiquidationsBody {
    /// Of which symbol.
    pub symbol: String,
    /// Oldest first.
    pub data: Vec<LiquidationRow>,
    /// `cursor` of the request for the rows before these; `null` when there are none.
    pub next: Option<String>,
}

/// One realised liquidation.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LiquidationRow {
    /// RFC 3339.
    pub timestamp: String,
    /// Where it happened.
    pub venue: &'static str,
    /// `long` when a long was liquidated.
    #[serde(with = "SideJson")]
    pub side: Side,
    /// Reported price.
    pub price: Decimal,
    /// Coins.
    pub quantity: Decimal,
    /// Whole USD.
    pub usd: u64,
}

/// `GET /v1/heatmap/history` as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GridJson {
    /// The same header as the compact form.
    #[serde(flatten)]
    pub header: GridHeader,
    /// Whole USD of longs, one list a column, lowest price first.
    pub long: Vec<Vec<u64>>,
    /// Whole USD of shorts.
    pub short: Vec<Vec<u64>>,
}

/// `GET /ws/stats`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StatsBody {
    /// Sockets open now.
    pub active_connections: u64,
    /// Messages sent in the last minute.
    pub messages_sent_1m: u64,
    /// Clients that do not keep up now.
    pub slow_consumers: u64,
    /// Clients ever marked slow.
    pub slow_consumers_total: u64,
    /// Subscriptions by symbol.
    pub subscriptions_by_symbol: BTreeMap<String, u64>,
    /// Frames written since the start.
    pub messages_sent: u64,
    /// Bytes written since the start.
    pub bytes_sent: u64,
    /// States encoded since the start; fewer than delivered, because clients share them.
    pub frames_made: u64,
    /// States delivered since the start.
    pub frames_delivered: u64,
    /// States skipped because a client could not take them.
    pub updates_skipped: u64,
    /// Clients that found another hash than they were told.
    pub hash_mismatches: u64,
    /// Sockets open now by how states are written and whether they are compressed (`json`, `json+deflate`, `binary`, ..).
    pub connections_by_encoding: BTreeMap<String, u64>,
    /// Sockets refused before they were one, by reason.
    pub upgrades_rejected: BTreeMap<String, u64>,
    /// Sockets ended since the start, by close code; 1006 are those that broke.
    pub closed_by_code: BTreeMap<u16, u64>,
    /// Seconds since start.
    pub uptime_s: u64,
    /// Turns of the updater, one symbol each.
    pub updates: u64,
    /// Turns of the updater that failed.
    pub updates_failed: u64,
    /// Broken invariants of the ledger, by all symbols.
    pub invariants_broken: u64,
    /// Position of each board.
    pub boards: BTreeMap<String, BoardStats>,
    /// Live venues; absent where nothing is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveStats>,
}

/// What is followed live, and how it gets into the database.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LiveStats {
    /// One a venue.
    pub sources: Vec<SourceStats>,
    /// On the way into the database.
    pub writer: WriterStats,
    /// The newest stretches of data that could not be had, oldest first.
    pub gaps: Vec<String>,
}

/// A venue.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SourceStats {
    /// Which one.
    pub venue: &'static str,
    /// The worst of its streams that must not be silent.
    #[serde(with = "SourceStateJson")]
    pub state: SourceState,
    /// Data of the past is still being fetched.
    pub filling: bool,
    /// Symbols that it does not have, though they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlisted: Vec<String>,
    /// Connections that bring data now.
    pub connections: u32,
    /// Connections opened again after one was lost.
    pub reconnects: u64,
    /// Connections replaced because of their age.
    pub rollovers: u64,
    /// Frames received.
    pub frames: u64,
    /// Frames, rows of answers and events that were malformed or implausible.
    pub refused: u64,
    /// Events that came more than once.
    pub repeated: u64,
    /// Holes that were filled.
    pub holes_filled: u64,
    /// Stretches that could not be filled.
    pub gaps: u64,
    /// The venue's clock minus the local clock, ms.
    pub skew_ms: Option<i64>,
    /// What that means: `ok` within 2 s, `off` beyond, `wrong` beyond 30 s.
    pub clock: &'static str,
    /// Weight of requests used in the running minute.
    pub weight_used: u32,
    /// Weight allowed a minute.
    pub weight_limit: u32,
    /// The venue wants no request before this moment, RFC 3339.
    pub paused_until: Option<String>,
    /// The last thing that went wrong, in words.
    pub trouble: Option<String>,
    /// Every stream of every symbol.
    pub streams: Vec<StreamStats>,
}

/// One stream of one symbol.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StreamStats {
    /// Which symbol.
    pub symbol: String,
    /// Which stream.
    pub stream: &'static str,
    /// How it is.
    #[serde(with = "SourceStateJson")]
    pub state: SourceState,
    /// The newest moment it told of, RFC 3339.
    pub as_of: Option<String>,
    /// Events that came.
    pub events: u64,
}

/// On the way into the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WriterStats {
    /// Events that wait to be stored.
    pub waiting: u64,
    /// Events stored since the start.
    pub stored: u64,
    /// Attempts in a row that failed.
    pub failing: u64,
    /// Why the last one failed.
    pub trouble: Option<String>,
}

/// Where a board stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BoardStats {
    /// One unbroken run of `seq`.
    pub epoch: String,
    /// Last change.
    pub seq: u64,
    /// Hash of the state.
    pub hash: String,
    /// Time of the newest market event, RFC 3339.
    pub as_of: Option<String>,
    /// Levels with mass.
    pub levels: usize,
    /// How its data stands.
    pub state: FeedState,
}

/// `GET /health`, `/live`, `/ready`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HealthBody {
    /// `ok` or `degraded`.
    pub status: &'static str,
    /// What is not well, in words; empty when all is.
    pub reasons: Vec<String>,
    /// The program's version.
    pub version: &'static str,
}
