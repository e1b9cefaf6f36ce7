//! Quantities that 64 bits of 1e-8 coins do not hold, alone and in sums.

use std::num::NonZeroUsize;

use liqheat_market::{
    Interval, Kline, KlineKind, Liquidation, OpenInterest, Price, Qty, Side, Trade, UnixMs,
};

use crate::world::{FOREVER, M5, T0, btc, in_memory, kline, liquidation, open_interest, trade, usd};

#[test]
fn amounts_of_cheap_coins_are_exact() {
    let store = in_memory();
    let huge = Qty::parse("1234567890123456789012.00000001").unwrap();
    let half = Qty::parse("50000000000").unwrap();
    let bar = |index| Kline { volume: Some(huge), taker_buy_volume: Some(half), ..kline(index) };
    let bars: Vec<Kline> = (0..3).map(bar).collect();
    store.append(&btc(), bars.clone()).blocking().unwrap();
    let trades = vec![
        Trade { qty: half, ..trade(1, T0, 0.000015, 1.0) },
        Trade { qty: half, ..trade(2, T0 + 1, 0.000015, 1.0) },
        Trade { qty: Qty::MAX, ..trade(3, T0 + M5, 0.000015, 1.0) },
    ];
    store.append(&btc(), trades).blocking().unwrap();
    let sample = OpenInterest { qty: Qty::MAX, ..open_interest(T0, 1.0) };
    store.append(&btc(), vec![sample]).blocking().unwrap();
    let forced = |time| Liquidation { qty: half, ..liquidation(time, Side::Long, 0.000015) };
    store.append(&btc(), vec![forced(T0), forced(T0 + 1)]).blocking().unwrap();
    // Rows among stored ones go through the temporary table.
    let mut more = bars.clone();
    more.push(bar(3));
    let again = store.append(&btc(), more.clone()).blocking().unwrap();
    assert_eq!((again.inserted, again.already_there), (1, 3));

    let read = store.klines(&btc(), KlineKind::Last, Interval::M5, UnixMs(0), FOREVER).blocking().unwrap();
    assert_eq!(read, more);
    let one = NonZeroUsize::MIN;
    let hour = Interval::from_name("1h").unwrap();
    let candle = store.candles(&btc(), hour, FOREVER, one).blocking().unwrap()[0];
    let times = |qty: Qty, count: i128| Qty::from_units(qty.units() * count);
    assert_eq!((candle.volume, candle.taker_buy_volume), (Some(times(huge, 4)), Some(times(half, 4))));
    let cell = Price::from_units(1);
    let profiles = store.profiles(&btc(), Interval::M5, cell, UnixMs(T0), UnixMs(T0 + 2 * M5)).blocking();
    let volumes: Vec<Qty> = profiles.unwrap().iter().map(|profile| profile.volume[0].1).collect();
    assert_eq!(volumes, [times(half, 2), Qty::MAX]);
    assert_eq!(store.open_interest(&btc(), UnixMs(0), FOREVER).blocking().unwrap(), [sample]);
    let sums = store.liquidation_sums(&btc(), Interval::M5, UnixMs(0), FOREVER, 0, one).blocking().unwrap();
    assert_eq!((sums[0].qty, sums[0].price), (times(half, 2), usd(0.000015)));
}
