//! Liquidation orders that are reported more than once. `z` of Binance's `forceOrder` is what an order has filled so far,
//! so two reports of one order (`PARTIALLY_FILLED` with 0.4, then `FILLED` with 1.0) are one liquidation of 1.0.
//!
//! Reports carry no id: an order is known again by its side, size and limit price while it is young. What is known belongs
//! to the contract and not to a connection, since an order may begin on one connection and end on the next.

use std::collections::BTreeMap;

use liqheat_market::{Liquidation, Price, PriceKind, Qty, Side, UnixMs};

/// What a report says of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderReport {
    /// Whose positions it closes.
    pub side: Side,
    /// How much it is to close, coins (`q`).
    pub size: Qty,
    /// The price it may not be worse than (`p`).
    pub limit: Price,
    /// What it has filled so far, coins (`z`).
    pub filled: Qty,
    /// The average price of that (`ap`).
    pub average: Price,
    /// Whether more may follow (`X` is `PARTIALLY_FILLED`).
    pub is_open: bool,
    /// When the newest part was filled (`T`).
    pub time: UnixMs,
}

impl OrderReport {
    /// All that the order has filled so far, as one liquidation.
    #[must_use]
    pub const fn so_far(&self) -> Liquidation {
        let Self { side, filled: qty, average: price, time, .. } = *self;
        Liquidation { time, side, qty, price, price_kind: PriceKind::Fill }
    }
}

/// What the newest report says of an order.
#[derive(Debug, Clone, Copy)]
struct OrderReportState {
    filled: Qty,
    is_open: bool,
    time: UnixMs,
}

/// The orders of one contract that may still fill, and those that did a moment ago.
#[derive(Debug, Default)]
pub(crate) struct ForceOrders {
    /// By side, size and limit price.
    newest: BTreeMap<(Side, i128, i64), OrderReportState>,
}

impl ForceOrders {
    /// Orders of this kind are filled at once or cancelled; one that looks the same later is another.
    const KNOWN_MS: i64 = 60_000;
    /// When there are more, old ones are dropped; a crash brings a few dozen a minute for one contract.
    const MANY: usize = 1_024;

    /// What has been filled since the report before; zero when a newer one was there already. Equal reports are two orders:
    /// who may hear one of them twice drops it before.
    pub(crate) fn filled_since(&mut self, report: &OrderReport) -> Qty {
        let OrderReport { side, size, limit, filled, is_open, time, .. } = *report;
        let key = (side, size.units(), limit.units());
        let known = self.newest.get(&key).copied();
        let known = known.filter(|known| time.since(known.time).abs() <= Self::KNOWN_MS);
        if known.is_some_and(|known| time < known.time && filled <= known.filled) {
            return Qty::from_units(0);
        }
        let before = known.filter(|known| known.is_open && known.filled <= filled);
        if self.newest.len() >= Self::MANY {
            self.newest.retain(|_, known| time.since(known.time) <= Self::KNOWN_MS);
        }
        self.newest.insert(key, OrderReportState { filled, is_open, time });
        Qty::from_units(filled.units() - before.map_or(0, |known| known.filled.units()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(filled: &str, is_open: bool, ms: i64) -> OrderReport {
        OrderReport {
            side: Side::Long,
            size: Qty::parse("1").unwrap(),
            limit: Price::parse("100").unwrap(),
            filled: Qty::parse(filled).unwrap(),
            average: Price::parse("101").unwrap(),
            is_open,
            time: UnixMs(1_700_000_000_000 + ms),
        }
    }

    fn filled(orders: &mut ForceOrders, report: &OrderReport) -> String {
        orders.filled_since(report).to_string()
    }

    #[test]
    fn what_an_order_has_filled_so_far_counts_once() {
        let mut orders = ForceOrders::default();
        assert_eq!(filled(&mut orders, &report("0.4", true, 0)), "0.4");
        assert_eq!(filled(&mut orders, &report("0.4", true, 0)), "0", "the same report");
        assert_eq!(filled(&mut orders, &report("0.7", true, 900)), "0.3");
        let other_side = OrderReport { side: Side::Short, ..report("1", false, 950) };
        assert_eq!(filled(&mut orders, &other_side), "1");
        assert_eq!(filled(&mut orders, &report("1", false, 1_000)), "0.3");
        assert_eq!(filled(&mut orders, &report("0.7", true, 900)), "0", "late, of another connection");
        assert_eq!(filled(&mut orders, &report("1", false, 2_000)), "1", "the next order of that size");
    }

    #[test]
    fn another_order_is_not_taken_for_the_same() {
        let mut orders = ForceOrders::default();
        orders.filled_since(&report("0.4", true, 0));
        let larger = OrderReport { size: Qty::parse("2").unwrap(), ..report("1", false, 100) };
        assert_eq!(filled(&mut orders, &larger), "1");
        assert_eq!(filled(&mut orders, &report("1", false, 200)), "0.6", "one in between changes nothing");
        let mut orders = ForceOrders::default();
        orders.filled_since(&report("0.4", true, 0));
        assert_eq!(filled(&mut orders, &report("1", false, 3_600_000)), "1", "an hour later");
    }

    proptest! {
        /// Whatever comes late or never: an order that ends counts as its size, once.
        #[test]
        fn an_order_counts_as_its_size(parts in prop::collection::vec((1u32..50, any::<bool>()), 1..8), late in 0usize..8) {
            let mut orders = ForceOrders::default();
            let size: u32 = parts.iter().map(|(part, _)| part).sum();
            let mut so_far = 0;
            let reports: Vec<OrderReport> = parts.iter().zip(0..).map(|((part, _), at)| {
                so_far += part;
                let text = so_far.to_string();
                OrderReport { size: Qty::parse(&size.to_string()).unwrap(), ..report(&text, so_far < size, at * 100) }
            }).collect();
            let mut sum = 0;
            for (report, (_, is_heard)) in reports.iter().zip(&parts) {
                if *is_heard || !report.is_open {
                    sum += orders.filled_since(report).units();
                }
            }
            if let Some(late) = reports.get(late).filter(|report| report.is_open) {
                sum += orders.filled_since(late).units();
            }
            prop_assert_eq!(sum, Qty::parse(&size.to_string()).unwrap().units());
        }
    }
}
