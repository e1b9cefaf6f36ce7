//! Live events through one core: frames of Binance read, checked and counted, and every minute of them through the
//! ledger, as a busy day of one contract would.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use liqheat_feeds::live::{EventGate, Origin, ResumePoint};
use liqheat_feeds::tiers::TierBook;
use liqheat_feeds::venues::{ContractTable, Signal, contract, exchange};
use liqheat_market::convert::approx_f64;
use liqheat_market::{
    Event, Instrument, Interval, Kline, KlineKind, MarkPrice, OpenInterest, Price, Qty, Symbol, UnixMs, Venue,
};
use liqheat_model::{Ledger, Params, assemble};

use super::{median, timed};
use liqheat::terminal::say;

/// 2025-05-25 00:00 UTC.
const BEGIN: UnixMs = UnixMs(1_748_131_200_000);
const MINUTES: i64 = 30;
/// A hundred trades a second.
const TRADES_PER_MINUTE: i64 = 6_000;
const ROUNDS: usize = 5;

pub(super) fn run() -> anyhow::Result<()> {
    let frames = frames();
    let mut times = (Vec::new(), Vec::new());
    let mut events = 0;
    for _ in 0..ROUNDS {
        let (counted, alone) = timed(|| pass(&frames, false));
        let (_, with_ledger) = timed(|| pass(&frames, true));
        events = counted?;
        times.0.push(alone);
        times.1.push(with_ledger);
    }
    for (what, took) in [("read and taken in", times.0), ("and through the ledger", times.1)] {
        let took: Duration = median(took);
        let rate = approx_f64(events) / took.as_secs_f64();
        say!("live events of one contract, {what:<24} {rate:>12.0} a second on one core   ({events} events)");
    }
    Ok(())
}

/// Frames as the exchange sends them, with the minute they belong to.
fn frames() -> Vec<(UnixMs, String)> {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut frames = Vec::new();
    let (mut cents, mut id) = (6_000_000_i64, 3_478_018_549_i64);
    let price = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
    for minute in 0..MINUTES {
        let open_time = BEGIN.plus(minute * 60_000);
        let (open, mut high, mut low) = (cents, cents, cents);
        for at in 0..TRADES_PER_MINUTE {
            cents += rng.i64(-30..=30);
            (high, low) = (high.max(cents), low.min(cents));
            let (time, qty) = (open_time.0 + at * 60_000 / TRADES_PER_MINUTE, rng.i64(1..2_000));
            let (sent, sold) = (time + 150, rng.bool());
            id += 1;
            frames.push((UnixMs(sent), format!(
                r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{sent},"a":{id},"s":"BTCUSDT","p":"{}","q":"0.{qty:03}","nq":"0.{qty:03}","f":{id},"l":{id},"T":{time},"m":{sold},"st":1}}}}"#,
                price(cents)
            )));
            if at % (TRADES_PER_MINUTE / 60) == 0 {
                frames.push((UnixMs(time), format!(
                    r#"{{"stream":"btcusdt@markPrice@1s","data":{{"e":"markPriceUpdate","E":{time},"s":"BTCUSDT","p":"{0}","i":"{0}","P":"{0}","r":"0.00010000","T":{1}}}}}"#,
                    price(cents), open_time.0 + 28_800_000
                )));
            }
        }
        let close_time = open_time.0 + 60_000;
        frames.push((UnixMs(close_time), format!(
            r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{close_time},"s":"BTCUSDT","k":{{"t":{},"T":{},"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"{}","c":"{}","h":"{}","l":"{}","v":"6000","n":6000,"x":true,"q":"1","V":"2900","Q":"1","B":"0"}}}}}}"#,
            open_time.0, close_time - 1, price(open), price(cents), price(high), price(low)
        )));
    }
    frames
}

/// Everything once; returns how many events counted.
fn pass(frames: &[(UnixMs, String)], with_ledger: bool) -> anyhow::Result<usize> {
    let symbol = Symbol::new("BTCUSDT")?;
    let binance = exchange(Venue::Binance).ok_or_else(|| anyhow::anyhow!("no connector"))?;
    let btc = contract(binance, &symbol).ok_or_else(|| anyhow::anyhow!("no contract"))?;
    let mut reader = binance.reader(&ContractTable::new(vec![btc]), BEGIN);
    let mut gate = EventGate::new(&binance.limits, &ResumePoint::default(), Duration::ZERO, 1_000, BEGIN);
    let tiers = TierBook::embedded().table(&Instrument::new(Venue::Binance, symbol));
    let mut minute = Minute::new(Ledger::new(Params::default(), tiers));
    let (mut signals, mut out, mut events) = (Vec::new(), Vec::new(), 0);
    for (received, frame) in frames {
        reader.read(frame.as_bytes(), *received, &mut signals)?;
        for signal in signals.drain(..) {
            if let Signal::Event { event, .. } = signal {
                gate.on_event(event, Origin::Socket(1), *received, &mut out);
            }
        }
        events += out.len();
        for event in out.drain(..) {
            if with_ledger {
                minute.take(&event);
            }
        }
    }
    black_box(&minute.ledger);
    Ok(events)
}

/// The minute that is running, and the ledger that it is for.
struct Minute {
    ledger: Ledger,
    /// Coins traded at each price, in the ledger's cells.
    volume: BTreeMap<i64, i128>,
    mark: Option<Kline>,
    /// Walks, so that there is something to open and close.
    stock: i64,
}

impl Minute {
    const fn new(ledger: Ledger) -> Self {
        Self { ledger, volume: BTreeMap::new(), mark: None, stock: 80_000 }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Trade(trade) => {
                let cell = self.ledger.cell().map_or(1, Price::units);
                *self.volume.entry(trade.price.units() / cell * cell).or_default() += trade.qty.units();
            }
            Event::MarkPrice(MarkPrice { .. }) => {}
            Event::Kline(kline) if kline.kind == KlineKind::Mark => self.mark = Some(*kline),
            Event::Kline(kline) if kline.interval == Interval::M1 => self.bar(kline),
            _ => {}
        }
    }

    fn bar(&mut self, kline: &Kline) {
        self.stock += if self.stock % 3 == 0 { 40 } else { -19 };
        let qty = Qty::from_units(self.stock * liqheat_market::UNIT_SCALE);
        let stock = OpenInterest { time: kline.close_time(), qty };
        let marks: Vec<Kline> = self.mark.take().into_iter().collect();
        let volume = std::mem::take(&mut self.volume);
        let profile: Vec<(Price, Qty)> =
            volume.into_iter().map(|(price, qty)| (Price::from_units(price), Qty::from_units(qty))).collect();
        for bar in assemble(&[*kline], &marks, &[stock]) {
            self.ledger.apply(&bar, &profile);
        }
    }
}
