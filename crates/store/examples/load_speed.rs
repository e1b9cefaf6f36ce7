//! How fast a year of five-minute klines gets into a file: this crate's append beside DuckDB's own readers.
//!
//! `cargo run --release -p liqheat-store --example load_speed -- ../shared/data/klines/binance-um-BTCUSDT-5m-2023-2025.parquet`

#![allow(clippy::disallowed_methods, reason = "an example runs real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use liqheat_market::{Instrument, Interval, KlineKind, Symbol, UnixMs, Venue};
use liqheat_store::baseline::Baseline;
use liqheat_store::{Location, Settings, Store};

const YEAR: (i64, i64) = (1_704_067_200_000, 1_735_603_200_000);
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let parquet = std::env::args().nth(1).ok_or("give the path of a parquet file with klines")?;
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let settings = Settings::default();
    let instrument = Instrument::new(Venue::Binance, Symbol::new("BTCUSDT")?);
    let (from, to) = YEAR;

    let source = Baseline::create(&at("source.duckdb"), &settings)?;
    let parquet_load = source.load_klines_parquet(Path::new(&parquet), &instrument, Interval::M5)?;
    println!(
        "read_parquet, all years: {} rows, {:.0} rows/s",
        parquet_load.rows,
        parquet_load.rows_per_second()
    );
    let csv = at("year.csv");
    let rows = source.export_klines_csv(&csv, &instrument, Interval::M5, from, to)?;
    drop(source);
    println!("{rows} rows, {} bytes of CSV", std::fs::metadata(&csv)?.len());
    let store = Store::open(Location::File(at("source.duckdb")), settings.clone())?;
    let klines =
        store.klines(&instrument, KlineKind::Last, Interval::M5, UnixMs(from), UnixMs(to)).blocking()?;
    let reading = Instant::now();
    let again =
        store.klines(&instrument, KlineKind::Last, Interval::M5, UnixMs(from), UnixMs(to)).blocking()?;
    println!("reading the year back: {:?} for {} bars", reading.elapsed(), again.len());
    store.close_blocking()?;

    for round in 0..ROUNDS {
        let baseline = Baseline::create(&at(&format!("baseline-{round}.duckdb")), &settings)?;
        let theirs = baseline.load_klines_csv(&csv, &instrument, Interval::M5)?;
        let store = Store::open(Location::File(at(&format!("ours-{round}.duckdb"))), settings.clone())?;
        let batch = klines.clone();
        let started = Instant::now();
        let appended = store.append(&instrument, batch).blocking()?;
        let took = started.elapsed();
        let batch = klines.clone();
        let started = Instant::now();
        store.append(&instrument, batch).blocking()?;
        println!(
            "read_csv {} rows in {:?} | append {} rows in {took:?} | again {:?} | ratio {:.2}",
            theirs.rows,
            theirs.took,
            appended.inserted,
            started.elapsed(),
            theirs.took.as_secs_f64() / took.as_secs_f64(),
        );
        store.close_blocking()?;
    }
    Ok(())
}
