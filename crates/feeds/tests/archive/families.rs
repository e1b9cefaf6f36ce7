//! One good file of each family.

use liqheat_feeds::archive::Family;
use liqheat_market::{Interval, KlineKind, Liquidation, Price, PriceKind, Qty, Rate, Side, Taker, UnixMs};

use crate::support::{KLINES_HEADER, METRICS_HEADER, for_symbol, read_text, read_text_with};

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

#[test]
fn klines_with_unknown_columns() {
    // The first rows of 2025-08-25 as published: quote volume, count and taker columns empty.
    let text = [
        KLINES_HEADER,
        "1756080000000,113446.20,113471.00,113350.20,113419.90,690.848,1756080299999,,,,,0\n",
        "1756080300000,113420.00,113472.70,113313.60,113337.40,411.590,1756080599999,,,,,0\n",
    ]
    .concat();
    let read = read_text("klines/BTCUSDT/5m/BTCUSDT-5m-2025-08.csv", text).clean();
    let klines = read.klines();
    assert_eq!(klines.len(), 2);
    let first = klines[0];
    assert_eq!(
        (first.kind, first.interval, first.open_time),
        (KlineKind::Last, Interval::M5, UnixMs(1_756_080_000_000))
    );
    assert_eq!(
        [first.open, first.high, first.low, first.close],
        ["113446.2", "113471", "113350.2", "113419.9"].map(price)
    );
    assert_eq!((first.volume, first.taker_buy_volume, first.trades), (Some(qty("690.848")), None, None));
    assert_eq!(read.batches[0].instrument.to_string(), "BTCUSDT@binance");
    assert_eq!(read.report.family, Some(Family::Klines));
}

#[test]
fn klines_with_every_column() {
    let read = read_text(
        "ETHUSDT-1h-2025-08-25.csv",
        "1756080000000,4700.1,4720,4690.5,4710,1000.5,1756083599999,4700000,321,400.25,1880000,0\n",
    )
    .clean();
    let kline = read.klines()[0];
    assert_eq!(
        (kline.volume, kline.taker_buy_volume, kline.trades),
        (Some(qty("1000.5")), Some(qty("400.25")), Some(321))
    );
    assert_eq!(kline.interval.name(), "1h");
}

#[test]
fn mark_klines_have_no_volume() {
    let read = read_text(
        "markPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.csv",
        "1756080000000,113446.2,113471.0,113350.2,113419.9,0,1756080299999,0,300,0,0,0\n",
    )
    .clean();
    let kline = read.klines()[0];
    assert_eq!(
        (kline.kind, kline.volume, kline.taker_buy_volume, kline.trades),
        (KlineKind::Mark, None, None, None)
    );
}

#[test]
fn aggregate_trades_name_the_taker() {
    let text = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n\
                3478018549,61800.30,0.006,8154045700,8154045704,1723161256322,true\n\
                3478018550,61800.40,0.199,8154045705,8154045705,1723161256344,false\n";
    let read = read_text("BTCUSDT-aggTrades-2024-08-08.csv", text).clean();
    let trades = read.trades();
    assert_eq!((trades[0].id, trades[0].taker), (3_478_018_549, Taker::Sell));
    assert_eq!(
        (trades[1].taker, trades[1].price, trades[1].qty),
        (Taker::Buy, price("61800.4"), qty("0.199"))
    );
    assert_eq!(trades[1].time, UnixMs(1_723_161_256_344));
}

#[test]
fn metrics_give_open_interest() {
    // Rows as published, out of order, ratios empty or quoted empty.
    let text = [
        METRICS_HEADER,
        "2025-11-02 00:10:00,BTCUSDT,76650.8170000000000000,8431092392.8673270000000000,2.05208950,1.90908400,1.87749490,0.97024300\n",
        "2025-11-02 00:05:00,BTCUSDT,76643.1910000000000000,8430743345.6809000000000000,\"\",\"\",\"\",0.76060100\n",
        "2025-11-02 00:15:03,BTCUSDT,76659.2820000000000000,8432390699.2206000000000000,,,,\n",
    ]
    .concat();
    let read = read_text("BTCUSDT-metrics-2025-11-02.csv", text).clean();
    let samples = read.open_interest();
    assert_eq!(samples[0].qty, qty("76650.817"));
    assert_eq!(samples[1].time, UnixMs(1_762_041_900_000));
    assert_eq!(samples[2].time, UnixMs(1_762_042_503_000), "off the grid stays off the grid");
}

#[test]
fn funding_in_both_forms_is_one_payment() {
    let monthly = read_text(
        "BTCUSDT-fundingRate-2025-01.csv",
        "calc_time,funding_interval_hours,last_funding_rate\n1735689600004,8,0.00010000\n1735718400000,8,-0.00003210\n",
    )
    .clean();
    let text = read_text(
        "binance-um-BTCUSDT-2025.csv",
        "funding_time,funding_rate\n2025-01-01 00:00:00,0.0001\n2025-01-01 08:00:00,-3.21e-05\n",
    )
    .clean();
    for (from_month, from_text) in monthly.funding().iter().zip(text.funding()) {
        assert_eq!((from_month.time, from_month.rate), (from_text.time, from_text.rate));
    }
    assert_eq!(monthly.funding()[1].rate, Rate::from_units(-3_210));
    assert_eq!((monthly.funding()[0].interval_hours, text.funding()[0].interval_hours), (Some(8), None));
    assert_eq!((monthly.report.rows_ok, text.report.rows_ok), (2, 2));
}

#[test]
fn liquidations_say_whose_position_it_was() {
    // Rows as published (there of a coin-margined contract); each stands there twice.
    let rows = "1727740869082,BUY,LIMIT,IOC,7,63661.4,63425.1,FILLED,7,7\n\
                1727740869082,BUY,LIMIT,IOC,7,63661.4,63425.1,FILLED,7,7\n\
                1727742058019,SELL,LIMIT,IOC,2,62779.5,63020.9,FILLED,1,1\n";
    let read = read_text("BTCUSDT-liquidationSnapshot-2024-10-01.csv", rows).clean();
    let expected = Liquidation {
        time: UnixMs(1_727_740_869_082),
        side: Side::Short,
        qty: qty("7"),
        price: price("63425.1"),
        price_kind: PriceKind::Fill,
    };
    let found = read.liquidations();
    assert_eq!(found[0], expected);
    assert_eq!((found[1].side, found[1].qty), (Side::Long, qty("1")), "size is what was filled");
    assert_eq!((read.report.rows_ok, read.report.rows_repeated), (2, 1));
}

#[test]
fn liquidations_may_name_their_symbol() {
    let rows = "time,symbol,side,order_type,time_in_force,original_quantity,price,average_price,order_status,last_fill_quantity,accumulated_fill_quantity\n\
                1727740869082,ETHUSDT,BUY,LIMIT,IOC,7,2661.4,2625.1,FILLED,7,7\n\
                1727740869083,BTCUSD_PERP,BUY,LIMIT,IOC,7,63661.4,63425.1,FILLED,7,7\n\
                1727740869084,BTCUSDT,SELL,LIMIT,IOC,7,63661.4,63425.1,FILLED,7,7\n";
    let read = read_text("liquidationSnapshot-2024-10-01.csv", rows);
    let names: Vec<_> = read.report.instruments.iter().map(|i| i.symbol.as_str().to_owned()).collect();
    assert_eq!(names, ["ETHUSDT", "BTCUSDT"]);
    assert_eq!(read.report.refused[0].first_line, 3);
    assert!(read.report.refused[0].reason.to_string().contains("contracts"));

    let named = read_text("BTCUSDT-liquidationSnapshot-2024-10-01.csv", rows);
    assert_eq!(
        (named.report.rows_ok, named.report.rows_refused()),
        (1, 2),
        "rows of another symbol are refused"
    );
}

#[test]
fn a_file_of_any_name_is_recognized_by_its_columns() {
    let options = for_symbol("SOLUSDT");
    for (text, family) in [
        ("1756080000000,1,2,0.5,1,12,1756080299999,,,,,0\n", Family::Klines),
        ("1,61800.30,0.006,1,1,1723161256322,true\n", Family::AggTrades),
        ("2025-11-02 00:10:00,SOLUSDT,76650.8,1,,,,\n", Family::Metrics),
        ("1735689600004,8,0.0001\n", Family::FundingRate),
        ("1727740869082,BUY,LIMIT,IOC,7,1,1,FILLED,7,7\n", Family::LiquidationSnapshot),
    ] {
        let read = read_text_with("mine.csv", text, &options).clean();
        assert_eq!((read.report.family, read.report.rows_ok), (Some(family), 1));
        assert_eq!(read.batches[0].instrument.to_string(), "SOLUSDT@binance");
    }
}
