//! Requests to targets.
//!
//! The address that is connected to is the one that was checked: names are resolved here, and what resolves to a
//! private address is refused unless the target allows it. Redirects are not followed. Errors hold no address of a target and
//! no secret.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::header::RETRY_AFTER;
use hyper_util::rt::TokioIo;
use liqheat_alerts::{Alert, OutgoingRequest, SendResult, Target, is_public};
use liqheat_feeds::http_client::{HttpClient, HttpError, RequestLimits};
use liqheat_market::UnixMs;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

/// An answer is read so that the connection can be used again.
const LIMITS: RequestLimits = RequestLimits { timeout: Duration::from_secs(10), body_max: 64 << 10 };
/// Connections to one target that are kept while no request needs them.
const IDLE_PER_HOST: usize = 1;

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
    client: HttpClient<GuardedConnector>,
}

impl TargetClient {
    pub(super) fn new(target: &Target) -> Self {
        let connector = GuardedConnector { allow_private: target.allows_private() };
        Self { client: HttpClient::with_connector(connector, IDLE_PER_HOST) }
    }

    /// Sends a request; never longer than ten seconds.
    pub(super) async fn send(&self, request: OutgoingRequest) -> SendResult {
        let OutgoingRequest { url, headers, body } = request;
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let failed = |reason: String| SendResult::Failed { reason, retry_after: None };
        let answer = match self.client.post(&url, &headers, body, LIMITS).await {
            Ok(answer) => answer,
            Err(HttpError::Request(_)) => {
                return failed("its address or secret cannot be part of a request".to_owned());
            }
            Err(error) => return failed(error.to_string()),
        };
        // The body of the answer is of no use, and may repeat the secret.
        if answer.status.is_success() {
            return SendResult::Delivered;
        }
        let retry_after = answer.headers.get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let reason = format!("status {}", answer.status.as_u16());
        SendResult::Failed { reason, retry_after: retry_after.map(Duration::from_secs) }
    }
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
