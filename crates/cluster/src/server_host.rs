//! What the node changes: the boards of this server, and the list of its symbols.

use std::sync::Arc;

use liqheat_stream::{Board, Hub, Misfit, RemoteState, Sessions};
use liqheat_wire::FeedState;

use crate::request::Host;

/// The list of what is served, as the server writes and reads it.
pub trait SymbolList: Send + Sync {
    /// What this server serves, written while it is the producer.
    fn own(&self) -> Vec<u8>;
    /// Takes over the producer's list and returns the names in it.
    ///
    /// # Errors
    /// When it cannot be read, in words.
    fn adopt(&self, bytes: &[u8]) -> Result<Vec<String>, String>;
}

/// The boards of this server.
pub(crate) struct ServerHost {
    sessions: Arc<Sessions>,
    list: Arc<dyn SymbolList>,
}

impl ServerHost {
    pub(crate) fn new(sessions: Arc<Sessions>, list: Arc<dyn SymbolList>) -> Self {
        Self { sessions, list }
    }

    pub(crate) fn hub(&self) -> &Hub {
        self.sessions.hub()
    }
}

impl Host for ServerHost {
    fn board(&self, symbol: &str) -> Option<Board> {
        self.sessions.hub().slot(symbol)?.with_board(Board::clone)
    }

    fn apply(&mut self, symbol: &str, state: &RemoteState, feed: FeedState) -> Result<bool, Misfit> {
        // A symbol that is no longer served takes anything.
        self.sessions.hub().slot(symbol).map_or(Ok(false), |slot| slot.take_remote(state, feed))
    }

    fn set_feed_state(&mut self, symbol: &str, feed: FeedState) {
        if let Some(slot) = self.sessions.hub().slot(symbol) {
            slot.set_feed(feed, None);
        }
    }

    fn add_symbol(&mut self, symbol: &str) {
        self.sessions.add_board(symbol);
    }

    fn remove_symbol(&mut self, symbol: &str) {
        self.sessions.remove_board(symbol);
    }

    fn set_symbols_known(&mut self) {
        self.sessions.hub().set_symbols_known(true);
    }

    fn own_list(&self) -> Vec<u8> {
        self.list.own()
    }

    fn adopt_list(&mut self, bytes: &[u8]) -> Result<Vec<String>, String> {
        self.list.adopt(bytes)
    }
}
