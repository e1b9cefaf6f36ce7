//! Who may speak HTTP: a pure table of connections, with time as a parameter.
//!
//! A connection is *waiting* for a request head, *answering* a request, or *flushing*: its answer is complete, but not
//! yet accepted by the kernel. Three rules keep places for those who need one, whatever other clients do:
//!
//! - **Two classes of requests.** Upgrades and health checks are *essential*, everything else is *data*. Requests for
//!   data may hold three quarters of the places, and one client a quarter of these; a request for data beyond that is
//!   refused at once.
//! - **Idle and stalled connections are evicted.** When every place is taken, a new connection replaces one that has
//!   waited for a request head for [`IDLE_MIN`], or whose client has accepted no byte of its answer for
//!   [`STALLED_MIN`]. A request for data replaces a stalled one the same way.
//! - **An address holds a quarter of the places** at most.
//!
//! A burst of honest clients is not refused: connections for which there is no place wait in the kernel's queue.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::http::AddressKey;

/// Time without a request head after which a connection may be evicted. Honest clients send theirs together with the
/// last packet of the TCP handshake.
pub(super) const IDLE_MIN: Duration = Duration::from_millis(250);
/// Time without write progress after which a connection may be evicted.
pub(super) const STALLED_MIN: Duration = Duration::from_secs(1);

/// Which places a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestClass {
    /// All of them.
    Essential,
    /// Three quarters of them.
    Data,
}

impl RequestClass {
    pub(super) fn of(path: &str) -> Self {
        const ESSENTIAL: [&str; 5] = ["/ws/heatmap", "/live", "/ready", "/health", "/metrics"];
        if ESSENTIAL.contains(&path) { Self::Essential } else { Self::Data }
    }
}

/// A connection in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ConnectionId(u64);

/// The answer to a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It has a place.
    Admitted(ConnectionId),
    /// End this connection, and ask again when it has ended.
    Evict(ConnectionId),
    /// Ask again at this moment, or when a connection has ended.
    WaitUntil(Instant),
    /// Its address has as many connections as it may.
    TooManyOfAddress,
}

/// Why a request for data is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// All places for data are taken.
    Server,
    /// This client has the most places that are allowed.
    Client,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// `None` where limits by address do not apply.
    peer: Option<AddressKey>,
    phase: Phase,
    /// Since when the client accepts nothing of what is to be written.
    stalled_since: Option<Instant>,
    is_evicted: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Waiting { since: Instant },
    Answering { place: Option<DataPlace> },
    Flushing { place: Option<DataPlace> },
}

impl Phase {
    const fn place(self) -> Option<DataPlace> {
        match self {
            Self::Waiting { .. } => None,
            Self::Answering { place } | Self::Flushing { place } => place,
        }
    }
}

/// A place for data, with the client that it counts for, if any.
#[derive(Debug, Clone, Copy)]
struct DataPlace(Option<AddressKey>);

impl Entry {
    /// The first moment at which it may be evicted; `None` while it is of use.
    fn evictable_at(&self) -> Option<Instant> {
        let stalled = self.stalled_since.map(|since| since + STALLED_MIN);
        let idle = match self.phase {
            Phase::Waiting { since } => Some(since + IDLE_MIN),
            Phase::Answering { .. } | Phase::Flushing { .. } => None,
        };
        stalled.into_iter().chain(idle).min()
    }
}

/// All connections that speak HTTP.
#[derive(Debug)]
pub(super) struct Places {
    connections_max: usize,
    entries: HashMap<ConnectionId, Entry>,
    data: usize,
    connections_by_address: HashMap<AddressKey, usize>,
    data_by_address: HashMap<AddressKey, usize>,
    next_id: u64,
}

impl Places {
    pub(super) fn new(connections_max: usize) -> Self {
        Self {
            connections_max: connections_max.max(1),
            entries: HashMap::new(),
            data: 0,
            connections_by_address: HashMap::new(),
            data_by_address: HashMap::new(),
            next_id: 0,
        }
    }

    /// Most requests for data at once.
    fn data_max(&self) -> usize {
        (self.connections_max * 3 / 4).max(1)
    }

    /// A connection was accepted. `peer` is `None` for a trusted proxy.
    pub(super) fn connect(&mut self, peer: Option<IpAddr>, now: Instant) -> Admission {
        let peer = peer.map(AddressKey::of);
        let of_peer = peer.and_then(|peer| self.connections_by_address.get(&peer)).copied().unwrap_or(0);
        if of_peer >= (self.connections_max / 4).max(1) {
            return Admission::TooManyOfAddress;
        }
        if self.entries.len() >= self.connections_max {
            return self.make_room(now);
        }
        let id = ConnectionId(self.next_id);
        self.next_id += 1;
        let phase = Phase::Waiting { since: now };
        self.entries.insert(id, Entry { peer, phase, stalled_since: None, is_evicted: false });
        if let Some(peer) = peer {
            *self.connections_by_address.entry(peer).or_default() += 1;
        }
        Admission::Admitted(id)
    }

    fn make_room(&mut self, now: Instant) -> Admission {
        if self.entries.values().any(|entry| entry.is_evicted) {
            return Admission::WaitUntil(now + IDLE_MIN);
        }
        let evictable =
            self.entries.iter_mut().filter_map(|(id, entry)| Some((entry.evictable_at()?, *id, entry)));
        match evictable.min_by_key(|(at, ..)| *at) {
            Some((at, id, entry)) if at <= now => {
                entry.is_evicted = true;
                Admission::Evict(id)
            }
            Some((at, ..)) => Admission::WaitUntil(at),
            None => Admission::WaitUntil(now + IDLE_MIN),
        }
    }

    /// A request head came in. `Ok(Some(id))`: it has a place, and this connection must be ended for it.
    pub(super) fn begin(
        &mut self,
        id: ConnectionId,
        class: RequestClass,
        client: Option<IpAddr>,
        now: Instant,
    ) -> Result<Option<ConnectionId>, Busy> {
        // Of a request before this one, if there was any.
        self.release(id, now);
        let (place, evicted) = match class {
            RequestClass::Essential => (None, None),
            RequestClass::Data => {
                let client = client.map(AddressKey::of);
                let evicted = self.take_data_place(client, now)?;
                (Some(DataPlace(client)), evicted)
            }
        };
        match self.entries.get_mut(&id) {
            Some(entry) => entry.phase = Phase::Answering { place },
            // It has ended meanwhile, and nobody will give the place back.
            None => self.give_back(place),
        }
        Ok(evicted)
    }

    fn take_data_place(
        &mut self,
        client: Option<AddressKey>,
        now: Instant,
    ) -> Result<Option<ConnectionId>, Busy> {
        let of_client = client.and_then(|client| self.data_by_address.get(&client)).copied().unwrap_or(0);
        if of_client >= (self.data_max() / 4).max(1) {
            return Err(Busy::Client);
        }
        let mut evicted = None;
        if self.data >= self.data_max() {
            let id = self.longest_stalled(now).ok_or(Busy::Server)?;
            self.release(id, now);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.is_evicted = true;
            }
            evicted = Some(id);
        }
        self.data += 1;
        if let Some(client) = client {
            *self.data_by_address.entry(client).or_default() += 1;
        }
        Ok(evicted)
    }

    /// Of the connections that hold a place for data, the one without write progress for longest.
    fn longest_stalled(&self, now: Instant) -> Option<ConnectionId> {
        let stalled = |(id, entry): (&ConnectionId, &Entry)| {
            let holds_place = entry.phase.place().is_some();
            let since = entry.stalled_since.filter(|since| holds_place && *since + STALLED_MIN <= now)?;
            Some((since, *id))
        };
        self.entries.iter().filter_map(stalled).min_by_key(|(since, _)| *since).map(|(_, id)| id)
    }

    /// The answer is complete or was given up; what of it is buffered here is still to be written.
    pub(super) fn end(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Phase::Answering { place } = entry.phase {
            entry.phase = Phase::Flushing { place };
        }
    }

    /// The kernel has accepted everything there was to write.
    pub(super) fn flushed(&mut self, id: ConnectionId, now: Instant) {
        if self.entries.get(&id).is_some_and(|entry| matches!(entry.phase, Phase::Flushing { .. })) {
            self.release(id, now);
        }
    }

    fn release(&mut self, id: ConnectionId, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let before = std::mem::replace(&mut entry.phase, Phase::Waiting { since: now });
        self.give_back(before.place());
    }

    fn give_back(&mut self, place: Option<DataPlace>) {
        if let Some(DataPlace(client)) = place {
            self.data -= 1;
            decrement(&mut self.data_by_address, client);
        }
    }

    /// The client accepts nothing since a moment, or (`None`) something again.
    pub(super) fn set_stalled(&mut self, id: ConnectionId, since: Option<Instant>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stalled_since = since;
        }
    }

    /// The connection has ended or became a WebSocket.
    pub(super) fn disconnect(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        decrement(&mut self.connections_by_address, entry.peer);
        self.give_back(entry.phase.place());
    }
}

fn decrement(counts: &mut HashMap<AddressKey, usize>, key: Option<AddressKey>) {
    let Some(key) = key else { return };
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    struct Table {
        places: Places,
        began: Instant,
    }

    impl Table {
        fn new(connections_max: usize) -> Self {
            Self { places: Places::new(connections_max), began: Instant::now() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.began + Duration::from_millis(ms)
        }

        fn connect(&mut self, peer: Option<IpAddr>, ms: u64) -> Admission {
            self.places.connect(peer, self.at(ms))
        }

        #[track_caller]
        fn admit(&mut self, peer: Option<IpAddr>, ms: u64) -> ConnectionId {
            match self.connect(peer, ms) {
                Admission::Admitted(id) => id,
                other => panic!("{other:?}"),
            }
        }

        fn ask(
            &mut self,
            id: ConnectionId,
            client: Option<IpAddr>,
            ms: u64,
        ) -> Result<Option<ConnectionId>, Busy> {
            self.places.begin(id, RequestClass::Data, client, self.at(ms))
        }

        fn answered(&mut self, id: ConnectionId, ms: u64) {
            self.places.end(id);
            let now = self.at(ms);
            self.places.flushed(id, now);
        }

        fn is_empty(&self) -> bool {
            let Places { entries, data, connections_by_address, data_by_address, .. } = &self.places;
            entries.is_empty()
                && *data == 0
                && connections_by_address.is_empty()
                && data_by_address.is_empty()
        }
    }

    #[test]
    fn an_address_holds_a_quarter_and_a_trusted_proxy_all() {
        let mut table = Table::new(8);
        let first = table.admit(address(1), 0);
        table.admit(address(1), 0);
        assert_eq!(table.connect(address(1), 0), Admission::TooManyOfAddress);
        table.places.disconnect(first);
        table.admit(address(1), 0);
        for _ in 0..6 {
            table.admit(None, 0);
        }
        assert!(matches!(table.connect(None, 0), Admission::WaitUntil(_)));
    }

    #[test]
    fn the_longest_idle_connection_is_evicted_but_not_a_new_one() {
        let mut table = Table::new(2);
        let busy = table.admit(None, 0);
        assert_eq!(table.ask(busy, None, 0), Ok(None));
        let idle = table.admit(None, 100);
        assert_eq!(table.connect(None, 300), Admission::WaitUntil(table.at(350)));
        assert_eq!(table.connect(None, 350), Admission::Evict(idle));
        assert!(matches!(table.connect(None, 360), Admission::WaitUntil(_)), "one is about to end");
        table.places.disconnect(idle);
        let next = table.admit(None, 370);
        // Between two requests a connection is as idle as one that never sent any.
        table.answered(busy, 380);
        assert_eq!(table.connect(None, 620), Admission::Evict(next));
        table.places.disconnect(next);
        assert_eq!(table.ask(busy, None, 640), Ok(None), "the next request came in time");
        table.admit(None, 640);
    }

    #[test]
    fn a_stalled_connection_is_evicted_and_a_slow_one_is_not() {
        let mut table = Table::new(1);
        let slow = table.admit(None, 0);
        table.ask(slow, None, 0).unwrap();
        table.places.set_stalled(slow, Some(table.at(0)));
        table.places.set_stalled(slow, None);
        table.places.set_stalled(slow, Some(table.at(900)));
        assert_eq!(table.connect(None, 1_500), Admission::WaitUntil(table.at(1_900)));
        assert_eq!(table.connect(None, 1_900), Admission::Evict(slow));
    }

    #[test]
    fn requests_for_data_keep_off_the_last_quarter() {
        let mut table = Table::new(8);
        let asking: Vec<_> = (0..6).map(|_| table.admit(None, 0)).collect();
        for id in &asking {
            assert_eq!(table.ask(*id, None, 0), Ok(None));
        }
        let further = table.admit(None, 0);
        assert_eq!(table.ask(further, None, 0), Err(Busy::Server));
        assert_eq!(table.places.begin(further, RequestClass::Essential, None, table.at(0)), Ok(None));
        table.answered(further, 0);
        table.places.set_stalled(asking[2], Some(table.at(10)));
        assert_eq!(table.ask(further, None, 1_009), Err(Busy::Server));
        assert_eq!(table.ask(further, None, 1_010), Ok(Some(asking[2])));
        let last = table.admit(None, 1_010);
        assert_eq!(table.ask(last, None, 1_020), Err(Busy::Server), "one place for one evicted");
        for id in asking.into_iter().chain([further, last]) {
            table.places.disconnect(id);
        }
        assert!(table.is_empty());
    }

    #[test]
    fn one_client_behind_a_proxy_holds_a_quarter_of_the_places_for_data() {
        let mut table = Table::new(16);
        let ids: Vec<_> = (0..16).map(|_| table.admit(None, 0)).collect();
        for id in &ids[..3] {
            assert_eq!(table.ask(*id, address(1), 0), Ok(None));
        }
        assert_eq!(table.ask(ids[3], address(1), 0), Err(Busy::Client));
        assert_eq!(table.ask(ids[3], address(2), 0), Ok(None));
        table.places.end(ids[0]);
        assert_eq!(table.ask(ids[4], address(1), 1), Err(Busy::Client), "its client has not read it");
        table.places.flushed(ids[0], table.at(1));
        assert_eq!(table.ask(ids[4], address(1), 2), Ok(None));
        // The next request of a connection takes the place of the one before.
        table.places.end(ids[4]);
        assert_eq!(table.ask(ids[4], address(2), 3), Ok(None));
        assert_eq!(table.ask(ids[5], address(1), 3), Ok(None));
        for id in &ids {
            table.places.disconnect(*id);
        }
        for id in ids {
            table.answered(id, 3);
            assert_eq!(table.ask(id, address(1), 3), Ok(None), "a request of a connection that has ended");
        }
        assert!(table.is_empty());
    }
}
