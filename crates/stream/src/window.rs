//! How many of something there were in the last minute.

use std::sync::Mutex;

use liqheat_market::convert::saturating_len;
/// Counts events of the last minute in one-second slots.
#[derive(Debug, Default)]
pub struct WindowCounter {
    /// Locked for a few instructions per event; slot `s % 60` holds (second, count).
    slots: Mutex<Box<[(u64, u64)]>>,
}

impl WindowCounter {
    const SLOTS: u64 = 60;

    /// Counts `n` events at this second of any steady clock.
    pub fn add(&self, second: u64, n: u64) {
        let mut slots = self.lock();
        if slots.is_empty() {
            *slots = vec![(0, 0); saturating_len(Self::SLOTS)].into();
        }
        let slot = &mut slots[saturating_len(second % Self::SLOTS)];
        if slot.0 != second {
            *slot = (second, 0);
        }
        slot.1 += n;
    }

    /// Events of the 60 seconds that end with this one.
    pub fn sum(&self, second: u64) -> u64 {
        let recent = |slot: &&(u64, u64)| slot.0 <= second && slot.0 + Self::SLOTS > second;
        self.lock().iter().filter(recent).map(|slot| slot.1).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Box<[(u64, u64)]>> {
        // A panic while counting leaves at worst a wrong count.
        self.slots.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_slides() {
        let counter = WindowCounter::default();
        assert_eq!(counter.sum(0), 0);
        counter.add(100, 3);
        counter.add(130, 4);
        counter.add(159, 5);
        assert_eq!(counter.sum(159), 12);
        assert_eq!(counter.sum(160), 9);
        counter.add(160, 1);
        assert_eq!(counter.sum(160), 10);
        assert_eq!(counter.sum(1_000), 0);
    }
}
