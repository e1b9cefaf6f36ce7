//! How fast a year of 5-minute klines is read:
//! `cargo run --release -p liqheat-feeds --example archive_speed`.
//!
//! The year is made up in the documented format, all columns filled, once as text and once zipped.

#![allow(clippy::disallowed_methods, reason = "an example runs real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use liqheat_feeds::archive::{ReadOptions, read_source};

const ROWS: i64 = 105_120;
const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = year_of_klines()?;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("BTCUSDT-5m-2024.csv", zip::write::SimpleFileOptions::default())?;
    zip.write_all(text.as_bytes())?;
    let zipped = zip.finish()?.into_inner();
    println!("{ROWS} rows, {:.1} MB as text, {:.1} MB zipped", megabytes(&text), megabytes(&zipped));
    measure("klines/BTCUSDT/5m/BTCUSDT-5m-2024.csv", text.as_bytes());
    measure("klines/BTCUSDT/5m/BTCUSDT-5m-2024.zip", &zipped);
    Ok(())
}

fn year_of_klines() -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for index in 0..ROWS {
        let open_time = 1_704_067_200_000 + index * 300_000;
        let price = 60_000 + index * 7919 % 1000;
        let (high, low, close_time) = (price + 5, price - 5, open_time + 299_999);
        writeln!(
            text,
            "{open_time},{price}.10,{high}.00,{low}.50,{price}.90,412.345,{close_time},24740712.12345,5321,206.172,\
             12370412.99812,0"
        )?;
    }
    Ok(text)
}

fn measure(path: &str, bytes: &[u8]) {
    let mut times_ms: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut rows = 0;
            let start = Instant::now();
            let report =
                read_source(Path::new(path), Cursor::new(bytes), &ReadOptions::default(), &mut |batch| {
                    rows += batch.rows.len();
                    ControlFlow::Continue(())
                });
            let time_ms = start.elapsed().as_secs_f64() * 1000.0;
            assert_eq!((rows as i64, report.has_trouble()), (ROWS, false));
            time_ms
        })
        .collect();
    times_ms.sort_by(f64::total_cmp);
    let (best, median) = (times_ms[0], times_ms[ROUNDS / 2]);
    let rows_per_second = ROWS as f64 / median * 1000.0;
    println!("{path}: median {median:.1} ms, best {best:.1} ms, {rows_per_second:.0} rows/s");
}

fn megabytes(bytes: impl AsRef<[u8]>) -> f64 {
    bytes.as_ref().len() as f64 / 1e6
}
