//! Opening a socket.

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, protocol::WebSocketConfig};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::tls;
use crate::venues::ConnectionOpening;

/// Largest message of a venue.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(super) async fn connect(base: &str, opening: &ConnectionOpening) -> Result<Socket, tungstenite::Error> {
    let config = WebSocketConfig::default()
        .read_buffer_size(64 << 10)
        .write_buffer_size(8 << 10)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let address = format!("{base}{}", opening.path);
    let connector = Connector::Rustls(tls::config());
    let (socket, _) = connect_async_tls_with_config(address, Some(config), true, Some(connector)).await?;
    Ok(socket)
}
