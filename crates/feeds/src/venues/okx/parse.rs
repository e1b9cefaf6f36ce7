//! Frames to signals.

use liqheat_market::{Event, Liquidation, MarkPrice, OpenInterest, PriceKind, Side, Taker, Trade, UnixMs};

use super::contracts::Scale;
use super::frame::{Head, LiquidationDetail, LiquidationRow, MarkRow, OpenInterestRow, Rows, TradeRow};
use crate::venues::fields::{Decimal, json, value};
use crate::venues::pace::{MarkPace, StockPace};
use crate::venues::{FrameError, FrameReader, Roster, Signal, StreamKind};

/// Reads the frames of one connection.
pub(super) struct Reader {
    roster: Roster,
    scales: Vec<Scale>,
    paces: Vec<(MarkPace, StockPace)>,
    /// The next message of liquidations repeats an old event.
    repeat_due: bool,
}

impl Reader {
    pub(super) fn new(roster: Roster) -> Self {
        let scales = roster.contracts().iter().map(Scale::of).collect();
        let paces = vec![Default::default(); roster.contracts().len()];
        Self { roster, scales, paces, repeat_due: true }
    }

    fn find(&self, name: &str) -> Option<(usize, Scale)> {
        let contract = self.roster.find(name)?;
        Some((contract, self.scales[contract]))
    }

    fn trades(&self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let rows: Rows<TradeRow<'_>> = json(frame)?;
        let mut signals = Vec::with_capacity(rows.data.len());
        for row in &rows.data {
            let Some((contract, scale)) = self.find(&row.inst_id) else { continue };
            let at = row.ts.time("ts")?;
            let trade = Trade {
                id: trade_id(row.trade_id)?,
                time: at,
                price: scale.price(row.px, "px")?,
                qty: scale.size(row.sz, "sz")?,
                taker: match row.side.as_ref() {
                    "buy" => Taker::Buy,
                    "sell" => Taker::Sell,
                    other => return Err(value("side", other, "buy or sell")),
                },
            };
            signals.push(Signal::Event { contract, event: Event::Trade(trade), sent: Some(at) });
        }
        Ok(signals)
    }

    fn marks(&mut self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let rows: Rows<MarkRow<'_>> = json(frame)?;
        let mut marks = Vec::with_capacity(rows.data.len());
        for row in &rows.data {
            let Some((contract, scale)) = self.find(&row.inst_id) else { continue };
            let mark = MarkPrice { time: row.ts.time("ts")?, price: scale.price(row.mark_px, "markPx")? };
            marks.push((contract, mark));
        }
        // Only now, when the whole frame is sound, is anything remembered.
        let signals = marks.into_iter().map(|(contract, mark)| {
            let sent = Some(mark.time);
            if self.paces[contract].0.keeps(mark.time, mark.price) {
                Signal::Event { contract, event: Event::MarkPrice(mark), sent }
            } else {
                Signal::Alive { contract, stream: StreamKind::Mark, sent }
            }
        });
        Ok(signals.collect())
    }

    fn stocks(&mut self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let rows: Rows<OpenInterestRow<'_>> = json(frame)?;
        let mut stocks = Vec::with_capacity(rows.data.len());
        for row in &rows.data {
            let Some((contract, scale)) = self.find(&row.inst_id) else { continue };
            stocks.push((contract, open_interest(row, scale)?));
        }
        let signals = stocks.into_iter().map(|(contract, stock)| {
            let sent = Some(stock.time);
            // A stock of zero is a fault of the venue, never true of a contract that trades.
            if stock.qty.is_positive() && self.paces[contract].1.keeps(stock.time) {
                Signal::Event { contract, event: Event::OpenInterest(stock), sent }
            } else {
                Signal::Alive { contract, stream: StreamKind::OpenInterest, sent }
            }
        });
        Ok(signals.collect())
    }

    fn liquidations(&mut self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let rows: Rows<LiquidationRow<'_>> = json(frame)?;
        let mut signals = Vec::with_capacity(rows.data.len());
        for row in &rows.data {
            let Some((contract, scale)) = self.find(&row.inst_id) else { continue };
            for detail in &row.details {
                let at = detail.ts.time("ts")?;
                let liquidation = Liquidation {
                    time: at,
                    side: side(detail)?,
                    qty: scale.size(detail.sz, "sz")?,
                    price: scale.price(detail.bk_px, "bkPx")?,
                    price_kind: PriceKind::Bankruptcy,
                };
                signals.push(Signal::Event {
                    contract,
                    event: Event::Liquidation(liquidation),
                    sent: Some(at),
                });
            }
        }
        if std::mem::take(&mut self.repeat_due) {
            signals.clear();
        }
        Ok(signals)
    }
}

impl FrameReader for Reader {
    fn read(&mut self, frame: &[u8], _received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        if frame.trim_ascii() == b"pong" {
            out.push(Signal::Pong);
            return Ok(());
        }
        let head: Head<'_> = json(frame)?;
        let channel = head.arg.as_ref().map(|arg| arg.channel.as_ref()).unwrap_or_default();
        if let Some(event) = head.event.as_deref() {
            // Subscribing again has the old event sent again.
            self.repeat_due |= event == "subscribe" && channel == LIQUIDATIONS;
            out.extend(answer(event, &head));
            return Ok(());
        }
        let signals = match channel {
            "trades" => self.trades(frame)?,
            "mark-price" => self.marks(frame)?,
            "open-interest" => self.stocks(frame)?,
            LIQUIDATIONS => self.liquidations(frame)?,
            _ => Vec::new(),
        };
        out.extend(signals);
        Ok(())
    }
}

pub(super) const LIQUIDATIONS: &str = "liquidation-orders";

fn answer(event: &str, head: &Head<'_>) -> Option<Signal> {
    let code = head.code.as_deref().unwrap_or_default();
    let words = head.msg.as_deref().unwrap_or_default();
    let said = || format!("{code}: {words}").chars().take(200).collect();
    match event {
        "subscribe" => Some(Signal::Acknowledged),
        "error" => Some(Signal::Refused(said())),
        // An upgrade of the venue: the connection will be cut.
        "notice" => Some(Signal::Leaving(said())),
        _ => None,
    }
}

/// Coins, as the venue tells them; from contracts where it does not.
pub(super) fn open_interest(row: &OpenInterestRow<'_>, scale: Scale) -> Result<OpenInterest, FrameError> {
    let present = |field: Option<Decimal<'_>>| field.is_some_and(|field| !field.is_empty());
    let qty = match (row.oi_ccy, row.oi) {
        (Some(coins), _) if present(row.oi_ccy) => scale.coins(coins, "oiCcy")?,
        (_, Some(contracts)) if present(row.oi) => scale.amount(contracts, "oi")?,
        _ => return Err(value("oiCcy", "", "an amount of zero or more")),
    };
    Ok(OpenInterest { time: row.ts.time("ts")?, qty })
}

/// Whose position. Accounts with one position a contract say `net`; there the order tells: selling closes a long.
fn side(detail: &LiquidationDetail<'_>) -> Result<Side, FrameError> {
    match (detail.pos_side.as_ref(), detail.side.as_ref()) {
        ("long", _) | ("net" | "", "sell") => Ok(Side::Long),
        ("short", _) | ("net" | "", "buy") => Ok(Side::Short),
        (other, _) => Err(value("posSide", other, "long or short")),
    }
}

fn trade_id(id: Decimal<'_>) -> Result<i64, FrameError> {
    let number = id.text().parse().ok().filter(|id: &i64| *id >= 0);
    number.ok_or_else(|| value("tradeId", id.text(), "a whole number"))
}
