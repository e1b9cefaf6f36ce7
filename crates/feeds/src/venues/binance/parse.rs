//! Frames to signals.

use std::borrow::Cow;

use liqheat_market::{
    Event, Interval, Kline, KlineKind, Liquidation, MarkPrice, PriceKind, Side, Taker, Trade, UnixMs,
};

use super::frame::{Envelope, ForceFrame, Kind, KlineFrame, MarkFrame, TradeFrame};
use crate::venues::fields::{json, time, value};
use crate::venues::{FrameError, FrameReader, Roster, Signal, StreamKind};

/// USD-M contracts where streams of several markets are mixed; the key is absent where they are not.
const USD_MARGINED: i64 = 1;

/// Reads the frames of one connection. Keeps nothing between them.
pub(super) struct Reader {
    roster: Roster,
}

impl Reader {
    pub(super) const fn new(roster: Roster) -> Self {
        Self { roster }
    }

    fn find(&self, name: &Cow<'_, str>, market: Option<i64>) -> Option<usize> {
        if market.is_some_and(|market| market != USD_MARGINED) {
            return None;
        }
        self.roster.find(name)
    }

    fn event(&self, bytes: &[u8]) -> Result<Option<Signal>, FrameError> {
        let kind: Kind<'_> = json(bytes)?;
        match kind.event.as_ref() {
            "aggTrade" | "trade" => self.trade(&json(bytes)?),
            "markPriceUpdate" => self.mark(&json(bytes)?),
            "kline" => self.kline(&json(bytes)?),
            "forceOrder" => self.liquidation(&json(bytes)?),
            "serverShutdown" => Ok(Some(Signal::Leaving("serverShutdown".to_owned()))),
            _ => Ok(None),
        }
    }

    fn trade(&self, frame: &TradeFrame<'_>) -> Result<Option<Signal>, FrameError> {
        let Some(contract) = self.find(&frame.name, frame.market) else { return Ok(None) };
        // Taken over by the insurance fund or by other traders at a price that no market made.
        if frame.origin.as_deref().is_some_and(|origin| origin != "MARKET") {
            return Ok(None);
        }
        let trade = Trade {
            id: frame.id,
            time: time("T", frame.time)?,
            price: frame.price.price("p")?,
            qty: frame.qty.size("q")?,
            taker: if frame.buyer_is_maker { Taker::Sell } else { Taker::Buy },
        };
        Ok(Some(signal(contract, Event::Trade(trade), frame.sent)?))
    }

    fn mark(&self, frame: &MarkFrame<'_>) -> Result<Option<Signal>, FrameError> {
        let Some(contract) = self.find(&frame.name, frame.market) else { return Ok(None) };
        let mark = MarkPrice { time: time("E", frame.sent)?, price: frame.price.price("p")? };
        Ok(Some(signal(contract, Event::MarkPrice(mark), frame.sent)?))
    }

    fn kline(&self, frame: &KlineFrame<'_>) -> Result<Option<Signal>, FrameError> {
        let Some(contract) = self.find(&frame.name, frame.market) else { return Ok(None) };
        let body = &frame.kline;
        if !body.closed {
            let sent = Some(time("E", frame.sent)?);
            return Ok(Some(Signal::Alive { contract, stream: StreamKind::Klines, sent }));
        }
        let interval = Interval::from_name(&body.interval)
            .ok_or_else(|| value("i", &body.interval, "the name of an interval"))?;
        let kline = Kline {
            kind: KlineKind::Last,
            interval,
            open_time: time("t", body.open_time)?,
            open: body.open.price("o")?,
            high: body.high.price("h")?,
            low: body.low.price("l")?,
            close: body.close.price("c")?,
            volume: Some(body.volume.amount("v")?),
            taker_buy_volume: Some(body.taker_buy.amount("V")?),
            trades: Some(body.trades),
        };
        Ok(Some(signal(contract, Event::Kline(kline), frame.sent)?))
    }

    fn liquidation(&self, frame: &ForceFrame<'_>) -> Result<Option<Signal>, FrameError> {
        let order = &frame.order;
        let market = order.market.or(frame.market);
        let Some(contract) = self.find(&order.name, market) else { return Ok(None) };
        // A sell order closes a long.
        let side = match order.side.as_ref() {
            "SELL" => Side::Long,
            "BUY" => Side::Short,
            other => return Err(value("S", other, "SELL or BUY")),
        };
        let liquidation = Liquidation {
            time: time("T", order.time)?,
            side,
            qty: order.filled.size("z")?,
            price: order.average.price("ap")?,
            price_kind: PriceKind::Fill,
        };
        Ok(Some(signal(contract, Event::Liquidation(liquidation), frame.sent)?))
    }
}

fn signal(contract: usize, event: Event, sent: i64) -> Result<Signal, FrameError> {
    Ok(Signal::Event { contract, event, sent: Some(time("E", sent)?) })
}

impl FrameReader for Reader {
    fn read(&mut self, frame: &[u8], _received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let envelope: Envelope<'_> = json(frame)?;
        if let Some(data) = envelope.data {
            out.extend(self.event(data.get().as_bytes())?);
        } else if let Some(error) = envelope.error {
            out.push(Signal::Refused(error.get().chars().take(200).collect()));
        } else if envelope.id.is_some() {
            out.push(Signal::Acknowledged);
        } else {
            // The unwrapped form, of a connection to `/ws`.
            out.extend(self.event(frame)?);
        }
        Ok(())
    }
}
