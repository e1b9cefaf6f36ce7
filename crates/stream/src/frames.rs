//! Frames of one state, made when the first client needs them and shared by all others that need the same.

use std::collections::HashMap;

use bytes::Bytes;
use liqheat_market::convert::{approx_f64, trunc_u64};
use liqheat_wire::Mode;

use crate::metrics::{Encoding, Kind, SavedBytes};
use crate::view::View;

/// View, mode and encoding of a client's states. Clients with the same form and position get the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FrameForm {
    pub(crate) view: View,
    pub(crate) mode: Mode,
    pub(crate) encoding: Encoding,
    pub(crate) deflate: bool,
    /// Whether the subscription has an id: then the frame is made without the first byte of its message, and
    /// [`frame::with_beginning`](crate::frame::with_beginning) completes it for each of them. A server-sent event is then
    /// made without the line of its id.
    pub(crate) has_id: bool,
}

/// A frame that brings a client to the newest state.
#[derive(Debug, Clone)]
pub(crate) struct StateFrame {
    pub(crate) bytes: Bytes,
    pub(crate) kind: Kind,
    pub(crate) saved: SavedBytes,
}

type Key = (FrameForm, Option<u64>);

/// The frames of one state.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    by_key: HashMap<Key, StateFrame>,
    bytes: usize,
    /// What a level of a plain whole state took lately, by encoding: to tell what a difference saves.
    level_bytes: [Option<f64>; 3],
}

impl Frames {
    /// More frames than this (clients at that many different lags, times views) are made anew each time.
    const KEPT_MAX: usize = 256;
    /// The same, in bytes.
    const BYTES_MAX: usize = 16 * 1_024 * 1_024;

    pub(crate) fn get(&self, key: &Key) -> Option<&StateFrame> {
        self.by_key.get(key)
    }

    pub(crate) fn keep(&mut self, key: Key, frame: &StateFrame) {
        if self.by_key.len() < Self::KEPT_MAX && self.bytes + frame.bytes.len() <= Self::BYTES_MAX {
            self.bytes += frame.bytes.len();
            self.by_key.insert(key, frame.clone());
        }
    }

    /// The state changed: all of them are old.
    pub(crate) fn clear(&mut self) {
        self.by_key.clear();
        self.bytes = 0;
    }

    /// What a message of this many bytes and levels saved, in comparison with a plain whole state.
    pub(crate) fn saved(
        &mut self,
        encoding: Encoding,
        kind: Kind,
        (plain, framed): (usize, usize),
        (levels, live): (usize, usize),
    ) -> SavedBytes {
        let by_deflate = plain.saturating_sub(framed) as u64;
        let known = &mut self.level_bytes[encoding as usize];
        if kind == Kind::Snapshot && levels > 0 {
            *known = Some(approx_f64(plain) / approx_f64(levels));
        }
        let whole = known.map_or(0.0, |bytes| bytes * approx_f64(live));
        let by_delta = if kind == Kind::Delta { trunc_u64(whole - approx_f64(plain)) } else { 0 };
        SavedBytes { by_delta, by_deflate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> StateFrame {
        StateFrame { bytes: Bytes::from(vec![0; bytes]), kind: Kind::Snapshot, saved: SavedBytes::default() }
    }

    fn key(from: u64) -> Key {
        let (view, mode) = (View::default(), Mode::Delta);
        (FrameForm { view, mode, encoding: Encoding::Json, deflate: false, has_id: false }, Some(from))
    }

    #[test]
    fn they_are_bounded_in_number_and_bytes() {
        let mut frames = Frames::default();
        for from in 0..1_000 {
            frames.keep(key(from), &frame(10));
        }
        assert_eq!(frames.by_key.len(), Frames::KEPT_MAX);
        frames.clear();
        for from in 0..100 {
            frames.keep(key(from), &frame(1_024 * 1_024));
        }
        assert_eq!(frames.by_key.len(), 16);
        assert!(frames.get(&key(3)).is_some() && frames.get(&key(50)).is_none());
        frames.clear();
        assert!(frames.get(&key(3)).is_none());
    }

    #[test]
    fn savings_are_counted_against_the_plain_whole() {
        let mut frames = Frames::default();
        let mut saved = |kind, sizes, levels| frames.saved(Encoding::Json, kind, sizes, levels);
        assert_eq!(
            saved(Kind::Delta, (100, 100), (2, 10)),
            SavedBytes::default(),
            "nothing to compare with yet"
        );
        assert_eq!(
            saved(Kind::Snapshot, (1_000, 400), (10, 10)),
            SavedBytes { by_delta: 0, by_deflate: 600 }
        );
        assert_eq!(saved(Kind::Delta, (300, 300), (2, 20)), SavedBytes { by_delta: 1_700, by_deflate: 0 });
    }
}
