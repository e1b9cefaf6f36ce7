//! The ids of server-sent events: the position after each event, so that `Last-Event-ID` is all that a client needs to
//! go on.
//!
//! A stream of one channel of one symbol has ids `epoch:seq`, which are the same for all clients and part of the shared
//! frame. A stream of several has the positions of all of them, separated by commas, in the order in which the request
//! names symbols and, within a symbol, channels; `-` stands for one that has sent nothing yet.

use bytes::{BufMut, Bytes, BytesMut};
use liqheat_wire::{Channel, Position};

use crate::cursor::Cursor;

/// Where a client of several channels is.
#[derive(Debug)]
pub(crate) struct EventIds {
    places: Vec<ChannelPosition>,
}

#[derive(Debug)]
struct ChannelPosition {
    symbol: String,
    channel: Channel,
    at: Option<Cursor>,
}

impl EventIds {
    /// `positions` is what the client has, in the order of the request.
    pub(crate) fn new<'a>(
        places: impl IntoIterator<Item = (&'a str, Channel)>,
        positions: &[Option<Position>],
    ) -> Self {
        let known = |index: usize| positions.get(index).cloned().flatten().map(Cursor::from);
        let place = |(index, (symbol, channel)): (usize, (&str, Channel))| ChannelPosition {
            symbol: symbol.to_owned(),
            channel,
            at: known(index),
        };
        Self { places: places.into_iter().enumerate().map(place).collect() }
    }

    /// An event that leads to a position, with its id in front.
    pub(crate) fn stamp(&mut self, symbol: &str, channel: Channel, at: Cursor, event: &[u8]) -> Bytes {
        self.advance(symbol, channel, at);
        let mut bytes = BytesMut::with_capacity(event.len() + 16 + 32 * self.places.len());
        bytes.put_slice(b"id: ");
        for (index, place) in self.places.iter().enumerate() {
            if index > 0 {
                bytes.put_u8(b',');
            }
            match &place.at {
                Some(at) => bytes.put_slice(at.to_string().as_bytes()),
                None => bytes.put_u8(b'-'),
            }
        }
        bytes.put_u8(b'\n');
        bytes.put_slice(event);
        bytes.freeze()
    }

    /// The client is at a position, without an event.
    pub(crate) fn advance(&mut self, symbol: &str, channel: Channel, at: Cursor) {
        let place = self.places.iter_mut().find(|place| place.symbol == symbol && place.channel == channel);
        if let Some(place) = place {
            place.at = Some(at);
        }
    }
}

/// Reads `Last-Event-ID`: one position for each place, in their order; `None` when it is not one of these ids.
#[must_use]
pub fn parse_event_id(text: &str, places: usize) -> Option<Vec<Option<Position>>> {
    let parts: Vec<&str> = text.split(',').collect();
    if parts.len() != places {
        return None;
    }
    let position = |part: &str| {
        if part == "-" {
            return Some(None);
        }
        let (epoch, seq) = part.rsplit_once(':')?;
        let seq = seq.parse().ok()?;
        (!epoch.is_empty()).then(|| Some(Position { epoch: epoch.to_owned(), seq }))
    };
    parts.into_iter().map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_every_position_and_is_read_back() {
        let places = [("X", Channel::Heatmap), ("X", Channel::Price), ("Y", Channel::Heatmap)];
        let mut ids = EventIds::new(places, &[]);
        let at = |epoch: &str, seq| Cursor { epoch: epoch.into(), seq };
        let event = ids.stamp("X", Channel::Price, at("p.1", 3), b"data: 1\n\n");
        assert_eq!(event, "id: -,p.1:3,-\ndata: 1\n\n");
        ids.advance("Y", Channel::Heatmap, at("a-1", 9));
        let event = ids.stamp("X", Channel::Heatmap, at("a-0", 1), b"");
        assert_eq!(event, "id: a-0:1,p.1:3,a-1:9\n");
        let position = |epoch: &str, seq| Some(Position { epoch: epoch.into(), seq });
        let read = parse_event_id("a-0:1,-,a-1:9", 3).unwrap();
        assert_eq!(read, [position("a-0", 1), None, position("a-1", 9)]);
        let mut again = EventIds::new(places, &read);
        assert_eq!(again.stamp("X", Channel::Price, at("p.2", 1), b""), "id: a-0:1,p.2:1,a-1:9\n");
        for (text, places) in [("", 1), ("a:1", 2), ("a:1,b", 2), (":1", 1), ("a:x", 1), ("a:-1", 1)] {
            assert_eq!(parse_event_id(text, places), None, "{text}");
        }
    }
}
