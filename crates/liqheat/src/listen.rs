//! The addresses that a server listens on.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};

use crate::cli::Front;

/// The listeners of a server.
pub(crate) struct Listeners {
    pub(crate) main: TcpListener,
    /// A listener for `/metrics` alone, if one is configured.
    pub(crate) metrics: Option<TcpListener>,
}

impl Listeners {
    pub(crate) fn bind(front: &Front) -> anyhow::Result<Self> {
        let metrics = front.metrics_listen.map(|address| bind(address, "--metrics-listen")).transpose()?;
        Ok(Self { main: bind(front.listen, "--listen")?, metrics })
    }
}

fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| {
        format!("cannot listen on {address}; is another server running there? choose another with {flag}")
    })
}

/// Binds a listener with a long queue: clients that all reconnect at once wait in it until they are accepted. A connection
/// that does not fit is dropped and retried only a second later, and the usual 128 places are few.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    /// The kernel cuts it to its own limit (net.core.somaxconn).
    const QUEUE: u32 = 4_096;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // So that a server can be started again while connections of the last one are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}
