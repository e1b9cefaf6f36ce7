//! Limits by address: sockets open at once, and new ones a minute.
//!
//! A pure table with time as a parameter. New ones are counted in a window that slides: those of this minute and,
//! of the minute before, the share that still lies within the last sixty seconds. An IPv6 client owns a whole /64
//! at least, so that is what counts as its address.
//!
//! The two other limits by rate in this program do not fit here. The requests to venues are counted exactly, with the time
//! of each one, because venues count so; that would be hundreds of times for each of a hundred thousand addresses in
//! place of two numbers. The messages of a socket draw on a token bucket, which would let an address open its whole burst
//! at once and then more within the same minute, so the limit could not be stated as a number of sockets a minute.
//!
//! The table holds a bounded number of addresses; those with nothing open and nothing recent are dropped once a
//! minute. When it is full all the same, further addresses are let in uncounted: that many different addresses
//! are no single client's doing, refusing would lock out everybody else, and the limit on all sockets still holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::AddressKey;
use liqheat_market::convert::whole_ms;

/// What one address may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressLimits {
    /// Sockets open at once.
    pub open_max: u32,
    /// New sockets within a minute, refused ones included.
    pub new_per_minute_max: u32,
    /// Addresses remembered; about 40 bytes each.
    pub addresses_max: usize,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self { open_max: 100, new_per_minute_max: 300, addresses_max: 100_000 }
    }
}

/// Why an address gets no further socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressRefusal {
    /// It has the most open sockets that are allowed.
    Open {
        /// The limit.
        most: u32,
    },
    /// It opened the most sockets that are allowed within a minute.
    New {
        /// The limit.
        most: u32,
        /// When it may try again.
        retry_after: Duration,
    },
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    open: u32,
    /// The minute that `new` counts.
    minute: u64,
    new: u32,
    /// New ones of the minute before.
    new_before: u32,
}

impl Entry {
    fn move_to(&mut self, minute: u64) {
        self.new_before = match minute - self.minute {
            0 => return,
            1 => self.new,
            _ => 0,
        };
        self.new = 0;
        self.minute = minute;
    }

    fn is_idle(&self, minute: u64) -> bool {
        self.open == 0 && self.minute + 1 < minute
    }
}

#[derive(Debug)]
struct Table {
    limits: AddressLimits,
    entries: HashMap<AddressKey, Entry>,
    /// The minute idle addresses were last dropped in.
    swept: u64,
}

/// All addresses.
#[derive(Debug)]
pub(crate) struct Addresses {
    began: Instant,
    /// Locked for a look-up; once a minute for a walk over all entries, a few milliseconds at worst.
    table: Mutex<Table>,
}

const MINUTE_MS: u64 = 60_000;

impl Addresses {
    pub(crate) fn new(limits: AddressLimits, began: Instant) -> Arc<Self> {
        let table = Table { limits, entries: HashMap::new(), swept: 0 };
        Arc::new(Self { began, table: Mutex::new(table) })
    }

    /// Other limits from now on; sockets that are open stay.
    pub(crate) fn set_limits(&self, limits: AddressLimits) {
        self.lock().limits = limits;
    }

    /// Counts one more socket of an address; it is taken back when the guard is dropped.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        now: Instant,
    ) -> Result<AddressGuard, AddressRefusal> {
        let key = AddressKey::of(address);
        let since_start = whole_ms(now.saturating_duration_since(self.began));
        let (minute, into_ms) = (since_start / MINUTE_MS, since_start % MINUTE_MS);
        let mut table = self.lock();
        let Table { limits, entries, swept } = &mut *table;
        if *swept < minute {
            *swept = minute;
            entries.retain(|_, entry| !entry.is_idle(minute));
        }
        if entries.len() >= limits.addresses_max && !entries.contains_key(&key) {
            return Ok(AddressGuard { counted: None });
        }
        let entry = entries.entry(key).or_insert(Entry { open: 0, minute, new: 0, new_before: 0 });
        // A moment before the last one counted can only be a few microseconds before it.
        entry.move_to(minute.max(entry.minute));
        let before = u64::from(entry.new_before) * (MINUTE_MS - into_ms) / MINUTE_MS;
        let most = limits.new_per_minute_max;
        if before + u64::from(entry.new) >= u64::from(most) {
            let retry_after = Duration::from_millis(MINUTE_MS - into_ms);
            return Err(AddressRefusal::New { most, retry_after });
        }
        entry.new += 1;
        if entry.open >= limits.open_max {
            return Err(AddressRefusal::Open { most: limits.open_max });
        }
        entry.open += 1;
        Ok(AddressGuard { counted: Some((Arc::clone(self), key)) })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // A panic while counting leaves at worst a wrong count.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One socket that is counted for its address until this is dropped.
#[derive(Debug)]
pub(crate) struct AddressGuard {
    counted: Option<(Arc<Addresses>, AddressKey)>,
}

impl AddressGuard {
    /// For those that no limit applies to.
    pub(crate) const fn uncounted() -> Self {
        Self { counted: None }
    }
}

impl Drop for AddressGuard {
    fn drop(&mut self) {
        let Some((addresses, key)) = &self.counted else { return };
        if let Some(entry) = addresses.lock().entries.get_mut(key) {
            entry.open = entry.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AddressLimits = AddressLimits { open_max: 2, new_per_minute_max: 6, addresses_max: 3 };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_holds_at_most_its_limit_at_once() {
        let began = Instant::now();
        let addresses = Addresses::new(LIMITS, began);
        let admit = |from: &str| addresses.admit(address(from), began);
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.1").unwrap_err(), AddressRefusal::Open { most: 2 });
        assert!(admit("192.0.2.2").is_ok(), "another address");
        drop(first);
        assert!(admit("192.0.2.1").is_ok(), "a place was given back");
    }

    #[test]
    fn an_ipv6_client_is_its_network_and_a_mapped_one_its_ipv4_address() {
        let began = Instant::now();
        let addresses = Addresses::new(LIMITS, began);
        let kept: Vec<_> = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "192.0.2.1", "::ffff:192.0.2.1"]
            .map(|from| addresses.admit(address(from), began).unwrap())
            .into();
        for full in ["2001:db8:0:1::3", "192.0.2.1"] {
            assert!(addresses.admit(address(full), began).is_err(), "{full}");
        }
        assert!(addresses.admit(address("2001:db8:0:2::1"), began).is_ok(), "the next network");
        drop(kept);
    }

    #[test]
    fn new_ones_are_counted_over_the_last_minute() {
        let began = Instant::now();
        let addresses = Addresses::new(LIMITS, began);
        let open_and_close = |second: u64| {
            addresses.admit(address("192.0.2.1"), began + Duration::from_secs(second)).map(drop)
        };
        for _ in 0..6 {
            open_and_close(30).unwrap();
        }
        let refused = open_and_close(45).unwrap_err();
        assert_eq!(refused, AddressRefusal::New { most: 6, retry_after: Duration::from_secs(15) });
        // At 1:20 two thirds of the six of the first minute still count.
        assert_eq!([80, 80, 80].map(|second| open_and_close(second).is_ok()), [true, true, false]);
        assert!(open_and_close(300).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_idle_addresses_are_forgotten() {
        let began = Instant::now();
        let addresses = Addresses::new(LIMITS, began);
        let at = |second: u64| began + Duration::from_secs(second);
        let held = addresses.admit(address("192.0.2.1"), at(0)).unwrap();
        for last in 2..=3 {
            drop(addresses.admit(address(&format!("192.0.2.{last}")), at(0)));
        }
        for _ in 0..20 {
            let uncounted = addresses.admit(address("192.0.2.4"), at(1)).unwrap();
            assert!(uncounted.counted.is_none(), "no room: not counted, not refused");
        }
        assert_eq!(addresses.lock().entries.len(), 3);
        drop(addresses.admit(address("192.0.2.5"), at(125)).unwrap());
        let keys: Vec<_> = addresses.lock().entries.keys().copied().collect();
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert!(keys.contains(&AddressKey::of(address("192.0.2.1"))), "an address with something open stays");
        drop(held);
    }
}
