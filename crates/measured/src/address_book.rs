//! Which addresses are known, why, and for how long they are kept.

use std::collections::{BTreeMap, BTreeSet};

use liqheat_market::UnixMs;

use crate::{Address, LookInterval};

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAddress {
    /// When it was found.
    pub found: UnixMs,
    /// Its newest trade that was seen.
    pub traded: Option<UnixMs>,
    /// The last look that found a position.
    pub held: Option<UnixMs>,
    /// The last look.
    pub looked: Option<UnixMs>,
    /// Time to the next look, decided by the last one.
    pub interval: LookInterval,
    /// Whether the operator named it: then it is kept whatever it holds.
    pub is_named: bool,
}

impl KnownAddress {
    const fn new(found: UnixMs, interval: LookInterval) -> Self {
        Self { found, traded: None, held: None, looked: None, interval, is_named: false }
    }

    /// When it was last of use.
    fn used(&self) -> UnixMs {
        [Some(self.found), self.traded, self.held].into_iter().flatten().max().unwrap_or(self.found)
    }
}

/// What changed since the last call of [`AddressBook::take_changes`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressChanges {
    /// New and changed addresses.
    pub changed: Vec<(Address, KnownAddress)>,
    /// Addresses that were dropped.
    pub dropped: Vec<Address>,
}

/// All known addresses.
#[derive(Debug, Default)]
pub struct AddressBook {
    known: BTreeMap<Address, KnownAddress>,
    changed: BTreeSet<Address>,
    dropped: BTreeSet<Address>,
}

/// The vault that takes over positions of liquidated accounts. What it holds are not positions of a trader.
const LIQUIDATOR: Address = Address::new([
    0xb0, 0xa5, 0x5f, 0x13, 0xd2, 0x2f, 0x66, 0xe6, 0xd4, 0x95, 0xac, 0x98, 0x11, 0x38, 0x41, 0xb2, 0x32,
    0x6e, 0x95, 0x40,
]);

impl AddressBook {
    /// An address without a position for this long is dropped, ms.
    pub const IDLE_MS_MAX: i64 = 7 * 86_400_000;
    /// Addresses beyond this many are not taken.
    pub const ADDRESSES_MAX: usize = 200_000;

    /// With what was stored.
    #[must_use]
    pub fn restored(known: impl IntoIterator<Item = (Address, KnownAddress)>) -> Self {
        let known = known.into_iter().filter(|(address, _)| *address != LIQUIDATOR);
        // Names are those of this start's settings.
        let known = known.map(|(address, known)| (address, KnownAddress { is_named: false, ..known }));
        Self { known: known.take(Self::ADDRESSES_MAX).collect(), ..Self::default() }
    }

    /// Number of addresses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What is known of an address.
    #[must_use]
    pub fn get(&self, address: &Address) -> Option<&KnownAddress> {
        self.known.get(address)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &KnownAddress)> {
        self.known.iter()
    }

    /// An address of the leaderboard. Returns whether it is new.
    pub fn on_listed(&mut self, address: Address, now: UnixMs) -> bool {
        self.entry(address, LookInterval::Hour, now).is_some_and(|(_, is_new)| is_new)
    }

    /// An address that the operator named. Returns whether it is new.
    pub fn on_named(&mut self, address: Address, now: UnixMs) -> bool {
        let Some((known, is_new)) = self.entry(address, LookInterval::Minute, now) else { return false };
        known.is_named = true;
        is_new
    }

    /// An address traded. Returns whether it is new.
    pub fn on_traded(&mut self, address: Address, now: UnixMs) -> bool {
        let Some((known, is_new)) = self.entry(address, LookInterval::Minute, now) else { return false };
        known.traded = Some(now);
        is_new
    }

    /// A look brought an account with or without positions.
    pub fn on_look(&mut self, address: Address, has_position: bool, interval: LookInterval, now: UnixMs) {
        let Some(known) = self.known.get_mut(&address) else { return };
        known.looked = Some(now);
        known.interval = interval;
        if has_position {
            known.held = Some(now);
        }
        self.changed.insert(address);
    }

    /// Drops addresses that held nothing for too long; returns them.
    pub fn drop_idle(&mut self, now: UnixMs) -> Vec<Address> {
        let is_idle = |known: &KnownAddress| !known.is_named && now.since(known.used()) > Self::IDLE_MS_MAX;
        let idle: Vec<Address> =
            self.known.iter().filter(|(_, known)| is_idle(known)).map(|(address, _)| *address).collect();
        for address in &idle {
            self.known.remove(address);
            self.changed.remove(address);
            self.dropped.insert(*address);
        }
        idle
    }

    /// What is to be stored since the last call.
    pub fn take_changes(&mut self) -> AddressChanges {
        let changed = std::mem::take(&mut self.changed);
        let changed = changed.into_iter().filter_map(|address| Some((address, *self.known.get(&address)?)));
        AddressChanges {
            changed: changed.collect(),
            dropped: std::mem::take(&mut self.dropped).into_iter().collect(),
        }
    }

    /// Changes that could not be stored: the next call of [`AddressBook::take_changes`] brings them again.
    pub fn put_back(&mut self, changes: &AddressChanges) {
        self.changed.extend(changes.changed.iter().map(|(address, _)| *address));
        self.dropped.extend(changes.dropped.iter().filter(|address| !self.known.contains_key(address)));
    }

    fn entry(
        &mut self,
        address: Address,
        interval: LookInterval,
        now: UnixMs,
    ) -> Option<(&mut KnownAddress, bool)> {
        let is_new = !self.known.contains_key(&address);
        if address == LIQUIDATOR || (is_new && self.known.len() >= Self::ADDRESSES_MAX) {
            return None;
        }
        if is_new {
            self.changed.insert(address);
            self.dropped.remove(&address);
        }
        Some((self.known.entry(address).or_insert(KnownAddress::new(now, interval)), is_new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn address(number: u8) -> Address {
        Address::new([number; 20])
    }

    #[test]
    fn an_address_is_kept_while_it_holds_or_trades_or_is_named() {
        let mut book = AddressBook::default();
        let day = |days: i64| UnixMs(days * DAY);
        assert!(book.on_listed(address(1), day(0)) && !book.on_listed(address(1), day(1)));
        assert!(book.on_traded(address(2), day(0)) && book.on_named(address(3), day(0)));
        assert!(book.on_listed(address(4), day(0)));
        assert!(!book.on_traded(LIQUIDATOR, day(0)), "its positions are no trader's");
        book.on_look(address(1), false, LookInterval::Day, day(1));
        book.on_look(address(4), true, LookInterval::Hour, day(5));
        book.on_traded(address(2), day(6));
        assert!(book.drop_idle(day(7)).is_empty());
        assert_eq!(book.drop_idle(day(8)), [address(1)], "a listing again is no position");
        assert_eq!(book.drop_idle(day(13)), [address(4)]);
        assert_eq!(book.drop_idle(day(14)), [address(2)]);
        assert_eq!(book.drop_idle(day(100)), []);
        assert_eq!(book.len(), 1);
        assert!(book.on_traded(address(1), day(100)), "it may come back");
    }

    #[test]
    fn changes_are_what_a_restart_needs() {
        let mut book = AddressBook::default();
        book.on_listed(address(1), UnixMs(1));
        book.on_traded(address(2), UnixMs(1));
        let stored = book.take_changes();
        assert_eq!(stored.changed.len(), 2);
        assert_eq!(book.take_changes(), AddressChanges::default());
        book.on_look(address(2), true, LookInterval::FiveMinutes, UnixMs(9));
        let failed = book.take_changes();
        book.put_back(&failed);
        let again = book.take_changes();
        assert_eq!(again, failed);
        let restored = AddressBook::restored(stored.changed.into_iter().chain(again.changed));
        assert_eq!(restored.get(&address(2)), book.get(&address(2)));
        assert_eq!(restored.len(), 2);
        book.drop_idle(UnixMs(1_000 * DAY));
        assert_eq!(book.take_changes().dropped, [address(1), address(2)]);
    }
}
