//! `liqheat ingest`: what is loaded, what is refused, and what the report says of it.

use liqheat_testkit::{Folder, recorded, until};

use crate::market::{self, civil};
use crate::support::{liqheat, table};

/// A folder with one file of each family, in all the forms the archive has them.
fn every_family() -> Folder {
    let folder = market::folder(2);
    let marks = "1756080000000,100000.1,100100,99900,100050,0,1756080299999,0,300,0,0,0\n\
                 1756080300000,100050,100110,99950,100000,0,1756080599999,0,300,0,0,0\n";
    folder.put("archive/markPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.csv", marks);
    let trades = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n\
                  11,100000.30,0.006,100,104,1756080001322,true\n\
                  12,100000.40,0.199,105,105,1756080002344,false\n\
                  13,100000.50,0.250,106,107,1756080002345,false\n";
    let zip = folder.put_zip("archive/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2025-08-25", trades);
    folder.put_checksum(&zip);
    let funding = "calc_time,funding_interval_hours,last_funding_rate\n1756080000004,8,0.00010000\n1756108800000,8,-0.00003210\n";
    folder.put("archive/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2025-08.csv", funding);
    // Published files hold each order twice, and orders that were not filled.
    let liquidations = "1756080100000,SELL,LIMIT,IOC,2,99779.5,100020.9,FILLED,1,1\n\
                        1756080100000,SELL,LIMIT,IOC,2,99779.5,100020.9,FILLED,1,1\n\
                        1756080200000,BUY,LIMIT,IOC,7,100661.4,100425.1,FILLED,7,7\n";
    folder
        .put("archive/liquidationSnapshot/BTCUSDT/BTCUSDT-liquidationSnapshot-2025-08-25.csv", liquidations);
    folder
}

#[test]
fn every_family_is_loaded_and_loading_twice_changes_nothing() {
    let folder = every_family();
    let ingest = liqheat("ingest --db").arg(folder.path("x.duckdb")).arg(folder.path("archive"));
    let first = ingest.run();
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let rows = table(&first.out);
    for (family, expected) in [
        ("klines", [2, 576, 0, 0]),
        ("metrics", [2, 576, 0, 0]),
        ("markPriceKlines", [1, 2, 0, 0]),
        ("aggTrades", [1, 3, 0, 0]),
        ("fundingRate", [1, 2, 0, 0]),
        ("liquidationSnapshot", [1, 2, 1, 0]),
        ("all", [8, 1_161, 1, 0]),
    ] {
        assert_eq!(rows.get(family), Some(&expected), "{family}:\n{}", first.out);
    }

    let second = ingest.run();
    assert_eq!(second.code, Some(0), "{}{}", second.out, second.err);
    let again = table(&second.out);
    assert_eq!(again.keys().collect::<Vec<_>>(), rows.keys().collect::<Vec<_>>());
    for (family, [files, loaded, already_there, refused]) in rows {
        assert_eq!(again[&family], [files, 0, loaded + already_there, refused], "{family}:\n{}", second.out);
    }
}

#[test]
fn what_is_wrong_is_named_and_the_rest_is_loaded() {
    let folder = market::folder(2);
    let klines = |name: &str| format!("archive/klines/BTCUSDT/5m/BTCUSDT-5m-{name}");
    let day = |day: i64| market::klines(day);

    let whole = std::fs::read(folder.put_zip(&klines("2025-09-01"), &day(7))).unwrap();
    folder.put(&klines("2025-09-01.zip"), &whole[..whole.len() / 3]);
    let columns = day(8).replacen(",,,", ",,,,,", 1);
    folder.put(&klines("2025-09-02.csv"), columns);
    let first_open = day(9).split(',').nth(1).unwrap().to_owned();
    folder.put(&klines("2025-09-03.csv"), day(9).replacen(&first_open, "0", 1));
    let tampered = folder.put(&klines("2025-09-04.csv"), day(10));
    folder.put_checksum(&tampered);
    folder.put(&klines("2025-09-04.csv"), day(10).replacen("100", "900", 1));
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path("nowhere"), folder.path(&klines("2025-09-05.csv"))).unwrap();

    let ingest = liqheat("ingest --db").arg(folder.path("x.duckdb")).arg(folder.path("archive"));
    let done = ingest.arg(folder.path("not-here")).run();
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    for (file, why) in [
        ("2025-09-01.zip", "not a whole zip file"),
        ("2025-09-02.csv", "columns where 12 belong, first in line 1"),
        ("2025-09-03.csv", "open is zero, first in line 1"),
        ("2025-09-04.csv", "download it again"),
        ("2025-09-05.csv", ""),
        ("not-here", ""),
    ] {
        let named = done.out.lines().any(|line| line.contains(file) && line.contains(why));
        assert!(named, "{file} should be named with '{why}':\n{}", done.out);
    }
    let rows = table(&done.out);
    let [_, loaded, already_there, refused] = rows["klines"];
    // Two whole days, and of two more all rows but one; of the zip what was before its end.
    assert!(loaded >= 2 * 288 + 2 * 287, "{}", done.out);
    assert_eq!((already_there, refused), (0, 2), "{}", done.out);
    assert_eq!(rows["metrics"], [2, 576, 0, 0]);
}

#[test]
fn files_that_do_not_say_what_they_are_can_be_told() {
    let folder = Folder::new();
    let text = format!("funding_time,funding_rate\n{},0.0001\n", civil(market::START));
    let file = folder.put("mine.csv", text);
    let ingest = liqheat("ingest --db").arg(folder.path("x.duckdb")).arg(file);
    let untold = ingest.run();
    assert_eq!(untold.code, Some(1), "{}", untold.out);
    assert!(untold.out.contains("mine.csv") && untold.out.contains("symbol"), "{}", untold.out);
    let done = ingest.args("--family fundingRate --symbol BTCUSDT").run();
    assert_eq!(done.code, Some(0), "{}", done.out);
    assert_eq!(table(&done.out)["fundingRate"], [1, 1, 0, 0]);

    let nonsense = liqheat("ingest x.csv --family horoscopes").run();
    assert_eq!(nonsense.code, Some(2));
    assert!(nonsense.err.contains("liquidationSnapshot"), "{}", nonsense.err);
}

#[test]
fn loading_that_was_cut_off_is_finished_by_the_same_command() {
    const DAYS: i64 = 300;
    let folder = Folder::new();
    for day in 0..DAYS {
        let name = format!("archive/klines/BTCUSDT/5m/BTCUSDT-5m-{}.csv", market::date(day));
        folder.put(&name, market::klines(day));
    }
    let (db, log) = (folder.path("x.duckdb"), folder.path("x.duckdb.wal"));
    let ingest = liqheat("ingest --db").arg(&db).arg(folder.path("archive"));
    // Seen by the write-ahead log, which opening the database again empties first.
    let rows_are_stored = || {
        let mut least = u64::MAX;
        until("rows are stored", || {
            let bytes = std::fs::metadata(&log).map_or(0, |file| file.len());
            least = least.min(bytes);
            (bytes > least + 200_000).then_some(())
        });
    };
    let killed = ingest.start();
    rows_are_stored();
    assert_eq!(killed.kill().code, None);

    let interrupted = ingest.start();
    rows_are_stored();
    interrupted.signal("INT");
    let interrupted = interrupted.wait();
    assert_eq!(interrupted.code, Some(1), "{}{}", interrupted.out, interrupted.err);
    assert!(interrupted.out.contains("run the same command again"), "{}", interrupted.out);
    let [files, loaded, already_there, _] = table(&interrupted.out)["klines"];
    assert!(files < DAYS as u64 && loaded > 0 && already_there > 0, "{}", interrupted.out);

    let rest = ingest.run();
    assert_eq!(rest.code, Some(0), "{}{}", rest.out, rest.err);
    let [files, rest_loaded, rest_there, refused] = table(&rest.out)["klines"];
    assert_eq!((files, rest_loaded + rest_there, refused), (300, 300 * 288, 0), "{}", rest.out);
    assert!(rest_loaded > 0 && rest_there >= loaded + already_there, "{}", rest.out);
}

#[test]
fn an_ingest_without_files_reports_that() {
    let folder = Folder::new();
    let done = liqheat("ingest --db").arg(folder.path("x.duckdb")).arg(folder.path("")).run();
    assert_eq!(done.code, Some(1));
    assert!(done.out.contains("no .csv, .csv.gz, .zip or .parquet file was found"), "{}", done.out);
}

#[test]
fn the_recorded_archive_loads_whole_and_once() {
    let Some(archive) = recorded("binance-archive") else { return };
    let folder = Folder::new();
    let ingest = liqheat("ingest --db").arg(folder.path("x.duckdb")).arg(archive);
    let first = ingest.run();
    // The hole of 2025-08-29 is noted; nothing is refused.
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let rows = table(&first.out);
    assert_eq!(rows["klines"], [19, 5_472, 0, 0], "{}", first.out);
    assert_eq!(rows["metrics"], [19, 5_469, 0, 0], "{}", first.out);
    assert!(first.out.contains("2025-08-29.zip: note: 285 of 288 rows"), "{}", first.out);
    let second = ingest.run();
    assert_eq!(second.code, Some(0), "{}{}", second.out, second.err);
    assert_eq!(table(&second.out)["all"], [38, 0, 10_941, 0], "{}", second.out);
}
