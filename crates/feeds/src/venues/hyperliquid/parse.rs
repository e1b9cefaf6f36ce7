//! Frames to signals.

use liqheat_market::{Event, Interval, Kline, KlineKind, MarkPrice, OpenInterest, Qty, Taker, Trade, UnixMs};

use super::account::traders;
use super::fills::Fills;
use super::frame::{
    ActiveContext, AssetContext, Body, Candle, Head, SubscriptionResponse, TradeRow, UserFills,
};
use crate::venues::fields::{json, time, value};
use crate::venues::pace::{MarkPace, OpenInterestPace};
use crate::venues::rows::{FrameKeys, RawRows, optional, read_frame_rows};
use crate::venues::scale::Scale;
use crate::venues::{
    ContractTable, FrameError, LIVE_INTERVAL, RejectedSignal, Signal, StreamKind, VenueFrameReader,
};

/// A candle is over when the venue's clock is so far past its end: a last update that crossed it on the way has come.
const GRACE_MS: i64 = 3_000;

/// Reads the frames of one connection. Keeps the running candle of each contract: nothing says that one is closed but
/// that time went on.
pub(super) struct HyperliquidReader {
    table: ContractTable,
    scales: Vec<Scale>,
    candles: Vec<RunningCandle>,
    paces: Vec<(MarkPace, OpenInterestPace)>,
    fills: Fills,
    /// The venue's clock: the newest time of a trade.
    clock: UnixMs,
    /// The first end of a running candle; `None` when none runs.
    next_end: Option<UnixMs>,
}

/// The candle of the interval that has not closed.
#[derive(Debug, Clone, Copy, Default)]
struct RunningCandle {
    candle: Option<Kline>,
    /// Candles that opened before this were handed out.
    open_from: UnixMs,
}

impl HyperliquidReader {
    pub(super) fn new(table: ContractTable) -> Self {
        let count = table.contracts().len();
        let (candles, paces) = (vec![RunningCandle::default(); count], vec![Default::default(); count]);
        let scales = table.contracts().iter().map(Scale::of).collect();
        Self { table, scales, candles, paces, fills: Fills::default(), clock: UnixMs(0), next_end: None }
    }

    fn trades(&mut self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let body: Body<RawRows<'_>> = json(frame)?;
        let keys = FrameKeys { stream: StreamKind::Trades, name: "coin", time: "time" };
        let (table, scales, mut clock) = (&self.table, &self.scales, self.clock);
        let mut addresses = Vec::new();
        read_frame_rows(&body.data, table, keys, out, |row: TradeRow<'_>| {
            let Some(contract) = table.find(&row.coin) else { return Ok(None) };
            let (scale, at) = (scales[contract], time("time", row.time)?);
            let trade = Trade {
                id: row.tid,
                time: at,
                price: scale.price(row.px, "px")?,
                qty: scale.size(row.sz, "sz")?,
                taker: match row.side.as_ref() {
                    "B" => Taker::Buy,
                    "A" => Taker::Sell,
                    other => return Err(value("side", other, "A or B")),
                },
            };
            clock = clock.max(at);
            if let Some(users) = row.users.filter(|_| table.wants_traders()) {
                traders(users, &mut addresses);
            }
            Ok(Some(Signal::Event { contract, event: Event::Trade(trade), sent: Some(at) }))
        });
        self.clock = clock;
        if !addresses.is_empty() {
            out.push(Signal::Traders(addresses));
        }
        self.close_ended(out);
        Ok(())
    }

    /// Hands out candles whose end the venue's clock has passed.
    fn close_ended(&mut self, signals: &mut Vec<Signal>) {
        let is_over = |end: UnixMs| self.clock >= end.plus(GRACE_MS);
        if !self.next_end.is_some_and(is_over) {
            return;
        }
        let mut next_end = None;
        for (contract, running) in self.candles.iter_mut().enumerate() {
            let Some(candle) = running.candle else { continue };
            let end = candle.close_time();
            if self.clock >= end.plus(GRACE_MS) {
                signals.push(running.close(contract, candle));
            } else {
                next_end = Some(next_end.map_or(end, |first: UnixMs| first.min(end)));
            }
        }
        self.next_end = next_end;
    }

    fn candle(&mut self, frame: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let Body { data: row }: Body<Candle<'_>> = json(frame)?;
        let Some(contract) = self.table.find(&row.coin) else { return Ok(()) };
        if Interval::from_name(&row.interval) != Some(LIVE_INTERVAL) {
            return Ok(());
        }
        let (candle, fault) = kline(&row, self.scales[contract])?;
        let running = &mut self.candles[contract];
        out.push(Signal::Alive { contract, stream: StreamKind::Klines, sent: None });
        if candle.open_time < running.open_from {
            return Ok(());
        }
        match running.candle {
            Some(before) if before.open_time > candle.open_time => return Ok(()),
            Some(before) if before.open_time < candle.open_time => out.push(running.close(contract, before)),
            _ => {}
        }
        out.extend(fault.map(|error| {
            let (contract, time) = (Some(contract), Some(candle.open_time));
            let stream = StreamKind::Klines;
            Signal::Rejected(RejectedSignal { contract, stream, time, is_partial: true, error })
        }));
        running.candle = Some(candle);
        let end = candle.close_time();
        self.next_end = Some(self.next_end.map_or(end, |first| first.min(end)));
        Ok(())
    }

    /// A field that cannot be used is reported, and the other one counts.
    fn context(&mut self, frame: &[u8], received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let Body { data }: Body<ActiveContext<'_>> = json(frame)?;
        let Some(contract) = self.table.find(&data.coin) else { return Ok(()) };
        let scale = self.scales[contract];
        let mut reject = |stream, error| {
            let (contract, time) = (Some(contract), Some(received));
            out.push(Signal::Rejected(RejectedSignal { contract, stream, time, is_partial: false, error }));
        };
        let mark = data.ctx.mark_px.map(|mark| scale.price(mark, "markPx")).transpose();
        let mark = mark.map_err(|error| reject(StreamKind::Mark, error)).unwrap_or_default();
        let sample = open_interest(&data.ctx, scale);
        let sample = sample.map_err(|error| reject(StreamKind::OpenInterest, error)).ok();
        let (mark_pace, open_interest_pace) = &mut self.paces[contract];
        let event = |event| Signal::Event { contract, event, sent: None };
        let alive = |stream| Signal::Alive { contract, stream, sent: None };
        out.push(match mark {
            Some(price) if mark_pace.keeps(received, price) => {
                event(Event::MarkPrice(MarkPrice { time: received, price }))
            }
            _ => alive(StreamKind::Mark),
        });
        // Open interest of zero is a fault of the venue, never true of a contract that trades.
        out.push(match sample {
            Some(qty) if qty.is_positive() && open_interest_pace.keeps(received) => {
                event(Event::OpenInterest(OpenInterest { time: received, qty }))
            }
            _ => alive(StreamKind::OpenInterest),
        });
        Ok(())
    }
}

impl RunningCandle {
    fn close(&mut self, contract: usize, candle: Kline) -> Signal {
        self.candle = None;
        self.open_from = candle.close_time();
        Signal::Event { contract, event: Event::Kline(candle), sent: None }
    }
}

impl VenueFrameReader for HyperliquidReader {
    fn read(&mut self, frame: &[u8], received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let head: Head<'_> = json(frame)?;
        match head.channel.as_ref() {
            "trades" => self.trades(frame, out)?,
            "candle" => self.candle(frame, out)?,
            "activeAssetCtx" => self.context(frame, received, out)?,
            "userFills" => {
                let Body { data }: Body<UserFills<'_>> = json(frame)?;
                self.fills.read(&self.table, &self.scales, &data, received, out);
            }
            "pong" => out.push(Signal::Pong),
            "subscriptionResponse" => out.extend(acknowledged(frame)?),
            "error" => {
                let body: Body<String> = json(frame)?;
                out.push(Signal::Refused(body.data.chars().take(200).collect()));
            }
            _ => {}
        }
        Ok(())
    }
}

fn acknowledged(frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
    let body: Body<SubscriptionResponse> = json(frame)?;
    Ok(if body.data.method == "subscribe" { vec![Signal::Acknowledged] } else { Vec::new() })
}

/// Coins, single-sided: the venue counts both sides.
pub(super) fn open_interest(context: &AssetContext<'_>, scale: Scale) -> Result<Qty, FrameError> {
    scale.coins_of_both_sides(context.open_interest, "openInterest")
}

/// A candle as a kline, whether it is over or not, and what is wrong with its volume.
pub(super) fn kline(row: &Candle<'_>, scale: Scale) -> Result<(Kline, Option<FrameError>), FrameError> {
    let interval = Interval::from_name(&row.interval)
        .ok_or_else(|| value("i", &row.interval, "the name of an interval"))?;
    let mut fault = None;
    let kline = Kline {
        kind: KlineKind::Last,
        interval,
        open_time: time("t", row.open_time)?,
        open: scale.price(row.open, "o")?,
        high: scale.price(row.high, "h")?,
        low: scale.price(row.low, "l")?,
        close: scale.price(row.close, "c")?,
        volume: optional(scale.coins(row.volume, "v"), &mut fault),
        taker_buy_volume: None,
        trades: Some(row.trades),
    };
    Ok((kline, fault))
}
