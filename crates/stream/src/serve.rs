//! Serves one client from its upgrade to its end: a socket of WebSocket frames, or a stream of server-sent events.

#![expect(clippy::disallowed_methods, reason = "the length of a connection is measured by the clock")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use liqheat_market::convert::whole_ms;
use liqheat_wire::CloseCode;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::connection::Connection;
use crate::core::Core;
use crate::event_stream::EventStream;
use crate::session::ClientSession;
use crate::sessions::{ConnectionPermit, Sessions};

/// Serves one upgraded socket to its end. `early` is what the client sent before the upgrade was complete.
pub async fn serve_socket(
    sessions: Arc<Sessions>,
    permit: ConnectionPermit,
    stream: TcpStream,
    early: Bytes,
    connection: Connection,
) {
    serve(sessions, permit, stream, connection, Beginning::Socket(early)).await;
}

/// Serves a stream of server-sent events to its end: the whole answer, its head included. `connection.encoding` is
/// [`Encoding::Events`].
pub async fn serve_events(
    sessions: Arc<Sessions>,
    permit: ConnectionPermit,
    stream: TcpStream,
    connection: Connection,
    events: EventStream,
) {
    serve(sessions, permit, stream, connection, Beginning::Events(Box::new(events))).await;
}

enum Beginning {
    Socket(Bytes),
    Events(Box<EventStream>),
}

async fn serve(
    sessions: Arc<Sessions>,
    permit: ConnectionPermit,
    stream: TcpStream,
    connection: Connection,
    beginning: Beginning,
) {
    let connected = Instant::now();
    let (id, client_ip) = (sessions.next_id(), connection.client);
    let (encoding, deflate) = (connection.encoding, connection.deflate);
    if let Err(error) = tune(&stream) {
        debug!(event = "ws_error", session = id, %client_ip, %error, "socket options refused");
    }
    let metrics = sessions.metrics();
    let active = || metrics.active_connections.load(Ordering::Relaxed);
    metrics.connected(encoding, deflate, 1);
    info!(
        event = "ws_connect",
        session = id,
        %client_ip,
        encoding = encoding.name(),
        deflate,
        active_connections = active(),
    );
    let core = Core::new(id, Arc::clone(&sessions), connection, connected);
    let session = ClientSession::new(core, id, stream, connected);
    let early = match beginning {
        Beginning::Socket(early) => early,
        Beginning::Events(events) => {
            session.begin_events(*events, connected);
            Bytes::new()
        }
    };
    let end = session.run(&sessions, &early).await;
    session.say_goodbye(end).await;
    let totals = session.totals();
    drop(session);
    drop(permit);
    metrics.connected(encoding, deflate, -1);
    metrics.closed(end.code());
    info!(
        event = "ws_disconnect",
        session = id,
        %client_ip,
        reason = end.reason(),
        code = end.code().map(CloseCode::number),
        duration_ms = whole_ms(connected.elapsed()),
        bytes_sent = totals.bytes_sent,
        frames_sent = totals.frames_sent,
        messages_read = totals.messages_read,
        active_connections = active(),
    );
}

/// Nagle would hold a small state back; a large send buffer would hide megabytes of stale data from the
/// backpressure that lets a slow client skip states.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_notsent_lowat(16 * 1_024)?;
    Ok(())
}
