//! `GET /v1/heatmap`: the newest state, or the difference from the state the client has, for clients that
//! cannot keep a socket. The messages are the socket's own.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use liqheat_market::Price;
use liqheat_stream::Encoding;
use liqheat_wire::{Position, STATE_CONTENT_TYPE};

use super::parts::{self, PresentState, SymbolDirectory};
use super::selection::no_volatility;
use crate::expected::ExpectedBoards;
use crate::http::{Query, Refusal, unknown_symbol};

pub(super) async fn heatmap(
    State(present): State<PresentState>,
    State(expected): State<Arc<ExpectedBoards>>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let name = query.required("symbol")?;
    let SymbolDirectory { catalog, hub, .. } = &present.symbols;
    let slot = hub.slot(name).ok_or_else(|| unknown_symbol(hub, name))?;
    let since = query.get("since").map(position).transpose()?;
    let range = price_range(&query)?;
    let bin = query.price("bin")?;
    let within = query.expected_within()?;
    let symbol = catalog.symbol(name);
    if let Some(symbol) = symbol {
        present.refresh(symbol).await?;
    }
    // Levels of the expected view have the height of the others.
    let view = slot.view(range, bin).map_err(|error| Refusal::bad(error.to_string()))?;
    let no_state = || match symbol {
        Some(symbol) => parts::no_state(symbol),
        None => Refusal::unavailable(format!("no state of {name} yet")),
    };
    let slot = match (within, symbol) {
        (None, _) => slot,
        (Some(within), Some(symbol)) => {
            expected.compute(symbol, &slot, within).await?;
            let board = slot.expected(within).filter(|board| board.with_board(|_| ()).is_some());
            board.cloned().ok_or_else(|| no_volatility(symbol))?
        }
        (Some(_), None) => {
            return Err(Refusal::bad(format!(
                "{name} has no expected view on this server; leave out 'view'"
            )));
        }
    };
    let (encoding, kind) = form(&headers);
    let message = slot.message_since(since.as_ref(), &view, encoding).ok_or_else(no_state)?;
    let tag = format!("\"{}\"", message.hash);
    // The tag is the hash of the levels, so it does not tell of a price that changed alone; a client that
    // names its position is answered by that.
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same_levels = known.is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag));
    let unchanged = if since.is_some() { message.up_to_date } else { same_levels };
    let etag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
    let headers = [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::VARY, HeaderValue::from_static("accept")),
    ];
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, message.body).into_response())
}

/// How the answer is to be written: JSON, unless the binary form is asked for by name.
fn form(headers: &HeaderMap) -> (Encoding, &'static str) {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.contains(STATE_CONTENT_TYPE) {
        (Encoding::Binary, STATE_CONTENT_TYPE)
    } else {
        (Encoding::Json, "application/json")
    }
}

/// The span of prices that is asked for; an end that is not named is open.
fn price_range(query: &Query) -> Result<Option<(Price, Price)>, Refusal> {
    let (low, high) = (query.price("price_low")?, query.price("price_high")?);
    if low.is_none() && high.is_none() {
        return Ok(None);
    }
    let range = (low.unwrap_or(Price::from_units(0)), high.unwrap_or(Price::from_units(i64::MAX)));
    if range.0 > range.1 {
        return Err(Refusal::malformed("parameter 'price_low' must not be above 'price_high'"));
    }
    Ok(Some(range))
}

/// `epoch:seq`, as the last message named them.
fn position(text: &str) -> Result<Position, Refusal> {
    let parsed = text.rsplit_once(':').and_then(|(epoch, seq)| {
        let seq = seq.parse().ok()?;
        (!epoch.is_empty()).then(|| Position { epoch: epoch.to_owned(), seq })
    });
    parsed.ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        Refusal::malformed(format!(
            "parameter 'since': '{text}' must look like epoch:seq, from the last message"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_and_nonsense_refused() {
        let expected = Position { epoch: "1a2-1".into(), seq: 7 };
        assert_eq!(position("1a2-1:7").ok(), Some(expected));
        for text in ["", "7", ":7", "e:", "e:-1", "e:x", "e:99999999999999999999"] {
            assert!(position(text).is_err(), "{text}");
        }
    }
}
