//! `bench reads`: how evenly states arrive while many connections read the database, beside the same server
//! without them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use liqheat_market::convert::{approx_f64, trunc_usize};
use tokio_util::sync::CancellationToken;
use tungstenite::Message;

use liqheat::terminal::say;

/// Connections of one address that repeat the two largest reads without a pause.
const CONNECTIONS: usize = 100;
const PATHS: [&str; 2] = [
    "/prices/klines?symbol=BTCUSDT&interval=1m&limit=5000",
    "/v1/liquidations?symbol=BTCUSDT&start_time=1970-01-01T00:00:00Z&limit=10000",
];
/// The interval between states may grow by this factor.
const FACTOR_MAX: f64 = 1.2;
const PATIENCE: Duration = Duration::from_secs(60);

/// What the crowd heard.
#[derive(Debug, Default)]
struct Answers {
    whole: AtomicU64,
    refused: AtomicU64,
    other: AtomicU64,
}

pub(super) fn run(seconds: Option<Duration>, stop: &CancellationToken) -> anyhow::Result<bool> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(&folder.path().join("market.duckdb"))?;
    let measured = seconds.unwrap_or(Duration::from_secs(30)).max(Duration::from_secs(10));
    say!("reads: intervals between states of one symbol, one state a second, {measured:?} each");
    let quiet = Intervals::of(server.address, measured, stop)?;
    quiet.print("no other connection");
    let (answers, ending) = (Answers::default(), AtomicBool::new(false));
    let crowded = thread::scope(|scope| {
        for index in 0..CONNECTIONS {
            let (answers, ending, address) = (&answers, &ending, server.address);
            scope.spawn(move || {
                while !ending.load(Ordering::Relaxed) {
                    // A connection that is refused or ends is opened again.
                    let _ = read_on(address, PATHS[index % PATHS.len()], answers, ending);
                }
            });
        }
        let crowded = Intervals::of(server.address, measured, stop);
        ending.store(true, Ordering::Relaxed);
        crowded
    })?;
    crowded.print(&format!("{CONNECTIONS} connections that read"));
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    say!(
        "answers to those connections: {} whole, {} refused with 503, {} other",
        count(&answers.whole),
        count(&answers.refused),
        count(&answers.other)
    );
    let factor = crowded.p99().as_secs_f64() / quiet.p99().as_secs_f64();
    say!("p99 grows by a factor of {factor:.2} (limit {FACTOR_MAX})");
    Ok(factor < FACTOR_MAX && count(&answers.other) == 0)
}

/// The demo, with a database in a file.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(file: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(crate::start::beside("liqheat")?)
            .args(["demo", "--listen", "127.0.0.1:0", "--log", "error", "--days", "4", "--speed", "60"])
            .args(["--ws-update-interval", "1", "--db"])
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the server")?;
        let output = process.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let mut server = Self { process, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        read?;
        let url = line.trim().strip_prefix("liqheat: http://").context("the server did not start")?;
        server.address = url.trim_end_matches('/').parse().context("the server's address")?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Times between states, ascending.
struct Intervals(Vec<Duration>);

impl Intervals {
    fn of(address: SocketAddr, measured: Duration, stop: &CancellationToken) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (mut socket, _) = tungstenite::client(format!("ws://{address}/ws/heatmap"), stream)
            .map_err(|error| anyhow::anyhow!("handshake: {error}"))?;
        socket.send(Message::text(r#"{"action":"subscribe","symbols":["BTCUSDT"]}"#))?;
        let (began, mut last, mut intervals) = (Instant::now(), None, Vec::new());
        while began.elapsed() < measured && !stop.is_cancelled() {
            let message = socket.read()?;
            if message.is_text() && message.to_text()?.starts_with(r#"{"type":"snapshot""#) {
                let now = Instant::now();
                intervals.extend(last.replace(now).map(|last| now.duration_since(last)));
            }
        }
        anyhow::ensure!(!intervals.is_empty(), "fewer than two states came within {measured:?}");
        // The first follows the snapshot that the subscription is answered with.
        intervals.remove(0);
        intervals.sort();
        Ok(Self(intervals))
    }

    fn quantile(&self, of: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(trunc_usize((approx_f64(last) * of).round())).copied().unwrap_or_default()
    }

    fn p99(&self) -> Duration {
        self.quantile(0.99)
    }

    fn print(&self, what: &str) {
        let ms = |of| self.quantile(of).as_secs_f64() * 1e3;
        let (count, half, p99, most) = (self.0.len(), ms(0.5), ms(0.99), ms(1.0));
        say!("{what:<28} {count:>4} intervals, ms p50 / p99 / max: {half:.0} / {p99:.0} / {most:.0}");
    }
}

/// Reads one path on one connection until that ends or it is time.
fn read_on(address: SocketAddr, path: &str, answers: &Answers, ending: &AtomicBool) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut input = BufReader::new(stream);
    let mut body = Vec::new();
    while !ending.load(Ordering::Relaxed) {
        // The address is named, so that these connections have the limits of a client and not of a proxy.
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
        input.get_mut().write_all(request.as_bytes())?;
        let (status, length) = read_head(&mut input)?;
        body.resize(length, 0);
        input.read_exact(&mut body)?;
        let counter = match status {
            200 => &answers.whole,
            503 => &answers.refused,
            _ => &answers.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// The status and the length of the body.
fn read_head(input: &mut impl BufRead) -> anyhow::Result<(u16, usize)> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let status = line.split(' ').nth(1).context("no status")?.parse()?;
    let mut length = None;
    loop {
        line.clear();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse()?);
        }
    }
    Ok((status, length.context("no content-length")?))
}
