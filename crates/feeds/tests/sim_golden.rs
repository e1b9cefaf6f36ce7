//! The simulated market is the same on every machine and with every optimisation: the digest of its first day
//! is written down here.
//!
//! When the market is changed on purpose, this test fails and prints the new digest; put it in place of the
//! old one, and say in the commit why the market changed (what a demo of a given seed shows will change too).

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]

use liqheat_feeds::sim::{Sim, SimConfig};
use liqheat_market::{Event, KlineKind, Price, PriceKind, Qty, Side, Taker, UnixMs};

/// A whole day with a cascade, so that every kind of event and every regime is in it.
const HOURS: i64 = 24;
const GOLDEN: u64 = 0x0a3e_633f_8fc9_2318;

/// 64-bit FNV-1a over the fields of events as little-endian words.
struct Digest(u64);

impl Digest {
    fn words(&mut self, words: &[i64]) {
        for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn event(&mut self, event: &Event) {
        let units = |qty: Qty| qty.units() as i64;
        let unknown_or = |qty: Option<Qty>| qty.map_or(-1, units);
        match event {
            Event::Trade(t) => {
                let buys = i64::from(t.taker == Taker::Buy);
                self.words(&[1, t.id, t.time.0, t.price.units(), units(t.qty), buys]);
            }
            Event::Kline(k) => {
                let kind = i64::from(k.kind == KlineKind::Mark);
                self.words(&[2, kind, k.interval.ms(), k.open_time.0]);
                self.words(&[k.open, k.high, k.low, k.close].map(Price::units));
                self.words(&[unknown_or(k.volume), unknown_or(k.taker_buy_volume), k.trades.unwrap_or(-1)]);
            }
            Event::MarkPrice(m) => self.words(&[3, m.time.0, m.price.units()]),
            Event::OpenInterest(o) => self.words(&[4, o.time.0, units(o.qty)]),
            Event::Funding(f) => {
                self.words(&[5, f.time.0, f.rate.units(), f.interval_hours.unwrap_or(-1)]);
            }
            Event::Liquidation(l) => {
                let side = i64::from(l.side == Side::Short);
                let kind = i64::from(l.price_kind == PriceKind::Fill);
                self.words(&[6, l.time.0, side, units(l.qty), l.price.units(), kind]);
            }
        }
    }
}

#[test]
fn the_first_day_is_the_same_everywhere() {
    let config = SimConfig {
        seed: 20_260_105,
        start: UnixMs(1_767_571_200_000),
        first_cascade_hours: (9.0, 10.0),
        ..SimConfig::default()
    };
    let start = config.start;
    let mut sim = Sim::new(config).unwrap();
    let mut events = Vec::new();
    sim.advance(start.plus(HOURS * 3_600_000), &mut events);
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    for event in &events {
        digest.event(event);
    }
    assert!(
        digest.0 == GOLDEN,
        "the simulated market has changed: its first day ({} events) now has the digest {:#018x}; if that was \
         meant, write it into GOLDEN",
        events.len(),
        digest.0
    );
}
