//! The expected view of every symbol: boards of their own beside the board of open positions.
//!
//! A board of the expected view is computed from the symbol's board as it stands, so it follows the producer's in a cluster,
//! with the volatility and the open interest of the rows that are stored here. Each server computes its own: the epochs
//! name the process, so a client that resumes at another server gets a snapshot. A board that nobody follows is computed
//! only when a request asks for it.

#![expect(clippy::disallowed_methods, reason = "the shell of the feed: it computes by the clock")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use liqheat_market::convert::whole_ms;
use liqheat_market::{Interval, UnixMs};
use liqheat_score::{ExpectedModel, Horizon};
use liqheat_store::{Store, StoreError};
use liqheat_stream::{BoardSlot, BoardUpdate, Counters, Hub};
use liqheat_wire::ViewHorizon;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::catalog::{Catalog, ServedSymbol};
use crate::compact::{Outlook, VOLATILITY_CANDLES, expected_cells, hourly_volatility};
use crate::published::{LedgerSum, Published};

/// A store that fails is logged this often.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// The horizon of the model that a name of the protocol stands for.
pub(crate) const fn horizon_of(within: ViewHorizon) -> Horizon {
    match within {
        ViewHorizon::Hour => Horizon::Hour,
        ViewHorizon::FourHours => Horizon::FourHours,
    }
}

/// Standard deviation of the log price over an hour, from the candles of the last day at the venue that leads a sum; `None`
/// with fewer than two hours of them.
pub(crate) async fn volatility_of(store: &Store, sum: &LedgerSum) -> Result<Option<f64>, StoreError> {
    let Some((lead, view)) = sum.ledgers.first() else { return Ok(None) };
    let interval = lead.spec.interval.max(Interval::M5);
    let candles = store.candles(lead.instrument(), interval, view.cursor, VOLATILITY_CANDLES).await?;
    Ok(hourly_volatility(&candles))
}

/// Computes the boards of the expected view.
pub(crate) struct ExpectedBoards {
    catalog: Arc<Catalog>,
    published: Arc<Published>,
    hub: Arc<Hub>,
    /// Queries run beside the writer.
    store: Store,
    model: ExpectedModel,
    /// Volatility of each symbol, with the close of the last bar in it: it changes with the next bar. Locked for a copy.
    volatilities: Mutex<BTreeMap<String, (UnixMs, Option<f64>)>>,
}

impl ExpectedBoards {
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        published: Arc<Published>,
        hub: Arc<Hub>,
        store: Store,
        model: ExpectedModel,
    ) -> Self {
        Self { catalog, published, hub, store, model, volatilities: Mutex::default() }
    }

    /// Computes the boards that somebody follows every `update_interval`, and at once for the first who follows one,
    /// until asked to stop.
    pub(crate) async fn run(self: Arc<Self>, update_interval: Duration, stop: CancellationToken) {
        let mut tick = interval(update_interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut logged = None::<Instant>;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
                () = self.hub.expected_wanted() => {}
            }
            for symbol in self.catalog.symbols() {
                let Some(slot) = self.hub.slot(&symbol.name) else { continue };
                for within in ViewHorizon::ALL {
                    let Some(board) = slot.expected(within) else { continue };
                    if board.subscriptions() == 0 {
                        continue;
                    }
                    if let Err(error) = self.compute(symbol, &slot, within).await
                        && logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY)
                    {
                        logged = Some(Instant::now());
                        let retry_in_ms = whole_ms(update_interval);
                        warn!(symbol = symbol.name, %error, retry_in_ms, "expected view not computed");
                    }
                }
            }
        }
    }

    /// Brings a board of the expected view to the present. It has no state while the symbol has none, and before there are two
    /// hours of klines.
    pub(crate) async fn compute(
        &self,
        symbol: &ServedSymbol,
        slot: &BoardSlot,
        within: ViewHorizon,
    ) -> Result<(), StoreError> {
        let Some(board) = slot.expected(within) else { return Ok(()) };
        let feed = slot.feed();
        board.set_feed_of(feed.state, feed.as_of, slot.sources());
        let Some(sum) = self.published.local_sum(&symbol.name) else { return Ok(()) };
        let Some(hourly_volatility) = self.volatility(symbol, &sum).await? else { return Ok(()) };
        let update = slot.with_board(|open| {
            let outlook = Outlook {
                horizon: horizon_of(within),
                price: open.price(),
                bin: open.base_bin(),
                hourly_volatility,
                open_interest_usd: sum.open_interest_usd(),
            };
            BoardUpdate {
                epoch: format!("{}-{}-{}", within.name(), self.hub.run(), open.epoch()),
                cells: expected_cells(&open.cells(), &outlook, &self.model),
                price: open.price(),
                base_bin: open.base_bin(),
                as_of: open.as_of(),
                // Positions are counted where they are: on the board of open positions.
                counters: Counters::default(),
            }
        });
        if let Some(update) = update {
            board.publish(update);
        }
        Ok(())
    }

    async fn volatility(&self, symbol: &ServedSymbol, sum: &LedgerSum) -> Result<Option<f64>, StoreError> {
        let Some((_, lead)) = sum.ledgers.first() else { return Ok(None) };
        let lock = || self.volatilities.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&symbol.name).copied().filter(|(cursor, _)| *cursor == lead.cursor);
        if let Some((_, known)) = known {
            return Ok(known);
        }
        let found = volatility_of(&self.store, sum).await?;
        lock().insert(symbol.name.clone(), (lead.cursor, found));
        Ok(found)
    }
}
