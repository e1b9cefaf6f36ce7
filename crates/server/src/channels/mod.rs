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

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use liqheat_cluster::Backplane;
use liqheat_market::convert::whole_ms;
use liqheat_market::{Interval, Kline, UnixMs};
use liqheat_score::{ExpectedModel, Horizon};
use liqheat_store::{PricesNow, Store, StoreError};
use liqheat_stream::{BoardSlot, ChannelContent, ChannelRow, Hub};
use liqheat_wire::{CandleRow, Channel, OpenCandle, PriceData, StateReference, WallRow, format_time};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::catalog::{Catalog, ServedSymbol, VenueLedger};
use crate::clock::MarketClock;
use crate::compact::{
    Outlook, VOLATILITY_CANDLES, WallLevels, WallSelection, expected, hourly_volatility, liquidation_row,
    walls_body,
};
use crate::compute::ComputePool;
use crate::published::{LiveState, Published};
use liquidations::LiquidationTail;

/// Time between two looks; prices are published at most this often.
const TICK: Duration = Duration::from_secs(1);
/// Time between repetitions for servers that have just begun to listen.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Most liquidations of one venue that are read at once.
const ROWS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// A store that fails is logged this often.
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
    /// Of the last day, for what is expected of walls.
    volatility: Option<KnownVolatility>,
    /// The board state and the walls that were published last.
    walls: Option<PublishedWalls>,
}

#[derive(Clone, Copy)]
struct KnownVolatility {
    cursor: UnixMs,
    /// `None` while too little of the day is stored.
    hourly: Option<f64>,
}

struct PublishedWalls {
    epoch: Arc<str>,
    seq: u64,
    usd: [u64; 2],
    rows: Vec<WallRow>,
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
            self.publish_walls(compute, symbol, slot, feed).await?;
        }
        Ok(())
    }

    /// The prices are those of the venue whose price the heatmap shows.
    async fn publish_price(
        &self,
        symbol: &ServedSymbol,
        slot: &BoardSlot,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let sum = self.published.sum(&symbol.name);
        let lead = sum.as_ref().and_then(|sum| sum.ledgers.first().map(|(ledger, _)| ledger));
        let Some(lead) = lead.or(symbol.ledgers.first()) else { return Ok(()) };
        let interval = lead.spec.interval;
        let prices = self.store.prices_now(lead.instrument(), interval, now).await?;
        let Some((as_of, data)) = price_data(lead, prices) else { return Ok(()) };
        self.put(slot, Channel::Price, as_of, ChannelContent::Latest(json(&data)));
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

    async fn publish_walls(
        &self,
        compute: &ComputePool,
        symbol: &ServedSymbol,
        slot: &BoardSlot,
        feed: &mut SymbolFeed,
    ) -> Result<(), StoreError> {
        let Some(at) = slot.with_board(|board| (Arc::clone(board.epoch()), board.seq())) else {
            return Ok(());
        };
        if feed.walls.as_ref().is_some_and(|before| (&before.epoch, before.seq) == (&at.0, at.1)) {
            return Ok(());
        }
        let Some(live) = self.published.live(&symbol.name) else { return Ok(()) };
        let outlook = self.outlook(symbol, &live, &mut feed.volatility).await?;
        let (before, model) = (&mut feed.walls, self.expected);
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
        let is_new = before.as_ref().is_none_or(|before| before.usd != usd || before.rows != body.walls);
        if is_new {
            self.put(slot, Channel::Walls, as_of, ChannelContent::Latest(json(&body)));
        }
        *before = Some(PublishedWalls { epoch, seq, usd, rows: body.walls });
        Ok(())
    }

    /// What is expected within an hour depends on this. The volatility is that of a day and is read again when a minute of
    /// the market has passed.
    async fn outlook(
        &self,
        symbol: &ServedSymbol,
        live: &LiveState,
        known: &mut Option<KnownVolatility>,
    ) -> Result<Option<Outlook>, StoreError> {
        const READ_AGAIN_MS: i64 = 60_000;
        let Some(sum) = self.published.sum(&symbol.name) else { return Ok(None) };
        let Some((lead, view)) = sum.ledgers.first() else { return Ok(None) };
        let volatility = match *known {
            Some(known) if (0..READ_AGAIN_MS).contains(&view.cursor.since(known.cursor)) => known,
            _ => {
                let interval = lead.spec.interval.max(Interval::M5);
                let candles =
                    self.store.candles(lead.instrument(), interval, view.cursor, VOLATILITY_CANDLES).await?;
                *known.insert(KnownVolatility { cursor: view.cursor, hourly: hourly_volatility(&candles) })
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

    fn put(&self, slot: &BoardSlot, channel: Channel, as_of: UnixMs, content: ChannelContent) {
        self.backplane.publish_channel(slot, channel, as_of, content);
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

/// The newest prices and their time; `None` before the first. Where no tick of the mark price is stored, the price of the
/// heatmap stands for it.
fn price_data(ledger: &VenueLedger, prices: PricesNow) -> Option<(UnixMs, PriceData)> {
    let view = ledger.view();
    let mark = prices.mark.or_else(|| view.map(|view| (view.as_of, view.price)));
    let as_of = prices.last.map(|(time, _)| time).max(mark.map(|(time, _)| time))?;
    let candle = |candle: Kline| OpenCandle {
        interval: candle.interval.to_string(),
        candle: CandleRow {
            timestamp: format_time(candle.open_time),
            open: candle.open.into(),
            high: candle.high.into(),
            low: candle.low.into(),
            close: candle.close.into(),
            volume: candle.volume.map(Into::into),
        },
    };
    let data = PriceData {
        venue: ledger.instrument().venue.name(),
        last: prices.last.map(|(_, price)| price.into()),
        mark: mark.map(|(_, price)| price.into()),
        candle: prices.candle.map(candle),
    };
    Some((as_of, data))
}

fn json<T: serde::Serialize>(value: &T) -> Arc<str> {
    // Serialising plain numbers and texts into memory cannot fail.
    serde_json::to_string(value).unwrap_or_default().into()
}
