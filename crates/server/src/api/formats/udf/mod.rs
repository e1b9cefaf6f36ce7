//! TradingView's Universal Data Feed, read only: `/udf/..`. Charts of the charting library, and of programs that embed it
//! such as OpenBB Workspace, show candles from it, with marks for sweeps and large liquidations.

mod history;
mod marks;
pub(in super::super) mod shapes;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use liqheat_feeds::venues::display_name;
use liqheat_market::convert::trunc_i64;
use liqheat_market::{Interval, Price, UnixMs};
use liqheat_wire::Channel;

use super::super::parts::{PresentState, SymbolDirectory};
use super::super::state::DataState;
use super::claims::Claims;
use super::names;
use crate::catalog::ServedSymbol;
use crate::clock::MarketClock;
use crate::http::{Query, Refusal, RefusalDetail};
use shapes::{Config, ErrorBody, Exchange, SearchResult, SymbolInfo, SymbolType};

/// Resolutions by the names of intervals: minutes, and days.
pub(in super::super) const RESOLUTIONS: [(&str, &str); 12] = [
    ("1", "1m"),
    ("3", "3m"),
    ("5", "5m"),
    ("15", "15m"),
    ("30", "30m"),
    ("60", "1h"),
    ("120", "2h"),
    ("240", "4h"),
    ("360", "6h"),
    ("480", "8h"),
    ("720", "12h"),
    ("1D", "1d"),
];
const KIND: &str = "crypto";
/// The name of sums over venues where an exchange is expected.
const ALL: &str = "All";
const SEARCH_MAX: usize = 100;
const SEARCH_DEFAULT: std::num::NonZeroUsize = std::num::NonZeroUsize::new(30).unwrap();

pub(in super::super) fn routes() -> Router<DataState> {
    Router::new()
        .route("/udf/config", get(config))
        .route("/udf/symbols", get(symbols))
        .route("/udf/search", get(search))
        .route("/udf/history", get(history::history))
        .route("/udf/marks", get(marks::marks))
        .route("/udf/timescale_marks", get(marks::timescale_marks))
        .route("/udf/time", get(time))
}

/// The layer that gives every refusal the body of this format, whoever refused. Charts read the body, not the status.
pub(in super::super) async fn as_error(response: Response) -> Response {
    let Some(RefusalDetail(detail)) = response.extensions().get::<RefusalDetail>().cloned() else {
        return response;
    };
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    (head, Json(ErrorBody { s: "error", errmsg: detail.to_string() })).into_response()
}

/// A symbol by the names of `/v1/symbols`, with or without `EXCHANGE:` before it.
fn symbol<'a>(
    symbols: &'a SymbolDirectory,
    claims: &Claims,
    query: &Query,
    channel: Channel,
) -> Result<&'a Arc<ServedSymbol>, Refusal> {
    let text = query.required("symbol")?;
    let name = text.split_once(':').map_or(text, |(_, name)| name);
    let symbol = symbols.named(name)?;
    claims.check(&symbol.name, channel)?;
    Ok(symbol)
}

/// Charts repeat the currency that a symbol was described with; nothing is converted into another one, nor into a unit.
fn own_currency(query: &Query, symbol: &ServedSymbol) -> Result<(), Refusal> {
    query.refuse(&["unitId"])?;
    let own = currency_of(symbol);
    match query.get("currencyCode") {
        Some(code) if code != own => {
            let code: String = code.chars().take(40).collect();
            let name = &symbol.name;
            Err(Refusal::bad(format!(
                "parameter 'currencyCode': {name} is priced in {own}, and not converted into '{code}'"
            )))
        }
        _ => Ok(()),
    }
}

fn interval(query: &Query, symbol: &ServedSymbol) -> Result<Interval, Refusal> {
    let text = query.required("resolution")?;
    // Charts write a day both ways.
    let name = RESOLUTIONS
        .iter()
        .find(|(resolution, _)| *resolution == text || (text == "D" && *resolution == "1D"));
    let interval = name.and_then(|(_, name)| Interval::from_name(name));
    let known = || resolutions_from(symbol.interval()).join(", ");
    interval.filter(|interval| *interval >= symbol.interval()).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        Refusal::malformed(format!(
            "parameter 'resolution': '{text}' must be one of {} for {}",
            known(),
            symbol.name
        ))
    })
}

/// The resolutions that are not finer than an interval.
fn resolutions_from(interval: Interval) -> Vec<&'static str> {
    let is_whole = |name: &str| Interval::from_name(name).is_some_and(|one| one >= interval);
    RESOLUTIONS.iter().filter(|(_, name)| is_whole(name)).map(|(resolution, _)| *resolution).collect()
}

/// A time in seconds.
fn seconds(query: &Query, name: &str) -> Result<UnixMs, Refusal> {
    /// The year 3000.
    const MAX: i64 = 32_503_680_000;
    let text = query.required(name)?;
    let parsed = text.parse().ok().filter(|seconds: &i64| (-MAX..=MAX).contains(seconds));
    parsed.map(|seconds| UnixMs(seconds * 1_000)).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        Refusal::malformed(format!("parameter '{name}': '{text}' must be seconds since 1970"))
    })
}

async fn config(State(served): State<SymbolDirectory>, query: Query) -> Result<Json<Config>, Refusal> {
    query.only(&[])?;
    let all = Exchange { value: "", name: "All exchanges", desc: "" };
    let named = |name| Exchange { value: name, name, desc: name };
    let exchanges = names::venues(&served.catalog).into_iter().map(|venue| named(display_name(venue)));
    Ok(Json(Config {
        supported_resolutions: RESOLUTIONS.map(|(resolution, _)| resolution).to_vec(),
        supports_group_request: false,
        supports_search: true,
        supports_marks: true,
        supports_timescale_marks: true,
        supports_time: true,
        exchanges: std::iter::once(all).chain(exchanges).collect(),
        symbols_types: vec![
            SymbolType { name: "All types", value: "" },
            SymbolType { name: "Perpetual futures", value: KIND },
        ],
    }))
}

async fn symbols(
    State(present): State<PresentState>,
    claims: Claims,
    query: Query,
) -> Result<Json<SymbolInfo>, Refusal> {
    query.only(&["symbol", "currencyCode", "unitId"])?;
    let symbol = symbol(&present.symbols, &claims, &query, Channel::Price)?;
    own_currency(&query, symbol)?;
    let price = present.published.head(&symbol.name).map(|head| head.price);
    Ok(Json(info(symbol, price)))
}

fn info(symbol: &ServedSymbol, price: Option<Price>) -> SymbolInfo {
    let exchange = exchange_of(symbol);
    let resolutions = resolutions_from(symbol.interval());
    let intraday = resolutions.iter().copied().filter(|resolution| *resolution != "1D").collect();
    SymbolInfo {
        name: symbol.name.clone(),
        ticker: symbol.name.clone(),
        description: description(symbol),
        kind: KIND,
        session: "24x7",
        timezone: "Etc/UTC",
        exchange,
        exchange_listed: exchange,
        exchange_traded: exchange,
        minmov: 1,
        pricescale: price_scale(price),
        has_intraday: true,
        has_daily: true,
        has_weekly_and_monthly: false,
        intraday_multipliers: intraday,
        supported_resolutions: resolutions,
        volume_precision: 3,
        currency_code: currency_of(symbol).to_owned(),
        data_status: "streaming",
    }
}

/// Steps of a price that has six significant digits, at least cents and at most the eight decimals that are stored.
fn price_scale(price: Option<Price>) -> u64 {
    let Some(price) = price.filter(|price| price.is_positive()) else { return 100 };
    let before_point = trunc_i64(price.to_f64().log10().floor()) + 1;
    10u64.pow(u32::try_from(6 - before_point).unwrap_or(0).clamp(2, 8))
}

/// The name without its venue.
fn market_of(symbol: &ServedSymbol) -> &str {
    symbol.name.split('@').next().unwrap_or(&symbol.name)
}

fn currency_of(symbol: &ServedSymbol) -> &str {
    names::split(market_of(symbol)).1
}

fn exchange_of(symbol: &ServedSymbol) -> &'static str {
    match symbol.venues().as_slice() {
        [venue] => display_name(*venue),
        _ => ALL,
    }
}

fn description(symbol: &ServedSymbol) -> String {
    let (coin, quote) = names::split(market_of(symbol));
    let pair = if quote.is_empty() { coin.to_owned() } else { format!("{coin} / {quote}") };
    let venues: Vec<&str> = symbol.venues().into_iter().map(display_name).collect();
    format!("{pair} perpetual, {}", venues.join(" + "))
}

async fn search(
    State(served): State<SymbolDirectory>,
    claims: Claims,
    query: Query,
) -> Result<Json<Vec<SearchResult>>, Refusal> {
    query.only(&["query", "type", "exchange", "limit"])?;
    let limit = query.count_or("limit", SEARCH_DEFAULT, SEARCH_MAX)?.get();
    let text = query.get("query").unwrap_or("").to_uppercase();
    let exchange = query.get("exchange").unwrap_or("");
    let is_kind = query.get("type").is_none_or(|kind| kind == KIND);
    let found = served.catalog.listed().filter(|symbol| {
        is_kind
            && claims.allows_symbol(&symbol.name)
            && symbol.name.to_uppercase().contains(&text)
            && (exchange.is_empty() || exchange_of(symbol).eq_ignore_ascii_case(exchange))
    });
    let found = found.map(|symbol| SearchResult {
        symbol: symbol.name.clone(),
        full_name: format!("{}:{}", exchange_of(symbol), symbol.name),
        description: description(symbol),
        exchange: exchange_of(symbol),
        ticker: symbol.name.clone(),
        kind: KIND,
    });
    Ok(Json(found.take(limit).collect()))
}

/// Market time: in a replay it is the time that is replayed.
async fn time(State(clock): State<Arc<MarketClock>>) -> String {
    (clock.now().0 / 1_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_six_digits_between_cents_and_what_is_stored() {
        for (price, scale) in
            [("98450", 100), ("1", 100_000), ("12.5", 10_000), ("0.5", 1_000_000), ("0.000015", 100_000_000)]
        {
            assert_eq!(price_scale(Price::parse(price).ok()), scale, "{price}");
        }
        assert_eq!((price_scale(None), price_scale(Some(Price::default()))), (100, 100));
    }

    #[test]
    fn every_resolution_is_an_interval_and_every_interval_has_one() {
        let names: Vec<&str> = RESOLUTIONS.iter().map(|(_, name)| *name).collect();
        assert_eq!(names, Interval::names().collect::<Vec<_>>());
        assert_eq!(resolutions_from(Interval::from_name("8h").unwrap()), ["480", "720", "1D"]);
    }
}
