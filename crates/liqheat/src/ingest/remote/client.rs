//! Requests to `/v1/ingest`, and what their answers mean.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{Method, StatusCode};
use indicatif::ProgressBar;
use liqheat_feeds::http_client::{HttpClient, HttpError, RequestBody, RequestLimits, whole};
use liqheat_server::Secret;
use liqheat_wire::{IngestBody, IngestStateBody};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::FoundFile;
use super::file_body::FileBody;
use crate::cli::ServerUrl;

const ROUTE: &str = "/v1/ingest";
/// Timeout of a connection, and of the answer to a question.
const PATIENCE: Duration = Duration::from_secs(10);
/// Timeout of a file: more than a server lets a connection live.
const FILE_PATIENCE: Duration = Duration::from_secs(600);
/// Largest answer, bytes: it lists refused rows by reason.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why a file was not loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// The file's own fault; the next one may be well.
    #[error("{0}")]
    File(String),
    /// A file of ours cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// No connection.
    #[error("no server answers at {server}: {reason}; check that it runs, and its address and port")]
    Unreachable { server: String, reason: String },
    /// The connection ended before the answer.
    #[error("the connection to {server} broke off: {reason}; run the same command again to load the rest")]
    BrokenOff { server: String, reason: String },
    #[error("{server} does not answer within {} s; run the same command again to load the rest", .within.as_secs())]
    Silent { server: String, within: Duration },
    #[error("what answers at {server} is no liqheat server that takes files ({status} to {ROUTE})")]
    Foreign { server: String, status: StatusCode },
    #[error("{server} needs a token that may load files (--token or LIQHEAT_TOKEN): {detail}")]
    Token { server: String, detail: String },
    #[error("{server} is busy: {detail}{}", .retry_after.as_ref().map_or_else(String::new, |after| format!(" (Retry-After: {after} s)")))]
    Busy { server: String, detail: String, retry_after: Option<String> },
    #[error("{server} refuses files: {detail} ({status})")]
    Refused { server: String, status: StatusCode, detail: String },
}

/// What a refused request says.
#[derive(Deserialize)]
struct Detail {
    detail: String,
}

/// Asks one server.
pub(super) struct IngestClient {
    pub(super) server: ServerUrl,
    authorization: Option<String>,
    http: HttpClient,
}

impl IngestClient {
    pub(super) fn new(server: ServerUrl, token: Option<&Secret>) -> Self {
        let http = HttpClient::new(PATIENCE, 1);
        Self { server, authorization: token.map(|token| format!("Bearer {}", token.expose())), http }
    }

    /// Whether the server takes files.
    pub(super) async fn state(&self) -> Result<IngestStateBody, SendError> {
        self.exchange(Method::GET, &[], whole(Bytes::new()), PATIENCE).await
    }

    pub(super) async fn send(
        &self,
        file: &FoundFile,
        parameters: &[(&str, &str)],
        progress: &ProgressBar,
    ) -> Result<IngestBody, SendError> {
        let body = FileBody::open(&file.path, progress.clone()).await;
        let body = body.map_err(|error| SendError::File(format!("cannot be read: {error}")))?;
        self.exchange(Method::POST, parameters, body.boxed_unsync(), FILE_PATIENCE).await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        parameters: &[(&str, &str)],
        body: RequestBody,
        within: Duration,
    ) -> Result<T, SendError> {
        let mut headers = Vec::new();
        if method == Method::POST {
            headers.push(("content-type", "application/octet-stream"));
        }
        headers.extend(self.authorization.as_deref().map(|authorization| ("authorization", authorization)));
        let limits = RequestLimits { timeout: within, body_max: ANSWER_BYTES_MAX };
        let url = self.server.route(ROUTE, parameters);
        let answer = self.http.send(method.clone(), &url, &headers, body, limits).await;
        let answer = answer.map_err(|error| self.failure(error))?;
        let body = answer.body.map_err(|error| self.failure(error))?;
        if answer.status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(|_| self.foreign(answer.status));
        }
        let retry_after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Err(self.refusal(&method, answer.status, &body, retry_after.map(str::to_owned)))
    }

    /// What a request without an answer means.
    fn failure(&self, error: HttpError) -> SendError {
        let server = self.server.to_string();
        match error {
            // The URL was checked, so it is the token.
            HttpError::Request(_) => self.refused_token("the token holds characters that no token has"),
            HttpError::Connection(error) if error.is_connect() => {
                SendError::Unreachable { server, reason: innermost(&error) }
            }
            HttpError::Connection(error) => SendError::BrokenOff { server, reason: innermost(&error) },
            HttpError::Body(error) => SendError::BrokenOff { server, reason: error.to_string() },
            HttpError::Timeout(within) => SendError::Silent { server, within },
        }
    }

    /// What an answer other than 200 means.
    fn refusal(
        &self,
        method: &Method,
        status: StatusCode,
        body: &[u8],
        retry_after: Option<String>,
    ) -> SendError {
        let server = self.server.to_string();
        // A proxy answers with a page.
        let detail = serde_json::from_slice::<Detail>(body).ok().map(|body| body.detail);
        let is_ours = detail.is_some();
        let detail = detail.unwrap_or_else(|| format!("{status}, from a proxy before the server"));
        match status {
            StatusCode::UNAUTHORIZED => self.refused_token(&detail),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => self.foreign(status),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                SendError::Busy { server, detail, retry_after }
            }
            StatusCode::PAYLOAD_TOO_LARGE if method == Method::POST => SendError::File(detail),
            StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY if method == Method::POST && is_ours => {
                SendError::File(detail)
            }
            _ => SendError::Refused { server, status, detail },
        }
    }

    fn refused_token(&self, detail: &str) -> SendError {
        SendError::Token { server: self.server.to_string(), detail: detail.to_owned() }
    }

    fn foreign(&self, status: StatusCode) -> SendError {
        SendError::Foreign { server: self.server.to_string(), status }
    }
}

/// What an error comes down to: the outer ones only say in which layer it happened.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stops_the_run_unless_it_is_the_fault_of_the_file() {
        let client = IngestClient::new(ServerUrl::parse("http://127.0.0.1:1").unwrap(), None);
        let words = br#"{ "detail": "it is wrong" }"#;
        let meaning = |method: &Method, status: u16, body: &[u8]| {
            client.refusal(method, StatusCode::from_u16(status).unwrap(), body, Some("10".to_owned()))
        };
        let post = |status: u16, body: &[u8]| meaning(&Method::POST, status, body);
        for status in [403, 413, 422] {
            assert!(
                matches!(post(status, words), SendError::File(detail) if detail == "it is wrong"),
                "{status}"
            );
            assert!(matches!(meaning(&Method::GET, status, words), SendError::Refused { .. }), "{status}");
        }
        // A page of a proxy says nothing about the file, but for its size.
        assert!(matches!(post(403, b"<html>"), SendError::Refused { .. }));
        assert!(matches!(post(413, b"<html>"), SendError::File(detail) if detail.contains("proxy")));
        assert!(matches!(post(401, words), SendError::Token { .. }));
        assert!(matches!(post(404, words), SendError::Foreign { .. }));
        for status in [429, 503] {
            assert!(matches!(post(status, words), SendError::Busy { retry_after: Some(_), .. }), "{status}");
        }
        assert!(matches!(post(500, words), SendError::Refused { .. }));
    }
}
