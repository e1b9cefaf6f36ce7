//! What goes on channels beside the heatmap: prices, realised liquidations, walls; alerts are published by [`crate::alerts`].
//!
//! Once a second the feed reads from the store up to the market clock what followers of a channel lack, and publishes it
//! through the [`Backplane`]. Live, replayed and simulated markets are the same rows, so there is one way for all of
//! them. In a cluster only the producer does this, and the channels of all servers follow it; alone, the server does it
//! for its own clients. A channel that nobody follows costs nothing.
//!
//! To publish on one more channel, add it to [`liqheat_wire::Channel`] and publish its content where it comes from, with
//! [`Backplane::publish_channel`]; a channel that is read from the store gets a method in `ChannelFeed`.

#![expect(clippy::disallowed_methods, reason = "the shell of the feed: it publishes by the clock")]

mod liquidations;
mod price;
mod walls;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use liqheat_cluster::Backplane;
use liqheat_market::UnixMs;
use liqheat_market::convert::whole_ms;
use liqheat_score::ExpectedModel;
use liqheat_store::{Store, StoreError};
use liqheat_stream::{BoardSlot, ChannelContent, ChannelRow, Hub};
use liqheat_wire::Channel;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::catalog::{Catalog, ServedSymbol};
use crate::clock::MarketClock;
use crate::compact::liquidation_row;
use crate::compute::ComputePool;
use crate::published::Published;
use liquidations::LiquidationTail;
use walls::WallsFeed;

/// Shortest time between two prices of a symbol, and between two reads of the store.
const TICK: Duration = Duration::from_secs(1);
/// Time between repetitions for servers that have just begun to listen.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Most liquidations of one venue that are read at once.
const ROWS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// Shortest time between two log lines about a store that fails.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// Publishes on the channels of all symbols.
pub(crate) struct ChannelFeed {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) published: Arc<Published>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) backplane: Backplane,
    /// Queries run beside the writer.
    pub(crate) store: Store,
    pub(crate) clock: Arc<MarketClock>,
    pub(crate) expected: ExpectedModel,
}

/// What was published of one symbol.
#[derive(Default)]
struct SymbolFeed {
    liquidations: LiquidationTail,
    /// Whether prices were published at all.
    is_priced: bool,
    /// Whether the position exists from which alerts follow; the alerts themselves are published when they are raised.
    has_alert_position: bool,
    walls: WallsFeed,
}

impl ChannelFeed {
    /// Runs until asked to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let symbols: Vec<Arc<ServedSymbol>> = self.catalog.symbols().cloned().collect();
        let mut feeds: Vec<SymbolFeed> = symbols.iter().map(|_| SymbolFeed::default()).collect();
        let compute = ComputePool::new(1);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut repeated, mut logged) = (Instant::now(), None::<Instant>);
        info!(symbols = symbols.len(), "channel feed started");
        loop {
            let is_tick = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = tick.tick() => true,
                // The first client of a channel does not wait for the next tick.
                () = self.hub.channel_wanted() => false,
            };
            if !self.backplane.is_publishing() {
                continue;
            }
            let is_heartbeat = self.backplane.is_shared() && repeated.elapsed() >= HEARTBEAT;
            if is_heartbeat {
                repeated = Instant::now();
            }
            for (symbol, feed) in symbols.iter().zip(&mut feeds) {
                let Some(slot) = self.hub.slot(&symbol.name) else { continue };
                if let Err(error) = self.publish(&compute, symbol, &slot, feed, is_tick).await
                    && logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY)
                {
                    logged = Some(Instant::now());
                    warn!(symbol = symbol.name, %error, retry_in_ms = whole_ms(TICK), "channels not published");
                }
                if is_heartbeat {
                    self.backplane.repeat_channels(&slot);
                }
            }
        }
        info!("channel feed stopped");
    }

    /// Whether somebody follows a channel: clients of this server, or in a cluster perhaps those of others.
    fn is_wanted(&self, slot: &BoardSlot, channel: Channel) -> bool {
        self.backplane.is_shared() || slot.channel_subscriptions(channel) > 0
    }

    async fn publish(
        &self,
        compute: &ComputePool,
        symbol: &ServedSymbol,
        slot: &BoardSlot,
        feed: &mut SymbolFeed,
        is_tick: bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        if self.is_wanted(slot, Channel::Price) && (is_tick || !feed.is_priced) {
            feed.is_priced = true;
            self.publish_price(symbol, slot, now).await?;
        }
        if self.is_wanted(slot, Channel::Liquidations) {
            self.publish_liquidations(symbol, slot, &mut feed.liquidations, now).await?;
        }
        if !feed.has_alert_position {
            feed.has_alert_position = true;
            self.put(slot, Channel::Alerts, now, ChannelContent::Rows(Vec::new()));
        }
        if self.is_wanted(slot, Channel::Walls) {
            self.publish_walls(compute, symbol, slot, &mut feed.walls).await?;
        }
        Ok(())
    }

    async fn publish_liquidations(
        &self,
        symbol: &ServedSymbol,
        slot: &BoardSlot,
        tail: &mut LiquidationTail,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let from = tail.from(now);
        let mut rows = Vec::new();
        for ledger in &symbol.ledgers {
            let instrument = ledger.instrument();
            let of_venue = self.store.liquidations(instrument, from, now, 0, ROWS_MAX).await?;
            rows.extend(of_venue.into_iter().map(|row| (instrument.venue, row)));
        }
        let rows = tail.take(rows, now).into_iter().map(|(venue, row)| {
            let row = liquidation_row(venue, &row);
            ChannelRow { usd: row.usd, json: json(&row) }
        });
        self.put(slot, Channel::Liquidations, now, ChannelContent::Rows(rows.collect()));
        Ok(())
    }

    fn put(&self, slot: &BoardSlot, channel: Channel, as_of: UnixMs, content: ChannelContent) {
        self.backplane.publish_channel(slot, channel, as_of, content);
    }
}

fn json<T: serde::Serialize>(value: &T) -> Arc<str> {
    // Serialising plain numbers and texts into memory cannot fail.
    serde_json::to_string(value).unwrap_or_default().into()
}
