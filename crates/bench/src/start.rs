//! `serve` over an existing file: from starting the process to the first frame a client has.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use tungstenite::Message;

use super::data::Year;
use super::print_limit;

const LIMIT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(year: &Year, folder: &Path) -> anyhow::Result<()> {
    let file = folder.join("start.duckdb");
    year.store(&file)?;
    let first = first_frame(&file)?;
    print_limit("serve to the first frame, a year to catch up", first, LIMIT, "no checkpoint in the file");
    let again = first_frame(&file)?;
    print_limit("serve to the first frame, again", again, LIMIT, "from a checkpoint");
    Ok(())
}

fn first_frame(file: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let server = Server::start(file)?;
    server.wait_for_snapshot()?;
    Ok(began.elapsed())
}

/// Another program of the same build.
pub(super) fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(path.is_file(), "there is no {}; build it with `make build`", path.display());
    Ok(path)
}

/// `serve` over a file, as a process that never outlives the measurement.
pub(super) struct Server {
    process: Child,
    pub(super) address: String,
}

impl Server {
    /// # Errors
    /// When it does not start.
    pub(super) fn start(file: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(beside("liqheat")?)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--db"])
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the server")?;
        let output = process.stdout.take();
        let mut server = Self { process, address: String::new() };
        let mut line = String::new();
        BufReader::new(output.context("the server has no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("liqheat: http://").context("the server did not start")?;
        address.trim_end_matches('/').clone_into(&mut server.address);
        Ok(server)
    }

    /// Subscribes and waits until there is a state.
    ///
    /// # Errors
    /// When the connection ends.
    pub(super) fn wait_for_snapshot(&self) -> anyhow::Result<()> {
        let socket = TcpStream::connect(&self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let (mut socket, _) = tungstenite::client(format!("ws://{}/ws/heatmap", self.address), socket)
            .map_err(|error| anyhow::anyhow!("handshake: {error}"))?;
        socket.send(Message::text(r#"{"action":"subscribe","symbols":["BTCUSDT"]}"#))?;
        loop {
            let message = socket.read()?;
            if message.is_text() && message.to_text()?.starts_with(r#"{"type":"snapshot""#) {
                return Ok(());
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
