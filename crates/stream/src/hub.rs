//! All boards, and who waits for them.
//!
//! A slot's frame for one starting point is encoded once, when the first client needs it, and shared until
//! the board changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use liqheat_market::UnixMs;
use liqheat_wire::{FeedState, Mode, Position, ServerMessage, StateHash, format_time};
use tokio::sync::Notify;

use crate::board::{Board, BoardUpdate};
use crate::frame;
use crate::stats::StreamCounters;

/// What is the same for all symbols.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// How often boards change; the default rhythm of subscriptions.
    pub update_interval: Duration,
}

/// How a symbol's data stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub state: FeedState,
    /// Time of the newest market event, if there was one.
    pub as_of: Option<UnixMs>,
}

/// All boards; fixed set of symbols for the life of the process.
#[derive(Debug)]
pub struct Hub {
    slots: BTreeMap<String, Arc<BoardSlot>>,
    settings: HubSettings,
    /// What all sessions count.
    pub counters: Arc<StreamCounters>,
}

impl Hub {
    /// Empty boards for these symbols.
    #[must_use]
    pub fn new(symbols: impl IntoIterator<Item = String>, settings: HubSettings) -> Self {
        let counters = Arc::new(StreamCounters::default());
        let slots = symbols
            .into_iter()
            .map(|symbol| (symbol.clone(), Arc::new(BoardSlot::new(symbol, Arc::clone(&counters)))))
            .collect();
        Self { slots, settings, counters }
    }

    /// The slot of a symbol; `None` when it is not served.
    #[must_use]
    pub fn slot(&self, symbol: &str) -> Option<&Arc<BoardSlot>> {
        self.slots.get(symbol)
    }

    /// Every slot, by symbol.
    pub fn slots(&self) -> impl Iterator<Item = &Arc<BoardSlot>> {
        self.slots.values()
    }

    /// The text for a symbol that is not served.
    #[must_use]
    pub fn unknown_symbol(&self, symbol: &str) -> String {
        let valid: Vec<&str> = self.slots.keys().map(String::as_str).collect();
        let named: String = symbol.chars().take(40).collect();
        format!("Symbol '{named}' not supported. Valid: {}", valid.join(", "))
    }

    /// What is the same for all symbols.
    #[must_use]
    pub const fn settings(&self) -> &HubSettings {
        &self.settings
    }
}

/// One symbol's board, its shared frames and its subscribers.
#[derive(Debug)]
pub struct BoardSlot {
    symbol: String,
    /// Locked while a state is taken in or a frame is encoded (well under a millisecond), never across an
    /// await.
    inner: Mutex<Inner>,
    /// Locked for the length of a wake-up call of every subscriber.
    subscribers: Mutex<HashMap<u64, Arc<Notify>>>,
    counters: Arc<StreamCounters>,
}

#[derive(Debug)]
struct Inner {
    board: Option<Board>,
    standing: Standing,
    /// Frames of the current `seq` by (mode, starting point).
    frames: HashMap<(bool, Option<u64>), Bytes>,
}

/// A state or a difference, for those who ask instead of listening.
#[derive(Debug, Clone)]
pub struct StateMessage {
    /// A snapshot or delta message.
    pub json: Vec<u8>,
    /// Hash of the state it leads to.
    pub hash: StateHash,
    /// Whether the asker has that state already.
    pub up_to_date: bool,
}

/// A frame that brings a client to the newest state.
#[derive(Debug, Clone)]
pub(crate) struct StateFrame {
    /// The whole frame.
    pub(crate) bytes: Bytes,
    /// Where the client is after it.
    pub(crate) position: Position,
}

impl BoardSlot {
    /// More starting points than this at once (clients at that many different lags) are encoded each time.
    const FRAMES_KEPT: usize = 64;

    fn new(symbol: String, counters: Arc<StreamCounters>) -> Self {
        let standing = Standing { state: FeedState::WarmingUp, as_of: None };
        let inner = Inner { board: None, standing, frames: HashMap::new() };
        Self { symbol, inner: Mutex::new(inner), subscribers: Mutex::default(), counters }
    }

    /// The symbol's name.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Takes the newest state and wakes subscribers if it differs. Returns whether it did.
    pub fn publish(&self, update: BoardUpdate) -> bool {
        let changed = {
            let mut inner = self.lock();
            inner.standing.as_of = inner.standing.as_of.max(Some(update.as_of));
            let changed = match &mut inner.board {
                Some(board) => board.apply(update),
                None => {
                    inner.board = Some(Board::new(update));
                    true
                }
            };
            if changed {
                inner.frames.clear();
            }
            changed
        };
        if changed {
            self.wake();
        }
        changed
    }

    /// Says how the data stands; subscribers are told when the word changed.
    pub fn set_standing(&self, state: FeedState, as_of: Option<UnixMs>) {
        let changed = {
            let mut inner = self.lock();
            let changed = inner.standing.state != state;
            inner.standing = Standing { state, as_of: inner.standing.as_of.max(as_of) };
            changed
        };
        if changed {
            self.wake();
        }
    }

    /// How the data stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.lock().standing
    }

    /// Looks at the board; `None` before its first state.
    pub fn with_board<T>(&self, look: impl FnOnce(&Board) -> T) -> Option<T> {
        self.lock().board.as_ref().map(look)
    }

    /// Number of subscriptions now.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.lock_subscribers().len()
    }

    pub(crate) fn join(&self, session: u64, wake: Arc<Notify>) {
        self.lock_subscribers().insert(session, wake);
    }

    pub(crate) fn leave(&self, session: u64) {
        self.lock_subscribers().remove(&session);
    }

    /// The change number a client at this position lacks: `None` when it is up to date or there is no state.
    pub(crate) fn missed(&self, position: Option<&Position>) -> Option<u64> {
        let inner = self.lock();
        let board = inner.board.as_ref()?;
        match position {
            Some(position) if position.epoch == board.epoch() => {
                (position.seq != board.seq()).then(|| board.seq().abs_diff(position.seq))
            }
            _ => Some(1),
        }
    }

    /// The frame that leads from a position to the newest state; `None` before the first state.
    pub(crate) fn frame(&self, mode: Mode, position: Option<&Position>) -> Option<StateFrame> {
        let mut inner = self.lock();
        let Inner { board, frames, .. } = &mut *inner;
        let board = board.as_ref()?;
        let from = position.filter(|position| position.epoch == board.epoch()).map(|position| position.seq);
        let leads_to = Position { epoch: board.epoch().to_owned(), seq: board.seq() };
        let key = (mode == Mode::Delta, from);
        if let Some(bytes) = frames.get(&key) {
            return Some(StateFrame { bytes: bytes.clone(), position: leads_to });
        }
        let bytes = frame::text(&encode(&self.symbol, board, mode, from));
        self.counters.frames_made.fetch_add(1, Ordering::Relaxed);
        if frames.len() < Self::FRAMES_KEPT {
            frames.insert(key, bytes.clone());
        }
        Some(StateFrame { bytes, position: leads_to })
    }

    /// The message (without framing) that leads from a position to the newest state: a delta where one will
    /// do, else a snapshot. `None` before the first state. The same difference as the socket sends.
    #[must_use]
    pub fn message_since(&self, position: Option<&Position>) -> Option<StateMessage> {
        self.with_board(|board| {
            let from =
                position.filter(|position| position.epoch == board.epoch()).map(|position| position.seq);
            StateMessage {
                json: encode(&self.symbol, board, Mode::Delta, from),
                hash: board.hash(),
                up_to_date: from == Some(board.seq()),
            }
        })
    }

    /// The newest state as a snapshot message (without framing).
    #[must_use]
    pub fn snapshot_json(&self) -> Option<Vec<u8>> {
        self.with_board(|board| encode(&self.symbol, board, Mode::Snapshot, None))
    }

    /// A status message in a frame.
    pub(crate) fn status_frame(&self) -> Bytes {
        let inner = self.lock();
        let as_of = inner.standing.as_of.map(format_time);
        let message = ServerMessage::Status {
            symbol: &self.symbol,
            state: inner.standing.state,
            as_of: as_of.as_deref(),
            seq: inner.board.as_ref().map_or(0, Board::seq),
        };
        frame::text(&message.to_json())
    }

    fn wake(&self) {
        for wake in self.lock_subscribers().values() {
            wake.notify_one();
        }
    }

    /// A panic inside means a broken invariant of the board, which tests must find; sessions go on with the
    /// last state rather than dying one after the other.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_subscribers(&self) -> MutexGuard<'_, HashMap<u64, Arc<Notify>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(symbol: &str, board: &Board, mode: Mode, from: Option<u64>) -> Vec<u8> {
    let timestamp = format_time(board.as_of());
    let hash = board.hash().to_string();
    let (timestamp, epoch, seq, hash) = (timestamp.as_str(), board.epoch(), board.seq(), hash.as_str());
    let difference =
        from.filter(|_| mode == Mode::Delta).and_then(|from| Some((from, board.difference(from)?)));
    match difference {
        Some((from, data)) => {
            ServerMessage::Delta { symbol, timestamp, epoch, from, seq, hash, data }.to_json()
        }
        None => {
            let data = board.snapshot(from);
            ServerMessage::Snapshot { symbol, timestamp, epoch, seq, hash, data }.to_json()
        }
    }
}
