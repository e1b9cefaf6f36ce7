//! What waits to be delivered, in order. Pure.
//!
//! Events of an instrument are delivered together. A gap or a filled stretch is delivered after the events that came
//! before it.

use liqheat_market::{Event, Instrument};

use crate::live::Delivery;
use crate::live::contract::{ContractIndex, ContractMap};

/// The outbox of a venue.
#[derive(Debug, Default)]
pub(in crate::live) struct Outbox {
    events: ContractMap<Buffer>,
    buffered: usize,
    ready: Vec<Delivery>,
}

#[derive(Debug)]
struct Buffer {
    instrument: Instrument,
    events: Vec<Event>,
}

impl Outbox {
    /// Events that are delivered without waiting for the next flush.
    const EVENTS_MAX: usize = 4_096;

    /// A contract was added behind the others.
    pub(in crate::live) fn add(&mut self, instrument: Instrument) -> ContractIndex {
        self.events.push(Buffer { instrument, events: Vec::new() })
    }

    pub(in crate::live) fn instrument(&self, contract: ContractIndex) -> &Instrument {
        &self.events[contract].instrument
    }

    /// Buffers events of a contract.
    pub(in crate::live) fn extend(
        &mut self,
        contract: ContractIndex,
        events: impl IntoIterator<Item = Event>,
    ) {
        let buffer = &mut self.events[contract].events;
        let before = buffer.len();
        buffer.extend(events);
        self.buffered += buffer.len() - before;
    }

    /// Adds something that is delivered after all buffered events.
    pub(in crate::live) fn push(&mut self, delivery: Delivery) {
        self.flush();
        self.ready.push(delivery);
    }

    /// Makes the buffered events ready.
    pub(in crate::live) fn flush(&mut self) {
        if self.buffered == 0 {
            return;
        }
        for buffer in self.events.values_mut().filter(|buffer| !buffer.events.is_empty()) {
            let events = std::mem::take(&mut buffer.events);
            self.ready.push(Delivery::Events { instrument: buffer.instrument.clone(), events });
        }
        self.buffered = 0;
    }

    /// What is to be delivered now.
    pub(in crate::live) fn take(&mut self) -> Vec<Delivery> {
        if self.buffered >= Self::EVENTS_MAX {
            self.flush();
        }
        std::mem::take(&mut self.ready)
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::{MarkPrice, Price, Symbol, UnixMs, Venue};

    use super::*;
    use crate::live::{Gap, GapCause};
    use crate::venues::StreamKind;

    fn tick(ms: i64) -> Event {
        Event::MarkPrice(MarkPrice { time: UnixMs(ms), price: Price::from_units(1) })
    }

    fn outbox() -> (Outbox, ContractIndex, ContractIndex) {
        let mut outbox = Outbox::default();
        let mut add = |symbol| outbox.add(Instrument::new(Venue::Okx, Symbol::new(symbol).unwrap()));
        let (first, second) = (add("BTCUSDT"), add("ETHUSDT"));
        (outbox, first, second)
    }

    #[test]
    fn a_gap_follows_the_events_before_it() {
        let (mut outbox, first, second) = outbox();
        outbox.extend(second, [tick(1)]);
        outbox.extend(first, [tick(2), tick(3)]);
        assert_eq!(outbox.take(), [], "they wait for a flush");
        let gap = Delivery::Gap(Gap {
            instrument: outbox.instrument(first).clone(),
            stream: StreamKind::Trades,
            from: UnixMs(0),
            to: UnixMs(1),
            cause: GapCause::Unavailable,
            reason: "cut".to_owned(),
        });
        outbox.push(gap.clone());
        outbox.extend(first, [tick(4)]);
        let events = |contract, events: &[Event]| Delivery::Events {
            instrument: outbox.instrument(contract).clone(),
            events: events.to_vec(),
        };
        let expected = [events(first, &[tick(2), tick(3)]), events(second, &[tick(1)]), gap];
        let last = events(first, &[tick(4)]);
        assert_eq!(outbox.take(), expected);
        outbox.flush();
        assert_eq!(outbox.take(), [last]);
        outbox.flush();
        assert_eq!(outbox.take(), []);
    }

    #[test]
    fn many_events_do_not_wait() {
        let (mut outbox, first, _) = outbox();
        outbox.extend(first, (0..4_096).map(tick));
        assert_eq!(outbox.take().len(), 1);
    }
}
