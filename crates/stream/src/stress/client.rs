//! A client with a bad line: it reads in pieces, falls behind, hangs up and comes back, and checks everything.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use liqheat_market::Price;
use liqheat_market::convert::{approx_f64, saturating_len};
use liqheat_wire::{CloseCode, decode_state};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::SYMBOLS;
use super::market::{BIN, Market, hash_of, look_at};
use crate::connection::Connection;
use crate::core::Core;
use crate::deflate::inflate;
use crate::end::End;
use crate::metrics::Encoding;
use crate::reader::ClientMessage;
use crate::sessions::Sessions;

/// Counts over all clients.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StressCounts {
    pub(super) snapshots: u64,
    pub(super) deltas: u64,
    pub(super) binary: u64,
    pub(super) deflated: u64,
    pub(super) skipped: u64,
    pub(super) reconnects: u64,
    pub(super) warnings: u64,
    pub(super) statuses: u64,
}

impl StressCounts {
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            snapshots: self.snapshots + other.snapshots,
            deltas: self.deltas + other.deltas,
            binary: self.binary + other.binary,
            deflated: self.deflated + other.deflated,
            skipped: self.skipped + other.skipped,
            reconnects: self.reconnects + other.reconnects,
            warnings: self.warnings + other.warnings,
            statuses: self.statuses + other.statuses,
        }
    }
}

/// Range and height of levels that a client subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct LevelSelection {
    range: Option<(i64, i64)>,
    bin: Option<i64>,
}

#[derive(Debug, Default)]
struct HeldState {
    selection: LevelSelection,
    at: Option<(String, u64)>,
    cells: BTreeMap<i64, (u64, u64)>,
}

/// A state message, however it was written.
struct ReceivedState {
    symbol: String,
    epoch: String,
    from: Option<u64>,
    seq: u64,
    hash: String,
    price: i64,
    cells: Vec<(i64, u64, u64)>,
}

#[derive(Deserialize)]
struct JsonLevel {
    price: f64,
    long_density: u64,
    short_density: u64,
}

#[derive(Deserialize)]
struct JsonData {
    levels: Vec<JsonLevel>,
    current_price: f64,
}

#[derive(Deserialize)]
struct JsonMessage {
    r#type: String,
    symbol: Option<String>,
    epoch: Option<String>,
    from: Option<u64>,
    seq: Option<u64>,
    hash: Option<String>,
    data: Option<JsonData>,
}

pub(super) struct Client {
    id: u64,
    dice: fastrand::Rng,
    core: Option<Core>,
    /// Bytes that came and are no whole frame yet.
    buffer: Vec<u8>,
    held: [HeldState; 2],
    acknowledges: bool,
    steps: u64,
    counts: StressCounts,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Client {
    pub(super) fn new(id: u64, dice: fastrand::Rng) -> Self {
        Self {
            id,
            dice,
            core: None,
            buffer: Vec::new(),
            held: Default::default(),
            acknowledges: false,
            steps: 0,
            counts: StressCounts::default(),
        }
    }

    pub(super) const fn counts(&self) -> StressCounts {
        self.counts
    }

    /// The oldest state that may still be named to it.
    pub(super) fn oldest(&self, symbol: usize) -> Option<(u64, u64)> {
        let (epoch, seq) = self.held[symbol].at.as_ref()?;
        Some((epoch.strip_prefix('e')?.parse().ok()?, *seq))
    }

    /// A quarter of a second of its life.
    pub(super) fn step(&mut self, sessions: &Arc<Sessions>, markets: &[Market; 2], now: Instant) {
        match self.dice.u16(..600) {
            0..=3 => self.hang_up(),
            4..=7 if self.core.is_some() => {
                let symbol = self.dice.usize(..2);
                self.subscribe(symbol, true, now);
            }
            8 if self.core.is_some() => {
                let symbol = self.dice.usize(..2);
                self.send(&json!({"action": "unsubscribe", "symbols": [SYMBOLS[symbol]]}), now);
            }
            9 => self.send(&json!({"action": "ping"}), now),
            _ => {}
        }
        if self.core.is_none() {
            self.call(sessions, now);
        }
        // Mostly all there is, sometimes a little, sometimes nothing for a while.
        let most = match self.dice.u8(..8) {
            0 => 0,
            1 => self.dice.usize(..600),
            _ => 1 << 20,
        };
        self.steps += 1;
        let stalls = self.id.is_multiple_of(8) && self.steps % 160 < 100;
        self.receive(if stalls { 0 } else { most }, markets, now);
    }

    /// Reads on until it has the newest states.
    pub(super) fn catch_up(&mut self, sessions: &Arc<Sessions>, markets: &[Market; 2], now: Instant) {
        self.acknowledges = false;
        self.hang_up();
        self.call(sessions, now);
        self.receive(1 << 30, markets, now);
        for (held, market) in self.held.iter().zip(markets) {
            assert_eq!(held.at, Some(market.newest()), "client {} has the newest state", self.id);
        }
    }

    fn hang_up(&mut self) {
        if let Some(mut core) = self.core.take() {
            core.leave_all();
            self.counts.reconnects += 1;
        }
        self.buffer.clear();
    }

    fn call(&mut self, sessions: &Arc<Sessions>, now: Instant) {
        let encoding = if self.dice.bool() { Encoding::Binary } else { Encoding::Json };
        let local = std::net::Ipv4Addr::LOCALHOST.into();
        let connection = Connection { encoding, deflate: self.dice.bool(), ..Connection::plain(local) };
        self.core = Some(Core::new(self.id, Arc::clone(sessions), connection, now));
        self.acknowledges = self.dice.bool();
        for symbol in 0..SYMBOLS.len() {
            let changes_view = self.dice.u8(..4) == 0;
            self.subscribe(symbol, changes_view, now);
        }
    }

    fn subscribe(&mut self, symbol: usize, changes_view: bool, now: Instant) {
        let dice = &mut self.dice;
        let held = &mut self.held[symbol];
        // What is on its way is of the old view, and nothing in it says so.
        let nothing_on_its_way =
            self.buffer.is_empty() && self.core.as_ref().is_none_or(|core| core.outbox().is_empty());
        if changes_view && nothing_on_its_way {
            let low = dice.i64(400..1_500);
            held.selection = LevelSelection {
                range: dice.bool().then_some((low, low + dice.i64(1..400))),
                bin: [None, Some(BIN), Some(3 * BIN), Some(7 * BIN)][dice.usize(..4)],
            };
            held.at = None;
        }
        let price = |units: i64| approx_f64(units) / 1e8;
        let mut message = json!({"action": "subscribe", "symbols": [SYMBOLS[symbol]]});
        if let Some((low, high)) = held.selection.range {
            message["price_range"] = json!([price(low), price(high)]);
        }
        if let Some(bin) = held.selection.bin {
            message["bin"] = json!(price(bin));
        }
        if dice.u8(..4) > 0 {
            message["mode"] = json!("delta");
        }
        if dice.u8(..4) == 0 {
            message["update_interval"] = json!(dice.u8(1..6));
        }
        if let Some((epoch, seq)) = held.at.as_ref().filter(|_| dice.u8(..4) > 0) {
            message["resume"] = json!({SYMBOLS[symbol]: {"epoch": epoch, "seq": seq}});
        }
        self.send(&message, now);
    }

    fn send(&mut self, message: &Value, now: Instant) {
        if let Some(core) = &mut self.core {
            core.on_read(now);
            let taken = core.take(&|_, _| {}, ClientMessage::Text(message.to_string()), now);
            assert_eq!(taken, Ok(()), "{message}");
        }
    }

    fn receive(&mut self, most: usize, markets: &[Market; 2], now: Instant) {
        let (mut left, mut buffer) = (most, std::mem::take(&mut self.buffer));
        let Some(core) = &mut self.core else { return };
        let pumped = core.pump(
            |bytes| match left.min(bytes.len()) {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                taken => {
                    buffer.extend_from_slice(&bytes[..taken]);
                    left -= taken;
                    Ok(taken)
                }
            },
            now,
        );
        if let Err(end) = pumped {
            // It stalled for too long, or unsubscribed from everything: as it should be.
            let expected = [CloseCode::Stalled, CloseCode::Unsubscribed].map(End::Closed);
            assert!(expected.contains(&end), "{end:?}");
            self.hang_up();
            return;
        }
        let mut rest = &buffer[..];
        while let Some((first, payload, after)) = frame(rest) {
            self.on_message(first, payload, markets, now);
            rest = after;
        }
        self.buffer = rest.to_vec();
    }

    fn on_message(&mut self, first: u8, payload: &[u8], markets: &[Market; 2], now: Instant) {
        let inflated;
        let payload = if first & 0x40 == 0 {
            payload
        } else {
            self.counts.deflated += 1;
            inflated = inflate(payload, 1 << 22).unwrap();
            &inflated[..]
        };
        let heard = match first & 0x0F {
            0x1 => self.text(payload),
            0x2 => {
                self.counts.binary += 1;
                Some(binary(payload))
            }
            0x9 => None,
            other => panic!("opcode {other}"),
        };
        if let Some(heard) = heard {
            self.apply(heard, markets, now);
        }
    }

    fn text(&mut self, payload: &[u8]) -> Option<ReceivedState> {
        let message: JsonMessage = serde_json::from_slice(payload).unwrap();
        match message.r#type.as_str() {
            "snapshot" | "delta" => {}
            "warning" => self.counts.warnings += 1,
            "status" => self.counts.statuses += 1,
            "pong" => {}
            _ => panic!("unexpected {}", String::from_utf8_lossy(payload)),
        }
        let data = message.data?;
        let units = |price: f64| Price::from_f64(price).unwrap().units();
        let level = |level: JsonLevel| (units(level.price), level.long_density, level.short_density);
        Some(ReceivedState {
            symbol: message.symbol?,
            epoch: message.epoch?,
            from: message.from,
            seq: message.seq?,
            hash: message.hash?,
            price: units(data.current_price),
            cells: data.levels.into_iter().map(level).collect(),
        })
    }

    fn apply(&mut self, heard: ReceivedState, markets: &[Market; 2], now: Instant) {
        let symbol = SYMBOLS.iter().position(|symbol| *symbol == heard.symbol).unwrap();
        let held = &mut self.held[symbol];
        match (heard.from, &held.at) {
            (None, _) => {
                self.counts.snapshots += 1;
                held.cells.clear();
            }
            (Some(from), Some((epoch, seq))) => {
                // From further back is as good: values are absolute.
                assert!(heard.epoch == *epoch && from <= *seq, "client {}: a gap in {symbol}", self.id);
                self.counts.deltas += 1;
                self.counts.skipped += heard.seq.saturating_sub(from + 1);
            }
            (Some(_), None) => panic!("a difference from nothing"),
        }
        for (price, long, short) in heard.cells {
            match (long, short) {
                (0, 0) => held.cells.remove(&price),
                sums => held.cells.insert(price, sums),
            };
        }
        let board = markets[symbol].at(&heard.epoch, heard.seq);
        let LevelSelection { range, bin } = held.selection;
        let expected = look_at(&board.cells, range, bin.unwrap_or(BIN));
        assert_eq!(held.cells, expected, "client {} at {}:{}", self.id, heard.epoch, heard.seq);
        assert_eq!(hash_of(&held.cells).to_string(), heard.hash);
        assert_eq!(heard.price, board.price.units());
        held.at = Some((heard.epoch, heard.seq));
        if self.acknowledges && self.dice.u8(..4) > 0 {
            self.send(&json!({"action": "ack", "symbol": SYMBOLS[symbol], "seq": heard.seq}), now);
        }
    }
}

fn binary(payload: &[u8]) -> ReceivedState {
    let read = decode_state(payload).unwrap();
    ReceivedState {
        symbol: read.symbol,
        epoch: read.epoch,
        from: read.from,
        seq: read.seq,
        hash: read.hash.to_string(),
        price: read.current_price.units(),
        cells: read.cells.iter().map(|cell| (cell.price.units(), cell.long_usd, cell.short_usd)).collect(),
    }
}

/// First byte and payload of the first frame, and what follows it.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, short) = (*bytes.first()?, *bytes.get(1)?);
    let (length, head) = match short {
        126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize, 4),
        127 => (saturating_len(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)), 10),
        short => (short as usize, 2),
    };
    let payload = bytes.get(head..head + length)?;
    Some((first, payload, &bytes[head + length..]))
}
