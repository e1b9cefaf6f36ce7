//! Frames to signals.

use liqheat_market::{Event, Liquidation, MarkPrice, OpenInterest, PriceKind, Side, Taker, Trade, UnixMs};

use super::frame::{Head, LiquidationDetail, LiquidationRow, MarkRow, OkxMessage, OpenInterestRow, TradeRow};
use crate::venues::fields::{Decimal, json, value};
use crate::venues::pace::{MarkPace, OpenInterestPace};
use crate::venues::rows::{FrameKeys, TimeAt, read_frame_rows, time_of};
use crate::venues::scale::Scale;
use crate::venues::{ContractTable, FrameError, RejectedSignal, Signal, StreamKind, VenueFrameReader};

/// Reads the frames of one connection.
pub(super) struct OkxReader {
    table: ContractTable,
    scales: Vec<Scale>,
    paces: Vec<(MarkPace, OpenInterestPace)>,
    opened: UnixMs,
    /// The next message of liquidations may repeat an event from before the connection.
    repeat_due: bool,
}

impl OkxReader {
    pub(super) fn new(table: ContractTable, opened: UnixMs) -> Self {
        let scales = table.contracts().iter().map(Scale::of).collect();
        let paces = vec![Default::default(); table.contracts().len()];
        Self { table, scales, paces, opened, repeat_due: true }
    }

    fn trades(&self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let rows: OkxMessage<'_> = json(frame)?;
        let keys = keys(StreamKind::Trades);
        read_frame_rows(&rows.data, &self.table, keys, out, |row: TradeRow<'_>| {
            let Some((contract, scale)) = find(&self.table, &self.scales, &row.inst_id) else {
                return Ok(None);
            };
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
            Ok(Some(Signal::Event { contract, event: Event::Trade(trade), sent: Some(at) }))
        });
        Ok(())
    }

    fn marks(&mut self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let rows: OkxMessage<'_> = json(frame)?;
        let (table, scales, paces) = (&self.table, &self.scales, &mut self.paces);
        read_frame_rows(&rows.data, table, keys(StreamKind::Mark), out, |row: MarkRow<'_>| {
            let Some((contract, scale)) = find(table, scales, &row.inst_id) else { return Ok(None) };
            let mark = MarkPrice { time: row.ts.time("ts")?, price: scale.price(row.mark_px, "markPx")? };
            let sent = Some(mark.time);
            Ok(Some(if paces[contract].0.keeps(mark.time, mark.price) {
                Signal::Event { contract, event: Event::MarkPrice(mark), sent }
            } else {
                Signal::Alive { contract, stream: StreamKind::Mark, sent }
            }))
        });
        Ok(())
    }

    fn open_interest(&mut self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let rows: OkxMessage<'_> = json(frame)?;
        let stream = StreamKind::OpenInterest;
        let (table, scales, paces) = (&self.table, &self.scales, &mut self.paces);
        read_frame_rows(&rows.data, table, keys(stream), out, |row: OpenInterestRow<'_>| {
            let Some((contract, scale)) = find(table, scales, &row.inst_id) else { return Ok(None) };
            let sample = open_interest(&row, scale)?;
            let sent = Some(sample.time);
            // Open interest of zero is a fault of the venue, never true of a contract that trades.
            Ok(Some(if sample.qty.is_positive() && paces[contract].1.keeps(sample.time) {
                Signal::Event { contract, event: Event::OpenInterest(sample), sent }
            } else {
                Signal::Alive { contract, stream, sent }
            }))
        });
        Ok(())
    }

    fn liquidations(&mut self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let rows: OkxMessage<'_> = json(frame)?;
        let stream = StreamKind::Liquidations;
        let is_first = std::mem::take(&mut self.repeat_due);
        let (table, scales, opened) = (&self.table, &self.scales, self.opened);
        let mut details = Vec::new();
        let outer = FrameKeys { stream, name: "instId", time: "ts" };
        read_frame_rows(&rows.data, table, outer, out, |row: LiquidationRow<'_>| {
            if let Some((contract, scale)) = find(table, scales, &row.inst_id) {
                details.extend(row.details.into_iter().map(|detail| (contract, scale, detail)));
            }
            Ok(None)
        });
        for (contract, scale, raw) in details {
            match json(raw.get().as_bytes()).and_then(|detail| liquidation(&detail, scale)) {
                Ok(liquidation) if is_first && is_before(liquidation.time, opened) => {}
                Ok(liquidation) => {
                    let sent = Some(liquidation.time);
                    out.push(Signal::Event { contract, event: Event::Liquidation(liquidation), sent });
                }
                Err(error) => {
                    let time = time_of(raw.get(), TimeAt::Key("ts"));
                    let contract = Some(contract);
                    out.push(Signal::Rejected(RejectedSignal {
                        contract,
                        stream,
                        time,
                        is_partial: false,
                        error,
                    }));
                }
            }
        }
        Ok(())
    }
}

fn keys(stream: StreamKind) -> FrameKeys {
    FrameKeys { stream, name: "instId", time: "ts" }
}

fn find(table: &ContractTable, scales: &[Scale], name: &str) -> Option<(usize, Scale)> {
    let contract = table.find(name)?;
    Some((contract, scales[contract]))
}

/// Whether an event of the first message after subscribing is from before the connection, and may have been stored with an
/// earlier one. Clocks differ: what is a few seconds older is taken, since rows that are equal are stored once.
fn is_before(time: UnixMs, opened: UnixMs) -> bool {
    const CLOCKS_DIFFER_MS: i64 = 5_000;
    opened.since(time) > CLOCKS_DIFFER_MS
}

fn liquidation(detail: &LiquidationDetail<'_>, scale: Scale) -> Result<Liquidation, FrameError> {
    Ok(Liquidation {
        time: detail.ts.time("ts")?,
        side: side(detail)?,
        qty: scale.size(detail.sz, "sz")?,
        price: scale.price(detail.bk_px, "bkPx")?,
        price_kind: PriceKind::Bankruptcy,
    })
}

impl VenueFrameReader for OkxReader {
    fn read(&mut self, frame: &[u8], _received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        if frame.trim_ascii() == b"pong" {
            out.push(Signal::Pong);
            return Ok(());
        }
        let head: Head<'_> = json(frame)?;
        let channel = head.arg.as_ref().map(|arg| arg.channel.as_ref()).unwrap_or_default();
        if let Some(event) = head.event.as_deref() {
            // Subscribing again may have the old event sent again.
            self.repeat_due |= event == "subscribe" && channel == LIQUIDATIONS;
            out.extend(answer(event, &head));
            return Ok(());
        }
        match channel {
            "trades" => self.trades(frame, out),
            "mark-price" => self.marks(frame, out),
            "open-interest" => self.open_interest(frame, out),
            LIQUIDATIONS => self.liquidations(frame, out),
            _ => Ok(()),
        }
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

/// Coins, as the venue tells them; from contracts where it does not, or not so that it can be used.
pub(super) fn open_interest(row: &OpenInterestRow<'_>, scale: Scale) -> Result<OpenInterest, FrameError> {
    let coins = row.oi_ccy.filter(|coins| !coins.is_empty()).map(|coins| scale.coins(coins, "oiCcy"));
    let contracts = row.oi.filter(|oi| !oi.is_empty()).map(|oi| scale.amount(oi, "oi"));
    let qty = match (coins, contracts) {
        (Some(Ok(qty)), _) | (_, Some(Ok(qty))) => qty,
        (Some(Err(error)), _) | (_, Some(Err(error))) => return Err(error),
        (None, None) => return Err(value("oiCcy", "", "an amount of zero or more")),
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
