//! A stand-in for whoever takes webhooks: keeps what it was sent and answers as the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::PATIENCE;

/// A POST that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedPost {
    /// The path with its query.
    pub path: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl ReceivedPost {
    /// The first header of a name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The receiver. Its threads end with the test.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    requests: Arc<(Mutex<Vec<ReceivedPost>>, Condvar)>,
}

impl Receiver {
    /// Listens on a port of this machine and answers every request with a status.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn answering(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (status, requests) = (Arc::new(AtomicU16::new(status)), Arc::default());
        let (answer, kept) = (Arc::clone(&status), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || serve(stream, &answer, &kept));
            }
        });
        Self { address, status, requests }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with another status from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Waits until there are at least `count` requests, and returns all of them.
    ///
    /// # Panics
    /// When they do not come in time.
    #[must_use]
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<ReceivedPost> {
        let began = Instant::now();
        let (requests, arrived) = &*self.requests;
        let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        while requests.len() < count {
            let left = PATIENCE.saturating_sub(began.elapsed());
            assert!(!left.is_zero(), "{} of {count} requests came: {requests:?}", requests.len());
            requests = arrived.wait_timeout(requests, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        requests.clone()
    }
}

type RequestLog = (Mutex<Vec<ReceivedPost>>, Condvar);

fn serve(stream: TcpStream, status: &AtomicU16, kept: &RequestLog) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let status = status.load(Ordering::SeqCst);
        {
            let (requests, arrived) = kept;
            requests.lock().unwrap_or_else(PoisonError::into_inner).push(ReceivedPost {
                path,
                headers,
                body,
            });
            arrived.notify_all();
        }
        write!(reader.get_mut(), "HTTP/1.1 {status} -\r\nContent-Length: 0\r\n\r\n").ok()?;
    }
}
