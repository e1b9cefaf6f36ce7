//! Recorded files, read in place.

use liqheat_feeds::archive::{Family, Note, discover};

use crate::support::{read_file, shared_data};

#[test]
fn every_recorded_archive_file_loads_whole() {
    let Some(data) = shared_data() else { return };
    let found = discover(&[data.join("binance-archive")]);
    assert_eq!((found.files.len(), found.skipped.len(), found.problems.len()), (38, 0, 0));
    let (mut klines, mut samples, mut quiet) = (0, 0, 0);
    for file in &found.files {
        let read = read_file(&file.path).clean();
        assert!(read.report.checksum_verified, "{}", file.path.display());
        assert_eq!(read.report.rows_repeated, 0);
        match read.report.family {
            Some(Family::Klines) => {
                assert_eq!(read.report.rows_ok, 288, "{}", file.path.display());
                assert!(read.report.notes.is_empty());
                let rows = read.klines();
                assert!(rows.iter().all(|row| row.taker_buy_volume.is_none() && row.trades.is_none()));
                quiet += rows.iter().filter(|row| row.volume.is_some_and(|v| v.units() == 0)).count();
                klines += rows.len();
            }
            Some(Family::Metrics) => {
                let down = file.path.to_string_lossy().contains("2025-08-29");
                let expected = if down { 285 } else { 288 };
                assert_eq!(read.report.rows_ok, expected, "{}", file.path.display());
                let gap = [Note::MissingRows { expected: 288, found: 285 }];
                assert_eq!(read.report.notes, if down { &gap[..] } else { &[] });
                samples += read.open_interest().len();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((klines, samples, quiet), (19 * 288, 19 * 288 - 3, 3));
}

#[test]
fn recorded_funding_loads_whole() {
    let Some(data) = shared_data() else { return };
    let found = discover(&[data.join("funding")]);
    assert_eq!(found.files.len(), 3);
    for file in &found.files {
        let read = read_file(&file.path).clean();
        assert_eq!((read.report.family, read.report.rows_ok), (Some(Family::FundingRate), 1098));
        assert!(read.funding().iter().all(|row| row.time.0 % 3_600_000 == 0));
    }
}

#[test]
fn recorded_rows_with_many_symbols_are_sorted_out() {
    let Some(data) = shared_data() else { return };
    let metrics = read_file(&data.join("captures/binance-archive-metrics-rows.csv"));
    assert_eq!((metrics.report.rows_ok, metrics.report.rows_refused()), (7, 3));
    let names: Vec<_> = metrics.report.instruments.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["ACEUSDT@binance", "BTCUSDT@binance"]);
    let liquidations = read_file(&data.join("captures/binance-archive-liquidationSnapshot-rows.csv"));
    assert_eq!(liquidations.report.rows_ok, 0, "{:?}", liquidations.report);
    assert!(liquidations.report.refused[0].reason.to_string().contains("no symbol"));
}
