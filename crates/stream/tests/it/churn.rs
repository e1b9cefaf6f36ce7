//! Clients of every kind come and go over real sockets while boards change quickly: polite ones, ones that
//! stall, half-close, break off, send garbage or flood. Every state that anybody reads is right, and when all
//! are gone nothing of them is left: no session, no subscription, no task, no memory.
//!
//! `LIQHEAT_STRESS_SECONDS` and `LIQHEAT_STRESS_SEED` as for the other stress test (`make stress`).

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use liqheat_market::{Price, UnixMs};
use liqheat_stream::{
    BoardUpdate, Connection, Counters, Encoding, Hub, HubSettings, SessionSettings, Sessions, inflate,
    serve_socket,
};
use liqheat_wire::{Cell, StateHash, decode_state};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::world::{PATIENCE, settings, until};

const CLIENTS: u64 = 24;
const SYMBOL: &str = "BTCUSDT";
/// What an allocator may keep for itself from one round to the next.
const MEMORY_MARGIN_BYTES: u64 = 8 * 1_024 * 1_024;

/// Hash of every state that was published, by `seq`.
type PublishedHashes = Arc<Mutex<HashMap<u64, StateHash>>>;

#[derive(Debug, Clone, Copy, Default)]
struct ChurnCounts {
    connections: u64,
    states: u64,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_and_goes_leaves_nothing_behind() {
    let seconds = number("LIQHEAT_STRESS_SECONDS").unwrap_or(2);
    let seed = number("LIQHEAT_STRESS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed} ({seconds} s)");
    let limits = SessionSettings {
        connections_max: 1_000,
        messages_per_second: 20,
        stalled_after: Duration::from_millis(500),
        ..settings()
    };
    let hub =
        Arc::new(Hub::new([SYMBOL.to_owned()], HubSettings { update_interval: Duration::from_millis(1) }));
    let closing = CancellationToken::new();
    let sessions = Sessions::new(Arc::clone(&hub), limits, closing.clone());
    let published = PublishedHashes::default();
    let (address, server) = serve(Arc::clone(&sessions)).await;
    let market = tokio::spawn(change(Arc::clone(&hub), Arc::clone(&published), seed));

    let round = async |length: Duration, salt: u64| {
        let mut clients = JoinSet::new();
        for id in 0..CLIENTS {
            let dice = fastrand::Rng::with_seed(seed ^ salt ^ (id << 32));
            clients.spawn(live(address, Arc::clone(&published), dice, Instant::now() + length));
        }
        let mut seen = ChurnCounts::default();
        while let Some(one) = clients.join_next().await {
            let one = one.expect("a client that found no fault");
            seen = ChurnCounts {
                connections: seen.connections + one.connections,
                states: seen.states + one.states,
            };
        }
        seen
    };
    // What the first round allocates stays for the next ones: threads' caches, tables that grew.
    round(Duration::from_millis(seconds * 400), 1).await;
    settle(&hub).await;
    let before = resident_bytes();
    let seen = round(Duration::from_millis(seconds * 600), 2).await;
    settle(&hub).await;
    let grown = resident_bytes().saturating_sub(before);
    println!("{seen:?}, {grown} bytes more than after the first round, closed {:?}", hub.metrics.closes());
    assert!(seen.connections > 20 && seen.states > 200, "{seen:?}");
    assert!(grown < MEMORY_MARGIN_BYTES, "{grown} bytes more than after the first round");

    market.abort();
    closing.cancel();
    server.abort();
    tokio::time::timeout(PATIENCE, sessions.drained()).await.expect("no task is left");
    assert_eq!(hub.metrics.hash_mismatches.get(), 0);
}

/// Waits until the last of them was noticed to be gone.
async fn settle(hub: &Hub) {
    let slot = hub.slot(SYMBOL).unwrap();
    let gone = || {
        hub.metrics.active_connections.load(std::sync::atomic::Ordering::Relaxed) == 0
            && slot.subscriptions() == 0
            && hub.metrics.slow_consumers.get() == 0
            && hub.metrics.connections().is_empty()
    };
    until("nobody is connected", gone).await;
}

async fn serve(sessions: Arc<Sessions>) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        for number in 0u32.. {
            let Ok((stream, peer)) = listener.accept().await else { continue };
            let Some(place) = sessions.reserve() else { continue };
            // The first byte of a client would be its handshake; here its number decides what was agreed on.
            let encoding = if number % 2 == 0 { Encoding::Json } else { Encoding::Binary };
            let deflate = number % 3 == 0;
            let connection = Connection { encoding, deflate, ..Connection::plain(peer.ip()) };
            sessions.spawn(serve_socket(Arc::clone(&sessions), place, stream, Bytes::new(), connection));
        }
    });
    (address, server)
}

/// A board that changes about a thousand times a second.
async fn change(hub: Arc<Hub>, published: PublishedHashes, seed: u64) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut levels: BTreeMap<i64, (u64, u64)> = (0..300i64).map(|index| (index, (1_000, 0))).collect();
    let mut rhythm = tokio::time::interval(Duration::from_millis(1));
    for seq in 1.. {
        rhythm.tick().await;
        for _ in 0..dice.usize(1..20) {
            levels.insert(dice.i64(0..300), (dice.u64(1..1 << 40), dice.u64(..3)));
        }
        let cell = |(index, (long_usd, short_usd)): (&i64, &(u64, u64))| Cell {
            price: Price::from_units(index * 100_000_000),
            long_usd: *long_usd,
            short_usd: *short_usd,
        };
        let cells: Vec<Cell> = levels.iter().map(cell).collect();
        published.lock().unwrap().insert(seq, StateHash::of(&cells));
        let changed = hub.slot(SYMBOL).unwrap().publish(BoardUpdate {
            epoch: "e".into(),
            cells,
            price: Price::from_units(seq as i64),
            base_bin: Price::from_units(100_000_000),
            as_of: UnixMs(0),
            counters: Counters::default(),
        });
        assert!(changed);
    }
}

/// One connection after the other, each with another ending.
async fn live(
    address: SocketAddr,
    published: PublishedHashes,
    mut dice: fastrand::Rng,
    until: Instant,
) -> ChurnCounts {
    let mut seen = ChurnCounts::default();
    while Instant::now() < until {
        let mut client = Client::connect(address, Arc::clone(&published)).await;
        seen.connections += 1;
        let mode = if dice.bool() { "delta" } else { "snapshot" };
        client.send_json(&json!({"action": "subscribe", "symbols": [SYMBOL], "mode": mode})).await;
        for _ in 0..dice.usize(1..40) {
            client.receive_json().await.expect("a state");
            seen.states += 1;
        }
        client.leave(&mut dice).await;
    }
    seen
}

struct Client {
    stream: TcpStream,
    published: PublishedHashes,
    buffer: Vec<u8>,
    at: Option<u64>,
    cells: BTreeMap<Price, Cell>,
}

impl Client {
    async fn connect(address: SocketAddr, published: PublishedHashes) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream, published, buffer: Vec::new(), at: None, cells: BTreeMap::new() }
    }

    async fn send_json(&mut self, message: &Value) {
        self.write(&masked(0x81, message.to_string().as_bytes())).await;
    }

    /// The server may have closed already.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Goes away in one of many ways. Where the server has to notice something, it is waited for.
    async fn leave(mut self, dice: &mut fastrand::Rng) {
        match dice.u8(..9) {
            0 => self.write(&masked(0x88, &1_000u16.to_be_bytes())).await,
            1 => SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap(),
            // Half closed: it reads on, and the server ends it.
            2 => self.stream.shutdown().await.unwrap(),
            3 => self.write(&dice_bytes(dice)).await,
            4 => self.write(&[0x81, 0x01, b'x']).await,
            5 => self.write(&masked(0x81, &[0xFF; 10])).await,
            6 => {
                let ping = masked(0x81, br#"{"action":"ping"}"#);
                self.write(&ping.repeat(300)).await;
            }
            // Half a message, and gone.
            7 => self.write(&masked(0x01, b"{\"action\"")[..6]).await,
            // Reads nothing until the server has had enough of it.
            _ => {
                let gone = self.stream.ready(tokio::io::Interest::ERROR);
                let _ = tokio::time::timeout(Duration::from_millis(700), gone).await;
            }
        }
        let read_to_the_end = dice.bool();
        if read_to_the_end {
            let reading = async { while self.receive_json().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_millis(300), reading).await;
        }
    }

    /// The next state, checked; `None` when the connection is over.
    async fn receive_json(&mut self) -> Option<()> {
        loop {
            while let Some((first, payload, taken)) = frame(&self.buffer) {
                let payload =
                    if first & 0x40 == 0 { payload.to_vec() } else { inflate(payload, 1 << 20).unwrap() };
                self.buffer.drain(..taken);
                match first & 0x0F {
                    0x1 => {
                        let message: Value = serde_json::from_slice(&payload).unwrap();
                        if message["data"].is_object() {
                            self.text(&message);
                            return Some(());
                        }
                    }
                    0x2 => {
                        let read = decode_state(&payload).unwrap();
                        self.apply(read.from, read.seq, &read.cells, &read.hash.to_string());
                        return Some(());
                    }
                    0x8 => return None,
                    _ => {}
                }
            }
            let mut bytes = [0; 16 * 1_024];
            match self.stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
            }
        }
    }

    fn text(&mut self, message: &Value) {
        let cell = |level: &Value| Cell {
            price: Price::from_f64(level["price"].as_f64().unwrap()).unwrap(),
            long_usd: level["long_density"].as_u64().unwrap(),
            short_usd: level["short_density"].as_u64().unwrap(),
        };
        let cells: Vec<Cell> = message["data"]["levels"].as_array().unwrap().iter().map(cell).collect();
        let hash = message["hash"].as_str().unwrap();
        self.apply(message["from"].as_u64(), message["seq"].as_u64().unwrap(), &cells, hash);
    }

    fn apply(&mut self, from: Option<u64>, seq: u64, cells: &[Cell], hash: &str) {
        match from {
            Some(from) => assert_eq!(Some(from), self.at, "no gap"),
            None => self.cells.clear(),
        }
        assert!(self.at < Some(seq), "never back");
        for cell in cells {
            match cell.is_empty() {
                true => self.cells.remove(&cell.price),
                false => self.cells.insert(cell.price, *cell),
            };
        }
        let own = StateHash::of(self.cells.values());
        assert_eq!(own.to_string(), hash, "state {seq}");
        assert_eq!(own, self.published.lock().unwrap()[&seq], "state {seq} is what was published");
        self.at = Some(seq);
    }
}

fn dice_bytes(dice: &mut fastrand::Rng) -> Vec<u8> {
    (0..dice.usize(1..200)).map(|_| dice.u8(..)).collect()
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 11, 13, 17];
    let mut bytes = vec![first, 0x80 | payload.len() as u8];
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// First byte and payload of the first frame, and its length in all.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (first, short) = (*bytes.first()?, *bytes.get(1)?);
    let (length, head) = match short {
        126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize, 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        short => (short as usize, 2),
    };
    Some((first, bytes.get(head..head + length)?, head + length))
}
