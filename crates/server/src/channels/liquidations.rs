//! Which liquidations are new: the end of a table that rows are added to with some delay.

use std::collections::BTreeSet;

use liqheat_market::{Liquidation, Price, Qty, Side, UnixMs, Venue};

/// Rows may be stored this much later than they happened; later ones are history and are not sent.
const LATE_MS: i64 = 10_000;
/// Most time that is caught up with after nobody followed the channel.
const CATCH_UP_MS: i64 = 86_400_000;

/// A liquidation with its venue.
pub(super) type VenueLiquidation = (Venue, Liquidation);

/// The order of rows: by time, and fixed within a moment.
type RowOrder = (UnixMs, Venue, Side, Price, Qty);

fn place((venue, row): &VenueLiquidation) -> RowOrder {
    (row.time, *venue, row.side, row.price, row.qty)
}

/// What of the table was sent.
#[derive(Debug, Default)]
pub(super) struct LiquidationTail {
    /// Market time of the last look; `None` before the first.
    until: Option<UnixMs>,
    /// Rows that were there, as far back as new ones may come.
    known: BTreeSet<RowOrder>,
}

impl LiquidationTail {
    /// From when on rows are to be read now.
    pub(super) fn from(&self, now: UnixMs) -> UnixMs {
        let known = self.until.map_or(now, |until| until.max(now.plus(-CATCH_UP_MS)));
        known.plus(-LATE_MS)
    }

    /// Takes the rows between [`LiquidationTail::from`] and `now`; gives those that are new, oldest first. At the first
    /// look none is new: what happened before is history.
    pub(super) fn take(
        &mut self,
        rows: impl IntoIterator<Item = VenueLiquidation>,
        now: UnixMs,
    ) -> Vec<VenueLiquidation> {
        let is_first = self.until.is_none();
        let mut new: Vec<VenueLiquidation> =
            rows.into_iter().filter(|row| self.known.insert(place(row))).collect();
        new.sort_by_key(place);
        let now = self.until.map_or(now, |until| until.max(now));
        self.until = Some(now);
        let oldest = now.plus(-LATE_MS);
        self.known.retain(|known| known.0 >= oldest);
        if is_first { Vec::new() } else { new }
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::PriceKind;
    use proptest::prelude::*;

    use super::*;

    fn row(time: i64, price: i64) -> VenueLiquidation {
        let liquidation = Liquidation {
            time: UnixMs(time),
            side: Side::Long,
            price: Price::from_units(price),
            qty: Qty::from_units(1),
            price_kind: PriceKind::Fill,
        };
        (Venue::Okx, liquidation)
    }

    proptest! {
        /// Rows that are stored within the tolerated delay are sent once; what was there at the first look, never.
        #[test]
        fn every_row_is_sent_once(
            rows in prop::collection::btree_map(0i64..2_000, (0i64..100_000, 0..LATE_MS), 0..120),
            steps in prop::collection::vec(1i64..30_000, 1..12),
        ) {
            // (stored at, row); prices make them different.
            let stored: Vec<(i64, VenueLiquidation)> =
                rows.iter().map(|(price, (time, delay))| (time + delay, row(*time, *price))).collect();
            let mut tail = LiquidationTail::default();
            let mut now = UnixMs(0);
            let mut sent = Vec::new();
            let mut first = None;
            for step in steps {
                now = now.plus(step);
                first.get_or_insert(now);
                let from = tail.from(now);
                let read = stored
                    .iter()
                    .filter(|(at, (_, row))| *at <= now.0 && row.time >= from && row.time <= now)
                    .map(|(_, row)| *row);
                let new = tail.take(read, now);
                prop_assert!(new.is_sorted_by_key(place));
                sent.extend(new);
            }
            let first = first.unwrap_or(now);
            let mut expected: Vec<VenueLiquidation> = stored
                .iter()
                .filter(|(at, (_, row))| *at > first.0 && *at <= now.0 && row.time <= now)
                .map(|(_, row)| *row)
                .collect();
            expected.sort_by_key(place);
            sent.sort_by_key(place);
            prop_assert_eq!(sent, expected);
        }
    }

    #[test]
    fn after_a_pause_the_rows_of_the_pause_are_new_up_to_a_day() {
        let mut tail = LiquidationTail::default();
        assert_eq!(tail.take([row(5, 1)], UnixMs(100)), []);
        let later = UnixMs(3_600_000);
        assert_eq!(tail.from(later), UnixMs(100 - LATE_MS));
        assert_eq!(tail.take([row(5, 1), row(2_000_000, 2)], later), [row(2_000_000, 2)]);
        assert_eq!(tail.from(later.plus(10 * CATCH_UP_MS)), later.plus(9 * CATCH_UP_MS - LATE_MS));
    }
}
