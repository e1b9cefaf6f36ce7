//! Frames to signals.

use liqheat_market::{
    Event, Interval, Kline, KlineKind, Liquidation, MarkPrice, OpenInterest, Price, PriceKind, Qty, Side,
    Taker, Trade, UnixMs,
};

use super::frame::{Head, KlineRow, LiquidationRow, Rows, Ticker, TickerFields, TradeRow};
use crate::venues::fields::{Decimal, json, time, value};
use crate::venues::pace::{MarkPace, StockPace};
use crate::venues::{FrameError, FrameReader, Roster, Signal, StreamKind};

/// Reads the frames of one connection. Keeps what tickers said last, because they only say what changed.
pub(super) struct Reader {
    roster: Roster,
    tickers: Vec<Known>,
}

/// What is known of one contract from its tickers.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    mark: Option<Price>,
    open_interest: Option<Qty>,
    mark_pace: MarkPace,
    stock_pace: StockPace,
}

impl Reader {
    pub(super) fn new(roster: Roster) -> Self {
        let tickers = vec![Known::default(); roster.contracts().len()];
        Self { roster, tickers }
    }

    fn trades(&self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let rows: Rows<TradeRow<'_>> = json(frame)?;
        let mut signals = Vec::with_capacity(rows.data.len());
        for row in &rows.data {
            let Some(contract) = self.roster.find(&row.symbol) else { continue };
            let at = time("T", row.time)?;
            // Agreed on outside the book at a price of its own: no entry price of the market.
            if row.is_block {
                signals.push(Signal::Alive { contract, stream: StreamKind::Trades, sent: Some(at) });
                continue;
            }
            let trade = Trade {
                id: trade_id(&row.id),
                time: at,
                price: row.price.price("p")?,
                qty: row.qty.size("v")?,
                taker: match row.side.as_ref() {
                    "Buy" => Taker::Buy,
                    "Sell" => Taker::Sell,
                    other => return Err(value("S", other, "Buy or Sell")),
                },
            };
            signals.push(Signal::Event { contract, event: Event::Trade(trade), sent: Some(at) });
        }
        Ok(signals)
    }

    fn liquidations(&self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let rows: Rows<LiquidationRow<'_>> = json(frame)?;
        let mut signals = Vec::with_capacity(rows.data.len());
        for row in &rows.data {
            let Some(contract) = self.roster.find(&row.symbol) else { continue };
            let at = time("T", row.time)?;
            let liquidation = Liquidation {
                time: at,
                // The side of the position, not of the order that closes it.
                side: match row.position_side.as_ref() {
                    "Buy" => Side::Long,
                    "Sell" => Side::Short,
                    other => return Err(value("S", other, "Buy or Sell")),
                },
                qty: row.qty.size("v")?,
                price: row.bankruptcy_price.price("p")?,
                price_kind: PriceKind::Bankruptcy,
            };
            signals.push(Signal::Event { contract, event: Event::Liquidation(liquidation), sent: Some(at) });
        }
        Ok(signals)
    }

    /// `topic` is `kline.1.BTCUSDT`: rows do not name their contract.
    fn klines(&self, topic: &str, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let name = topic.rsplit('.').next().unwrap_or_default();
        let Some(contract) = self.roster.find(name) else { return Ok(Vec::new()) };
        let rows: Rows<KlineRow<'_>> = json(frame)?;
        let mut signals = Vec::with_capacity(rows.data.len());
        for row in &rows.data {
            if !row.confirm {
                signals.push(Signal::Alive { contract, stream: StreamKind::Klines, sent: None });
                continue;
            }
            let event = Event::Kline(Kline {
                kind: KlineKind::Last,
                interval: interval(&row.interval)?,
                open_time: time("start", row.start)?,
                open: row.open.price("open")?,
                high: row.high.price("high")?,
                low: row.low.price("low")?,
                close: row.close.price("close")?,
                volume: Some(row.volume.amount("volume")?),
                taker_buy_volume: None,
                trades: None,
            });
            signals.push(Signal::Event { contract, event, sent: None });
        }
        Ok(signals)
    }

    fn ticker(&mut self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let ticker: Ticker<'_> = json(frame)?;
        let Some(contract) = self.roster.find(&ticker.data.symbol) else { return Ok(Vec::new()) };
        let at = time("ts", ticker.ts)?;
        let mark = present(ticker.data.mark_price).map(|mark| mark.price("markPrice")).transpose()?;
        let open_interest = open_interest(&ticker.data)?;
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
        let mark = match kept {
            Some(price) => event(Event::MarkPrice(MarkPrice { time: at, price })),
            None => alive(StreamKind::Mark),
        };
        let stock = match known.open_interest {
            Some(qty) if known.stock_pace.keeps(at) => {
                event(Event::OpenInterest(OpenInterest { time: at, qty }))
            }
            _ => alive(StreamKind::OpenInterest),
        };
        Ok(vec![mark, stock])
    }
}

impl FrameReader for Reader {
    fn read(&mut self, frame: &[u8], _received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let head: Head<'_> = json(frame)?;
        let Some(topic) = head.topic.as_deref() else {
            out.extend(answer(&head));
            return Ok(());
        };
        let signals = match topic.split('.').next().unwrap_or_default() {
            "publicTrade" => self.trades(frame)?,
            "tickers" => self.ticker(frame)?,
            "kline" => self.klines(topic, frame)?,
            "allLiquidation" => self.liquidations(frame)?,
            _ => Vec::new(),
        };
        out.extend(signals);
        Ok(())
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
pub(super) fn open_interest(fields: &TickerFields<'_>) -> Result<Option<Qty>, FrameError> {
    single_sided(fields.single_open_interest, fields.open_interest)
}

/// Coins, single-sided: `singleOpenInterest` where it is told, else half of `openInterest`, which counts both sides.
/// A stock of zero is a fault of the venue, never true of a contract that trades.
pub(super) fn single_sided(
    single: Option<Decimal<'_>>,
    both: Option<Decimal<'_>>,
) -> Result<Option<Qty>, FrameError> {
    let single = present(single).map(|qty| qty.amount("singleOpenInterest")).transpose()?;
    let both = present(both).map(|qty| qty.amount("openInterest")).transpose()?;
    let qty = single.or(both.map(|both| Qty::from_units(both.units() / 2)));
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
    (hash >> 1) as i64
}
