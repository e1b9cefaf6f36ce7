//! An HTTP client with one connection that is kept, and a client that polls with it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// An answer that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
pub(super) struct HttpClient {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    body: Vec<u8>,
}

/// An answer; the body is read and counted.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) etag: Option<String>,
}

impl HttpClient {
    /// # Errors
    /// When nobody listens there.
    pub(super) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(64 * 1_024, stream), address, body: Vec::new() })
    }

    /// Asks for a path, with the tag of what is held already.
    ///
    /// # Errors
    /// When the connection ends or the answer does not come in time.
    pub(super) async fn get(&mut self, path: &str, etag: Option<&str>) -> anyhow::Result<Answer> {
        tokio::time::timeout(PATIENCE, self.exchange(path, etag)).await.context("no answer in time")?
    }

    async fn exchange(&mut self, path: &str, etag: Option<&str>) -> anyhow::Result<Answer> {
        let condition = etag.map(|tag| format!("If-None-Match: {tag}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{condition}\r\n", self.address);
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).context("no status")?.parse()?;
        let (mut length, mut etag) = (None, None);
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.parse::<usize>()?),
                "etag" => etag = Some(value.to_owned()),
                _ => {}
            }
        }
        let length = if status == 304 { 0 } else { length.context("no content-length")? };
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).await?;
        Ok(Answer { status, bytes: length as u64, etag })
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Counts of the answers to pollers.
#[derive(Debug, Default)]
pub(super) struct PollCounts {
    pub(super) whole: AtomicU64,
    pub(super) unchanged: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// Asks for a path at an interval, the first time after `phase`, until it is stopped. With `conditional` it sends the tag
/// of what it holds.
pub(super) async fn poll(
    address: SocketAddr,
    path: &str,
    (every, phase): (Duration, Duration),
    conditional: bool,
    counts: &PollCounts,
    stop: CancellationToken,
) {
    let polling = async {
        tokio::time::sleep(phase).await;
        let mut tick = tokio::time::interval(every);
        let (mut client, mut held) = (None, None);
        loop {
            tick.tick().await;
            // The server ends a connection after some minutes; it is opened again.
            if client.is_none() {
                client = HttpClient::connect(address).await.ok();
            }
            let Some(open) = &mut client else {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let counter = match open.get(path, held.as_deref()).await {
                Ok(answer) => {
                    counts.bytes.fetch_add(answer.bytes, Ordering::Relaxed);
                    if conditional && answer.etag.is_some() {
                        held = answer.etag;
                    }
                    match answer.status {
                        200 => &counts.whole,
                        304 => &counts.unchanged,
                        _ => &counts.failed,
                    }
                }
                Err(_) => {
                    client = None;
                    &counts.failed
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::select! {
        () = polling => {}
        () = stop.cancelled() => {}
    }
}
