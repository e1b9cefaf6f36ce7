//! The liquidation part of the Coinglass API v4, read only: `/api/futures/liquidation/..`.
//!
//! A pair's routes name an exchange and a pair or coin, a coin's routes a coin or pair; both are looked up among the
//! symbols that are served. Where the original contradicts itself the shapes say which meaning is used.

mod heatmap;
mod map;
mod pain;
mod realised;
pub(in super::super) mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use liqheat_feeds::venues::display_name;
use liqheat_wire::Channel;

use super::super::parts::SymbolDirectory;
use super::super::state::DataState;
use super::claims::Claims;
use super::names;
use crate::catalog::ServedSymbol;
use crate::http::{Query, Refusal, RefusalDetail};
pub(in super::super) use heatmap::RANGES as HEATMAP_RANGES;
pub(in super::super) use map::RANGES as MAP_RANGES;
pub(in super::super) use pain::RANGES as PAIN_RANGES;
pub(in super::super) use realised::{HISTORY_LIMIT, INTERVALS, WINDOWS};
use shapes::{Envelope, ErrorEnvelope, Pair};

/// What every path of this API begins with.
pub(in super::super) const PREFIX: &str = "/api/futures/";

pub(in super::super) fn routes() -> Router<DataState> {
    Router::new()
        .route("/api/futures/liquidation/heatmap/model1", get(heatmap::of_pair))
        .route("/api/futures/liquidation/heatmap/model2", get(heatmap::of_pair))
        .route("/api/futures/liquidation/heatmap/model3", get(heatmap::of_pair))
        .route("/api/futures/liquidation/aggregated-heatmap/model1", get(heatmap::of_coin))
        .route("/api/futures/liquidation/aggregated-heatmap/model2", get(heatmap::of_coin))
        .route("/api/futures/liquidation/aggregated-heatmap/model3", get(heatmap::of_coin))
        .route("/api/futures/liquidation/map", get(map::of_pair))
        .route("/api/futures/liquidation/aggregated-map", get(map::of_coin))
        .route("/api/futures/liquidation/max-pain", get(pain::max_pain))
        .route("/api/futures/liquidation/history", get(realised::history))
        .route("/api/futures/liquidation/aggregated-history", get(realised::aggregated_history))
        .route("/api/futures/liquidation/coin-list", get(realised::coin_list))
        .route("/api/futures/liquidation/exchange-list", get(realised::exchange_list))
        .route("/api/futures/liquidation/order", get(realised::orders))
        .route("/api/futures/supported-coins", get(coins))
        .route("/api/futures/supported-exchanges", get(exchanges))
        .route("/api/futures/supported-exchange-pairs", get(pairs))
}

/// The layer that gives every refusal the body of this API, whoever refused.
pub(in super::super) async fn in_envelope(response: Response) -> Response {
    let status = response.status();
    let Some(RefusalDetail(detail)) = response.extensions().get::<RefusalDetail>().cloned() else {
        return response;
    };
    let (mut head, _) = response.into_parts();
    head.headers.remove(axum::http::header::CONTENT_LENGTH);
    (head, error(status, &detail)).into_response()
}

/// A path of this API that is not served.
pub(in super::super) fn not_served(path: &str) -> Response {
    let path: String = path.chars().take(80).collect();
    let status = StatusCode::NOT_FOUND;
    let text = format!("'{path}' is not served here; /docs lists what is");
    (status, error(status, &text)).into_response()
}

fn error(status: StatusCode, text: &str) -> Json<ErrorEnvelope> {
    Json(ErrorEnvelope { code: status.as_u16().to_string(), msg: text.to_owned() })
}

/// The symbol that `exchange` and `symbol` name.
fn pair<'a>(
    symbols: &'a SymbolDirectory,
    claims: &Claims,
    query: &Query,
    channel: Channel,
) -> Result<&'a Arc<ServedSymbol>, Refusal> {
    let exchange = query.required("exchange")?;
    let market = names::market(&symbols.catalog, query.required("symbol")?)?;
    let symbol = names::at_exchange(&symbols.catalog, market, exchange)?;
    // Where only one venue has the symbol both names mean the same.
    let is_only = market.ledgers.len() == 1;
    let name = if is_only && claims.allows_symbol(&market.name) { &market.name } else { &symbol.name };
    claims.check(name, channel)?;
    Ok(symbol)
}

/// The market that `symbol` names: the sum of its venues.
fn coin<'a>(
    symbols: &'a SymbolDirectory,
    claims: &Claims,
    query: &Query,
    channel: Channel,
) -> Result<&'a Arc<ServedSymbol>, Refusal> {
    let market = names::market(&symbols.catalog, query.required("symbol")?)?;
    claims.check(&market.name, channel)?;
    Ok(market)
}

/// The symbol and the word of `range` that a request for a pair names; there are no other parameters.
fn pair_and_range<'a>(
    symbols: &'a SymbolDirectory,
    claims: &Claims,
    query: &Query,
    ranges: &[&'static str],
) -> Result<(&'a Arc<ServedSymbol>, &'static str), Refusal> {
    query.only(&["exchange", "symbol", "range"])?;
    let range = query.word("range", ranges)?;
    Ok((pair(symbols, claims, query, Channel::Heatmap)?, range))
}

/// As [`pair_and_range`], of a request for a coin.
fn coin_and_range<'a>(
    symbols: &'a SymbolDirectory,
    claims: &Claims,
    query: &Query,
    ranges: &[&'static str],
) -> Result<(&'a Arc<ServedSymbol>, &'static str), Refusal> {
    query.only(&["symbol", "range"])?;
    let range = query.word("range", ranges)?;
    Ok((coin(symbols, claims, query, Channel::Heatmap)?, range))
}

/// The markets that a token may read.
fn readable<'a>(symbols: &'a SymbolDirectory, claims: &Claims) -> Vec<&'a Arc<ServedSymbol>> {
    names::markets(&symbols.catalog).filter(|market| claims.allows_symbol(&market.name)).collect()
}

async fn coins(
    State(symbols): State<SymbolDirectory>,
    claims: Claims,
    query: Query,
) -> Result<Json<Envelope<Vec<String>>>, Refusal> {
    query.only(&[])?;
    let coin = |market: &Arc<ServedSymbol>| names::split(&market.name).0.to_owned();
    let mut coins: Vec<String> = readable(&symbols, &claims).into_iter().map(coin).collect();
    coins.sort_unstable();
    coins.dedup();
    Ok(Json(Envelope::new(coins)))
}

async fn exchanges(
    State(symbols): State<SymbolDirectory>,
    query: Query,
) -> Result<Json<Envelope<Vec<&'static str>>>, Refusal> {
    query.only(&[])?;
    let exchanges = names::venues(&symbols.catalog).into_iter().map(display_name);
    Ok(Json(Envelope::new(exchanges.collect())))
}

async fn pairs(
    State(symbols): State<SymbolDirectory>,
    claims: Claims,
    query: Query,
) -> Result<Json<Envelope<BTreeMap<&'static str, Vec<Pair>>>>, Refusal> {
    query.only(&["exchange"])?;
    let only = query.get("exchange").map(|exchange| names::venue(&symbols.catalog, exchange)).transpose()?;
    let mut pairs: BTreeMap<&'static str, Vec<Pair>> = BTreeMap::new();
    for market in readable(&symbols, &claims) {
        let (coin, quote) = names::split(&market.name);
        for venue in market.venues().into_iter().filter(|venue| only.is_none_or(|only| only == *venue)) {
            pairs.entry(display_name(venue)).or_default().push(Pair {
                instrument_id: market.name.clone(),
                base_asset: coin.to_owned(),
                quote_asset: quote.to_owned(),
            });
        }
    }
    Ok(Json(Envelope::new(pairs)))
}
