//! Requests that are not answered as asked: a status and a body that says why.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use liqheat_store::StoreError;
use liqheat_wire::ErrorBody;
use tracing::warn;

/// When to come back where nothing else is known.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The text of a refusal, in the extensions of its answer: interfaces with an error body of their own read it there.
#[derive(Debug, Clone)]
pub(crate) struct RefusalDetail(pub(crate) Arc<str>);

/// Why a request was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
    retry_after: Option<Duration>,
    /// One more header: what a client must show or send instead.
    header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None, header: None }
    }

    /// 400: understood, but asks for something that is not there or makes no sense.
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: no token, or one that is not accepted.
    pub(crate) fn unauthorised(challenge: &'static str, detail: impl Into<String>) -> Self {
        let header = Some((header::WWW_AUTHENTICATE, challenge));
        Self { header, ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// 400: another version of WebSocket than 13 (RFC 6455, 4.2.2).
    pub(crate) fn websocket_version(detail: impl Into<String>) -> Self {
        let header = Some((header::SEC_WEBSOCKET_VERSION, "13"));
        Self { header, ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// 431: the request head is too large.
    pub(crate) fn head_too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
    }

    /// 405: only these methods, as `Allow` lists them.
    pub(crate) fn only(methods: &'static str, detail: impl Into<String>) -> Self {
        Self { header: Some((header::ALLOW, methods)), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    /// 405: another method than GET and HEAD.
    pub(crate) fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::only("GET, HEAD", detail)
    }

    /// 403: not for this origin, or not under this name.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: no such path.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 406: the client accepts no type that there is.
    pub(crate) fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, detail)
    }

    /// 408: the rest of the request did not come.
    pub(crate) fn request_timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// 413: the body is larger than what is taken.
    pub(crate) fn body_too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 415: the body is of another type than what is read here.
    pub(crate) fn unsupported_media(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 422: a parameter is missing or malformed.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 429: this client is over a limit.
    pub(crate) fn too_many(retry_after: Duration, detail: impl Into<String>) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// 501: not available on this server.
    pub(crate) fn not_here(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, detail)
    }

    /// 503: not now; the client may retry.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::unavailable_for(RETRY_AFTER, detail)
    }

    /// 503 with the time after which the client may come back.
    pub(crate) fn unavailable_for(retry_after: Duration, detail: impl Into<String>) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }
}

impl Refusal {
    /// When the client may come back; `None` where coming back is no use.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Why, for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The answer, after which the connection ends.
    pub(crate) fn closing(self) -> Response {
        let mut response = self.into_response();
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        // Files and queries are the operator's business; the client learns that it may try again.
        warn!(%error, "a request could not read the store");
        Self::unavailable("the database did not answer; try again in a few seconds")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let detail = RefusalDetail(self.detail.as_str().into());
        let mut response = (self.status, Json(ErrorBody { detail: self.detail })).into_response();
        response.extensions_mut().insert(detail);
        let headers = response.headers_mut();
        if let Some(after) = self.retry_after {
            // Whole seconds, rounded up, so that a client that waits exactly as long is not refused again.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
