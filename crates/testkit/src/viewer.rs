//! A WebSocket client that keeps every message it gets.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::{Message, WebSocket};
use tungstenite::{ClientRequestBuilder, Error};

use crate::{Answer, PATIENCE};

/// Code and reason of a close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason {
    /// The close code.
    pub code: u16,
    /// The reason given.
    pub reason: String,
}

/// Result of waiting for a message.
#[derive(Debug, Clone, PartialEq)]
pub enum ViewerMessage {
    /// A message.
    Message(Value),
    /// Nothing.
    Nothing,
    /// The connection has ended.
    Gone,
}

/// A connection to `/ws/heatmap`.
#[derive(Debug)]
pub struct Viewer {
    socket: WebSocket<TcpStream>,
}

impl Viewer {
    /// Connects, with more header lines.
    ///
    /// # Errors
    /// The answer, when the server refuses the upgrade.
    ///
    /// # Panics
    /// When there is no HTTP answer at all.
    #[track_caller]
    pub fn connect(address: SocketAddr, headers: &[(&str, &str)]) -> Result<Self, Answer> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://{address}/ws/heatmap").parse().unwrap();
        let mut request = ClientRequestBuilder::new(url);
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let headers = response.headers().iter().map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                });
                Err(Answer {
                    status: response.status().as_u16(),
                    headers: headers.collect(),
                    body: response.body().clone().unwrap_or_default(),
                })
            }
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    /// Connects; `None` when the server cannot be reached or refuses.
    #[must_use]
    pub fn try_connect(address: SocketAddr, headers: &[(&str, &str)]) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let url = format!("ws://{address}/ws/heatmap").parse().ok()?;
        let mut request = ClientRequestBuilder::new(url);
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        tungstenite::client(request, stream).ok().map(|(socket, _)| Self { socket })
    }

    /// Sends a message; `false` when the connection is gone.
    pub fn try_say(&mut self, message: &Value) -> bool {
        self.socket.send(Message::text(message.to_string())).is_ok()
    }

    /// What comes within a time.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    pub fn listen(&mut self, within: Duration) -> ViewerMessage {
        let until = Instant::now() + within;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.socket.get_ref().set_read_timeout(Some(left)).is_err() {
                return ViewerMessage::Gone;
            }
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    return ViewerMessage::Message(serde_json::from_str(text.as_str()).unwrap());
                }
                Ok(Message::Close(_)) => return ViewerMessage::Gone,
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return ViewerMessage::Gone,
            }
        }
        ViewerMessage::Nothing
    }

    /// Sends a message.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string());
    }

    /// Sends a text that need not be JSON.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn say_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// Subscribes to one symbol, as fast as it comes.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn subscribe(&mut self, symbol: &str) {
        self.say(&serde_json::json!({"action": "subscribe", "symbols": [symbol]}));
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes in time, or the connection ends.
    #[track_caller]
    pub fn hear(&mut self) -> Value {
        loop {
            match self.socket.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(text.as_str()).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// The next binary message; text in between is passed over.
    ///
    /// # Panics
    /// When none comes in time, or the connection ends.
    #[track_caller]
    pub fn hear_bytes(&mut self) -> Vec<u8> {
        loop {
            if let Message::Binary(bytes) = self.socket.read().unwrap() {
                return bytes.to_vec();
            }
        }
    }

    /// Reads on until a message fits; gives it.
    ///
    /// # Panics
    /// When none comes in time, or the connection ends.
    #[track_caller]
    pub fn hear_until(&mut self, mut fits: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let message = self.hear();
            if fits(&message) {
                return message;
            }
        }
    }

    /// Reads on until the server closes.
    ///
    /// # Panics
    /// When the connection ends without a close frame.
    #[track_caller]
    pub fn closed(&mut self) -> CloseReason {
        loop {
            match self.socket.read() {
                Ok(Message::Close(Some(frame))) => {
                    return CloseReason { code: frame.code.into(), reason: frame.reason.to_string() };
                }
                Ok(_) => {}
                Err(error) => panic!("no close frame: {error}"),
            }
        }
    }
}
