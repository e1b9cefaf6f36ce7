//! Raw records through the same parsers and the same checks as when they came.
//!
//! Events of sockets pass the contract's event gate, as live: repeats of overlapping connections and impossible values
//! are dropped. Of an answer everything that can be true is passed on, since what it was asked for
//! depends on a database that is not here; whoever stores it keeps each row once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::{Event, Instrument, Symbol, TierTable, UnixMs, Venue};

use super::line::RawRecord;
use crate::live::{EventGate, GateVerdict, Origin, RawKind, ResumePoint, StreamEvent};
use crate::tiers::TierOrigin;
use crate::venues::{
    Contract, ContractTable, Exchange, RestQuery, Signal, VenueFrameReader, contract, exchange,
};

/// Counts of records and of what they contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaybackCounts {
    /// Records that were taken.
    pub records: u64,
    /// Events that came of them.
    pub events: u64,
    /// Events dropped because they had come before.
    pub repeated: u64,
    /// Frames not understood, and events that cannot be true.
    pub refused: u64,
    /// Frames of connections whose opening is not in the files, and records of venues without a connector.
    pub orphaned: u64,
}

/// Turns records into events.
#[derive(Default)]
pub struct Player {
    venues: BTreeMap<Venue, VenuePlayback>,
    tiers: BTreeMap<Instrument, (TierTable, TierOrigin)>,
    counts: PlaybackCounts,
}

/// One venue.
struct VenuePlayback {
    exchange: &'static Exchange,
    contracts: BTreeMap<Symbol, Contract>,
    connections: BTreeMap<u64, Connection>,
    gates: BTreeMap<Symbol, EventGate>,
    skew_ms: i64,
}

struct Connection {
    contracts: Arc<[Contract]>,
    reader: Box<dyn VenueFrameReader>,
}

impl Player {
    /// Nothing played yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What became of records so far.
    #[must_use]
    pub const fn counts(&self) -> PlaybackCounts {
        self.counts
    }

    /// The margin tiers that were in use at the end of what was played, and where they came from.
    #[must_use]
    pub const fn tiers(&self) -> &BTreeMap<Instrument, (TierTable, TierOrigin)> {
        &self.tiers
    }

    /// Takes the next record, in the order in which they were recorded, and appends the events that come of it.
    pub fn take(&mut self, record: &RawRecord, out: &mut Vec<(Instrument, Event)>) {
        self.counts.records += 1;
        let before = out.len();
        let Some(exchange) = exchange(record.venue) else {
            self.counts.orphaned += 1;
            return;
        };
        let venue = self.venues.entry(record.venue).or_insert_with(|| VenuePlayback::new(exchange));
        match &record.kind {
            RawKind::Opened { connection, contracts } => venue.open(*connection, contracts, record.received),
            RawKind::Frame { connection } => venue.frame(*connection, record, &mut self.counts, out),
            RawKind::Answer { symbol, query } => venue.answer(symbol, query, record, &mut self.counts, out),
            RawKind::Tiers { symbol, origin, table } => {
                let instrument = Instrument::new(record.venue, symbol.clone());
                self.tiers.insert(instrument, (table.clone(), *origin));
            }
        }
        self.counts.events += (out.len() - before) as u64;
    }
}

impl VenuePlayback {
    /// Connections of which frames may still come: overlapping ones, and a few before.
    const CONNECTIONS_MAX: usize = 256;
    /// Whatever was fetched is older than this.
    const FILLED_AT_MOST: Duration = Duration::from_secs(10 * 365 * 86_400);

    fn new(exchange: &'static Exchange) -> Self {
        Self {
            exchange,
            contracts: BTreeMap::new(),
            connections: BTreeMap::new(),
            gates: BTreeMap::new(),
            skew_ms: 0,
        }
    }

    fn contract(&mut self, symbol: &Symbol) -> Option<Contract> {
        if !self.contracts.contains_key(symbol) {
            self.contracts.insert(symbol.clone(), contract(self.exchange, symbol)?);
        }
        self.contracts.get(symbol).cloned()
    }

    /// The same opening stands at the beginning of every file; the reader keeps what it knows.
    fn open(&mut self, connection: u64, contracts: &[Contract], opened: UnixMs) {
        for contract in contracts {
            self.contracts.insert(contract.symbol.clone(), contract.clone());
        }
        let is_known = self.connections.get(&connection).is_some_and(|known| *known.contracts == *contracts);
        if connection == RawKind::FOLLOWED || is_known {
            return;
        }
        let reader = self.exchange.reader(&ContractTable::new(contracts.to_vec()), opened);
        if self.connections.len() >= Self::CONNECTIONS_MAX {
            self.connections.pop_first();
        }
        self.connections.insert(connection, Connection { contracts: contracts.into(), reader });
    }

    fn frame(
        &mut self,
        number: u64,
        record: &RawRecord,
        counts: &mut PlaybackCounts,
        out: &mut Vec<(Instrument, Event)>,
    ) {
        let Some(connection) = self.connections.get_mut(&number) else {
            counts.orphaned += 1;
            return;
        };
        let mut signals = Vec::new();
        if connection.reader.read(&record.bytes, record.received, &mut signals).is_err() {
            counts.refused += 1;
            return;
        }
        let contracts = Arc::clone(&connection.contracts);
        for signal in signals {
            let (contract, arrived) = match signal {
                Signal::Event { contract, event, .. } => (contract, StreamEvent::Event(event)),
                Signal::Order { contract, report, .. } => (contract, StreamEvent::Order(report)),
                Signal::Rejected(_) => {
                    counts.refused += 1;
                    continue;
                }
                _ => continue,
            };
            let Some(contract) = contracts.get(contract) else { continue };
            match self.pass(&contract.symbol, arrived, Origin::Socket(number), record.received, out) {
                GateVerdict::New => {}
                GateVerdict::Repeated => counts.repeated += 1,
                GateVerdict::Implausible(_) => counts.refused += 1,
            }
        }
    }

    fn answer(
        &mut self,
        symbol: &Symbol,
        query: &RestQuery,
        record: &RawRecord,
        counts: &mut PlaybackCounts,
        out: &mut Vec<(Instrument, Event)>,
    ) {
        let Some(contract) = self.contract(symbol) else {
            counts.orphaned += 1;
            return;
        };
        // Which klines are closed is a question of the venue's clock.
        let venue_time = record.received.plus(self.skew_ms);
        let Ok(page) = self.exchange.answer(&contract, query, &record.bytes, venue_time) else {
            counts.refused += 1;
            return;
        };
        counts.refused += page.rejected.len() as u64;
        if let Some(time) = page.time {
            self.skew_ms = time.since(record.received);
        }
        for event in page.events {
            let before = out.len();
            match self.pass(symbol, StreamEvent::Event(event), Origin::Answer, record.received, out) {
                GateVerdict::New => {}
                GateVerdict::Repeated if out.len() == before => {
                    out.push((Instrument::new(record.venue, symbol.clone()), event));
                }
                GateVerdict::Repeated => {}
                GateVerdict::Implausible(_) => counts.refused += 1,
            }
        }
    }

    fn pass(
        &mut self,
        symbol: &Symbol,
        arrived: StreamEvent,
        origin: Origin,
        received: UnixMs,
        out: &mut Vec<(Instrument, Event)>,
    ) -> GateVerdict {
        let now = received.plus(self.skew_ms);
        let exchange = self.exchange;
        let gate = self.gates.entry(symbol.clone()).or_insert_with(|| {
            EventGate::new(&exchange.limits, &ResumePoint::default(), Self::FILLED_AT_MOST, u64::MAX, now)
        });
        let mut events = Vec::new();
        let verdict = arrived.pass(gate, origin, now, &mut events);
        let instrument = Instrument::new(exchange.venue, symbol.clone());
        out.extend(events.into_iter().map(|event| (instrument.clone(), event)));
        verdict
    }
}
