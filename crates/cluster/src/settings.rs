//! Address and credentials of Redis, the role of this server, and all intervals.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::{Backoff, UnixMs};
use redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use crate::election::LeaseTimes;

/// The role of a server in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Computes states, is the producer when it holds the lease, and serves clients.
    #[default]
    All,
    /// Serves the producer's states; has no data of its own.
    Edge,
}

/// Redis, and the role of this server.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// URL, credentials and certificates.
    pub address: RedisAddress,
    /// First part of the names of channels and keys.
    pub prefix: String,
    /// All, or an edge.
    pub role: Role,
    /// On an edge: the symbols to serve; empty for all that the producer has.
    pub symbols: Vec<String>,
    /// Intervals and timeouts.
    pub times: ClusterTimes,
    /// The wall clock, for the stamp in messages.
    pub wall_clock: fn() -> UnixMs,
}

/// Intervals and timeouts.
#[derive(Debug, Clone, Copy)]
pub struct ClusterTimes {
    /// The lease.
    pub lease: LeaseTimes,
    /// A heartbeat is published for a symbol without a change for this long.
    pub heartbeat_every: Duration,
    /// A symbol without updates for this long is degraded; its state is fetched over a new subscription.
    pub silent_after: Duration,
    /// Timeout of a request to Redis.
    pub answer_within: Duration,
    /// Delays between attempts to connect.
    pub reconnect: Backoff,
    /// A replica with data of its own serves its own states when Redis is unavailable this long.
    pub alone_after: Duration,
    /// A producer whose updater publishes nothing for this long gives the lease up.
    pub idle_after: Duration,
    /// Interval at which the symbol list is written, or read while it is known.
    pub list_every: Duration,
    /// Interval at which an edge reads the list while it knows of no symbol.
    pub list_retry: Duration,
    /// An edge drops a symbol that is missing in the list for this long.
    pub drop_after: Duration,
    /// Messages that are older than the board for this long mean that the board is wrong.
    pub old_after: Duration,
}

impl Default for ClusterTimes {
    fn default() -> Self {
        Self {
            lease: LeaseTimes::default(),
            heartbeat_every: Duration::from_secs(5),
            silent_after: Duration::from_secs(15),
            answer_within: Duration::from_secs(1),
            reconnect: Backoff::new(Duration::from_millis(250), Duration::from_secs(5))
                .expect("invariant: the delays are in order"),
            alone_after: Duration::from_secs(15),
            idle_after: Duration::from_secs(30),
            list_every: Duration::from_secs(5),
            list_retry: Duration::from_millis(250),
            drop_after: Duration::from_secs(60),
            old_after: Duration::from_secs(3),
        }
    }
}

/// Invalid Redis settings. Never repeats the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisSettingsError {
    /// Not an address.
    #[error(
        "REDIS_URL: must look like redis://[[user]:password@]host[:port][/database], or rediss:// for TLS (it is not shown here, because it may hold a password)"
    )]
    Address,
    /// Certificates without TLS.
    #[error("REDIS_CA, REDIS_CERT and REDIS_KEY are for TLS: REDIS_URL must begin with rediss://")]
    NoTls,
    /// A certificate without its key, or the other way round.
    #[error("REDIS_CERT and REDIS_KEY go together: set both or none")]
    HalfIdentity,
    /// A certificate or key that cannot be used.
    #[error("certificates of Redis: {0}")]
    Certificates(String),
    /// A prefix that would make odd names.
    #[error("REDIS_CHANNEL_PREFIX: '{0}' must be 1 to 64 letters, digits or any of - _ . : {{ }}")]
    Prefix(String),
}

/// Certificates for TLS, PEM.
#[derive(Clone, Default)]
pub struct RedisCertificates {
    /// Certificate authorities, instead of the system's.
    pub authorities: Option<Vec<u8>>,
    /// Our own certificate and its key, where Redis asks for one.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for RedisCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisCertificates(..)")
    }
}

/// URL and certificates of Redis. Displayed without the password.
#[derive(Clone)]
pub struct RedisAddress {
    pub(crate) client: Arc<Client>,
    shown: String,
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl RedisAddress {
    /// Parses a URL.
    ///
    /// # Errors
    /// When the URL is invalid, or the certificates cannot be used.
    pub fn new(url: &str, certificates: RedisCertificates) -> Result<Self, RedisSettingsError> {
        // The first one in the process decides; it is the same everywhere.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let info = url.trim().into_connection_info().map_err(|_| RedisSettingsError::Address)?;
        let shown = shown(&info);
        let RedisCertificates { authorities, identity } = certificates;
        let client = if authorities.is_none() && identity.is_none() {
            Client::open(info).map_err(|_| RedisSettingsError::Address)?
        } else {
            if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
                return Err(RedisSettingsError::NoTls);
            }
            let client_tls =
                identity.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
            let certificates = TlsCertificates { client_tls, root_cert: authorities };
            Client::build_with_tls(info, certificates)
                .map_err(|error| RedisSettingsError::Certificates(error.to_string()))?
        };
        Ok(Self { client: Arc::new(client), shown })
    }
}

/// An address without the password.
fn shown(info: &ConnectionInfo) -> String {
    let redis = info.redis_settings();
    let user = match (redis.username(), redis.password()) {
        (Some(user), _) => format!("{user}@"),
        (None, _) => String::new(),
    };
    let scheme = match info.addr() {
        ConnectionAddr::TcpTls { .. } => "rediss",
        ConnectionAddr::Unix(_) => "redis+unix",
        _ => "redis",
    };
    let database = if redis.db() == 0 { String::new() } else { format!("/{}", redis.db()) };
    format!("{scheme}://{user}{}{database}", info.addr())
}

/// Checks the prefix of channels and keys.
///
/// # Errors
/// When it is empty, longer than 64 bytes, or holds other characters than letters, digits and `-_.:{}`.
pub fn check_prefix(prefix: &str) -> Result<(), RedisSettingsError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:{}".contains(c);
    if (1..=64).contains(&prefix.len()) && prefix.chars().all(allowed) {
        return Ok(());
    }
    Err(RedisSettingsError::Prefix(prefix.chars().take(80).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for (url, expected) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379"),
            ("redis://:s3cret@redis.example:6380/2", "redis://redis.example:6380/2"),
            ("redis://user:s3cret@10.0.0.1", "redis://user@10.0.0.1:6379"),
            ("rediss://user:s3cret@redis.example", "rediss://user@redis.example:6379"),
            ("redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock"),
        ] {
            let address = RedisAddress::new(url, RedisCertificates::default()).unwrap();
            assert_eq!(address.to_string(), expected);
            assert!(!format!("{address:?}").contains("s3cret"));
        }
        for url in ["", "s3cret", "http://:s3cret@x", "redis://:s3cret@", "redis://:s3cret@host:port"] {
            let error = RedisAddress::new(url, RedisCertificates::default()).unwrap_err();
            assert_eq!(error, RedisSettingsError::Address);
            assert!(!error.to_string().contains("s3cret"));
        }
    }

    #[test]
    fn certificates_are_for_tls_and_must_be_some() {
        let nonsense = || RedisCertificates { authorities: Some(b"nonsense".to_vec()), identity: None };
        assert_eq!(RedisAddress::new("redis://x", nonsense()).unwrap_err(), RedisSettingsError::NoTls);
        let broken = RedisCertificates {
            authorities: None,
            identity: Some((b"nonsense".to_vec(), b"nonsense".to_vec())),
        };
        let error = RedisAddress::new("rediss://x", broken).unwrap_err();
        assert!(matches!(error, RedisSettingsError::Certificates(_)), "{error}");
    }

    #[test]
    fn prefixes_are_plain() {
        for good in ["heatmap", "a", "{heatmap}", "team-1.heat_map:x"] {
            assert_eq!(check_prefix(good), Ok(()));
        }
        for bad in ["", "a b", "a*", "[a]", "é", &"x".repeat(65)] {
            assert!(check_prefix(bad).is_err(), "{bad}");
        }
    }
}
