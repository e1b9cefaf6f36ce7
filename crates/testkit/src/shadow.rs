//! A client that keeps the state it was told and checks every word of it: hashes, that differences fit, and
//! that no two servers ever give one name (epoch and `seq`) to different states.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use liqheat_market::Price;
use liqheat_wire::{Cell, StateHash};
use serde_json::{Value, json};

use crate::{PATIENCE, Viewer, ViewerMessage};

/// Every state that any client of a test was told: its hash, by symbol, epoch and `seq`.
#[derive(Debug, Clone, Default)]
pub struct LoggedStates(Arc<Mutex<BTreeMap<Name, String>>>);

/// Symbol, epoch, `seq`.
type Name = (String, String, u64);

impl LoggedStates {
    #[track_caller]
    fn check(&self, name: Name, hash: &str) {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = format!("{name:?}");
        let before = logged.entry(name).or_insert_with(|| hash.to_owned()).clone();
        drop(logged);
        assert_eq!(before, hash, "two states have one name: {shown}");
    }

    /// How many different ones.
    #[must_use]
    pub fn states(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Where a client is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShadowPosition {
    /// The epoch.
    pub epoch: String,
    /// The `seq`.
    pub seq: u64,
}

/// The state of one symbol as a client has it.
#[derive(Debug)]
pub struct Shadow {
    viewer: Option<Viewer>,
    symbol: String,
    logged: LoggedStates,
    at: Option<ShadowPosition>,
    levels: BTreeMap<Price, Cell>,
    /// Whole states heard.
    pub snapshots: u64,
    /// Differences heard.
    pub deltas: u64,
    /// The state of the feed that was reported last (`live`, `degraded`, ..).
    pub state: Option<String>,
}

impl Shadow {
    /// A client that has nothing yet and is not connected.
    #[must_use]
    pub fn new(symbol: &str, logged: &LoggedStates) -> Self {
        Self {
            viewer: None,
            symbol: symbol.to_owned(),
            logged: logged.clone(),
            at: None,
            levels: BTreeMap::new(),
            snapshots: 0,
            deltas: 0,
            state: None,
        }
    }

    /// Connects to a server and goes on from what it has. Returns whether the server let it in.
    pub fn connect(&mut self, address: SocketAddr, headers: &[(&str, &str)]) -> bool {
        self.viewer = Viewer::try_connect(address, headers);
        let Some(viewer) = &mut self.viewer else { return false };
        let mut subscribe = json!({"action": "subscribe", "symbols": [self.symbol], "mode": "delta"});
        if let Some(at) = &self.at {
            subscribe["resume"] = json!({ self.symbol.clone(): {"epoch": at.epoch, "seq": at.seq} });
        }
        viewer.try_say(&subscribe)
    }

    /// Where it is.
    #[must_use]
    pub fn at(&self) -> Option<&ShadowPosition> {
        self.at.as_ref()
    }

    /// The hash of what it has.
    #[must_use]
    pub fn hash(&self) -> String {
        StateHash::of(self.levels.values()).to_string()
    }

    /// Listens for so long. Gives what was heard; a state is checked and kept.
    ///
    /// # Panics
    /// When it was told something wrong.
    #[track_caller]
    pub fn listen(&mut self, within: Duration) -> ViewerMessage {
        let Some(viewer) = &mut self.viewer else { return ViewerMessage::Gone };
        let heard = viewer.listen(within);
        match &heard {
            ViewerMessage::Message(message) => self.take(message),
            ViewerMessage::Nothing => {}
            ViewerMessage::Gone => self.viewer = None,
        }
        heard
    }

    /// Listens until a message fits.
    ///
    /// # Panics
    /// When none does in time, the connection ends, or it was told something wrong.
    #[track_caller]
    pub fn hear_until(&mut self, what: &str, mut fits: impl FnMut(&Self, &Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match self.listen(left) {
                ViewerMessage::Message(message) if fits(self, &message) => return message,
                ViewerMessage::Message(_) | ViewerMessage::Nothing => {}
                ViewerMessage::Gone => panic!("{what}: the connection ended"),
            }
        }
        panic!("{what}: not within {PATIENCE:?}; it is at {:?}, {:?}", self.at, self.state)
    }

    /// Listens until the next state.
    ///
    /// # Panics
    /// As [`Shadow::hear_until`].
    #[track_caller]
    pub fn next_state(&mut self) -> Value {
        self.hear_until("the next state", |_, message| message["hash"].is_string())
    }

    #[track_caller]
    fn take(&mut self, message: &Value) {
        match message["type"].as_str() {
            Some("snapshot") => {
                self.snapshots += 1;
                self.levels.clear();
            }
            Some("delta") => {
                self.deltas += 1;
                let at = self.at.as_ref().expect("a difference to somebody who has nothing");
                assert_eq!(
                    (message["epoch"].as_str(), message["from"].as_u64()),
                    (Some(at.epoch.as_str()), Some(at.seq)),
                    "a difference that does not fit"
                );
            }
            Some("status") => {
                self.state = message["state"].as_str().map(str::to_owned);
                return;
            }
            _ => return,
        }
        for level in message["data"]["levels"].as_array().unwrap() {
            let price = Price::parse(&level["price"].to_string()).unwrap();
            let usd = |side: &str| level[side].as_u64().unwrap();
            let cell = Cell { price, long_usd: usd("long_density"), short_usd: usd("short_density") };
            if cell.is_empty() {
                self.levels.remove(&price);
            } else {
                self.levels.insert(price, cell);
            }
        }
        let (epoch, seq) = (message["epoch"].as_str().unwrap(), message["seq"].as_u64().unwrap());
        let hash = message["hash"].as_str().unwrap();
        assert_eq!(self.hash(), hash, "another state than it says: {epoch} {seq}");
        self.logged.check((self.symbol.clone(), epoch.to_owned(), seq), hash);
        self.at = Some(ShadowPosition { epoch: epoch.to_owned(), seq });
    }
}
