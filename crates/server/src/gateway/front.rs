//! The HTTP listener: accepts connections and speaks HTTP on them until they end or become WebSockets.
//!
//! Everything here is bounded:
//!
//! - A request head must be complete within the handshake timeout, which also ends connections that idle between two
//!   requests; it may be 32 KiB long.
//! - A response whose client accepts no byte for the write timeout ends its connection ([`stream`]).
//! - A limited number of connections speak HTTP at once; [`places`] says who gets one.
//! - A connection that does not become a WebSocket ends after five minutes.
//!
//! WebSockets leave this module when their upgrade is complete, and have limits of their own.

mod connection;
mod places;
mod stream;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use liqheat_market::convert::whole_ms;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OnceCell};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::client::{Client, is_trusted};
use super::guard::HEAD_BYTES_MAX;
use super::settings::FrontSettings;
use super::takeover::{Takeover, head_of};
use crate::http::Refusal;
use crate::ops::metrics::{ConnectionEnd, FrontMetrics, HttpRefusal};
use connection::{AnswerBody, Seat, Seats, StallReporter};
use places::{Busy, RequestClass};
use stream::WriteTimeoutStream;

/// What hyper reads from and writes to, and what an upgrade takes out of it.
pub(crate) type HttpStream = TokioIo<WriteTimeoutStream<StallReporter>>;

/// Time for running requests when the server stops: more than the longest takes. Less where the operator wants
/// the server to stop sooner.
const GRACE: Duration = Duration::from_secs(3);
/// How long a connection may speak HTTP.
const LIFETIME: Duration = Duration::from_secs(300);
/// Between two attempts when connections cannot be accepted, usually because no descriptor is free.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes that a request head is read into, and most of an answer that is copied before it is written. It grows in
/// steps, so a head is measured again when it is read.
const BUFFER_BYTES: usize = HEAD_BYTES_MAX;
/// The answer to an address with too many connections.
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n\
    x-content-type-options: nosniff\r\nretry-after: 10\r\ncontent-length: 64\r\nconnection: close\r\n\r\n\
    {\"detail\":\"too many connections from this address; close some\"}\n";

/// The listener, ready to run.
pub(crate) struct Front {
    pub(crate) settings: FrontSettings,
    pub(crate) router: Router,
    pub(crate) metrics: Arc<FrontMetrics>,
    /// Most time between the signal to stop and the end of the process.
    pub(crate) stop_within: Duration,
}

impl Front {
    /// Accepts until asked to stop, then waits a limited time for running requests.
    pub(crate) async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let grace = GRACE.min(self.stop_within / 2);
        let acceptor = Acceptor::new(self, stop);
        tokio::select! {
            () = acceptor.stop.cancelled() => {}
            () = acceptor.accept_all(&listener) => {}
        }
        drop(listener);
        acceptor.connections.close();
        // A client that never ends its request must not keep the server from stopping.
        if timeout(grace, acceptor.connections.wait()).await.is_err() {
            info!(connections = acceptor.connections.len(), "connections with unfinished requests abandoned");
            acceptor.abandon.cancel();
        }
    }
}

struct Acceptor {
    settings: Arc<FrontSettings>,
    metrics: Arc<FrontMetrics>,
    router: Router,
    http: http1::Builder,
    seats: Arc<Seats>,
    connections: TaskTracker,
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Acceptor {
    fn new(front: Front, stop: CancellationToken) -> Self {
        let Front { settings, router, metrics, .. } = front;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.handshake_timeout)
            .max_buf_size(BUFFER_BYTES);
        Self {
            seats: Seats::new(settings.http_connections_max),
            settings: Arc::new(settings),
            metrics,
            router,
            http,
            connections: TaskTracker::new(),
            stop,
            abandon: CancellationToken::new(),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "starts the task of each connection, which the end of the server awaits"
    )]
    async fn accept_all(&self, listener: &TcpListener) {
        loop {
            let (stream, peer) = accept(listener).await;
            let is_proxy = is_trusted(peer.ip().to_canonical(), &self.settings.trusted_proxies);
            let Some(seat) = self.seats.take((!is_proxy).then_some(peer.ip())).await else {
                self.metrics.refuse_http(HttpRefusal::AddressConnections);
                refuse(stream);
                continue;
            };
            // A request is usually answered in one write; Nagle's algorithm would only delay it.
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "socket option refused");
            }
            let write_timeout = self.settings.write_timeout;
            let stream = WriteTimeoutStream::new(stream, write_timeout, seat.stall_reporter());
            let connection = HttpConnection {
                settings: Arc::clone(&self.settings),
                metrics: Arc::clone(&self.metrics),
                http: self.http.clone(),
                router: self.router.clone(),
                peer,
                seat,
                stop: self.stop.clone(),
            };
            let abandon = self.abandon.clone();
            self.connections.spawn(async move {
                tokio::select! {
                    () = connection.serve(TokioIo::new(stream)) => {}
                    () = abandon.cancelled() => {}
                }
            });
        }
    }
}

/// The next connection. Skips those that broke before they were accepted; when no descriptor is free, waits until
/// one is.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                warn!(%error, retry_in_ms = whole_ms(PAUSE), "connections cannot be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Says why, without waiting for the client.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(TOO_MANY);
    }
}

/// A connection that speaks HTTP.
struct HttpConnection {
    settings: Arc<FrontSettings>,
    metrics: Arc<FrontMetrics>,
    http: http1::Builder,
    router: Router,
    peer: SocketAddr,
    seat: Seat,
    stop: CancellationToken,
}

impl HttpConnection {
    /// Runs until the connection ends, becomes a WebSocket, is evicted, is asked to end, or is too old.
    async fn serve(self, stream: HttpStream) {
        let Self { settings, metrics, http, router, peer, seat, stop } = self;
        let routes = TowerToHyperService::new(router);
        let (front, trusted_proxies) = (&*metrics, &settings.trusted_proxies);
        let taken = &OnceCell::new();
        let is_taken = &Notify::new();
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let admitted = admit(&request, peer, trusted_proxies, &seat);
            let answer = admitted.map(|answering| (answering, routes.call(request)));
            async move {
                match answer {
                    Ok((answering, response)) => {
                        let mut response = response.await?;
                        if let Some(takeover) = response.extensions_mut().remove::<Takeover>() {
                            // The session writes the answer; this connection ends here.
                            let _ = taken.set((takeover, head_of(&response)));
                            is_taken.notify_one();
                            std::future::pending::<()>().await;
                        }
                        Ok(response.map(|body| Body::new(AnswerBody::new(body, answering))))
                    }
                    Err(busy) => Ok::<_, std::convert::Infallible>(refuse_request(busy, front)),
                }
            }
        });
        let mut connection = http.serve_connection(stream, service).with_upgrades();
        tokio::select! {
            ended = &mut connection => return report(ended, peer, front),
            () = is_taken.notified() => {
                if let (Some(parts), Some((takeover, head))) = (connection.into_parts(), taken.get()) {
                    takeover.start(parts.io.into_inner().into_inner(), head.clone());
                }
                return;
            }
            () = seat.evicted() => return front.end_connection(ConnectionEnd::Evicted),
            () = stop.cancelled() => {}
            () = sleep(LIFETIME) => {}
        }
        Pin::new(&mut connection).graceful_shutdown();
        // When the server stops, its own grace period is over first.
        tokio::select! {
            ended = timeout(LIFETIME / 10, &mut connection) => {
                if let Ok(ended) = ended {
                    report(ended, peer, front);
                }
            }
            () = seat.evicted() => front.end_connection(ConnectionEnd::Evicted),
        }
    }
}

/// A place for a request.
fn admit(
    request: &hyper::Request<Incoming>,
    peer: SocketAddr,
    trusted_proxies: &[IpNet],
    seat: &Seat,
) -> Result<connection::RequestInProgress, Busy> {
    let class = RequestClass::of(request.uri().path());
    let client = Client::of(peer.ip(), request.headers(), trusted_proxies);
    seat.begin(class, client.limited.then_some(client.address))
}

/// The answer to a request for which there is no place. It ends the connection, whose place somebody else may need.
fn refuse_request(busy: Busy, front: &FrontMetrics) -> Response {
    const SOON: Duration = Duration::from_secs(1);
    let (reason, refusal) = match busy {
        Busy::Server => (
            HttpRefusal::Places,
            Refusal::unavailable("the server has too many requests; try again in a few seconds"),
        ),
        Busy::Client => (
            HttpRefusal::ClientPlaces,
            Refusal::too_many(
                SOON,
                "too many requests of this address are being answered; read the answers first",
            ),
        ),
    };
    front.refuse_http(reason);
    refusal.closing()
}

/// A broken connection is its client's business; a client that does not read is counted.
fn report(ended: hyper::Result<()>, peer: SocketAddr, front: &FrontMetrics) {
    let Err(error) = ended else { return };
    let cause = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
    if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut) {
        front.end_connection(ConnectionEnd::WriteTimeout);
    }
    debug!(client_ip = %peer.ip(), %error, "HTTP connection broken");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_a_whole_answer() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(body["detail"].is_string());
    }

    #[test]
    fn only_a_lack_of_descriptors_and_the_like_makes_it_pause() {
        assert!(is_of_one_client(&io::ErrorKind::ConnectionAborted.into()));
        // EMFILE.
        assert!(!is_of_one_client(&io::Error::from_raw_os_error(24)));
    }
}
