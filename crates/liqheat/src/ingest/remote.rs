//! `ingest --server`: sends files to a running server, which loads them into the database that it has open.
//!
//! The server is asked first whether it takes files, so that a wrong address, a missing token or a server without a
//! database is reported before anything is sent. Files go one after the other; stopping in the middle leaves out the rest
//! of the file that is on its way, and running the command again sends it anew.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the files that it sends, in a task that ends with the request, and times the load for its summary"
)]

use std::error::Error;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::bail;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::RETRY_AFTER;
use hyper::{Method, StatusCode};
use indicatif::ProgressBar;
use liqheat_feeds::archive::{Family, verify_checksum};
use liqheat_feeds::http_client::{HttpClient, HttpError, RequestBody, RequestLimits, whole};
use liqheat_server::{FileKind, Secret};
use liqheat_wire::{IngestBody, IngestStateBody};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{FoundFile, Summary, Sums, file_name, found_under, progress_bar};
use crate::cli::{Ingest, ServerUrl};

const ROUTE: &str = "/v1/ingest";
/// For a connection, and for the answer to a question.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a file: more than a server lets a connection live.
const FILE_PATIENCE: Duration = Duration::from_secs(600);
/// An answer lists refused rows by reason.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Bytes read at once, and pieces on their way.
const PIECE_BYTES: usize = 128 << 10;
const PIECES_MAX: usize = 2;
/// Folders and a name that say what a file holds (futures/um/daily/klines/BTCUSDT/5m/NAME), with one to spare; what is
/// above is nobody's business.
const NAME_PARTS_MAX: usize = 8;
/// What a server takes as a name.
const NAME_BYTES_MAX: usize = 1_024;

/// Runs the command; `stop` ends it at once.
pub(crate) async fn run(
    ingest: &Ingest,
    server: ServerUrl,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let client = IngestClient::new(server, ingest.token.as_ref());
    let (found, files) = found_under(&ingest.paths);
    let mut summary = Summary { found, files: files.len(), ..Summary::default() };
    let failed = tokio::select! {
        sent = send_all(&client, ingest, &files, &mut summary) => sent.err(),
        () = stop.cancelled() => None,
    };
    let code = summary.report(&client.server, began.elapsed(), stop.is_cancelled());
    match failed {
        Some(error) => bail!("{error}"),
        None => Ok(code),
    }
}

async fn send_all(
    client: &IngestClient,
    ingest: &Ingest,
    files: &[FoundFile],
    summary: &mut Summary,
) -> Result<(), SendError> {
    let limits = client.state().await?;
    if limits.is_running {
        let server = client.server.to_string();
        let detail = "another file is being loaded, and they are loaded one at a time".to_owned();
        return Err(SendError::Busy { server, detail, retry_after: Some("10".to_owned()) });
    }
    let progress = progress_bar(files.iter().map(|file| file.bytes).sum());
    let mut bytes_done = 0;
    for file in files {
        progress.set_message(file_name(&file.path));
        match send_one(client, ingest, file, &limits, &progress).await {
            Ok(body) => add(summary, &file.path, &body),
            Err(SendError::File(reason)) => summary.add_failed(&file.path, reason),
            Err(error) => return Err(error),
        }
        bytes_done += file.bytes;
        progress.set_position(bytes_done);
    }
    progress.finish_and_clear();
    Ok(())
}

fn add(summary: &mut Summary, path: &Path, body: &IngestBody) {
    let sums = Sums { files: 1, loaded: body.rows, already_there: body.already_there, refused: body.refused };
    let restart = body
        .not_served
        .iter()
        .map(|instrument| format!("note: the server stores {instrument}, but shows it only after a restart"));
    let lines: Vec<String> = body.errors.iter().chain(&body.remarks).cloned().chain(restart).collect();
    summary.add(path, &body.what, sums, lines);
    summary.trouble |= body.has_trouble;
}

async fn send_one(
    client: &IngestClient,
    ingest: &Ingest,
    file: &FoundFile,
    limits: &IngestStateBody,
    progress: &ProgressBar,
) -> Result<IngestBody, SendError> {
    if file.bytes > limits.bytes_max {
        return Err(SendError::File(format!(
            "larger than the {} MiB that the server takes; load the daily files of the same time, or load it with --db while the server is stopped",
            limits.bytes_max >> 20
        )));
    }
    if file.kind == FileKind::Archive {
        let path = file.path.clone();
        let verified = tokio::task::spawn_blocking(move || verify_checksum(&path)).await;
        verified.map_err(io::Error::other)?.map_err(|error| SendError::File(error.to_string()))?;
    }
    let name = name_of(&file.path);
    let family = ingest.family.map(Family::name);
    let symbol = ingest.symbol.as_ref().map(ToString::to_string);
    let mut parameters = vec![("name", name.as_str())];
    parameters.extend(family.map(|family| ("family", family)));
    parameters.extend(symbol.as_deref().map(|symbol| ("symbol", symbol)));
    client.send(file, &parameters, progress).await
}

/// The last folders of a path and its name, as they are sent to the server.
fn name_of(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let fits = |count: &usize| parts[parts.len() - count..].join("/").len() <= NAME_BYTES_MAX;
    let count = (1..=NAME_PARTS_MAX.min(parts.len())).rev().find(fits).unwrap_or(parts.len().min(1));
    parts[parts.len() - count..].join("/")
}

/// Why a file was not loaded.
#[derive(Debug, thiserror::Error)]
enum SendError {
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
struct IngestClient {
    server: ServerUrl,
    authorization: Option<String>,
    http: HttpClient,
}

impl IngestClient {
    fn new(server: ServerUrl, token: Option<&Secret>) -> Self {
        let http = HttpClient::new(PATIENCE, 1);
        Self { server, authorization: token.map(|token| format!("Bearer {}", token.expose())), http }
    }

    /// Whether the server takes files.
    async fn state(&self) -> Result<IngestStateBody, SendError> {
        self.exchange(Method::GET, &[], whole(Bytes::new()), PATIENCE).await
    }

    async fn send(
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

/// A file as the body of a request, a piece at a time.
struct FileBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    /// Bytes to come.
    rest: u64,
}

impl FileBody {
    async fn open(path: &Path, progress: ProgressBar) -> io::Result<Self> {
        let mut file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        tokio::spawn(async move {
            let mut rest = length;
            while rest > 0 {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                // A file that grows meanwhile is sent as long as it was.
                let read = (&mut file).take(rest.min(PIECE_BYTES as u64)).read_to_end(&mut piece).await;
                let piece = match read {
                    Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                    Ok(bytes) => {
                        rest -= bytes as u64;
                        progress.inc(bytes as u64);
                        Ok(Bytes::from(piece))
                    }
                    Err(error) => Err(error),
                };
                let is_last = piece.is_err();
                if sender.send(piece).await.is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Self { pieces, rest: length })
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = std::task::ready!(self.pieces.poll_recv(context));
        if let Some(Ok(bytes)) = &piece {
            self.rest = self.rest.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_the_folders_that_say_something() {
        for (path, name) in [
            (
                "/home/a/b/data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip",
                "data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip",
            ),
            ("../x/./BTCUSDT-metrics-2025-08-25.csv", "x/BTCUSDT-metrics-2025-08-25.csv"),
            ("a.csv", "a.csv"),
        ] {
            assert_eq!(name_of(Path::new(path)), name);
        }
        let long = format!("{}/klines/a.csv", "x".repeat(2_000));
        assert_eq!(name_of(Path::new(&long)), "klines/a.csv");
    }
}
