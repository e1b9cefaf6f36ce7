//! Loading a year of klines from a CSV file (read, checked, deduplicated, stored) beside DuckDB's own
//! readers filling the same table from the same rows.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use liqheat_market::convert::approx_f64;
use liqheat_market::{Interval, Qty};
use liqheat_store::baseline::Baseline;
use liqheat_store::{Location, Settings, Store};
use tokio_util::sync::CancellationToken;

use super::data::Year;
use super::{median, print_limit, timed};
use liqheat::ingest;
use liqheat::terminal::say;

/// As newer files of the archive have it; DuckDB's reader finds its columns by it.
const KLINES_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,\
                             taker_buy_volume,taker_buy_quote_volume,ignore\n";
const ROUNDS: usize = 5;
const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn run(year: &Year, folder: &Path) -> anyhow::Result<()> {
    let (klines, metrics) = write_files(year, folder)?;
    let (mut ours, mut theirs, mut with_metrics) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // In turns, so that a slow moment of the machine hits both.
        let baseline =
            Baseline::create(&folder.join(format!("baseline-{round}.duckdb")), &Settings::default())?;
        let read_csv = baseline.load_klines_csv(&klines, &year.instrument, Interval::M5)?;
        anyhow::ensure!(read_csv.rows == year.klines.len() as u64, "read_csv loaded {} rows", read_csv.rows);
        theirs.push(read_csv.took);
        drop(baseline);
        let (loaded, took) = timed(|| load(folder, &format!("ours-{round}"), std::slice::from_ref(&klines)));
        anyhow::ensure!(loaded? == year.klines.len() as u64, "not every row was loaded");
        ours.push(took);
        let paths = [klines.clone(), metrics.clone()];
        let (loaded, took) = timed(|| load(folder, &format!("both-{round}"), &paths));
        loaded?;
        with_metrics.push(took);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let rate = |took: Duration| approx_f64(year.klines.len()) / took.as_secs_f64();
    say!(
        "{:<44} {:>10.0} rows/s  {:>5.2} x DuckDB's read_csv ({:.0} rows/s)",
        "loading a year of klines from CSV",
        rate(ours),
        theirs.as_secs_f64() / ours.as_secs_f64(),
        rate(theirs)
    );
    if let Some(parquet) = &year.parquet {
        let baseline = Baseline::create(&folder.join("parquet.duckdb"), &Settings::default())?;
        let read = baseline.load_klines_parquet(parquet, &year.instrument, Interval::M5)?;
        let (theirs, name) = (read.rows_per_second(), "  the same, beside the recorded parquet file");
        say!(
            "{name:<44} {:>10} rows      {:>5.2} x DuckDB's read_parquet ({theirs:.0} rows/s)",
            read.rows,
            rate(ours) / theirs
        );
    }
    print_limit("loading a year of klines and metrics", median(with_metrics), LIMIT, "");
    Ok(())
}

fn load(folder: &Path, name: &str, paths: &[PathBuf]) -> anyhow::Result<u64> {
    let store = Store::open(Location::File(folder.join(format!("{name}.duckdb"))), Settings::default())?;
    let summary = ingest::load(&store, paths, None, None, &CancellationToken::new())?;
    store.close_blocking()?;
    Ok(summary.rows_loaded())
}

/// The year as the archive would have it.
fn write_files(year: &Year, folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let klines_folder = folder.join("klines/BTCUSDT/5m");
    fs::create_dir_all(&klines_folder)?;
    let klines = klines_folder.join("BTCUSDT-5m-2025.csv");
    let mut text = String::with_capacity(year.klines.len() * 128);
    text.push_str(KLINES_HEADER);
    for k in &year.klines {
        // Every column is filled, so that both readers have the same digits to read.
        let volume = k.volume.unwrap_or_default();
        let half = Qty::from_units(volume.units() / 2);
        let (open_time, close_time) = (k.open_time.0, k.close_time().0 - 1);
        write!(text, "{open_time},{},{},{},{},{volume},{close_time}", k.open, k.high, k.low, k.close)?;
        writeln!(text, ",{volume},1000,{half},{half},0")?;
    }
    fs::write(&klines, text)?;
    let metrics = folder.join("BTCUSDT-metrics.csv");
    let mut text = String::from(
        "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,\
         sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n",
    );
    for sample in &year.open_interest {
        let time = liqheat_wire::format_time(sample.time).replace('T', " ").replace('Z', "");
        writeln!(text, "{time},BTCUSDT,{},,,,,", sample.qty)?;
    }
    fs::write(&metrics, text)?;
    Ok((klines, metrics))
}
