//! The server that runs at the address of the settings, if one does: what it says of itself.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::timeout;

use super::{Findings, Grade};

const PATIENCE: Duration = Duration::from_secs(5);
/// An answer of `/ready` has some hundred bytes.
const BODY_BYTES_MAX: usize = 64 * 1_024;

/// What `/ready` answers.
#[derive(Debug, Deserialize)]
struct Readiness {
    reasons: Vec<String>,
    version: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("nothing listens")]
    Unused,
    #[error("it says nothing within {PATIENCE:?}")]
    Silent(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Http(#[from] hyper_util::client::legacy::Error),
    #[error("what listens there is not liqheat")]
    Foreign,
}

/// Asks the server at this address how it is.
pub(super) async fn check(listen: SocketAddr, findings: &mut Findings) {
    const ABOUT: &str = "server";
    let address = reachable(listen);
    let (ready, blocks) = match ask(address).await {
        Ok(answer) => answer,
        Err(AskError::Unused) => {
            return findings.add(Grade::Ok, ABOUT, format_args!("nothing listens at {address} yet"));
        }
        Err(error) => {
            let text = format_args!("{address} is taken: {error}; use another --listen, or look what it is");
            return findings.add(Grade::Warn, ABOUT, text);
        }
    };
    let version = ready.version;
    if ready.reasons.is_empty() {
        let text = format_args!("the one at {address} (version {version}) is ready");
        return findings.add(Grade::Ok, ABOUT, text);
    }
    let grade = if blocks { Grade::Fail } else { Grade::Warn };
    for reason in ready.reasons {
        findings.add(grade, ABOUT, format_args!("the one at {address} (version {version}) says: {reason}"));
    }
}

/// The address under which this machine reaches what listens on all of its own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

/// The answer of `/ready`, and whether it says that the server should get no traffic.
async fn ask(address: SocketAddr) -> Result<(Readiness, bool), AskError> {
    let uri = Uri::try_from(format!("http://{address}/ready")).map_err(|_| AskError::Foreign)?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answered = async {
        let response = match client.get(uri).await {
            Err(error) if is_refused(&error) => return Err(AskError::Unused),
            answer => answer?,
        };
        let blocks = !response.status().is_success();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|_| AskError::Foreign)?.to_bytes();
        let ready = serde_json::from_slice(&body).map_err(|_| AskError::Foreign)?;
        Ok((ready, blocks))
    };
    timeout(PATIENCE, answered).await?
}

/// Whether nothing listens at the address.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}
