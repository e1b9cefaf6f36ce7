//! The command line. Every flag is also an environment variable and a key of the configuration file.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use ipnet::IpNet;
use liqheat_feeds::archive::Family;
use liqheat_market::{Symbol, UnixMs};
use liqheat_server::{AddressLimits, FrontSettings, Secret, ServerSettings, SocketSettings, TokenSettings};
use liqheat_store::Retention;

use crate::logging::{DEFAULT_LEVELS, LogFormat};

/// A real-time liquidation heatmap for crypto perpetual futures, self-hosted.
#[derive(Debug, Parser)]
#[command(
    name = "liqheat",
    version,
    about,
    max_term_width = 100,
    after_help = "\
Examples:
  liqheat demo --open                             a simulated market in the browser
  liqheat ingest ~/archive --db btc.duckdb        load files of the Binance archive
  liqheat serve --db btc.duckdb                   serve what is in the file
  liqheat replay --db btc.duckdb --from 2025-11-20 --to 2025-11-24 --speed 600"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// A TOML file with defaults for any of the flags (listen = "127.0.0.1:9000", ..); flags and environment
    /// win over it.
    #[arg(long, global = true, env = "LIQHEAT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The command line, with defaults that differ by command.
pub(crate) fn command() -> clap::Command {
    // Where market time runs fast, five seconds would be a jump.
    let faster = |command: clap::Command| {
        command.mut_arg("ws_update_interval", |interval| interval.default_value("1"))
    };
    Cli::command().mut_subcommand("demo", faster).mut_subcommand("replay", faster)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a moving heatmap: of a simulated market, or of recorded data with --data.
    Demo(Demo),
    /// Serve what is in a database.
    Serve(Serve),
    /// Play a stretch of a database as if it happened now.
    Replay(Replay),
    /// Load files of the Binance public archive into a database.
    Ingest(Ingest),
    /// Print the figures of the README, measured on this machine.
    Bench(Bench),
}

#[derive(Debug, Args)]
pub(crate) struct Logging {
    /// How log lines look.
    #[arg(long, global = true, env = "LIQHEAT_LOG_FORMAT", value_enum, default_value = "pretty")]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or levels by part (info,liqheat_server=debug).
    #[arg(long, global = true, env = "LIQHEAT_LOG", default_value = DEFAULT_LEVELS, value_name = "LEVELS")]
    pub(crate) log: String,
}

/// What all servers share.
#[derive(Debug, Args)]
pub(crate) struct Front {
    /// Address to listen on; port 0 takes any free one.
    #[arg(long, env = "LIQHEAT_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Symbols to serve, separated by commas; all by default.
    #[arg(long, env = "LIQHEAT_SYMBOLS", value_delimiter = ',', value_name = "SYMBOLS")]
    pub(crate) symbols: Vec<String>,
    /// Open a browser when the server is up.
    #[arg(long, env = "LIQHEAT_OPEN")]
    pub(crate) open: bool,
    /// Maintenance margin tiers to use instead of the ones shipped with the program (a JSON file of the same form).
    #[arg(long, env = "LIQHEAT_TIERS", value_name = "FILE")]
    pub(crate) tiers: Option<PathBuf>,
    /// Most seconds between the signal to stop and the end.
    #[arg(long, env = "LIQHEAT_SHUTDOWN_TIMEOUT", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
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
}

/// Sockets: what they carry and what a client may do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sockets")]
pub(crate) struct Sockets {
    /// Whether /ws/heatmap and the updater run; without, clients poll the HTTP API.
    #[arg(long, env = "WS_ENABLED", default_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) ws_enabled: bool,
    /// Seconds between updates.
    #[arg(long, env = "WS_UPDATE_INTERVAL", default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_update_interval: Duration,
    /// Most sockets at once; never more than the limit of open descriptors allows.
    #[arg(long, env = "WS_MAX_CONNECTIONS", default_value = "10000", value_name = "N")]
    pub(crate) ws_max_connections: u64,
    /// A write that takes longer than these seconds marks a client slow.
    #[arg(long, env = "WS_SLOW_CONSUMER_TIMEOUT", default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_slow_consumer_timeout: Duration,
    /// More missed updates than this mark a client slow, too.
    #[arg(long, env = "WS_MAX_QUEUE_SIZE", default_value = "100", value_name = "N")]
    pub(crate) ws_max_queue_size: u64,
    /// A client that accepts nothing for these seconds is closed.
    #[arg(long, env = "WS_STALLED_TIMEOUT", default_value = "30", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_stalled_timeout: Duration,
    /// Most messages of a client within a second.
    #[arg(long, env = "WS_MAX_MESSAGES_PER_SECOND", default_value = "10", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ws_max_messages_per_second: u32,
    /// Most bytes in a message of a client.
    #[arg(long, env = "WS_MAX_MESSAGE_BYTES", default_value = "65536", value_name = "BYTES", value_parser = clap::value_parser!(u32).range(256..=16_777_216))]
    pub(crate) ws_max_message_bytes: u32,
    /// Most symbols a client may be subscribed to.
    #[arg(long, env = "WS_MAX_SUBSCRIPTIONS", default_value = "20", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ws_max_subscriptions: u32,
    /// A client that does not subscribe within these seconds is closed.
    #[arg(long, env = "WS_SUBSCRIBE_TIMEOUT", default_value = "60", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_subscribe_timeout: Duration,
    /// Seconds between pings of the server.
    #[arg(long, env = "WS_PING_INTERVAL", default_value = "20", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_ping_interval: Duration,
    /// A client without any sign of life for these seconds is closed.
    #[arg(long, env = "WS_IDLE_TIMEOUT", default_value = "60", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_idle_timeout: Duration,
    /// A status is sent when nothing else was for these seconds.
    #[arg(long, env = "WS_STATUS_INTERVAL", default_value = "15", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_status_interval: Duration,
    /// Before the server stops, clients are sent away one by one within these seconds.
    #[arg(long, env = "WS_DRAIN_WINDOW", default_value = "5", value_parser = seconds_or_none, value_name = "SECONDS")]
    pub(crate) ws_drain_window: Duration,
    /// Whether compressed frames (permessage-deflate) are agreed to.
    #[arg(long, env = "WS_COMPRESSION", default_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) ws_compression: bool,
}

/// Who may come in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
pub(crate) struct Access {
    /// Origins of other pages that may open sockets (https://charts.example), separated by commas; * is any.
    #[arg(long, env = "LIQHEAT_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGINS")]
    pub(crate) allowed_origins: Vec<String>,
    /// Proxies that are believed when they name a client in X-Forwarded-For: addresses and networks, separated by
    /// commas, or none.
    #[arg(long, env = "LIQHEAT_TRUSTED_PROXIES", value_delimiter = ',', default_values = ["127.0.0.0/8", "::1"], value_parser = network, value_name = "NETWORKS")]
    pub(crate) trusted_proxies: Vec<Network>,
    /// Most sockets of one address at once.
    #[arg(long, env = "WS_MAX_CONNECTIONS_PER_ADDRESS", default_value = "100", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ws_max_connections_per_address: u32,
    /// Most new sockets of one address within a minute.
    #[arg(long, env = "WS_MAX_NEW_CONNECTIONS_PER_MINUTE", default_value = "300", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ws_max_new_connections_per_minute: u32,
    /// A request that is not complete after these seconds ends its connection.
    #[arg(long, env = "WS_HANDSHAKE_TIMEOUT", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_handshake_timeout: Duration,
}

/// Bearer tokens (JWT). Without a secret or key, none is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tokens")]
pub(crate) struct Tokens {
    /// The secret of HS256, 32 bytes at least. Other users of the machine can read command lines; better use the
    /// variable or --ws-jwt-secret-file.
    #[arg(long, env = "WS_JWT_SECRET", hide_env_values = true, value_parser = secret, value_name = "SECRET")]
    pub(crate) ws_jwt_secret: Option<Secret>,
    /// A file that holds the secret of HS256.
    #[arg(long, env = "WS_JWT_SECRET_FILE", value_name = "FILE")]
    pub(crate) ws_jwt_secret_file: Option<PathBuf>,
    /// A PEM file with the public key of ES256.
    #[arg(long, env = "WS_JWT_PUBLIC_KEY", value_name = "FILE")]
    pub(crate) ws_jwt_public_key: Option<PathBuf>,
    /// A JWKS file with public keys of ES256; read again when a token names a new one.
    #[arg(long, env = "WS_JWT_JWKS", value_name = "FILE")]
    pub(crate) ws_jwt_jwks: Option<PathBuf>,
    /// Who must have signed a token (its iss).
    #[arg(long, env = "WS_JWT_ISSUER", value_name = "NAME")]
    pub(crate) ws_jwt_issuer: Option<String>,
    /// Whom a token must be for (its aud).
    #[arg(long, env = "WS_JWT_AUDIENCE", value_name = "NAME")]
    pub(crate) ws_jwt_audience: Option<String>,
}

/// One of the networks of a list; `None` where the list says "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(pub(crate) Option<IpNet>);

/// How long rows are kept.
#[derive(Debug, Args)]
pub(crate) struct Keep {
    /// Days that trades are kept; for ever by default. They take by far the most space.
    #[arg(long, env = "LIQHEAT_KEEP_TRADES", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_trades: Option<Duration>,
    /// Days that ticks of the mark price are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_KEEP_MARK_PRICES", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_mark_prices: Option<Duration>,
    /// Days that klines, open interest, funding and liquidations are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_KEEP_BARS", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_bars: Option<Duration>,
}

impl Keep {
    pub(crate) const fn retention(&self) -> Retention {
        Retention {
            klines: self.keep_bars,
            trades: self.keep_trades,
            mark_prices: self.keep_mark_prices,
            open_interest: self.keep_bars,
            funding: self.keep_bars,
            liquidations: self.keep_bars,
        }
    }
}

impl Front {
    pub(crate) fn settings(&self) -> ServerSettings {
        ServerSettings {
            ws_enabled: self.sockets.ws_enabled,
            update_interval: self.sockets.ws_update_interval,
            symbols: self.symbols.clone(),
            front: FrontSettings {
                allowed_origins: self.access.allowed_origins.clone(),
                trusted_proxies: self.access.trusted_proxies.iter().filter_map(|one| one.0).collect(),
                handshake_timeout: self.access.ws_handshake_timeout,
                compression: self.sockets.ws_compression,
                ..FrontSettings::default()
            },
            sockets: self.sockets.settings(),
            addresses: AddressLimits {
                open_max: self.access.ws_max_connections_per_address,
                new_per_minute_max: self.access.ws_max_new_connections_per_minute,
                ..AddressLimits::default()
            },
            tokens: self.tokens.settings(),
            stop_within: self.shutdown_timeout,
            ..ServerSettings::default()
        }
    }

    /// What is wrong with values that each are right by themselves.
    pub(crate) fn faults(&self) -> Vec<String> {
        let sockets = &self.sockets;
        let mut faults: Vec<String> =
            self.tokens.settings().faults().iter().map(ToString::to_string).collect();
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
        must(
            sockets.ws_drain_window < self.shutdown_timeout,
            "WS_DRAIN_WINDOW must be shorter than --shutdown-timeout (LIQHEAT_SHUTDOWN_TIMEOUT): the last client leaves at the end of the one",
        );
        faults
    }
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

impl Command {
    /// What all servers share, if this is one.
    pub(crate) const fn front(&self) -> Option<&Front> {
        match self {
            Self::Demo(demo) => Some(&demo.front),
            Self::Serve(serve) => Some(&serve.front),
            Self::Replay(replay) => Some(&replay.front),
            Self::Ingest(_) | Self::Bench(_) => None,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat demo --open
  liqheat demo --seed 7 --speed 60
  liqheat demo --data ~/archive --from 2025-08-26 --to 2025-09-03")]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) front: Front,
    /// Keep the data in this file; without, the demo leaves nothing behind. Has a variable of its own, so that a
    /// made-up market never lands in the database of the real one by accident.
    #[arg(long = "db", env = "LIQHEAT_DEMO_DB", value_name = "FILE")]
    pub(crate) demo_db: Option<PathBuf>,
    /// Play files of the Binance archive instead of a simulated market.
    #[arg(long, env = "LIQHEAT_DATA", num_args = 1.., value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,
    /// The simulated market: the same seed is the same market.
    #[arg(long, env = "LIQHEAT_SEED", conflicts_with = "data", value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Simulated days that are in the chart at the start. The first half of them warms the model up.
    #[arg(long, env = "LIQHEAT_DAYS", default_value = "6", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) days: u32,
    /// Market seconds a second [default: 120; 600 with --data]
    #[arg(long, env = "LIQHEAT_SPEED", value_parser = speed, value_name = "N")]
    pub(crate) speed: Option<f64>,
    /// With --data: the moment to begin at [default: a day into the last days without a gap]
    #[arg(long, env = "LIQHEAT_FROM", value_parser = moment, requires = "data", value_name = "TIME")]
    pub(crate) from: Option<UnixMs>,
    /// With --data: the moment to end at [default: the last one stored]
    #[arg(long, env = "LIQHEAT_TO", value_parser = moment, requires = "data", value_name = "TIME")]
    pub(crate) to: Option<UnixMs>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat serve
  liqheat serve --db btc.duckdb --listen 127.0.0.1:9000
  WS_UPDATE_INTERVAL=2 liqheat serve --db btc.duckdb --symbols BTCUSDT")]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) front: Front,
    #[command(flatten)]
    pub(crate) db: Database,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat replay --db btc.duckdb --from 2025-11-20 --to 2025-11-24 --speed 600
  liqheat replay --db btc.duckdb --from 2025-08-29T06:00:00Z")]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) front: Front,
    #[command(flatten)]
    pub(crate) db: Database,
    /// The moment to begin at [default: a day into the last days without a gap]
    #[arg(long, env = "LIQHEAT_FROM", value_parser = moment, value_name = "TIME")]
    pub(crate) from: Option<UnixMs>,
    /// The moment to end at [default: the last one stored]
    #[arg(long, env = "LIQHEAT_TO", value_parser = moment, value_name = "TIME")]
    pub(crate) to: Option<UnixMs>,
    /// Market seconds a second.
    #[arg(long, env = "LIQHEAT_SPEED", default_value = "600", value_parser = speed, value_name = "N")]
    pub(crate) speed: f64,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat ingest ~/archive/futures/um
  liqheat ingest BTCUSDT-5m-2025-08-25.zip BTCUSDT-metrics-2025-08-25.zip --db btc.duckdb
  liqheat ingest funding.csv --family fundingRate --symbol BTCUSDT

Files are .csv or .zip, with or without header line; a CHECKSUM file beside one is verified. Loading twice
changes nothing. Exit code 1 when anything was refused that is not a known gap of the published data.")]
pub(crate) struct Ingest {
    /// Folders (searched with all below them) and files.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) db: Database,
    /// What files hold whose name does not say (klines, markPriceKlines, metrics, aggTrades, fundingRate,
    /// liquidationSnapshot).
    #[arg(long, env = "LIQHEAT_FAMILY", value_parser = family, value_name = "FAMILY")]
    pub(crate) family: Option<Family>,
    /// Whose data files hold whose name does not say.
    #[arg(long, env = "LIQHEAT_SYMBOL", value_parser = symbol, value_name = "SYMBOL")]
    pub(crate) symbol: Option<Symbol>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat bench
  liqheat bench ledger grid")]
pub(crate) struct Bench {
    /// What to measure; everything by default.
    #[arg(value_enum, value_name = "WHAT")]
    pub(crate) what: Vec<BenchPart>,
    /// Recorded market data to load (a parquet file of 5-minute klines); a simulated year without.
    #[arg(long, env = "LIQHEAT_BENCH_KLINES", value_name = "FILE")]
    pub(crate) klines: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchPart {
    /// A year of 5-minute bars through the ledger.
    Ledger,
    /// One bar applied, put on the board and encoded.
    Bar,
    /// A 1000 x 1000 history grid.
    Grid,
    /// Loading a year of klines, beside DuckDB's own readers.
    Load,
    /// `serve` over an existing file to the first frame.
    Start,
}

#[derive(Debug, Args)]
pub(crate) struct Database {
    /// The database file [default: liqheat.duckdb in the data folder of the platform]
    #[arg(long, env = "LIQHEAT_DB", value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
}

impl Database {
    /// The file to use; the platform's data folder is created when it is needed.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.db {
            return Ok(path.clone());
        }
        let folders = choose_native_strategy().map_err(|_| {
            anyhow::anyhow!("this user has no home folder to keep a database in; name a file with --db")
        })?;
        let folder = folders.data_dir().join("liqheat");
        std::fs::create_dir_all(&folder).map_err(|error| {
            anyhow::anyhow!("cannot create {}: {error}; name another file with --db", folder.display())
        })?;
        Ok(folder.join("liqheat.duckdb"))
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.trim().parse().map_err(|_| "must be a number of seconds, such as 5 or 0.5".to_owned())?;
    if !(0.1..=3_600.0).contains(&seconds) {
        return Err("must be 0.1 to 3600 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Zero, too: switched off.
fn seconds_or_none(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" { Ok(Duration::ZERO) } else { seconds(text) }
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
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text.to_owned()))
}

fn days(text: &str) -> Result<Duration, String> {
    let days: f64 = text.trim().parse().map_err(|_| "must be a number of days, such as 30".to_owned())?;
    if !(1.0..=36_500.0).contains(&days) {
        return Err("must be 1 to 36500 days".to_owned());
    }
    Ok(Duration::from_secs_f64(days * 86_400.0))
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.trim().parse().map_err(|_| "must be a number, such as 600".to_owned())?;
    if !(0.01..=1_000_000.0).contains(&speed) {
        return Err("must be 0.01 to 1000000 market seconds a second".to_owned());
    }
    Ok(speed)
}

fn moment(text: &str) -> Result<UnixMs, String> {
    liqheat_wire::parse_time(text).map_err(|error| error.to_string())
}

fn family(text: &str) -> Result<Family, String> {
    Family::from_name(text).ok_or_else(|| format!("must be one of {}", Family::names()))
}

fn symbol(text: &str) -> Result<Symbol, String> {
    Symbol::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn numbers_are_checked() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["", "x", "0", "-1", "NaN", "inf", "1e9"] {
            assert!(seconds(bad).is_err(), "{bad}");
            assert!(speed(bad).is_err(), "{bad}");
        }
    }
}
