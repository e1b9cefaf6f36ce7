//! Frames to signals.

use liqheat_market::{
    Event, Interval, Kline, KlineKind, MarkPrice, OpenInterest, Price, Qty, Taker, Trade, UnixMs,
};

use super::fills::Fills;
use super::frame::{Acknowledged, ActiveContext, AssetContext, Body, Candle, Head, TradeRow, UserFills};
use crate::venues::fields::{json, time, value};
use crate::venues::pace::{MarkPace, StockPace};
use crate::venues::{FrameError, FrameReader, LIVE_INTERVAL, Roster, Signal, StreamKind};

/// A candle is over when the venue's clock is so far past its end: a last update that crossed it on the way has come.
const GRACE_MS: i64 = 3_000;

/// Reads the frames of one connection. Keeps the running candle of each contract: nothing says that one is closed but
/// that time went on.
pub(super) struct Reader {
    roster: Roster,
    candles: Vec<Running>,
    paces: Vec<(MarkPace, StockPace)>,
    fills: Fills,
    /// The venue's clock: the newest time of a trade.
    clock: UnixMs,
    /// The first end of a running candle; `None` when none runs.
    next_end: Option<UnixMs>,
}

/// A candle that is still going on.
#[derive(Debug, Clone, Copy, Default)]
struct Running {
    candle: Option<Kline>,
    /// Candles that opened before this were handed out.
    open_from: UnixMs,
}

impl Reader {
    pub(super) fn new(roster: Roster) -> Self {
        let count = roster.contracts().len();
        let (candles, paces) = (vec![Running::default(); count], vec![Default::default(); count]);
        Self { roster, candles, paces, fills: Fills::default(), clock: UnixMs(0), next_end: None }
    }

    fn trades(&mut self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let body: Body<Vec<TradeRow<'_>>> = json(frame)?;
        let mut signals = Vec::with_capacity(body.data.len());
        let mut clock = self.clock;
        for row in &body.data {
            let Some(contract) = self.roster.find(&row.coin) else { continue };
            let at = time("time", row.time)?;
            let trade = Trade {
                id: row.tid,
                time: at,
                price: row.px.price("px")?,
                qty: row.sz.size("sz")?,
                taker: match row.side.as_ref() {
                    "B" => Taker::Buy,
                    "A" => Taker::Sell,
                    other => return Err(value("side", other, "A or B")),
                },
            };
            clock = clock.max(at);
            signals.push(Signal::Event { contract, event: Event::Trade(trade), sent: Some(at) });
        }
        self.clock = clock;
        self.close_ended(&mut signals);
        Ok(signals)
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

    fn candle(&mut self, frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
        let Body { data: row }: Body<Candle<'_>> = json(frame)?;
        let Some(contract) = self.roster.find(&row.coin) else { return Ok(Vec::new()) };
        if Interval::from_name(&row.interval) != Some(LIVE_INTERVAL) {
            return Ok(Vec::new());
        }
        let candle = kline(&row)?;
        let running = &mut self.candles[contract];
        let mut signals = vec![Signal::Alive { contract, stream: StreamKind::Klines, sent: None }];
        if candle.open_time < running.open_from {
            return Ok(signals);
        }
        match running.candle {
            Some(before) if before.open_time > candle.open_time => return Ok(signals),
            Some(before) if before.open_time < candle.open_time => {
                signals.push(running.close(contract, before));
            }
            _ => {}
        }
        running.candle = Some(candle);
        let end = candle.close_time();
        self.next_end = Some(self.next_end.map_or(end, |first| first.min(end)));
        Ok(signals)
    }

    fn context(&mut self, frame: &[u8], received: UnixMs) -> Result<Vec<Signal>, FrameError> {
        let Body { data }: Body<ActiveContext<'_>> = json(frame)?;
        let Some(contract) = self.roster.find(&data.coin) else { return Ok(Vec::new()) };
        let mark = data.ctx.mark_px.map(|mark| mark.price("markPx")).transpose()?;
        let stock = open_interest(&data.ctx)?;
        let (mark_pace, stock_pace) = &mut self.paces[contract];
        let event = |event| Signal::Event { contract, event, sent: None };
        let alive = |stream| Signal::Alive { contract, stream, sent: None };
        let mark = match mark {
            Some(price) if mark_pace.keeps(received, price) => {
                event(Event::MarkPrice(MarkPrice { time: received, price }))
            }
            _ => alive(StreamKind::Mark),
        };
        // A stock of zero is a fault of the venue, never true of a contract that trades.
        let stock = if stock.is_positive() && stock_pace.keeps(received) {
            event(Event::OpenInterest(OpenInterest { time: received, qty: stock }))
        } else {
            alive(StreamKind::OpenInterest)
        };
        Ok(vec![mark, stock])
    }
}

impl Running {
    fn close(&mut self, contract: usize, candle: Kline) -> Signal {
        self.candle = None;
        self.open_from = candle.close_time();
        Signal::Event { contract, event: Event::Kline(candle), sent: None }
    }
}

impl FrameReader for Reader {
    fn read(&mut self, frame: &[u8], received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let head: Head<'_> = json(frame)?;
        let signals = match head.channel.as_ref() {
            "trades" => self.trades(frame)?,
            "candle" => self.candle(frame)?,
            "activeAssetCtx" => self.context(frame, received)?,
            "userFills" => {
                let Body { data }: Body<UserFills<'_>> = json(frame)?;
                self.fills.read(&self.roster, &data, received)?
            }
            "pong" => vec![Signal::Pong],
            "subscriptionResponse" => acknowledged(frame)?,
            "error" => {
                let body: Body<String> = json(frame)?;
                vec![Signal::Refused(body.data.chars().take(200).collect())]
            }
            _ => Vec::new(),
        };
        out.extend(signals);
        Ok(())
    }
}

fn acknowledged(frame: &[u8]) -> Result<Vec<Signal>, FrameError> {
    let body: Body<Acknowledged> = json(frame)?;
    Ok(if body.data.method == "subscribe" { vec![Signal::Acknowledged] } else { Vec::new() })
}

/// Coins, single-sided: the venue counts both sides.
pub(super) fn open_interest(context: &AssetContext<'_>) -> Result<Qty, FrameError> {
    let both = context.open_interest.amount("openInterest")?;
    Ok(Qty::from_units(both.units() / 2))
}

/// A candle as a kline, whether it is over or not.
pub(super) fn kline(row: &Candle<'_>) -> Result<Kline, FrameError> {
    let interval = Interval::from_name(&row.interval)
        .ok_or_else(|| value("i", &row.interval, "the name of an interval"))?;
    let (open, close): (Price, Price) = (row.open.price("o")?, row.close.price("c")?);
    Ok(Kline {
        kind: KlineKind::Last,
        interval,
        open_time: time("t", row.open_time)?,
        open,
        high: row.high.price("h")?,
        low: row.low.price("l")?,
        close,
        volume: Some(row.volume.amount("v")?),
        taker_buy_volume: None,
        trades: Some(row.trades),
    })
}
