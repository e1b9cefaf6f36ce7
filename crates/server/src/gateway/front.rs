//! The front door: accepts connections and speaks HTTP on them until they end or become sockets.
//!
//! Everything here is bounded. A request head must be complete within the handshake timeout, which also ends
//! connections that idle between two requests; it may be 32 KiB long. At most so many connections speak HTTP at
//! once: beyond that none is accepted until one ends, so a burst of honest clients waits in the kernel's queue
//! instead of being refused. One address can hold a quarter of them, so that somebody who connects and says
//! nothing disturbs nobody else. A connection that does not become a socket ends after five minutes, so that
//! readers of answers that do not read cannot hold a place for ever. Sockets leave this place when their upgrade
//! is complete and are bounded elsewhere.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::addresses::{AddressGuard, AddressLimits, Addresses};
use super::client::is_trusted;
use crate::settings::FrontSettings;

/// For requests on their way when the server stops: more than the longest takes. Less where the operator wants
/// the server to stop sooner.
const GRACE: Duration = Duration::from_secs(3);
/// How long a connection may speak HTTP.
const LIFETIME: Duration = Duration::from_secs(300);
/// Between two tries when connections cannot be accepted, as a rule for want of descriptors.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest request head, and most of an answer that is copied before it is written.
const BUFFER_BYTES: usize = 32 * 1_024;
/// What somebody hears who has too many connections already.
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n\
    retry-after: 10\r\ncontent-length: 64\r\nconnection: close\r\n\r\n\
    {\"detail\":\"too many connections from this address; close some\"}\n";

/// The front door, ready to run.
pub(crate) struct Front {
    pub(crate) settings: FrontSettings,
    pub(crate) router: Router,
    /// Most time between the signal to stop and the end of the process.
    pub(crate) stop_within: Duration,
}

impl Front {
    /// Accepts until asked to stop, then waits for running requests, but not for long.
    pub(crate) async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let patience = GRACE.min(self.stop_within / 2);
        let door = Door::new(self, stop);
        tokio::select! {
            () = door.stop.cancelled() => {}
            () = door.accept_all(&listener) => {}
        }
        drop(listener);
        door.connections.close();
        // Somebody who began a request and never ends it must not keep the server from stopping.
        if timeout(patience, door.connections.wait()).await.is_err() {
            let connections = door.connections.len();
            info!(connections, "connections with unfinished requests are left behind");
            door.abandon.cancel();
        }
    }
}

struct Door {
    settings: FrontSettings,
    router: Router,
    http: http1::Builder,
    places: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    connections: TaskTracker,
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Door {
    fn new(front: Front, stop: CancellationToken) -> Self {
        let Front { settings, router, .. } = front;
        let most = settings.http_connections_max;
        let by_address = AddressLimits {
            open_max: u32::try_from(most / 4).unwrap_or(u32::MAX).max(1),
            new_per_minute_max: u32::MAX,
            ..AddressLimits::default()
        };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.handshake_timeout)
            .max_buf_size(BUFFER_BYTES);
        Self {
            settings,
            router,
            http,
            places: Arc::new(Semaphore::new(most)),
            addresses: Addresses::new(by_address, Instant::now()),
            connections: TaskTracker::new(),
            stop,
            abandon: CancellationToken::new(),
        }
    }

    async fn accept_all(&self, listener: &TcpListener) {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
            let (stream, peer) = accept(listener).await;
            let Some(guard) = self.admit(peer) else {
                refuse(stream);
                continue;
            };
            // A request is answered in one write as a rule; Nagle would only hold it back.
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "socket option refused");
            }
            let (http, router) = (self.http.clone(), self.router.clone());
            let (stop, abandon) = (self.stop.clone(), self.abandon.clone());
            self.connections.spawn(async move {
                tokio::select! {
                    () = serve(http, router, stream, peer, stop) => {}
                    () = abandon.cancelled() => {}
                }
                drop((place, guard));
            });
        }
    }

    fn admit(&self, peer: SocketAddr) -> Option<AddressGuard> {
        if is_trusted(peer.ip().to_canonical(), &self.settings.trusted_proxies) {
            return Some(AddressGuard::uncounted());
        }
        self.addresses.admit(peer.ip(), Instant::now()).ok()
    }
}

/// The next connection. Those that broke before they were accepted are passed over; when there are no
/// descriptors left, it waits until there are.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                warn!(%error, "connections cannot be accepted; trying again");
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Tells why, as far as that is possible without waiting.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(TOO_MANY);
    }
}

/// Speaks HTTP until the connection ends, becomes a socket, is asked to end, or is too old.
async fn serve(
    http: http1::Builder,
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    stop: CancellationToken,
) {
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.call(request)
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        ended = connection.as_mut() => return tell(ended, peer),
        () = stop.cancelled() => {}
        () = sleep(LIFETIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    // When the server stops, the end of its patience comes first.
    if let Ok(ended) = timeout(LIFETIME / 10, connection).await {
        tell(ended, peer);
    }
}

/// A connection that breaks is its client's business.
fn tell(ended: hyper::Result<()>, peer: SocketAddr) {
    if let Err(error) = ended {
        debug!(client_ip = %peer.ip(), %error, "HTTP connection broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_whole() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(body["detail"].is_string());
    }

    #[test]
    fn only_want_of_descriptors_and_the_like_make_it_pause() {
        assert!(is_of_one_client(&io::ErrorKind::ConnectionAborted.into()));
        // EMFILE.
        assert!(!is_of_one_client(&io::Error::from_raw_os_error(24)));
    }
}
