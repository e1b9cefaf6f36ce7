//! Boards, sessions over real sockets, and a client that keeps every message it gets.

use std::net::TcpStream as ClientSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use liqheat_market::{Price, UnixMs};
use liqheat_stream::{
    BoardUpdate, ChannelContent, ChannelRow, Connection, Counters, Hub, HubSettings, SessionSettings,
    Sessions, serve_socket,
};
use liqheat_wire::{Cell, Channel};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tungstenite::protocol::{Message, Role, WebSocket};

/// No answer within this is a failure; it is never waited for when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const NOW: UnixMs = UnixMs(1_766_932_200_000);

pub(crate) struct World {
    pub(crate) hub: Arc<Hub>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) closing: CancellationToken,
    pub(crate) listener: TcpListener,
}

pub(crate) fn settings() -> SessionSettings {
    SessionSettings {
        connections_max: 10,
        message_bytes_max: 4_096,
        messages_per_second: 1_000,
        subscriptions_max: 20,
        subscribe_within: Duration::from_secs(60),
        ping_every: Duration::from_secs(60),
        silent_after: Duration::from_secs(120),
        status_every: Duration::from_secs(60),
        slow_after: Duration::from_millis(100),
        missed_max: 1_000_000,
        stalled_after: Duration::from_secs(30),
        drain_window: Duration::from_secs(5),
        wall_clock: || UnixMs(1_766_932_200_000),
    }
}

impl World {
    pub(crate) async fn new(settings: SessionSettings) -> Self {
        let update_interval = Duration::from_millis(50);
        let symbols = ["BTCUSDT", "ETHUSDT"].map(str::to_owned);
        let hub = Arc::new(Hub::new(symbols, HubSettings { update_interval }));
        let closing = CancellationToken::new();
        let sessions = Sessions::new(Arc::clone(&hub), settings, closing.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { hub, sessions, closing, listener }
    }

    pub(crate) async fn connect(&self) -> Viewer {
        self.connect_as(Connection::plain(std::net::Ipv4Addr::LOCALHOST.into())).await
    }

    pub(crate) async fn connect_as(&self, connection: Connection) -> Viewer {
        let address = self.listener.local_addr().unwrap();
        let client = tokio::task::spawn_blocking(move || ClientSocket::connect(address).unwrap());
        let (stream, peer) = self.listener.accept().await.unwrap();
        let place = self.sessions.reserve().unwrap();
        let connection = Connection { client: peer.ip(), ..connection };
        self.sessions.spawn(serve_socket(
            Arc::clone(&self.sessions),
            place,
            stream,
            Bytes::new(),
            connection,
        ));
        let client = client.await.unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        Viewer { socket: Some(WebSocket::from_raw_socket(client, Role::Client, None)) }
    }

    /// Publishes liquidations of these dollars.
    pub(crate) fn liquidate(&self, symbol: &str, usd: &[u64]) {
        let row = |usd: &u64| ChannelRow { usd: *usd, json: json!({"usd": usd}).to_string().into() };
        let rows = ChannelContent::Rows(usd.iter().map(row).collect());
        self.hub.slot(symbol).unwrap().publish_channel(Channel::Liquidations, NOW, rows);
    }

    /// Publishes the latest value of a channel.
    pub(crate) fn put(&self, symbol: &str, channel: Channel, value: u64) {
        let value = ChannelContent::Latest(value.to_string().into());
        self.hub.slot(symbol).unwrap().publish_channel(channel, NOW, value);
    }

    pub(crate) fn publish(&self, symbol: &str, levels: &[(i64, u64, u64)], price: i64) -> bool {
        self.hub.slot(symbol).unwrap().publish(update(levels, price))
    }

    pub(crate) async fn end(self) {
        self.closing.cancel();
        tokio::time::timeout(PATIENCE, self.sessions.drained()).await.expect("every session ends");
        assert_eq!(self.hub.metrics.active_connections.load(Ordering::Relaxed), 0);
        assert_eq!(self.hub.slots().map(|slot| slot.subscriptions()).sum::<usize>(), 0);
        for channel in Channel::BESIDE_HEATMAP {
            assert_eq!(self.hub.slots().map(|slot| slot.channel_subscriptions(channel)).sum::<usize>(), 0);
        }
        assert_eq!(self.hub.metrics.slow_consumers.get(), 0);
    }
}

/// Asks again and again until something holds that no event announces.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    /// So that asking does not take the cores from whoever is to bring it about.
    const BETWEEN: Duration = Duration::from_millis(1);
    let waiting = async {
        while !holds() {
            tokio::time::sleep(BETWEEN).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{what}: not within {PATIENCE:?}");
}

pub(crate) fn update(levels: &[(i64, u64, u64)], price: i64) -> BoardUpdate {
    let dollars = |n: i64| Price::from_units(n * 100_000_000);
    let cells =
        levels.iter().map(|(p, long, short)| Cell { price: dollars(*p), long_usd: *long, short_usd: *short });
    BoardUpdate {
        epoch: "e1".into(),
        cells: cells.collect(),
        price: dollars(price),
        base_bin: dollars(1),
        as_of: UnixMs(1_766_932_200_000),
        counters: Counters { created: 450, consumed: 120 },
    }
}

pub(crate) struct Viewer {
    pub(crate) socket: Option<WebSocket<ClientSocket>>,
}

impl Viewer {
    pub(crate) async fn with<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut WebSocket<ClientSocket>) -> T + Send + 'static,
    ) -> T {
        let mut socket = self.socket.take().unwrap();
        let (socket, result) = tokio::task::spawn_blocking(move || {
            let result = act(&mut socket);
            (socket, result)
        })
        .await
        .unwrap();
        self.socket = Some(socket);
        result
    }

    pub(crate) async fn send_json(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.with(|socket| socket.send(message).unwrap()).await;
    }

    pub(crate) async fn receive_json(&mut self) -> Value {
        let message = self.with(|socket| socket.read().unwrap()).await;
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    pub(crate) async fn ack(&mut self, symbol: &str, seq: u64) {
        self.send_json(serde_json::json!({"action": "ack", "symbol": symbol, "seq": seq})).await;
    }

    /// Whether the connection still takes messages.
    pub(crate) async fn try_send(&mut self, message: Message) -> bool {
        self.with(|socket| socket.send(message).is_ok()).await
    }

    pub(crate) async fn receive(&mut self) -> Message {
        self.with(|socket| socket.read().unwrap()).await
    }

    /// The next frame as it is: its first byte and its payload.
    pub(crate) async fn raw_frame(&mut self) -> (u8, Vec<u8>) {
        use std::io::Read;
        self.with(|socket| {
            let stream = socket.get_mut();
            let mut head = [0; 2];
            stream.read_exact(&mut head).unwrap();
            let length = match head[1] {
                126 => {
                    let mut length = [0; 2];
                    stream.read_exact(&mut length).unwrap();
                    u16::from_be_bytes(length) as usize
                }
                short => short as usize,
            };
            let mut payload = vec![0; length];
            stream.read_exact(&mut payload).unwrap();
            (head[0], payload)
        })
        .await
    }

    pub(crate) async fn close_code(&mut self) -> u16 {
        self.with(|socket| {
            loop {
                match socket.read() {
                    Ok(Message::Close(frame)) => return frame.unwrap().code.into(),
                    Ok(_) => {}
                    Err(error) => panic!("no close frame: {error}"),
                }
            }
        })
        .await
    }
}
