//! Flags that all servers share, in the groups in which the help shows them, and what they mean together.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;
use liqheat_server::{
    AddressLimits, AllowedHost, AllowedOrigin, FrontSettings, Secret, ServerSettings, SocketSettings,
    TokenSettings,
};

use crate::alerts_file;
use crate::model_file;

use super::Traces;
use super::cluster::{Cluster, Role};
use crate::time_unit::parse_seconds;

/// What all servers share.
#[derive(Debug, Args)]
pub(crate) struct Front {
    /// Address to listen on; port 0 takes any free one.
    #[arg(long, env = "LIQHEAT_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Separate address for /metrics and /ws/stats, which are then served there only.
    #[arg(long, env = "LIQHEAT_METRICS_LISTEN", value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Symbols to serve, separated by commas: BTCUSDT is all venues together, BTCUSDT@okx one; all by default. With
    /// `serve` they are followed live, unless --offline is given.
    #[arg(long, env = "LIQHEAT_SYMBOLS", value_delimiter = ',', value_name = "SYMBOLS")]
    pub(crate) symbols: Vec<String>,
    /// Open a browser when the server is up.
    #[arg(long, env = "LIQHEAT_OPEN")]
    pub(crate) open: bool,
    /// Maintenance margin tiers that replace the ones shipped with the program, symbol by symbol (a JSON file of the
    /// same form).
    #[arg(long, env = "LIQHEAT_TIERS", value_name = "FILE")]
    pub(crate) tiers: Option<PathBuf>,
    /// Parameters of the model by venue and symbol, in place of the shipped ones (a TOML file as `liqheat model` prints).
    #[arg(long, env = "LIQHEAT_MODEL", value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Rules of alerts and the targets they go to (a TOML file, see docs/price_alerts.md).
    #[arg(long, env = "LIQHEAT_ALERTS", value_name = "FILE")]
    pub(crate) alerts: Option<PathBuf>,
    /// Longest time in seconds between the signal to stop and the end of the process.
    #[arg(long, env = "LIQHEAT_SHUTDOWN_TIMEOUT", default_value = "10", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) shutdown_timeout: Duration,
    /// Print the settings in effect as a configuration file, and end.
    #[arg(long)]
    pub(crate) print_config: bool,
    #[command(flatten)]
    pub(crate) sockets: Sockets,
    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) tokens: Tokens,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    #[command(flatten)]
    pub(crate) traces: Traces,
}

/// Sockets: what they carry and what a client may do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sockets")]
pub(crate) struct Sockets {
    /// Whether /ws/heatmap and the updater run; if false, clients poll the HTTP API, and each request updates the
    /// state.
    #[arg(long, env = "WS_ENABLED", default_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) ws_enabled: bool,
    /// Seconds between updates, 0.1 to 3600; symbols take turns, spread over the interval.
    #[arg(long, env = "WS_UPDATE_INTERVAL", default_value = "5", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) ws_update_interval: Duration,
    /// Most sockets at once; never more than the limit of open descriptors allows.
    #[arg(long, env = "WS_MAX_CONNECTIONS", default_value = "10000", value_name = "N")]
    pub(crate) ws_max_connections: u64,
    /// A write that takes longer than these seconds marks a client slow.
    #[arg(long, env = "WS_SLOW_CONSUMER_TIMEOUT", default_value = "5", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) ws_slow_consumer_timeout: Duration,
    /// More missed updates than this also mark a client slow.
    #[arg(long, env = "WS_MAX_QUEUE_SIZE", default_value = "100", value_name = "N")]
    pub(crate) ws_max_queue_size: u64,
    /// A client that accepts nothing for these seconds is closed.
    #[arg(long, env = "WS_STALLED_TIMEOUT", default_value = "30", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) ws_stalled_timeout: Duration,
    /// Most messages of a client within a second.
    #[arg(long, env = "WS_MAX_MESSAGES_PER_SECOND", default_value = "10", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ws_max_messages_per_second: u32,
    /// Most bytes in a message of a client, 256 to 16777216; inflated, where it is compressed.
    #[arg(long, env = "WS_MAX_MESSAGE_BYTES", default_value = "65536", value_name = "BYTES", value_parser = clap::value_parser!(u32).range(256..=16_777_216))]
    pub(crate) ws_max_message_bytes: u32,
    /// Most symbols a client may be subscribed to.
    #[arg(long, env = "WS_MAX_SUBSCRIPTIONS", default_value = "20", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ws_max_subscriptions: u32,
    /// A client that does not subscribe within these seconds is closed.
    #[arg(long, env = "WS_SUBSCRIBE_TIMEOUT", default_value = "60", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) ws_subscribe_timeout: Duration,
    /// Seconds between pings of the server; shorter than the idle timeout.
    #[arg(long, env = "WS_PING_INTERVAL", default_value = "20", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) ws_ping_interval: Duration,
    /// A client without any sign of life for these seconds is closed.
    #[arg(long, env = "WS_IDLE_TIMEOUT", default_value = "60", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) ws_idle_timeout: Duration,
    /// A status is sent after these seconds without any other message.
    #[arg(long, env = "WS_STATUS_INTERVAL", default_value = "15", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) ws_status_interval: Duration,
    /// When the server stops, the reconnects of its clients are spread over these seconds.
    #[arg(long, env = "WS_DRAIN_WINDOW", default_value = "5", value_parser = seconds_or_none, value_name = "SECONDS")]
    pub(crate) ws_drain_window: Duration,
    /// Whether compressed frames (permessage-deflate) are negotiated.
    #[arg(long, env = "WS_COMPRESSION", default_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) ws_compression: bool,
}

/// Who may come in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
pub(crate) struct Access {
    /// Origins of other pages that may open sockets and read the HTTP routes (https://charts.example), separated by commas; * is any.
    #[arg(long, env = "LIQHEAT_ALLOWED_ORIGINS", value_delimiter = ',', value_parser = str::parse::<AllowedOrigin>, value_name = "ORIGINS")]
    pub(crate) allowed_origins: Vec<AllowedOrigin>,
    /// Origins of other pages that may show the page in a frame with ?embed=1, separated by commas; * is any.
    #[arg(long, env = "LIQHEAT_EMBED_ORIGINS", value_delimiter = ',', value_parser = str::parse::<AllowedOrigin>, value_name = "ORIGINS")]
    pub(crate) embed_origins: Vec<AllowedOrigin>,
    /// Names under which this server is reached, separated by commas: heat.example, *.heat.example, or * for any.
    /// Addresses, localhost and the hosts of --allowed-origins are always accepted.
    #[arg(long, env = "LIQHEAT_HOSTS", value_delimiter = ',', value_parser = str::parse::<AllowedHost>, value_name = "HOSTS")]
    pub(crate) hosts: Vec<AllowedHost>,
    /// Proxies whose X-Forwarded-For is trusted: addresses and networks, separated by commas, or none.
    #[arg(long, env = "LIQHEAT_TRUSTED_PROXIES", value_delimiter = ',', default_values = ["127.0.0.0/8", "::1"], value_parser = network, value_name = "NETWORKS")]
    pub(crate) trusted_proxies: Vec<Network>,
    /// Most sockets of one address at once.
    #[arg(long, env = "WS_MAX_CONNECTIONS_PER_ADDRESS", default_value = "100", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ws_max_connections_per_address: u32,
    /// Most new sockets of one address within a minute.
    #[arg(long, env = "WS_MAX_NEW_CONNECTIONS_PER_MINUTE", default_value = "300", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ws_max_new_connections_per_minute: u32,
    /// A connection is closed if a request is not complete, or no further request begins, within these seconds.
    #[arg(long, env = "WS_HANDSHAKE_TIMEOUT", default_value = "10", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) ws_handshake_timeout: Duration,
    /// A connection is closed if its client accepts no byte of a response for these seconds.
    #[arg(long, env = "LIQHEAT_HTTP_WRITE_TIMEOUT", default_value = "10", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) http_write_timeout: Duration,
    /// Most HTTP connections at once, 8 to 65536; WebSockets are not counted. Three quarters are for requests for data,
    /// a quarter for one address.
    #[arg(long, env = "LIQHEAT_HTTP_MAX_CONNECTIONS", default_value = "512", value_name = "N", value_parser = clap::value_parser!(u32).range(8..=65_536))]
    pub(crate) http_max_connections: u32,
}

/// Bearer tokens (JWT). Without a secret or key, none is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tokens")]
pub(crate) struct Tokens {
    /// The secret of HS256, 32 bytes at least. Other users of the machine can read command lines; better use the
    /// variable or --ws-jwt-secret-file.
    #[arg(long, env = "WS_JWT_SECRET", hide_env_values = true, value_parser = secret, value_name = "SECRET")]
    pub(crate) ws_jwt_secret: Option<Secret>,
    /// A file that holds the secret of HS256; a line break at its end is ignored.
    #[arg(long, env = "WS_JWT_SECRET_FILE", value_name = "FILE")]
    pub(crate) ws_jwt_secret_file: Option<PathBuf>,
    /// A PEM file with the public key of ES256.
    #[arg(long, env = "WS_JWT_PUBLIC_KEY", value_name = "FILE")]
    pub(crate) ws_jwt_public_key: Option<PathBuf>,
    /// A JWKS file with public keys of ES256; changes are noticed within seconds.
    #[arg(long, env = "WS_JWT_JWKS", value_name = "FILE")]
    pub(crate) ws_jwt_jwks: Option<PathBuf>,
    /// Required issuer of a token (its iss).
    #[arg(long, env = "WS_JWT_ISSUER", value_name = "NAME")]
    pub(crate) ws_jwt_issuer: Option<String>,
    /// Required audience of a token (its aud).
    #[arg(long, env = "WS_JWT_AUDIENCE", value_name = "NAME")]
    pub(crate) ws_jwt_audience: Option<String>,
}

/// One of the networks of a list; `None` where the list says "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(pub(crate) Option<IpNet>);

impl Front {
    /// For a server in a role; files of certificates are read here.
    pub(crate) fn settings(&self, role: Role) -> anyhow::Result<ServerSettings> {
        let model_file = model_file::load(self.model.as_deref())?;
        Ok(ServerSettings {
            ws_enabled: self.sockets.ws_enabled,
            update_interval: self.sockets.ws_update_interval,
            symbols: self.symbols.clone(),
            front: FrontSettings {
                allowed_origins: self.access.allowed_origins.clone(),
                embed_origins: self.access.embed_origins.clone(),
                hosts: self.access.hosts.clone(),
                trusted_proxies: self.access.trusted_proxies.iter().filter_map(|one| one.0).collect(),
                handshake_timeout: self.access.ws_handshake_timeout,
                write_timeout: self.access.http_write_timeout,
                http_connections_max: self.access.http_max_connections as usize,
                compression: self.sockets.ws_compression,
                metrics_apart: self.metrics_listen.is_some(),
            },
            sockets: self.sockets.settings(),
            addresses: AddressLimits {
                open_max: self.access.ws_max_connections_per_address,
                new_per_minute_max: self.access.ws_max_new_connections_per_minute,
                ..AddressLimits::default()
            },
            tokens: self.tokens.settings(),
            alerts: alerts_file::settings(self.alerts.as_deref())
                .map_err(|faults| anyhow::anyhow!("{}", faults.join("; ")))?,
            stop_within: self.shutdown_timeout,
            model: model_file.book,
            expected: model_file.expected.unwrap_or_default(),
            redis: self.cluster.settings(role, &self.symbols)?,
            ..ServerSettings::default()
        })
    }

    /// What is wrong with values that each are right by themselves.
    pub(crate) fn faults(&self) -> Vec<String> {
        let sockets = &self.sockets;
        let mut faults = self.tokens.faults();
        faults.extend(self.cluster.faults());
        faults.extend(alerts_file::settings(self.alerts.as_deref()).err().unwrap_or_default());
        let mut must = |holds: bool, fault: &str| {
            if !holds {
                faults.push(fault.to_owned());
            }
        };
        must(
            sockets.ws_ping_interval < sockets.ws_idle_timeout,
            "WS_PING_INTERVAL must be shorter than WS_IDLE_TIMEOUT: only an answered ping shows that a quiet client is alive",
        );
        must(
            sockets.ws_slow_consumer_timeout <= sockets.ws_stalled_timeout,
            "WS_SLOW_CONSUMER_TIMEOUT must not be longer than WS_STALLED_TIMEOUT: a client is slow before it is given up",
        );
        faults
    }
}

impl Tokens {
    /// Whether requests for data need a token.
    pub(crate) const fn are_required(&self) -> bool {
        self.ws_jwt_secret.is_some()
            || self.ws_jwt_secret_file.is_some()
            || self.ws_jwt_public_key.is_some()
            || self.ws_jwt_jwks.is_some()
    }
}

/// What to say about a server that others can reach and that asks for no token; `None` when there is nothing.
pub(crate) fn exposure(listen: SocketAddr, tokens: &Tokens) -> Option<String> {
    let is_exposed = !listen.ip().to_canonical().is_loopback() && !tokens.are_required();
    is_exposed.then(|| {
        format!(
            "no token is required, and {listen} can be reached from other machines: everyone who can connect reads all data; \
             listen on 127.0.0.1 behind a reverse proxy, or require tokens with --ws-jwt-secret-file (docs/security.md)"
        )
    })
}

impl Sockets {
    fn settings(&self) -> SocketSettings {
        SocketSettings {
            connections_max: self.ws_max_connections,
            slow_consumer_timeout: self.ws_slow_consumer_timeout,
            queue_size_max: self.ws_max_queue_size,
            stalled_timeout: self.ws_stalled_timeout,
            messages_per_second: self.ws_max_messages_per_second,
            message_bytes_max: self.ws_max_message_bytes as usize,
            subscriptions_max: self.ws_max_subscriptions as usize,
            subscribe_timeout: self.ws_subscribe_timeout,
            ping_interval: self.ws_ping_interval,
            idle_timeout: self.ws_idle_timeout,
            status_interval: self.ws_status_interval,
            drain_window: self.ws_drain_window,
        }
    }
}

impl Tokens {
    /// What is wrong with these settings, files included.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.settings().faults().iter().map(ToString::to_string).collect()
    }

    fn settings(&self) -> TokenSettings {
        TokenSettings {
            secret: self.ws_jwt_secret.clone(),
            secret_file: self.ws_jwt_secret_file.clone(),
            public_key: self.ws_jwt_public_key.clone(),
            jwks: self.ws_jwt_jwks.clone(),
            issuer: self.ws_jwt_issuer.clone(),
            audience: self.ws_jwt_audience.clone(),
        }
    }
}

/// Seconds; zero switches the limit off.
fn seconds_or_none(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" { Ok(Duration::ZERO) } else { parse_seconds(text) }
}

fn network(text: &str) -> Result<Network, String> {
    let text = text.trim();
    if text == "none" {
        return Ok(Network(None));
    }
    let address = || Some(IpNet::from(text.parse::<IpAddr>().ok()?));
    let network = text.parse().ok().or_else(address);
    network
        .map(|network| Network(Some(network)))
        .ok_or_else(|| "must be an address (10.0.0.1), a network (10.0.0.0/8), or none".to_owned())
}

/// How long it is gets checked where it is used; a wrong one must not be repeated in a message.
pub(super) fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text.to_owned()))
}
