//! Klines of the mark price, built from its ticks, because venues stream ticks only. A minute whose ticks came without a
//! gap becomes a kline; the kline of any other minute is fetched.

use std::time::Duration;

use liqheat_market::convert::signed_ms;
use liqheat_market::{Interval, Kline, KlineKind, MarkPrice, Price, UnixMs};

#[derive(Debug, Clone, Copy)]
struct RunningKline {
    kline: Kline,
    last_tick: UnixMs,
    /// No gap between ticks so far.
    is_whole: bool,
}

/// Builds the kline of the running interval.
#[derive(Debug)]
pub(super) struct MarkKlineBuilder {
    interval: Interval,
    /// Largest gap between ticks that still counts as continuous data.
    gap_max_ms: i64,
    running: Option<RunningKline>,
}

impl MarkKlineBuilder {
    pub(super) fn new(interval: Interval, gap_max: Duration) -> Self {
        Self { interval, gap_max_ms: signed_ms(gap_max), running: None }
    }

    /// A tick, in order of time; returns the kline that it ended, unless a tick of that was missing.
    pub(super) fn on_tick(&mut self, tick: MarkPrice) -> Option<Kline> {
        let open_time = tick.time.floor_to(self.interval.ms());
        match &mut self.running {
            Some(running) if open_time == running.kline.open_time => {
                if tick.time < running.last_tick {
                    return None;
                }
                running.is_whole &= tick.time.since(running.last_tick) <= self.gap_max_ms;
                running.last_tick = tick.time;
                let kline = &mut running.kline;
                kline.high = kline.high.max(tick.price);
                kline.low = kline.low.min(tick.price);
                kline.close = tick.price;
                None
            }
            Some(running) if open_time < running.kline.open_time => None,
            _ => {
                // Without the tick before it nobody knows whether this is the first of its minute.
                let follows = |before: RunningKline| tick.time.since(before.last_tick) <= self.gap_max_ms;
                let is_whole = self.running.is_some_and(follows);
                let kline = self.kline(open_time, tick.price);
                let ended = self.running.replace(RunningKline { kline, last_tick: tick.time, is_whole })?;
                (ended.is_whole && is_whole).then_some(ended.kline)
            }
        }
    }

    fn kline(&self, open_time: UnixMs, price: Price) -> Kline {
        Kline {
            kind: KlineKind::Mark,
            interval: self.interval,
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: None,
            taker_buy_volume: None,
            trades: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(second: i64, price: i64) -> MarkPrice {
        MarkPrice { time: UnixMs(second * 1_000), price: Price::from_units(price) }
    }

    fn minutes() -> MarkKlineBuilder {
        MarkKlineBuilder::new(Interval::M1, Duration::from_secs(5))
    }

    #[test]
    fn a_minute_of_ticks_is_a_kline() {
        let mut minutes = minutes();
        for second in -1..60 {
            let price = if second == 30 { 5 } else { 100 + second };
            assert_eq!(minutes.on_tick(tick(second, price)), None);
        }
        let kline = minutes.on_tick(tick(60, 7)).unwrap();
        let prices = [kline.open, kline.high, kline.low, kline.close].map(Price::units);
        assert_eq!(prices, [100, 159, 5, 159]);
        assert_eq!((kline.open_time, kline.kind, kline.volume), (UnixMs(0), KlineKind::Mark, None));
    }

    #[test]
    fn a_pause_anywhere_spoils_it() {
        for (from, to) in [(0, 10), (20, 30), (54, 60)] {
            let mut minutes = minutes();
            let mut ended = Vec::new();
            for second in (-1..182).filter(|second| !(from..to).contains(second)) {
                ended.extend(minutes.on_tick(tick(second, 1)));
            }
            let open_times: Vec<i64> = ended.iter().map(|kline| kline.open_time.0).collect();
            // A pause at the end of a minute leaves the beginning of the next in doubt.
            let expected: &[i64] = if to == 60 { &[120_000] } else { &[60_000, 120_000] };
            assert_eq!(open_times, expected, "{from}..{to}");
        }
    }

    #[test]
    fn the_minute_in_which_one_comes_is_not_whole() {
        let mut minutes = minutes();
        let ended: Vec<Kline> = (2..121).filter_map(|second| minutes.on_tick(tick(second, 1))).collect();
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].open_time, UnixMs(60_000));
    }

    #[test]
    fn late_ticks_change_nothing() {
        let mut minutes = minutes();
        for second in -1..60 {
            minutes.on_tick(tick(second, 100));
            minutes.on_tick(tick(second - 1, 7));
        }
        assert_eq!(minutes.on_tick(tick(60, 100)).unwrap().low, Price::from_units(100));
    }
}
