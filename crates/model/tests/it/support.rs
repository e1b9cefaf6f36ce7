//! Random markets: a bar is drawn as a few small numbers, so that a failing case shrinks to a short story.

use liqheat_market::{Bar, Interval, Price, Qty, TierTable, UnixMs};
use liqheat_model::{ClassDetail, Ledger, LeverageClass, ParamValues, Params};
use proptest::prelude::*;

/// Volume at price of one bar.
pub(crate) type Profile = Vec<(Price, Qty)>;

pub(crate) const START: UnixMs = UnixMs(1_756_080_000_000);

/// One bar as drawn.
#[derive(Debug, Clone)]
pub(crate) struct Draw {
    /// Log move of the close.
    step: f64,
    /// Log distance of the low and high beyond open and close.
    wicks: (f64, f64),
    /// Log distance of the mark price from the last price; `None` = unknown.
    mark_shift: Option<f64>,
    /// Log change of open interest; `None` = unknown.
    stock_step: Option<f64>,
    /// Volume over open interest; `None` = unknown.
    turnover: Option<f64>,
    /// Share bought by takers; `None` = unknown.
    taker: Option<f64>,
    /// Bars missing before this one.
    missing: u8,
    /// Places in the range (0 to 1) and volumes of trades.
    trades: Vec<(f64, f64)>,
}

fn draw() -> impl Strategy<Value = Draw> {
    let step = prop_oneof![8 => -0.004..0.004, 2 => -0.03..0.03, 1 => -0.3..0.3, 1 => Just(0.0)];
    let wick = || prop_oneof![4 => 0.0..0.003, 1 => 0.0..0.05, 2 => Just(0.0)];
    let stock_step = prop_oneof![6 => -0.01..0.01, 2 => -0.04..0.04, 1 => -0.4..0.4, 1 => Just(0.0)];
    let turnover = prop_oneof![6 => 0.0..0.02, 2 => 0.0..2.0, 1 => Just(0.0), 1 => 10.0..200.0];
    (
        step,
        (wick(), wick()),
        prop::option::of(-0.002..0.002),
        prop::option::weighted(0.8, stock_step),
        prop::option::weighted(0.8, turnover),
        prop::option::of(0.0..=1.0),
        prop_oneof![9 => Just(0u8), 1 => 1u8..80],
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec((0.0..=1.0, 0.0..5.0), 1..40)],
    )
        .prop_map(|(step, wicks, mark_shift, stock_step, turnover, taker, missing, trades)| Draw {
            step,
            wicks,
            mark_shift,
            stock_step,
            turnover,
            taker,
            missing,
            trades,
        })
}

/// A market of up to `bars_max` bars: bars of five minutes with their volume at price.
pub(crate) fn market(bars_max: usize) -> impl Strategy<Value = Vec<(Bar, Profile)>> {
    let price = prop_oneof![Just(100_000.0), 0.001..10.0, 1_000.0..200_000.0];
    (price, prop::collection::vec(draw(), 1..bars_max)).prop_map(|(price, draws)| bars(price, &draws))
}

fn bars(mut price: f64, draws: &[Draw]) -> Vec<(Bar, Profile)> {
    let mut stock: f64 = 50_000.0;
    let mut open_time = START;
    let mut out = Vec::with_capacity(draws.len());
    let exact = |value: f64| Price::from_f64(value).unwrap();
    let coins = |value: f64| Qty::from_f64(value).unwrap();
    for draw in draws {
        open_time = open_time.plus(i64::from(draw.missing) * Interval::M5.ms());
        let open = price;
        price = (price * draw.step.exp()).clamp(0.0005, 1e6);
        let high = open.max(price) * draw.wicks.0.exp();
        let low = open.min(price) / draw.wicks.1.exp();
        if let Some(step) = draw.stock_step {
            stock = (stock * step.exp()).clamp(1.0, 1e6);
        }
        let volume = draw.turnover.map(|turnover| turnover * stock);
        let mark = draw.mark_shift.map(f64::exp).map(|m| (exact(low * m), exact(high * m), exact(price * m)));
        let bar = Bar {
            open_time,
            close_time: open_time.plus(Interval::M5.ms()),
            open: exact(open),
            high: exact(high),
            low: exact(low),
            close: exact(price),
            mark,
            volume: volume.map(coins),
            taker_buy_volume: draw.taker.and_then(|taker| volume.map(|volume| coins(volume * taker))),
            open_interest: draw.stock_step.map(|_| coins(stock)),
        };
        let profile = draw
            .trades
            .iter()
            .map(|&(place, volume)| (exact(low + place * (high - low)), coins(volume)))
            .collect();
        out.push((bar, profile));
        open_time = bar.close_time;
    }
    out
}

/// Tiers like those of a large venue.
pub(crate) fn tiers() -> TierTable {
    let rows = [(0.0, 0.004, 125.0), (50_000.0, 0.005, 100.0), (250_000.0, 0.01, 50.0)];
    TierTable::new(UnixMs(0), &rows).unwrap()
}

/// Classes near and far, one at a distance of its own, each closed at its own rate.
pub(crate) fn closed_by_class() -> ParamValues {
    let class = |leverage: f64, taker_weight: f64, closing_rate: f64| LeverageClass {
        leverage,
        taker_weight,
        detail: ClassDetail { closing_rate, ..ClassDetail::default() },
    };
    let far = ClassDetail {
        distance: Some(0.15),
        maker_weight: Some(0.2),
        kernel_sigma: Some(0.01),
        closing_rate: 0.3,
    };
    let classes = [
        class(100.0, 0.25, 3.3),
        class(25.0, 0.22, 1.0),
        LeverageClass { leverage: 6.7, taker_weight: 0.3, detail: far },
        class(50.0, 0.3, 2.8),
    ];
    let mut values =
        ParamValues { unlevelled_closing_rate: 0.2, liquidatable_share: 0.4, ..ParamValues::default() };
    values.set_classes(&classes).unwrap();
    values
}

pub(crate) fn ledger() -> Ledger {
    Ledger::new(Params::default(), tiers())
}

/// A quiet bar at one price with everything known; tests change what they are about.
pub(crate) fn flat_bar(index: i64, price: f64, stock: f64) -> Bar {
    let open_time = START.plus(index * Interval::M5.ms());
    let price = Price::from_f64(price).unwrap();
    Bar {
        open_time,
        close_time: open_time.plus(Interval::M5.ms()),
        open: price,
        high: price,
        low: price,
        close: price,
        mark: None,
        volume: Some(Qty::default()),
        taker_buy_volume: None,
        open_interest: Some(Qty::from_f64(stock).unwrap()),
    }
}
