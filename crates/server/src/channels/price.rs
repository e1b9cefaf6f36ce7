//! The channel of prices.

use liqheat_market::{Kline, UnixMs};
use liqheat_store::{PricesNow, StoreError};
use liqheat_stream::{BoardSlot, ChannelContent};
use liqheat_wire::{CandleRow, Channel, OpenCandle, PriceData};

use super::{ChannelFeed, json};
use crate::catalog::{ServedSymbol, VenueLedger};

impl ChannelFeed {
    /// The prices are those of the venue whose price the heatmap shows.
    pub(super) async fn publish_price(
        &self,
        symbol: &ServedSymbol,
        slot: &BoardSlot,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        // The server that publishes channels makes the boards, from this sum.
        let sum = self.published.local_sum(&symbol.name);
        let lead = sum.as_ref().and_then(|sum| sum.ledgers.first().map(|(ledger, _)| ledger));
        let Some(lead) = lead.or(symbol.ledgers.first()) else { return Ok(()) };
        let interval = lead.spec.interval;
        let prices = self.store.prices_now(lead.instrument(), interval, now).await?;
        let Some((as_of, data)) = price_data(lead, prices) else { return Ok(()) };
        self.put(slot, Channel::Price, as_of, ChannelContent::Latest(json(&data)));
        Ok(())
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
        candle: CandleRow::from(&candle),
    };
    let data = PriceData {
        venue: ledger.instrument().venue.name(),
        last: prices.last.map(|(_, price)| price.into()),
        mark: mark.map(|(_, price)| price.into()),
        candle: prices.candle.map(candle),
    };
    Some((as_of, data))
}
