//! `serve` over an existing file: from starting the process to the first frame a client has.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use liqheat_store::{Location, Settings, Store};
use tungstenite::Message;

use super::data::Year;
use super::print_limit;

const LIMIT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(year: &Year, folder: &Path) -> anyhow::Result<()> {
    let file = folder.join("start.duckdb");
    let store = Store::open(Location::File(file.clone()), Settings::default())?;
    store.append(&year.instrument, year.klines.clone()).blocking()?;
    store.append(&year.instrument, year.open_interest.clone()).blocking()?;
    store.close_blocking()?;
    let first = first_frame(&file)?;
    print_limit("serve to the first frame, a year to catch up", first, LIMIT, "no checkpoint in the file");
    let again = first_frame(&file)?;
    print_limit("serve to the first frame, again", again, LIMIT, "from a checkpoint");
    Ok(())
}

fn first_frame(file: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut server = Server(
        Command::new(beside("liqheat")?)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--db"])
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the server")?,
    );
    let output = server.0.stdout.take().context("the server has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line.trim().strip_prefix("liqheat: http://").context("the server did not start")?;
    let address = address.trim_end_matches('/');
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (mut socket, _) = tungstenite::client(format!("ws://{address}/ws/heatmap"), socket)
        .map_err(|error| anyhow::anyhow!("handshake: {error}"))?;
    socket.send(Message::text(r#"{"action":"subscribe","symbols":["BTCUSDT"]}"#))?;
    loop {
        let message = socket.read()?;
        if message.is_text() && message.to_text()?.starts_with(r#"{"type":"snapshot""#) {
            return Ok(began.elapsed());
        }
    }
}

/// Another program of the same build.
pub(super) fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(path.is_file(), "there is no {}; build it with `make build`", path.display());
    Ok(path)
}

/// A process that never outlives the measurement.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
