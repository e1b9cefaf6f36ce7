//! `GET /v1/heatmap`: the newest state, or the difference from the state the client has, for clients that
//! cannot keep a socket. The messages are the socket's own.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use liqheat_stream::{Encoding, View};
use liqheat_wire::Position;

use super::query::Query;
use super::refusal::Refusal;
use super::{symbol_of, view_of};
use crate::app::App;

pub(super) async fn heatmap(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = symbol_of(&app, &query)?;
    let since = query.get("since").map(position).transpose()?;
    view_of(&app, symbol).await?;
    let message = app
        .hub
        .slot(&symbol.name)
        .and_then(|slot| slot.message_since(since.as_ref(), &View::default(), Encoding::Json));
    let message = message.ok_or_else(|| Refusal::unavailable(format!("no state of {} yet", symbol.name)))?;
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
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ];
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, message.body).into_response())
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
