//! Requests to targets.
//!
//! The address that is connected to is the one that was checked: names are resolved here, and what resolves to a
//! private address is refused unless the target allows it. Redirects are not followed. Errors hold no address of a target and
//! no secret.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::RETRY_AFTER;
use hyper::{Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use liqheat_alerts::{Alert, OutgoingRequest, SendResult, Target, is_public};
use liqheat_feeds::live::tls_config;
use liqheat_market::UnixMs;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tower_service::Service;

/// A request that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are read, so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("its address names no host")]
    NoHost,
    #[error("its name cannot be resolved: {0}")]
    Resolve(std::io::Error),
    #[error("its address is private; set allow_private = true for the target if that is meant")]
    Private,
    #[error("{0}")]
    Connect(std::io::Error),
}

/// Connects to addresses that a target may have.
#[derive(Debug, Clone)]
struct GuardedConnector {
    allow_private: bool,
}

impl Service<Uri> for GuardedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let allow_private = self.allow_private;
        Box::pin(async move { connect(&uri, allow_private).await.map(TokioIo::new) })
    }
}

async fn connect(uri: &Uri, allow_private: bool) -> Result<TcpStream, ConnectError> {
    let host = uri.host().ok_or(ConnectError::NoHost)?.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    let resolved = lookup_host((host, port)).await.map_err(ConnectError::Resolve)?;
    let mut last = None;
    for address in resolved {
        if !allow_private && !is_public(address.ip()) {
            last.get_or_insert(ConnectError::Private);
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(ConnectError::Connect(error)),
        }
    }
    Err(last.unwrap_or(ConnectError::NoHost))
}

/// Sends to one target.
pub(super) struct TargetClient {
    client: Client<HttpsConnector<GuardedConnector>, Full<Bytes>>,
}

impl TargetClient {
    pub(super) fn new(target: &Target) -> Self {
        let tls = (*tls_config()).clone();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(GuardedConnector { allow_private: target.allows_private() });
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(1)
            .build(connector);
        Self { client }
    }

    /// Sends a request; never longer than ten seconds.
    pub(super) async fn send(&self, request: OutgoingRequest) -> SendResult {
        let failed = |reason: String| SendResult::Failed { reason, retry_after: None };
        match timeout(TIMEOUT, self.exchange(request)).await {
            Ok(Ok(result)) => result,
            Ok(Err(reason)) => failed(reason),
            Err(_) => failed(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }

    async fn exchange(&self, request: OutgoingRequest) -> Result<SendResult, String> {
        let mut builder = Request::builder()
            .method(Method::POST)
            .uri(request.url)
            .header("user-agent", concat!("liqheat/", env!("CARGO_PKG_VERSION")));
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let made = builder.body(Full::new(Bytes::from(request.body)));
        let made = made.map_err(|_| "its address or secret cannot be part of a request".to_owned())?;
        let answer = self.client.request(made).await.map_err(|error| chain(&error))?;
        let (head, body) = answer.into_parts();
        let retry_after =
            head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        // What it says is of no use, and may repeat the secret.
        let _ = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        if head.status.is_success() {
            return Ok(SendResult::Delivered);
        }
        let reason = format!("status {}", head.status.as_u16());
        Ok(SendResult::Failed { reason, retry_after: retry_after.map(Duration::from_secs) })
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// A message that was not delivered.
#[derive(Debug, thiserror::Error)]
#[error("target '{target}': {reason}")]
pub struct SendError {
    /// The target's name.
    pub target: String,
    /// Why, without secrets.
    pub reason: String,
}

/// Sends one alert to one target, once.
///
/// # Errors
/// When the target does not answer with 2xx.
pub async fn send_once(target: &Target, alert: &Alert, now: UnixMs) -> Result<(), SendError> {
    match TargetClient::new(target).send(target.request(alert, now)).await {
        SendResult::Delivered => Ok(()),
        SendResult::Failed { reason, .. } => Err(SendError { target: target.name().to_owned(), reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name resolves to loopback, whatever it is called.
    #[tokio::test]
    async fn the_address_that_a_name_resolves_to_is_checked() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"] {
            let uri: Uri = format!("http://{host}:{port}/").parse().unwrap();
            let refused = connect(&uri, false).await;
            assert!(matches!(refused, Err(ConnectError::Private)), "{host}: {refused:?}");
        }
        let uri: Uri = format!("http://localhost:{port}/").parse().unwrap();
        assert!(connect(&uri, true).await.is_ok());
    }
}
