//! Liquidation orders that are reported more than once. `z` is what an order has filled so far, so two reports of one
//! order (`PARTIALLY_FILLED` with 0.4, then `FILLED` with 1.0) are one liquidation of 1.0. Reports carry no id: an order is
//! known again by its contract, side, size and limit price while it is partially filled.

use std::collections::BTreeMap;

use liqheat_market::{Price, Qty, Side, UnixMs};

/// A report of an order that is not finished.
#[derive(Debug, Clone, Copy)]
struct Open {
    size: Qty,
    limit: Price,
    filled: Qty,
    time: UnixMs,
}

/// Orders that are partially filled, of one connection: at most one for each side of a contract.
#[derive(Debug, Default)]
pub(crate) struct ForceOrders {
    open: BTreeMap<(usize, Side), Open>,
}

/// What a report says of an order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) contract: usize,
    pub(crate) side: Side,
    /// `q`.
    pub(crate) size: Qty,
    /// `p`.
    pub(crate) limit: Price,
    /// `z`.
    pub(crate) filled: Qty,
    /// `X` is `PARTIALLY_FILLED`.
    pub(crate) is_open: bool,
    pub(crate) time: UnixMs,
}

impl ForceOrders {
    /// Orders of this kind are filled at once or cancelled; one that looks the same later is another.
    const OPEN_MS_MAX: i64 = 60_000;

    /// What has been filled since the report before; zero when this one was there already.
    pub(crate) fn filled_since(&mut self, report: &Report) -> Qty {
        let key = (report.contract, report.side);
        let before = self.open.get(&key).copied().filter(|open| {
            open.size == report.size
                && open.limit == report.limit
                && open.filled <= report.filled
                && (0..=Self::OPEN_MS_MAX).contains(&report.time.since(open.time))
        });
        if report.is_open {
            let Report { size, limit, filled, time, .. } = *report;
            self.open.insert(key, Open { size, limit, filled, time });
        } else if before.is_some() {
            self.open.remove(&key);
        }
        Qty::from_units(report.filled.units() - before.map_or(0, |open| open.filled.units()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(filled: &str, is_open: bool, ms: i64) -> Report {
        Report {
            contract: 0,
            side: Side::Long,
            size: Qty::parse("1").unwrap(),
            limit: Price::parse("100").unwrap(),
            filled: Qty::parse(filled).unwrap(),
            is_open,
            time: UnixMs(1_700_000_000_000 + ms),
        }
    }

    fn filled(orders: &mut ForceOrders, report: &Report) -> String {
        orders.filled_since(report).to_string()
    }

    #[test]
    fn what_an_order_has_filled_so_far_counts_once() {
        let mut orders = ForceOrders::default();
        assert_eq!(filled(&mut orders, &report("0.4", true, 0)), "0.4");
        assert_eq!(filled(&mut orders, &report("0.4", true, 0)), "0", "the same report");
        assert_eq!(filled(&mut orders, &report("0.7", true, 900)), "0.3");
        let other_side = Report { side: Side::Short, ..report("1", false, 950) };
        assert_eq!(filled(&mut orders, &other_side), "1");
        assert_eq!(filled(&mut orders, &report("1", false, 1_000)), "0.3");
        assert_eq!(filled(&mut orders, &report("1", false, 2_000)), "1", "the next order of that size");
    }

    #[test]
    fn another_order_is_not_taken_for_the_same() {
        let mut orders = ForceOrders::default();
        orders.filled_since(&report("0.4", true, 0));
        let larger = Report { size: Qty::parse("2").unwrap(), ..report("1", false, 100) };
        assert_eq!(filled(&mut orders, &larger), "1");
        assert_eq!(filled(&mut orders, &report("1", false, 3_600_000)), "1", "an hour later");
    }
}
