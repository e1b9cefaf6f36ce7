use std::collections::BTreeMap;

use liqheat_market::{Instrument, Symbol, TierTable, UnixMs, Venue};
use serde_json::Value;

use super::{FALLBACK_RATE, TierBook, TierOrigin};
use crate::venues::exchange;

fn instrument(venue: Venue, symbol: &str) -> Instrument {
    Instrument::new(venue, Symbol::new(symbol).unwrap())
}

fn file(rows: &str) -> String {
    format!(
        r#"{{"venue":"binance","as_of":"2025-01-31",
        "columns":["min_notional","max_notional","maintenance_margin_rate","cum_amount","max_leverage"],
        "tiers":{{"BTCUSDT":{rows}}}}}"#
    )
}

#[test]
fn what_is_written_is_read_to_the_last_bit() {
    let symbol = Symbol::new("BTCUSDT").unwrap();
    for leverage in 2..500 {
        // As a venue's largest leverage gives them: few have an end in decimal.
        let rate = 0.5 / f64::from(leverage);
        let rows = [(0.0, rate, f64::from(leverage) / 7.0), (1e9 / 3.0, rate * 1.1, 2.0)];
        let table = TierTable::new(UnixMs(86_400_000), &rows).unwrap();
        let text = TierBook::text(Venue::Okx, "1970-01-02", &BTreeMap::from([(&symbol, &table)]));
        let book = TierBook::parse(&text).unwrap();
        assert_eq!(book.own_table(&Instrument::new(Venue::Okx, symbol.clone())), Some(&table), "{text}");
    }
}

#[test]
fn the_shipped_tables_are_whole() {
    let book = TierBook::embedded();
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT"] {
        let table = book.own_table(&instrument(Venue::Binance, symbol)).unwrap();
        assert_eq!(table.as_of(), UnixMs(1_788_220_800_000), "2026-09-01");
        assert!(table.tiers().len() >= 10, "{symbol}");
    }
    let btc = book.table(&instrument(Venue::Binance, "BTCUSDT"));
    assert_eq!((btc.tiers()[0].rate, btc.tiers()[0].leverage_max), (0.004, 150.0));
    assert_eq!(book.table(&instrument(Venue::Bybit, "BTCUSDT")).tiers()[0].rate, 0.005);
    assert_eq!(book.table(&instrument(Venue::Okx, "ETHUSDT")).tiers()[0].rate, 0.004);
    let hyperliquid = book.table(&instrument(Venue::Hyperliquid, "BTCUSDT"));
    assert_eq!((hyperliquid.tiers()[0].rate, hyperliquid.tiers()[1].rate), (0.0125, 0.025));
    assert_eq!(book.instruments().count(), 11);
}

#[test]
fn recomputed_amounts_equal_the_published_ones() {
    let file: Value = serde_json::from_str(exchange(Venue::Binance).unwrap().tier_table).unwrap();
    let book = TierBook::embedded();
    let mut compared = 0;
    for (symbol, rows) in file["tiers"].as_object().unwrap() {
        let rows = rows.as_array().unwrap();
        let table = book.table(&instrument(Venue::Binance, symbol));
        assert_eq!(table.tiers().len(), rows.len());
        for (tier, row) in table.tiers().iter().zip(rows) {
            let published = row[3].as_f64().unwrap();
            assert!((tier.cumulative_usd - published).abs() < 0.01, "{symbol}: {tier:?} {published}");
            compared += 1;
        }
    }
    assert_eq!(compared, 65);
}

#[test]
fn the_simulated_market_follows_bitcoin_and_the_unknown_is_flat() {
    let book = TierBook::embedded();
    let btc = book.table(&instrument(Venue::Binance, "BTCUSDT"));
    assert_eq!(book.table(&instrument(Venue::Sim, "BTCUSDT")), btc);
    let unknown = instrument(Venue::Binance, "1000PEPEUSDT");
    assert_eq!(book.own_table(&unknown), None);
    assert_eq!(book.table(&unknown).tier_of(1e9).rate, FALLBACK_RATE);
}

#[test]
fn a_replacement_wins_symbol_by_symbol() {
    let newer = TierBook::parse(&file("[[0,null,0.02,0,50]]")).unwrap();
    let book = TierBook::embedded().replaced_by(newer);
    let btc = book.table(&instrument(Venue::Binance, "BTCUSDT"));
    assert_eq!((btc.tiers().len(), btc.as_of()), (1, UnixMs(1_738_281_600_000)));
    assert!(book.own_table(&instrument(Venue::Binance, "ETHUSDT")).is_some());
}

#[test]
fn a_table_can_be_put_in() {
    let bybit = instrument(Venue::Bybit, "BTCUSDT");
    let table = TierTable::flat(UnixMs(7), 0.02).unwrap();
    let book = TierBook::embedded().with_table(bybit.clone(), table.clone());
    assert_eq!(book.table(&bybit), table);
    assert_eq!(book.instruments().count(), TierBook::embedded().instruments().count());
}

#[test]
fn what_is_written_is_read_back() {
    let book = TierBook::embedded();
    for venue in [Venue::Bybit, Venue::Okx, Venue::Hyperliquid] {
        let of_venue: Vec<&Instrument> = book.instruments().filter(|one| one.venue == venue).collect();
        let tables = of_venue.iter().map(|one| (&one.symbol, book.own_table(one).unwrap())).collect();
        let read = TierBook::parse(&TierBook::text(venue, "2026-09-01", &tables)).unwrap();
        for one in of_venue {
            let tiers = |book: &TierBook| book.own_table(one).unwrap().tiers().to_vec();
            assert_eq!(tiers(&read), tiers(&book), "{one}");
            assert_eq!(read.table(one).as_of(), UnixMs(1_788_220_800_000), "{one}: the date of the file");
            assert_eq!(
                (book.origin(one), read.origin(one)),
                (Some(TierOrigin::Shipped), Some(TierOrigin::Given))
            );
        }
    }
}

#[test]
fn only_floor_and_rate_are_needed() {
    let text = r#"{"venue":"okx","as_of":"2025-01","columns":["maintenance_margin_rate","x","min_notional"],
        "tiers":{"BTC-USDT-SWAP":[[0.004,1,0],[0.005,2,1000]]}}"#;
    let table = TierBook::parse(text).unwrap().table(&instrument(Venue::Okx, "BTC-USDT-SWAP"));
    assert!((table.tiers()[1].cumulative_usd - 1.0).abs() < 1e-9);
}

#[test]
fn mistakes_are_named() {
    for (rows, words) in [
        ("[]", "BTCUSDT: the tier table has no rows"),
        ("[[0,10,0.01,0]]", "BTCUSDT tier 1: 4 values for 5 columns"),
        ("[[0,10,null,0,50]]", "BTCUSDT tier 1: maintenance_margin_rate is null"),
        ("[[0,10,0.01,0,50],[20,30,0.02,0.2,25]]", "BTCUSDT tier 1: ends at 10, but the next begins at 20"),
        ("[[0,10,0.01,0,50],[10,30,0.02,0.2,25]]", "tier 2: cum_amount 0.2 does not follow"),
        ("[[0,10,0.02,0,50],[10,30,0.01,0,25]]", "not fall"),
        ("[[0,10,1.5,0,50]]", "between 0 and 1"),
        ("7", "not a table of margin tiers"),
    ] {
        let error = TierBook::parse(&file(rows)).unwrap_err().to_string();
        assert!(error.contains(words), "{rows}: {error}");
    }
    let good = file("[[0,10,0.01,0,50]]");
    for (from, to, words) in [
        ("\"binance\"", "\"mtgox\"", "known: binance"),
        ("2025-01-31", "2025-02-31", "is not a date"),
        ("2025-01-31", "January", "is not a date"),
        ("min_notional", "from", "min_notional is missing"),
        ("BTCUSDT", "BTC USDT", "is not a symbol"),
        ("\"as_of\"", "\"asof\"", "unknown field `asof`"),
    ] {
        let error = TierBook::parse(&good.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(words), "{to}: {error}");
    }
    assert!(TierBook::parse("").is_err());
}
