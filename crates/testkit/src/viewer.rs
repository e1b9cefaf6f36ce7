//! A WebSocket client that reads what it is told.

use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::{Message, WebSocket};
use tungstenite::{ClientRequestBuilder, Error};

use crate::{Answer, PATIENCE};

/// How the server closed a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The close code.
    pub code: u16,
    /// The reason given.
    pub reason: String,
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
    pub fn closed(&mut self) -> Closed {
        loop {
            match self.socket.read() {
                Ok(Message::Close(Some(frame))) => {
                    return Closed { code: frame.code.into(), reason: frame.reason.to_string() };
                }
                Ok(_) => {}
                Err(error) => panic!("no close frame: {error}"),
            }
        }
    }
}
