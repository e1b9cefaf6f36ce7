//! Repeats among liquidations, which have no ids.

use std::collections::{HashMap, VecDeque};

use liqheat_market::{Liquidation, Side, UnixMs};

use super::origin::Origin;
use super::sequence::Arrival;

/// Recognises repeats: two liquidations that are equal in everything may both be true when they come over one connection;
/// over two connections they are the same one.
#[derive(Debug, Default)]
pub(super) struct LiquidationFilter {
    order: VecDeque<Key>,
    counts: HashMap<Key, Count>,
}

/// Time, side, size and price.
type Key = (UnixMs, Side, i128, i64);

#[derive(Debug, Default)]
struct Count {
    admitted: u32,
    by_connection: Vec<(u64, u32)>,
}

impl LiquidationFilter {
    /// Distinct liquidations remembered; repeats come within seconds.
    const REMEMBERED: usize = 4_096;

    pub(super) fn on_liquidation(&mut self, liquidation: &Liquidation, origin: Origin) -> Arrival {
        let Liquidation { time, side, qty, price, .. } = *liquidation;
        let key = (time, side, qty.units(), price.units());
        let connection = match origin {
            Origin::Socket(connection) => connection,
            Origin::Answer => u64::MAX,
        };
        if !self.counts.contains_key(&key) {
            if self.order.len() == Self::REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.counts.remove(&oldest);
            }
            self.order.push_back(key);
        }
        let count = self.counts.entry(key).or_default();
        let received = match count.by_connection.iter_mut().find(|(known, _)| *known == connection) {
            Some((_, received)) => received,
            None => {
                count.by_connection.push((connection, 0));
                &mut count.by_connection.last_mut().expect("invariant: just pushed").1
            }
        };
        *received += 1;
        if *received <= count.admitted {
            return Arrival::Repeated;
        }
        count.admitted += 1;
        Arrival::New
    }
}
