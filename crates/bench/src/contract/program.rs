//! The released program as a process to measure.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::http::HttpClient;
use crate::fanout::child::{Process, Usage};

/// Time for a server to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, which ends with its owner.
pub(super) struct Program {
    process: Process,
    pub(super) address: SocketAddr,
}

impl Program {
    /// Starts `liqheat` with these arguments, separated by spaces, on a free port, and waits until it is ready. One
    /// address may have every connection.
    ///
    /// # Errors
    /// When it does not start or does not become ready.
    pub(super) async fn start(arguments: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(crate::start::beside("liqheat")?);
        command
            .args(arguments.split(' '))
            .args(["--listen", "127.0.0.1:0", "--log", "error", "--http-max-connections", "8192"])
            .args(["--ws-max-connections-per-address", "30000"])
            .args(["--ws-max-new-connections-per-minute", "1000000"])
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let output = process.take_output().context("the server has no output")?;
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        });
        let line = tokio::time::timeout(PATIENCE, line).await.context("the server did not start")???;
        let url = line.trim().strip_prefix("liqheat: http://").context("the server did not start")?;
        let address = url.trim_end_matches('/').parse().context("the server's address")?;
        let program = Self { process, address };
        tokio::time::timeout(PATIENCE, program.ready()).await.context("the server is not ready")?;
        Ok(program)
    }

    /// The simulated market at a speed, with a state once an interval.
    ///
    /// # Errors
    /// As [`Program::start`].
    pub(super) async fn demo(days: u32, speed: u32, update_interval: f64) -> anyhow::Result<Self> {
        Self::start(&format!("demo --days {days} --speed {speed} --ws-update-interval {update_interval}"))
            .await
    }

    async fn ready(&self) {
        loop {
            if let Ok(mut client) = HttpClient::connect(self.address).await
                && client.get("/ready", None).await.is_ok_and(|answer| answer.status == 200)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// # Errors
    /// When the process has ended.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.process.id())
    }
}
