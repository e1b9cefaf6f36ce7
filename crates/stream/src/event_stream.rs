//! What a client of server-sent events asks for.

use bytes::Bytes;
use liqheat_wire::{Channel, Position, Subscribe};

use crate::event_ids::EventIds;

/// What an event stream begins with.
#[derive(Debug)]
pub struct EventStream {
    /// The head of the answer.
    pub head: Bytes,
    /// What is followed; names that are not served are refused by an event.
    pub subscribe: Subscribe,
    /// The positions of `Last-Event-ID`, in the order of [`EventStream::places`]; empty without.
    pub positions: Vec<Option<Position>>,
}

impl EventStream {
    /// The channels that are followed, in the order of the positions in ids.
    #[must_use]
    pub fn places(subscribe: &Subscribe) -> Vec<(String, Channel)> {
        let mut channels: Vec<Channel> = Vec::new();
        for channel in subscribe.channels.iter().filter_map(|name| Channel::from_name(name)) {
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        if subscribe.channels.is_empty() {
            channels.push(Channel::Heatmap);
        }
        let of_symbol =
            |symbol: &String| channels.iter().map(|channel| (symbol.clone(), *channel)).collect::<Vec<_>>();
        subscribe.symbols.iter().flat_map(of_symbol).collect()
    }

    /// With the positions as what the client has, and the ids of its events where they name more than one.
    pub(crate) fn split(mut self) -> (Bytes, Subscribe, Option<EventIds>) {
        let places = Self::places(&self.subscribe);
        for ((symbol, channel), position) in places.iter().zip(&self.positions) {
            if let Some(position) = position {
                self.subscribe.put_position(symbol, *channel, position.clone());
            }
        }
        let is_composite = places.len() > 1;
        let ids = is_composite.then(|| {
            let places = places.iter().map(|(symbol, channel)| (symbol.as_str(), *channel));
            EventIds::new(places, &self.positions)
        });
        (self.head, self.subscribe, ids)
    }
}
