//! Frames to signals.

use liqheat_market::{
    Event, Interval, Kline, KlineKind, Liquidation, MarkPrice, OpenInterest, Price, PriceKind, Qty, Side,
    Taker, Trade, UnixMs,
};

use super::frame::{BybitMessage, Head, KlineRow, LiquidationRow, Ticker, TickerFields, TradeRow};
use crate::venues::fields::{Decimal, json, time, value};
use crate::venues::pace::{MarkPace, OpenInterestPace};
use crate::venues::rows::{FrameKeys, TimeAt, optional, read_frame_rows, time_of};
use crate::venues::scale::Scale;
use crate::venues::{ContractTable, FrameError, RejectedSignal, Signal, StreamKind, VenueFrameReader};

/// Reads the frames of one connection. Keeps what tickers said last, because they only say what changed.
pub(super) struct BybitReader {
    table: ContractTable,
    scales: Vec<Scale>,
    tickers: Vec<TickerState>,
}

/// What is known of one contract from its tickers.
#[derive(Debug, Clone, Copy, Default)]
struct TickerState {
    mark: Option<Price>,
    open_interest: Option<Qty>,
    mark_pace: MarkPace,
    open_interest_pace: OpenInterestPace,
}

impl BybitReader {
    pub(super) fn new(table: ContractTable) -> Self {
        let tickers = vec![TickerState::default(); table.contracts().len()];
        let scales = table.contracts().iter().map(Scale::of).collect();
        Self { table, scales, tickers }
    }

    fn find(&self, name: &str) -> Option<(usize, Scale)> {
        let contract = self.table.find(name)?;
        Some((contract, self.scales[contract]))
    }

    fn trades(&self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let rows: BybitMessage<'_> = json(frame)?;
        let keys = FrameKeys { stream: StreamKind::Trades, name: "s", time: "T" };
        read_frame_rows(&rows.data, &self.table, keys, out, |row: TradeRow<'_>| {
            let Some((contract, scale)) = self.find(&row.symbol) else { return Ok(None) };
            let at = time("T", row.time)?;
            // Agreed on outside the book at a price of its own: no entry price of the market.
            if row.is_block {
                return Ok(Some(Signal::Alive { contract, stream: StreamKind::Trades, sent: Some(at) }));
            }
            let trade = Trade {
                id: trade_id(&row.id),
                time: at,
                price: scale.price(row.price, "p")?,
                qty: scale.size(row.qty, "v")?,
                taker: match row.side.as_ref() {
                    "Buy" => Taker::Buy,
                    "Sell" => Taker::Sell,
                    other => return Err(value("S", other, "Buy or Sell")),
                },
            };
            Ok(Some(Signal::Event { contract, event: Event::Trade(trade), sent: Some(at) }))
        });
        Ok(())
    }

    fn liquidations(&self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let rows: BybitMessage<'_> = json(frame)?;
        let keys = FrameKeys { stream: StreamKind::Liquidations, name: "s", time: "T" };
        read_frame_rows(&rows.data, &self.table, keys, out, |row: LiquidationRow<'_>| {
            let Some((contract, scale)) = self.find(&row.symbol) else { return Ok(None) };
            let at = time("T", row.time)?;
            let liquidation = Liquidation {
                time: at,
                // The side of the position, not of the order that closes it.
                side: match row.position_side.as_ref() {
                    "Buy" => Side::Long,
                    "Sell" => Side::Short,
                    other => return Err(value("S", other, "Buy or Sell")),
                },
                qty: scale.size(row.qty, "v")?,
                price: scale.price(row.bankruptcy_price, "p")?,
                price_kind: PriceKind::Bankruptcy,
            };
            Ok(Some(Signal::Event { contract, event: Event::Liquidation(liquidation), sent: Some(at) }))
        });
        Ok(())
    }

    /// `topic` is `kline.1.BTCUSDT`: rows do not name their contract.
    fn klines(&self, topic: &str, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let name = topic.rsplit('.').next().unwrap_or_default();
        let Some((contract, scale)) = self.find(name) else { return Ok(()) };
        let rows: BybitMessage<'_> = json(frame)?;
        let stream = StreamKind::Klines;
        for raw in rows.data {
            let rejected = |error, is_partial| {
                let time = time_of(raw.get(), TimeAt::Key("start"));
                let contract = Some(contract);
                Signal::Rejected(RejectedSignal { contract, stream, time, is_partial, error })
            };
            let row = json::<KlineRow<'_>>(raw.get().as_bytes());
            if row.as_ref().is_ok_and(|row| !row.confirm) {
                out.push(Signal::Alive { contract, stream, sent: None });
                continue;
            }
            match row.and_then(|row| kline(&row, scale)) {
                Ok((kline, fault)) => {
                    out.push(Signal::Event { contract, event: Event::Kline(kline), sent: None });
                    out.extend(fault.map(|error| rejected(error, true)));
                }
                Err(error) => out.push(rejected(error, false)),
            }
        }
        Ok(())
    }

    /// A field that cannot be used is reported, and the other one counts.
    fn ticker(&mut self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let ticker: Ticker<'_> = json(frame)?;
        let Some((contract, scale)) = self.find(&ticker.data.symbol) else { return Ok(()) };
        let at = time("ts", ticker.ts)?;
        let mut reject = |stream, error| {
            let (contract, time) = (Some(contract), Some(at));
            out.push(Signal::Rejected(RejectedSignal { contract, stream, time, is_partial: false, error }));
        };
        let mark = present(ticker.data.mark_price).map(|mark| scale.price(mark, "markPrice")).transpose();
        let mark = mark.map_err(|error| reject(StreamKind::Mark, error)).unwrap_or_default();
        let open_interest = open_interest(&ticker.data, scale);
        let open_interest =
            open_interest.map_err(|error| reject(StreamKind::OpenInterest, error)).unwrap_or_default();
        let known = &mut self.tickers[contract];
        // A field that is missing has not changed.
        known.mark = mark.or(known.mark);
        known.open_interest = open_interest.or(known.open_interest);
        let event = |event| Signal::Event { contract, event, sent: Some(at) };
        let alive = |stream| Signal::Alive { contract, stream, sent: Some(at) };
        let kept = match (mark, known.mark) {
            (Some(price), _) => known.mark_pace.keeps(at, price).then_some(price),
            (None, Some(price)) => known.mark_pace.repeats(at, price).then_some(price),
            (None, None) => None,
        };
        out.push(match kept {
            Some(price) => event(Event::MarkPrice(MarkPrice { time: at, price })),
            None => alive(StreamKind::Mark),
        });
        out.push(match known.open_interest {
            Some(qty) if known.open_interest_pace.keeps(at) => {
                event(Event::OpenInterest(OpenInterest { time: at, qty }))
            }
            _ => alive(StreamKind::OpenInterest),
        });
        Ok(())
    }
}

/// A closed kline, and what is wrong with its volume.
fn kline(row: &KlineRow<'_>, scale: Scale) -> Result<(Kline, Option<FrameError>), FrameError> {
    let mut fault = None;
    let kline = Kline {
        kind: KlineKind::Last,
        interval: interval(&row.interval)?,
        open_time: time("start", row.start)?,
        open: scale.price(row.open, "open")?,
        high: scale.price(row.high, "high")?,
        low: scale.price(row.low, "low")?,
        close: scale.price(row.close, "close")?,
        volume: optional(scale.coins(row.volume, "volume"), &mut fault),
        taker_buy_volume: None,
        trades: None,
    };
    Ok((kline, fault))
}

impl VenueFrameReader for BybitReader {
    fn read(&mut self, frame: &[u8], _received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let head: Head<'_> = json(frame)?;
        let Some(topic) = head.topic.as_deref() else {
            out.extend(answer(&head));
            return Ok(());
        };
        match topic.split('.').next().unwrap_or_default() {
            "publicTrade" => self.trades(frame, out),
            "tickers" => self.ticker(frame, out),
            "kline" => self.klines(topic, frame, out),
            "allLiquidation" => self.liquidations(frame, out),
            _ => Ok(()),
        }
    }
}

fn answer(head: &Head<'_>) -> Option<Signal> {
    let op = head.op.as_deref()?;
    let words = head.ret_msg.as_deref().unwrap_or_default();
    if op == "pong" || words == "pong" {
        return Some(Signal::Pong);
    }
    match head.success {
        Some(false) => {
            let about = head.req_id.as_deref().unwrap_or_default();
            Some(Signal::Refused(format!("{op} {about}: {words}").chars().take(200).collect()))
        }
        _ if op == "subscribe" => Some(Signal::Acknowledged),
        _ => None,
    }
}

/// What a ticker says of the open interest.
pub(super) fn open_interest(fields: &TickerFields<'_>, scale: Scale) -> Result<Option<Qty>, FrameError> {
    single_sided(fields.single_open_interest, fields.open_interest, scale)
}

/// Coins, single-sided: `singleOpenInterest` where it is notified, else half of `openInterest`, which counts both sides.
/// Open interest of zero is a fault of the venue, never true of a contract that trades.
pub(super) fn single_sided(
    single: Option<Decimal<'_>>,
    both: Option<Decimal<'_>>,
    scale: Scale,
) -> Result<Option<Qty>, FrameError> {
    let single = present(single).map(|qty| scale.coins(qty, "singleOpenInterest")).transpose();
    let both = present(both).map(|qty| scale.coins_of_both_sides(qty, "openInterest")).transpose();
    // Either will do; where neither does, the first has the word.
    let qty = match (single, both) {
        (Ok(Some(single)), _) => Some(single),
        (Ok(None), both) => both?,
        (Err(_), Ok(Some(both))) => Some(both),
        (Err(error), _) => return Err(error),
    };
    Ok(qty.filter(|qty| qty.is_positive()))
}

/// A field that is there and not the empty text.
fn present(field: Option<Decimal<'_>>) -> Option<Decimal<'_>> {
    field.filter(|field| !field.is_empty())
}

/// `1`, `5`, `60`: minutes. Days and longer have letters and are not followed.
fn interval(minutes: &str) -> Result<Interval, FrameError> {
    let length_ms = minutes.parse::<i64>().ok().and_then(|minutes| minutes.checked_mul(60_000));
    length_ms.and_then(Interval::from_ms).ok_or_else(|| value("interval", minutes, "a number of minutes"))
}

/// Ids are texts of two kinds: whole numbers, and UUIDs, of which 63 bits of a hash (FNV-1a) are kept. Two of a
/// billion trades share a hash with a probability of 5 %.
fn trade_id(text: &str) -> i64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    if let Ok(number) = text.parse::<i64>()
        && number >= 0
    {
        return number;
    }
    let hash = text.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    (hash >> 1).cast_signed()
}
