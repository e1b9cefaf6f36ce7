//! The command line of `liqheat-bench`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use liqheat::time_unit::parse_seconds;
use liqheat_wire::{BINARY_PROTOCOL, TEXT_PROTOCOL};

/// Measures liqheat on this machine and prints the figures of docs/results.md.
#[derive(Debug, Parser)]
#[command(
    name = "liqheat-bench",
    version,
    about,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  liqheat-bench
  liqheat-bench ledger grid
  liqheat-bench fanout
  liqheat-bench fanout --clients 10000 --seconds 600 --rows json
  liqheat-bench fanout --rows json --stalled 0.1 --seconds 60
  liqheat-bench deploy --clients 4000
  liqheat-bench bandwidth
  liqheat-bench contract rest redis"
)]
pub(crate) struct Bench {
    /// What to measure; everything but fanout, bandwidth and deploy by default, which take minutes.
    #[arg(value_enum, value_name = "WHAT")]
    pub(crate) what: Vec<BenchPart>,
    /// Recorded market data to load (a parquet file of 5-minute klines); a simulated year without.
    #[arg(long, env = "LIQHEAT_BENCH_KLINES", value_name = "FILE")]
    pub(crate) klines: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fanout: FanoutArgs,
    /// Log levels, as of `liqheat --log`.
    #[arg(long, global = true, env = "LIQHEAT_LOG", default_value = "warn", value_name = "LEVELS")]
    pub(crate) log: String,
    #[command(subcommand)]
    pub(crate) measured: Option<MeasuredProgram>,
}

/// Programs that are measured, each in a process of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum MeasuredProgram {
    /// Measures what the plan of the stream promised, each figure against its limit.
    Contract(ContractArgs),
    /// The real front and sessions over generated boards.
    #[command(hide = true)]
    Server(BenchServer),
    /// The floor: one plain write(2) a client.
    #[command(hide = true)]
    Floor(BenchFloor),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchPart {
    /// A year of 5-minute bars through the ledger.
    Ledger,
    /// One bar applied, put on the board and encoded.
    Bar,
    /// A 1000 x 1000 history grid.
    Grid,
    /// Bytes of 30 days as the page asks for them.
    Picture,
    /// Loading a year of klines, beside DuckDB's own readers.
    Load,
    /// `serve` over an existing file to the first frame.
    Start,
    /// Live events of an exchange, from frames to the ledger, on one core.
    Feed,
    /// One update to many clients, beside a plain write loop and nchan.
    Fanout,
    /// Bytes that a client of the demo receives, in each form.
    Bandwidth,
    /// Two servers restarted one after the other under many clients.
    Deploy,
    /// Intervals between states while many connections read the database.
    Reads,
}

impl BenchPart {
    /// Needs a year of market data.
    pub(crate) const fn is_over_a_year(self) -> bool {
        !matches!(self, Self::Feed | Self::Fanout | Self::Bandwidth | Self::Deploy | Self::Reads)
    }
}

/// Of `contract`.
#[derive(Debug, Args)]
pub(crate) struct ContractArgs {
    /// What to measure; everything by default. `socket` takes an hour.
    #[arg(value_enum, value_name = "WHAT")]
    parts: Vec<ContractPart>,
    /// Clients, each with a connection of its own.
    #[arg(long, default_value = "1000", value_name = "N", value_parser = count(1, 8_000))]
    pub(crate) clients: usize,
    /// Seconds that a row is measured for.
    #[arg(long, default_value = "30", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) seconds: Duration,
    /// Of socket: how long it stays open.
    #[arg(long, default_value = "3600", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) socket_seconds: Duration,
}

impl ContractArgs {
    /// What to measure, in the order of the list.
    pub(crate) fn parts(&self) -> Vec<ContractPart> {
        let every = ContractPart::value_variants().iter().copied();
        every.filter(|part| self.parts.is_empty() || self.parts.contains(part)).collect()
    }
}

/// A promise of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContractPart {
    /// Server load of clients that poll and of as many sockets.
    Polling,
    /// p95 of routes with no socket and with many.
    Rest,
    /// From a publication to the board of an edge, through Redis.
    Redis,
    /// Twenty pollers of one history beside one.
    History,
    /// Processor time of a delivery over an event stream beside a socket.
    Events,
    /// One socket that stays open for an hour.
    Socket,
}

/// Of `fanout` and `deploy`.
#[derive(Debug, Args)]
pub(crate) struct FanoutArgs {
    /// Servers and forms to measure, separated by commas.
    #[arg(
        long,
        env = "LIQHEAT_BENCH_ROWS",
        value_enum,
        value_delimiter = ',',
        default_value = "floor,nchan,json,json-deflated,delta,binary-delta",
        value_name = "ROWS"
    )]
    pub(crate) rows: Vec<Row>,
    /// Clients, each with a connection of its own.
    #[arg(long, env = "LIQHEAT_BENCH_CLIENTS", default_value = "1000", value_name = "N", value_parser = count(1, 1_000_000))]
    pub(crate) clients: usize,
    /// Seconds of traffic in each row [default: 10; 60 for bandwidth]
    #[arg(long, env = "LIQHEAT_BENCH_SECONDS", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) seconds: Option<Duration>,
    /// How often all rows are measured, one after the other; medians and ranges of ratios are printed.
    #[arg(long, env = "LIQHEAT_BENCH_ROUNDS", default_value = "1", value_name = "N", value_parser = count(1, 100))]
    pub(crate) rounds: usize,
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
    /// Share of clients that stop reading (0.1); each row is measured before and after they stall.
    #[arg(long, env = "LIQHEAT_BENCH_STALLED", default_value = "0", value_parser = share, value_name = "SHARE")]
    pub(crate) stalled: f64,
    /// Of deploy: seconds over which clients are spread that a stopping server sends away.
    #[arg(long, env = "LIQHEAT_BENCH_DRAIN", default_value = "5", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) drain: Duration,
    /// Of deploy: servers that run already, or a proxy before them, instead of two of its own. Loopback addresses only.
    #[arg(long, env = "LIQHEAT_BENCH_CONNECT", value_delimiter = ',', value_parser = loopback, value_name = "ADDRESSES")]
    pub(crate) connect: Vec<SocketAddr>,
    /// Of deploy: each client sends an X-Forwarded-For of its own, for a proxy that believes it and places clients by it.
    #[arg(long, env = "LIQHEAT_BENCH_FORWARDED", requires = "connect")]
    pub(crate) forwarded: bool,
    /// Of deploy: the symbol to follow there.
    #[arg(long, env = "LIQHEAT_BENCH_SYMBOL", default_value = "BTCUSDT", value_name = "SYMBOL")]
    pub(crate) symbol: String,
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
    /// Whole states in the binary form.
    Binary,
    /// Differences in the binary form.
    BinaryDelta,
}

impl Row {
    pub(crate) const fn is_delta(self) -> bool {
        matches!(self, Self::Delta | Self::DeltaDeflated | Self::BinaryDelta)
    }

    pub(crate) const fn is_deflated(self) -> bool {
        matches!(self, Self::JsonDeflated | Self::DeltaDeflated)
    }

    /// The subprotocol to ask for.
    pub(crate) const fn protocol(self) -> Option<&'static str> {
        match self {
            Self::Floor | Self::Nchan => None,
            Self::Binary | Self::BinaryDelta => Some(BINARY_PROTOCOL),
            _ => Some(TEXT_PROTOCOL),
        }
    }
}

/// Of `server`.
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
    /// Another course of events for each.
    #[arg(long, default_value = "0")]
    pub(crate) seed: u32,
    /// Levels that lose their mass at a time.
    #[arg(long, default_value = "0")]
    pub(crate) vanishing: usize,
    /// Sockets at once.
    #[arg(long, default_value = "10000")]
    pub(crate) connections: u64,
    /// Any free one with 0.
    #[arg(long, default_value = "0")]
    pub(crate) port: u16,
    /// Delays of clients that are sent away.
    #[arg(long, default_value = "5", value_parser = parse_seconds)]
    pub(crate) drain: Duration,
}

/// Of `floor`.
#[derive(Debug, Args)]
pub(crate) struct BenchFloor {
    #[arg(long, default_value = "5", value_parser = rate)]
    pub(crate) hz: f64,
    #[arg(long, default_value = "28", value_parser = count(1, 10_000))]
    pub(crate) levels: usize,
}

/// Load belongs on one's own machine.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .trim()
        .parse()
        .map_err(|_| "must be an address and a port, such as 127.0.0.1:8000".to_owned())?;
    if !address.ip().is_loopback() {
        return Err(
            "must be a loopback address (127.0.0.0/8 or ::1); thousands of clients are for one's own machine"
                .to_owned(),
        );
    }
    Ok(address)
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
