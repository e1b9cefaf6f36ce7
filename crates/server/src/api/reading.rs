//! What routes that read the database have in common: whose turn it is, and the form of the answer.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use super::parts::{StoredRows, TrustedProxies};
use crate::gateway::Client;
use crate::history::{self, HistoryError};
use crate::http::{AddressKey, Refusal};
use crate::reads::{ReadKind, ReadRefusal, ReadTurn};

/// A second turn comes soon after the queue had no room.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Smaller bodies fit into a packet or two as they are.
const PACKED_FROM_BYTES: usize = 1_024;

/// A request that reads the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    address: AddressKey,
    accepts_gzip: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Reading
where
    TrustedProxies: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::unavailable("the address of the client is not known"))?;
        let client = Client::of(peer.ip(), &parts.headers, &TrustedProxies::from_ref(state).0);
        let encodings = parts.headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        Ok(Self {
            address: AddressKey::of(client.address),
            accepts_gzip: history::is_accepted(encodings.unwrap_or("")),
        })
    }
}

impl Reading {
    /// Whether the body may be compressed with gzip.
    pub(super) const fn accepts_gzip(self) -> bool {
        self.accepts_gzip
    }

    /// Waits for a turn.
    pub(super) async fn turn(self, rows: &StoredRows, kind: ReadKind) -> Result<ReadTurn, Refusal> {
        rows.reads.turn(self.address, kind).await.map_err(|refusal| {
            let reason = match refusal {
                ReadRefusal::QueueFull => "too many requests wait for the database",
                ReadRefusal::TimedOut => "the database was busy with other requests for too long",
            };
            let detail =
                format!("{reason}; repeat the request after the time in Retry-After, and send fewer at once");
            Refusal::unavailable_for(RETRY_AFTER, detail)
        })
    }

    /// Answers with JSON that is built, serialised and compressed in the turn, off the async workers.
    pub(super) async fn json<T: Serialize>(
        self,
        turn: &ReadTurn,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Response, Refusal> {
        Ok(self.write_json(turn, body).await?.into_response())
    }

    /// The JSON of [`Reading::json`], for an answer that is shared.
    pub(super) async fn write_json<T: Serialize>(
        self,
        turn: &ReadTurn,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JsonBody, Refusal> {
        let written = turn.compute(move || {
            let text = serde_json::to_vec(&body())?;
            let is_packed = self.accepts_gzip && text.len() >= PACKED_FROM_BYTES;
            Ok(JsonBody { is_packed, bytes: if is_packed { history::pack_fast(&text) } else { text }.into() })
        });
        written.await.map_err(|error: serde_json::Error| {
            Refusal::unavailable(format!("the answer cannot be written: {error}"))
        })
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Store(error) => error.into(),
            HistoryError::NoLedger => Self::unavailable(error.to_string()),
            HistoryError::Grid(error) => {
                Self::bad(format!("{error}; ask for a larger 'bin' or fewer 'columns'"))
            }
        }
    }
}

/// A finished JSON body; clones share its bytes.
#[derive(Debug, Clone)]
pub(crate) struct JsonBody {
    is_packed: bool,
    bytes: Bytes,
}

impl JsonBody {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl IntoResponse for JsonBody {
    fn into_response(self) -> Response {
        const HEAD: [(HeaderName, HeaderValue); 2] = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if self.is_packed {
            let coding = [(header::CONTENT_ENCODING, HeaderValue::from_static(history::CODING))];
            (HEAD, coding, self.bytes).into_response()
        } else {
            (HEAD, self.bytes).into_response()
        }
    }
}
