//! A reader of server-sent events, as `curl -N` and a browser read them.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::PATIENCE;

/// An event of a stream.
#[derive(Debug, Clone, Default)]
pub struct ServerSentEvent {
    /// Its type.
    pub name: String,
    /// The position after it.
    pub id: Option<String>,
    /// The message.
    pub data: Value,
    /// Milliseconds after which the client is to come back, where the stream said so before this event.
    pub retry: Option<u64>,
}

/// An open stream of `GET /v1/stream`.
pub struct EventReader {
    input: BufReader<TcpStream>,
    is_chunked: bool,
    /// Bytes of the present chunk that are not read yet.
    chunk_left: usize,
}

impl EventReader {
    /// The stream, and the head of its answer in lower case. `headers` is whole lines, each with its `\r\n`.
    ///
    /// # Panics
    /// When there is nobody at the address.
    #[must_use]
    #[track_caller]
    pub fn open(address: SocketAddr, query: &str, headers: &str) -> (Self, String) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET /v1/stream?{query} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut stream = Self { input: BufReader::new(stream), is_chunked: false, chunk_left: 0 };
        let mut head = String::new();
        while let Some(line) = stream.line().filter(|line| !line.is_empty()) {
            head.push_str(&line.to_lowercase());
            head.push('\n');
        }
        stream.is_chunked = head.lines().any(|line| line == "transfer-encoding: chunked");
        (stream, head)
    }

    /// A line of the answer, without the end of line; `None` at the end.
    #[track_caller]
    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            if self.is_chunked && self.chunk_left == 0 {
                self.chunk_left = self.chunk()?;
            }
            let byte = self.byte()?;
            self.chunk_left = self.chunk_left.saturating_sub(1);
            if self.is_chunked && self.chunk_left == 0 {
                // The end of line behind the chunk.
                self.byte()?;
                self.byte()?;
            }
            if byte == b'\n' {
                return Some(String::from_utf8(line).unwrap().trim_end_matches('\r').to_owned());
            }
            line.push(byte);
        }
    }

    /// The length of the next chunk; `None` for the last one.
    #[track_caller]
    fn chunk(&mut self) -> Option<usize> {
        let mut length = String::new();
        assert!(self.input.read_line(&mut length).unwrap() > 0, "a stream that breaks off");
        Some(usize::from_str_radix(length.trim_end(), 16).unwrap()).filter(|length| *length > 0)
    }

    #[track_caller]
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.input.fill_buf().unwrap().first()?;
        self.input.consume(1);
        Some(byte)
    }

    /// The next event; `None` at the end.
    ///
    /// # Panics
    /// When nothing comes within [`PATIENCE`], and for data that is not JSON.
    #[track_caller]
    pub fn event(&mut self) -> Option<ServerSentEvent> {
        let mut event = ServerSentEvent::default();
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                Some(("retry", after)) => event.retry = after.parse().ok(),
                _ if line.is_empty() && !event.name.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    /// The next event of this type.
    ///
    /// # Panics
    /// When the stream ends before it.
    #[track_caller]
    pub fn until(&mut self, name: &str) -> ServerSentEvent {
        loop {
            let event = self.event().unwrap_or_else(|| panic!("the stream ended before '{name}'"));
            if event.name == name {
                return event;
            }
        }
    }
}
