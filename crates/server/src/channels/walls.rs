//! The channel of walls: published when they differ from those before.

use std::sync::Arc;

use liqheat_market::{Interval, UnixMs};
use liqheat_score::Horizon;
use liqheat_store::StoreError;
use liqheat_stream::{BoardSlot, ChannelContent};
use liqheat_wire::{Channel, StateReference, WallRow, format_time};

use super::{ChannelFeed, json};
use crate::catalog::ServedSymbol;
use crate::compact::{
    Outlook, VOLATILITY_CANDLES, WallLevels, WallSelection, expected, hourly_volatility, walls_body,
};
use crate::compute::ComputePool;
use crate::published::{LiveState, Published};

/// What was published of the walls of one symbol.
#[derive(Debug, Default)]
pub(super) struct WallsFeed {
    /// Of the last day, for what is expected of walls.
    volatility: Option<KnownVolatility>,
    published: Option<PublishedWalls>,
}

impl WallsFeed {
    /// Whether the walls of this state have been computed already.
    fn is_current(&self, epoch: &str, seq: u64) -> bool {
        self.published.as_ref().is_some_and(|walls| (&*walls.epoch, walls.seq) == (epoch, seq))
    }

    /// Takes the walls of a state; returns whether they differ from those published last.
    fn take(&mut self, walls: PublishedWalls) -> bool {
        let before = self.published.as_ref();
        let is_new = before.is_none_or(|before| before.usd != walls.usd || before.rows != walls.rows);
        self.published = Some(walls);
        is_new
    }

    /// The volatility that still counts when the market is at `cursor`: it is read again after a minute.
    fn volatility(&self, cursor: UnixMs) -> Option<KnownVolatility> {
        const READ_AGAIN_MS: i64 = 60_000;
        self.volatility.filter(|known| (0..READ_AGAIN_MS).contains(&cursor.since(known.cursor)))
    }
}

/// Volatility of a day.
#[derive(Debug, Clone, Copy)]
struct KnownVolatility {
    /// The end of the day.
    cursor: UnixMs,
    /// `None` while too little of the day is stored.
    hourly: Option<f64>,
}

/// Walls, and the state of the board that they are of.
#[derive(Debug)]
struct PublishedWalls {
    epoch: Arc<str>,
    seq: u64,
    /// Of longs and shorts.
    usd: [u64; 2],
    rows: Vec<WallRow>,
}

impl ChannelFeed {
    /// Publishes the walls of the newest state, if they differ from those before.
    pub(super) async fn publish_walls(
        &self,
        compute: &ComputePool,
        symbol: &ServedSymbol,
        slot: &BoardSlot,
        feed: &mut WallsFeed,
    ) -> Result<(), StoreError> {
        let Some(at) = slot.with_board(|board| (Arc::clone(board.epoch()), board.seq())) else {
            return Ok(());
        };
        if feed.is_current(&at.0, at.1) {
            return Ok(());
        }
        let Some(live) = self.published.live(&symbol.name) else { return Ok(()) };
        let outlook = self.outlook(symbol, &live, feed).await?;
        let model = self.expected;
        let reference = reference(&self.published, symbol, &live);
        let (as_of, epoch, seq) = (live.as_of, Arc::clone(&live.epoch), live.seq);
        let body = compute
            .run(move || {
                let within_an_hour = outlook.map(|outlook| expected(&live.by_leverage, &outlook, &model));
                let levels = WallLevels {
                    by_leverage: &live.by_leverage,
                    base_bin: live.base_bin,
                    within_an_hour: within_an_hour.as_deref(),
                    // It takes a run of the model, which is too much for every change.
                    fresh: None,
                };
                walls_body(reference, levels, live.price, WallSelection::default())
            })
            .await;
        let usd = [body.long_usd, body.short_usd];
        let content = json(&body);
        if feed.take(PublishedWalls { epoch, seq, usd, rows: body.walls }) {
            self.put(slot, Channel::Walls, as_of, ChannelContent::Latest(content));
        }
        Ok(())
    }

    /// What the expectation for the next hour depends on; `None` while too little is stored.
    async fn outlook(
        &self,
        symbol: &ServedSymbol,
        live: &LiveState,
        feed: &mut WallsFeed,
    ) -> Result<Option<Outlook>, StoreError> {
        let Some(sum) = self.published.local_sum(&symbol.name) else { return Ok(None) };
        let Some((lead, view)) = sum.ledgers.first() else { return Ok(None) };
        let volatility = match feed.volatility(view.cursor) {
            Some(known) => known,
            None => {
                let interval = lead.spec.interval.max(Interval::M5);
                let candles =
                    self.store.candles(lead.instrument(), interval, view.cursor, VOLATILITY_CANDLES).await?;
                *feed
                    .volatility
                    .insert(KnownVolatility { cursor: view.cursor, hourly: hourly_volatility(&candles) })
            }
        };
        Ok(volatility.hourly.map(|hourly_volatility| Outlook {
            horizon: Horizon::Hour,
            price: live.price,
            bin: live.base_bin,
            hourly_volatility,
            open_interest_usd: sum.open_interest_usd(),
        }))
    }
}

fn reference(published: &Published, symbol: &ServedSymbol, live: &LiveState) -> StateReference {
    StateReference {
        symbol: symbol.name.clone(),
        as_of: format_time(live.as_of),
        epoch: Some(live.epoch.to_string()),
        seq: Some(live.seq),
        state: published.feed_state(&symbol.name),
        current_price: live.price.into(),
        expected_within: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_are_published_once_for_each_difference() {
        let walls =
            |seq: u64, usd: u64| PublishedWalls { epoch: "a".into(), seq, usd: [usd, 0], rows: Vec::new() };
        let mut feed = WallsFeed::default();
        assert!(!feed.is_current("a", 1));
        assert!(feed.take(walls(1, 5)), "the first ones");
        assert!(feed.is_current("a", 1) && !feed.is_current("a", 2) && !feed.is_current("b", 1));
        assert!(!feed.take(walls(2, 5)), "a state with the same walls");
        assert!(feed.is_current("a", 2));
        assert!(feed.take(walls(3, 6)));
    }

    #[test]
    fn a_volatility_counts_for_a_minute_of_the_market() {
        let mut feed = WallsFeed::default();
        assert!(feed.volatility(UnixMs(0)).is_none());
        feed.volatility = Some(KnownVolatility { cursor: UnixMs(1_000), hourly: None });
        let counts = |cursor: i64| feed.volatility(UnixMs(cursor)).is_some();
        assert!(counts(1_000) && counts(60_999));
        assert!(!counts(61_000) && !counts(999), "a replay that began again reads it anew");
    }
}
