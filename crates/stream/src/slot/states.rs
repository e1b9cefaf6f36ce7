//! States as clients get them: frames from a position on, and messages for those who poll.

use std::sync::Arc;

use bytes::Bytes;
use liqheat_market::UnixMs;
use liqheat_wire::{Mode, Position, StateHash};
use tokio::time::Instant;

use super::{BoardSlot, Inner};
use crate::cursor::Cursor;
use crate::encode::encode;
use crate::frame;
use crate::frames::{FrameForm, StateFrame};
use crate::metrics::{Encoding, Kind};
use crate::view::View;

/// A state or a difference, for those who ask instead of listening.
#[derive(Debug, Clone)]
pub struct StateMessage {
    /// A snapshot or delta message, without framing; shared with the frames of sockets.
    pub body: Bytes,
    /// Hash of the state it leads to.
    pub hash: StateHash,
    /// Whether the asker has that state already.
    pub up_to_date: bool,
}

/// A frame, and what it leads to.
#[derive(Debug, Clone)]
pub(crate) struct NextState {
    pub(crate) frame: StateFrame,
    pub(crate) at: Cursor,
    pub(crate) as_of: UnixMs,
    /// When the board came to this state.
    pub(crate) changed: Instant,
}

impl BoardSlot {
    /// How many changes a client at this position lacks; `None` before the first state.
    pub(crate) fn missed(&self, at: Option<&Cursor>) -> Option<u64> {
        let inner = self.lock();
        let board = inner.board.as_ref()?;
        match at {
            Some(at) if at.epoch == *board.epoch() => Some(board.seq().abs_diff(at.seq)),
            _ => Some(1),
        }
    }

    /// The frame that leads from a position to the newest state; `None` before the first state, or when the
    /// client has it.
    pub(crate) fn next_state(&self, form: &FrameForm, at: Option<&Cursor>) -> Option<NextState> {
        let mut inner = self.lock();
        let Inner { board, frames, changed, .. } = &mut *inner;
        let board = board.as_ref()?;
        let from = at.filter(|at| at.epoch == *board.epoch()).map(|at| at.seq);
        if from == Some(board.seq()) {
            return None;
        }
        let leads_to = Cursor { epoch: Arc::clone(board.epoch()), seq: board.seq() };
        let (as_of, changed) = (board.as_of(), *changed);
        let key = (*form, from);
        if let Some(frame) = frames.get(&key) {
            return Some(NextState { frame: frame.clone(), at: leads_to, as_of, changed });
        }
        let update = board.update_for(&form.view, form.mode, from);
        let kind = if update.from.is_some() { Kind::Delta } else { Kind::Snapshot };
        let payload = encode(&self.symbol, self.expected_within(), &update, form.encoding);
        let bytes = match form.encoding {
            Encoding::Events => {
                let position = (!form.has_id).then(|| leads_to.to_string());
                frame::event(kind.name(), position.as_deref(), &payload)
            }
            Encoding::Json | Encoding::Binary => {
                let shared = if form.has_id { &payload[1..] } else { &payload[..] };
                frame::state(shared, form.encoding, form.deflate)
            }
        };
        let sizes = (payload.len(), bytes.len());
        let saved = frames.saved(form.encoding, kind, sizes, (update.cells.len(), board.levels()));
        let frame = StateFrame { bytes, kind, saved };
        self.metrics.made(kind, form.encoding);
        frames.keep(key, &frame);
        Some(NextState { frame, at: leads_to, as_of, changed })
    }

    /// The message (without framing) that leads from a position to the newest state: a delta where one will
    /// do, else a snapshot. `None` before the first state. It is the payload of the frame that sockets share, made once
    /// for all who ask from the same position; it is encoded while the board is not locked, because polling clients
    /// arrive together, just when sockets fail.
    #[must_use]
    pub fn message_since(
        &self,
        position: Option<&Position>,
        view: &View,
        encoding: Encoding,
    ) -> Option<StateMessage> {
        let form = FrameForm { view: *view, mode: Mode::Delta, encoding, deflate: false, has_id: false };
        let (key, update, hash, up_to_date) = {
            let inner = self.lock();
            let board = inner.board.as_ref()?;
            let here = position.filter(|position| *position.epoch == **board.epoch());
            let from = here.map(|position| position.seq);
            let up_to_date = from == Some(board.seq());
            let key = (form, from);
            if let Some(frame) = inner.frames.get(&key) {
                let hash = board.hash_of(view);
                return Some(StateMessage { body: frame::payload(&frame.bytes), hash, up_to_date });
            }
            let update = board.update_for(view, Mode::Delta, from);
            let hash = update.hash;
            (key, update, hash, up_to_date)
        };
        let kind = if update.from.is_some() { Kind::Delta } else { Kind::Snapshot };
        let payload = encode(&self.symbol, self.expected_within(), &update, encoding);
        let bytes = frame::state(&payload, encoding, false);
        let mut inner = self.lock();
        let Inner { board, frames, .. } = &mut *inner;
        let levels = match board {
            Some(board) if *board.epoch() == update.epoch && board.seq() == update.seq => {
                Some(board.levels())
            }
            _ => None,
        };
        if let Some(levels) = levels.filter(|_| !up_to_date) {
            let sizes = (payload.len(), bytes.len());
            let saved = frames.saved(encoding, kind, sizes, (update.cells.len(), levels));
            self.metrics.made(kind, encoding);
            frames.keep(key, &StateFrame { bytes: bytes.clone(), kind, saved });
        }
        Some(StateMessage { body: frame::payload(&bytes), hash, up_to_date })
    }

    /// The newest state as a JSON snapshot message (without framing).
    #[must_use]
    pub fn snapshot_json(&self) -> Option<Bytes> {
        self.message_since(None, &View::default(), Encoding::Json).map(|message| message.body)
    }
}
