//! The command line. Every flag is also an environment variable and a key of the configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use liqheat_feeds::archive::Family;
use liqheat_market::{Symbol, UnixMs};
use liqheat_server::ServerSettings;
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
    /// What `bench fanout` measures: the real front and sessions over made-up boards.
    #[command(hide = true)]
    BenchServer(BenchServer),
    /// What `bench fanout` compares with: one plain write a client.
    #[command(hide = true)]
    BenchFloor(BenchFloor),
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
    /// Origins of other pages that may open sockets (https://charts.example), separated by commas; * is any.
    #[arg(long, env = "LIQHEAT_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGINS")]
    pub(crate) allowed_origins: Vec<String>,
    /// Whether /ws/heatmap and the updater run; without, clients poll the HTTP API.
    #[arg(long, env = "WS_ENABLED", default_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) ws_enabled: bool,
    /// Seconds between updates [default: 5; 1 for demo and replay]
    #[arg(long, env = "WS_UPDATE_INTERVAL", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_update_interval: Option<Duration>,
    /// Most sockets at once.
    #[arg(long, env = "WS_MAX_CONNECTIONS", default_value = "10000", value_name = "N")]
    pub(crate) ws_max_connections: u64,
    /// A write that takes longer than these seconds marks a client slow.
    #[arg(long, env = "WS_SLOW_CONSUMER_TIMEOUT", default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) ws_slow_consumer_timeout: Duration,
    /// More missed updates than this mark a client slow, too.
    #[arg(long, env = "WS_MAX_QUEUE_SIZE", default_value = "100", value_name = "N")]
    pub(crate) ws_max_queue_size: u64,
}

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
    pub(crate) fn settings(&self, update_interval: Duration) -> ServerSettings {
        ServerSettings {
            ws_enabled: self.ws_enabled,
            update_interval: self.ws_update_interval.unwrap_or(update_interval),
            connections_max: self.ws_max_connections,
            slow_consumer_timeout: self.ws_slow_consumer_timeout,
            queue_size_max: self.ws_max_queue_size,
            allowed_origins: self.allowed_origins.clone(),
            symbols: self.symbols.clone(),
            ..ServerSettings::default()
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
  liqheat bench ledger grid
  liqheat bench fanout
  liqheat bench fanout --clients 10000 --seconds 600 --rows json
  liqheat bench fanout --rows json --stalled 0.1 --seconds 60")]
pub(crate) struct Bench {
    /// What to measure; everything but fanout by default, which takes two minutes and both cores.
    #[arg(value_enum, value_name = "WHAT")]
    pub(crate) what: Vec<BenchPart>,
    /// Recorded market data to load (a parquet file of 5-minute klines); a simulated year without.
    #[arg(long, env = "LIQHEAT_BENCH_KLINES", value_name = "FILE")]
    pub(crate) klines: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fanout: FanoutArgs,
}

/// Of `bench fanout`.
#[derive(Debug, Args)]
pub(crate) struct FanoutArgs {
    /// Servers and forms to measure, separated by commas.
    #[arg(
        long,
        env = "LIQHEAT_BENCH_ROWS",
        value_enum,
        value_delimiter = ',',
        default_value = "floor,nchan,json,delta",
        value_name = "ROWS"
    )]
    pub(crate) rows: Vec<Row>,
    /// Clients, each with a connection of its own.
    #[arg(long, env = "LIQHEAT_BENCH_CLIENTS", default_value = "1000", value_name = "N", value_parser = count(1, 1_000_000))]
    pub(crate) clients: usize,
    /// Seconds of traffic in each row.
    #[arg(long, env = "LIQHEAT_BENCH_SECONDS", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) seconds: Duration,
    /// Updates a second of each symbol.
    #[arg(long, env = "LIQHEAT_BENCH_HZ", default_value = "5", value_parser = rate, value_name = "N")]
    pub(crate) hz: f64,
    /// Levels of a state; 28 make 2 KB of JSON.
    #[arg(long, env = "LIQHEAT_BENCH_LEVELS", default_value = "28", value_name = "N", value_parser = count(1, 10_000))]
    pub(crate) levels: usize,
    /// Levels that change with each update.
    #[arg(long, env = "LIQHEAT_BENCH_CHANGES", default_value = "8", value_name = "N", value_parser = count(1, 10_000))]
    pub(crate) changes: usize,
    /// Symbols that clients are spread over. The floor and nchan have one.
    #[arg(long, env = "LIQHEAT_BENCH_SYMBOLS", default_value = "1", value_name = "N", value_parser = count(1, 1_000))]
    pub(crate) symbols: usize,
    /// Share of clients that stop reading (0.1); each row is measured without and with them.
    #[arg(long, env = "LIQHEAT_BENCH_STALLED", default_value = "0", value_parser = share, value_name = "SHARE")]
    pub(crate) stalled: f64,
}

/// A server and a form to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// One plain write(2) a client from one loop.
    Floor,
    /// nginx with nchan.
    Nchan,
    /// Whole states in JSON.
    Json,
    /// The same with permessage-deflate.
    JsonDeflated,
    /// Differences in JSON.
    Delta,
    /// The same with permessage-deflate.
    DeltaDeflated,
}

impl Row {
    pub(crate) const fn is_delta(self) -> bool {
        matches!(self, Self::Delta | Self::DeltaDeflated)
    }

    pub(crate) const fn is_deflated(self) -> bool {
        matches!(self, Self::JsonDeflated | Self::DeltaDeflated)
    }

    /// The subprotocol to ask for.
    pub(crate) const fn protocol(self) -> Option<&'static str> {
        match self {
            Self::Floor | Self::Nchan => None,
            _ => Some("liqheat.v1.json"),
        }
    }
}

/// Of `bench-server`.
#[derive(Debug, Args)]
pub(crate) struct BenchServer {
    #[arg(long, default_value = "5", value_parser = rate)]
    pub(crate) hz: f64,
    #[arg(long, default_value = "28", value_parser = count(1, 10_000))]
    pub(crate) levels: usize,
    #[arg(long, default_value = "8", value_parser = count(1, 10_000))]
    pub(crate) changes: usize,
    #[arg(long, default_value = "1", value_parser = count(1, 1_000))]
    pub(crate) symbols: usize,
    /// Sockets at once.
    #[arg(long, default_value = "10000")]
    pub(crate) connections: u64,
}

/// Of `bench-floor`.
#[derive(Debug, Args)]
pub(crate) struct BenchFloor {
    #[arg(long, default_value = "5", value_parser = rate)]
    pub(crate) hz: f64,
    #[arg(long, default_value = "28", value_parser = count(1, 10_000))]
    pub(crate) levels: usize,
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
    /// One update to many clients, beside a plain write loop and nchan.
    Fanout,
}

impl BenchPart {
    /// Needs no market data, but both cores and minutes.
    pub(crate) const fn is_of_the_stream(self) -> bool {
        matches!(self, Self::Fanout)
    }
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

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.trim().parse().map_err(|_| "must be a number, such as 5".to_owned())?;
    if !(0.01..=1_000.0).contains(&rate) {
        return Err("must be 0.01 to 1000 a second".to_owned());
    }
    Ok(rate)
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.trim().parse().map_err(|_| "must be a share, such as 0.1".to_owned())?;
    if !(0.0..=0.9).contains(&share) {
        return Err("must be 0 to 0.9".to_owned());
    }
    Ok(share)
}

fn count(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let count: usize = text.trim().parse().map_err(|_| "must be a whole number".to_owned())?;
        if !(least..=most).contains(&count) {
            return Err(format!("must be {least} to {most}"));
        }
        Ok(count)
    }
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
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
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
