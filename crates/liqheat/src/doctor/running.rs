//! The server that runs at the address of the settings, if one does: what it says of itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use liqheat_feeds::http_client::{HttpClient, HttpError, RequestLimits};
use serde::Deserialize;

use super::{Findings, Grade};

/// An answer of `/ready` has some hundred bytes.
const LIMITS: RequestLimits = RequestLimits { timeout: Duration::from_secs(5), body_max: 64 << 10 };

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
    #[error(transparent)]
    Http(#[from] HttpError),
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
    let client = HttpClient::new(LIMITS.timeout, 0);
    let answer = match client.get(&format!("http://{address}/ready"), LIMITS).await {
        Err(error) if error.is_refused() => return Err(AskError::Unused),
        answer => answer?,
    };
    let body = answer.body.map_err(|_| AskError::Foreign)?;
    let ready = serde_json::from_slice(&body).map_err(|_| AskError::Foreign)?;
    Ok((ready, !answer.status.is_success()))
}
