//! The model on recorded data: nine quiet days and a crash of BTCUSDT, read straight from the archive's
//! daily zips. Skipped, visibly, where the data is absent.

use std::io::Read;
use std::path::Path;

use liqheat_market::{Bar, Interval, Kline, KlineKind, OpenInterest, Price, Qty, UnixMs};
use liqheat_model::{GridSpec, Ledger, NO_PROFILE, ParamValues, Params, StepOutcome, assemble, history};

use crate::support::tiers;

const QUIET: [&str; 9] = [
    "2025-08-25",
    "2025-08-26",
    "2025-08-27",
    "2025-08-28",
    "2025-08-29",
    "2025-08-30",
    "2025-08-31",
    "2025-09-01",
    "2025-09-02",
];
const CRASH: [&str; 4] = ["2025-11-20", "2025-11-21", "2025-11-22", "2025-11-23"];

/// Bars of some days, or `None` after saying that the data is absent.
fn recorded(days: &[&str]) -> Option<Vec<Bar>> {
    let daily = liqheat_testkit::recorded("binance-archive/futures/um/daily")?;
    let (mut klines, mut ois) = (Vec::new(), Vec::new());
    for day in days {
        let text = unzip(&daily.join(format!("klines/BTCUSDT/5m/BTCUSDT-5m-{day}.zip")));
        klines.extend(text.lines().filter(|line| !line.starts_with("open_time")).map(kline));
        let text = unzip(&daily.join(format!("metrics/BTCUSDT/BTCUSDT-metrics-{day}.zip")));
        ois.extend(text.lines().skip(1).map(stock));
    }
    Some(assemble(&klines, &[], &ois))
}

fn unzip(path: &Path) -> String {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    archive.by_index(0).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn kline(line: &str) -> Kline {
    let fields: Vec<&str> = line.split(',').collect();
    let price = |index: usize| Price::parse(fields[index]).unwrap();
    Kline {
        kind: KlineKind::Last,
        interval: Interval::M5,
        open_time: UnixMs(fields[0].parse().unwrap()),
        open: price(1),
        high: price(2),
        low: price(3),
        close: price(4),
        volume: Qty::parse(fields[5]).ok(),
        taker_buy_volume: Qty::parse(fields[9]).ok(),
        trades: None,
    }
}

/// `2025-11-21 00:05:00,BTCUSDT,105077.33,..`
fn stock(line: &str) -> OpenInterest {
    let fields: Vec<&str> = line.split(',').collect();
    let numbers: Vec<i64> = fields[0].split(['-', ' ', ':']).map(|part| part.parse().unwrap()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{line}") };
    // Days from 1970 by the civil calendar, for dates after February.
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (306 * (month + 1)) / 10 + day - 719_591;
    let time = UnixMs((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000);
    OpenInterest { time, qty: Qty::parse(fields[2]).unwrap() }
}

fn with_cells(cells_in_price: i64) -> Ledger {
    let params = Params::new(ParamValues { cells_in_price, ..ParamValues::default() }).unwrap();
    Ledger::new(params, tiers())
}

#[test]
fn nine_quiet_days() {
    let Some(bars) = recorded(&QUIET) else { return };
    assert!(bars.len() > 9 * 280, "{}", bars.len());
    assert!(bars.windows(2).all(|pair| pair[0].close_time <= pair[1].open_time));
    let known = bars.iter().filter(|bar| bar.open_interest.is_some()).count();
    assert!(known as f64 > 0.98 * bars.len() as f64, "open interest is known for {known} of {}", bars.len());
    assert!(bars.iter().all(|bar| bar.taker_buy_volume.is_none()), "unknown in these files");

    let mut ledger = with_cells(10_000);
    let mut shares = Vec::new();
    for (index, bar) in bars.iter().enumerate() {
        let step = ledger.apply(bar, &[]);
        assert_eq!(step.broken, []);
        let expected = if index == 0 { StepOutcome::Started } else { StepOutcome::Advanced };
        assert_eq!(step.outcome, expected, "bar {index}");
        if index % 288 == 287 {
            shares.push(ledger.seen_share());
            assert!(ledger.check().hold(), "{:?}", ledger.check());
        }
    }
    eprintln!("seen share at the end of each day: {shares:.3?}");
    assert!(shares.windows(2).all(|pair| pair[1] > pair[0]), "{shares:?}");
    assert!(*shares.last().unwrap() > 0.5, "{shares:?}");
    assert!(!ledger.is_warming_up());
}

#[test]
fn the_crash_takes_the_longs() {
    let Some(bars) = recorded(&CRASH) else { return };
    let mut ledger = with_cells(10_000);
    let (mut long, mut short) = (0.0, 0.0);
    let mut largest = (0.0, UnixMs(0));
    for bar in &bars {
        let step = ledger.apply(bar, &[]);
        assert_eq!(step.broken, []);
        long += step.consumed_long.usd;
        short += step.consumed_short.usd;
        if step.consumed_long.usd > largest.0 {
            largest = (step.consumed_long.usd, bar.open_time);
        }
    }
    assert!(ledger.check().hold());
    eprintln!("consumed: long {long:.3e} USD, short {short:.3e} USD; most in one bar {largest:?}");
    assert!(long > 1.3 * short, "price fell from 92k to 81k: {long} {short}");
    assert!(short > 0.0);
    // Most longs went on the way to the low of the four days, on the 21st.
    let low = bars.iter().min_by_key(|bar| bar.low).unwrap();
    assert!(low.low < Price::from_f64(81_000.0).unwrap());
    assert!((0..12 * 3_600_000).contains(&low.open_time.since(largest.1)), "{largest:?} {low:?}");
}

#[test]
fn bands_end_in_the_crash_where_price_touched_them() {
    let Some(bars) = recorded(&CRASH) else { return };
    let mut ledger = with_cells(10_000);
    let spec = GridSpec {
        start: bars[0].open_time,
        column_ms: Interval::M5.ms(),
        columns: bars.len(),
        price_low: Price::from_f64(75_000.0).unwrap(),
        bin: Price::from_f64(50.0).unwrap(),
        rows: 400,
    };
    let grid = history(&mut ledger, &bars, NO_PROFILE, spec).unwrap();
    let row = |price: Price| ((price.units() - spec.price_low.units()) / spec.bin.units()) as usize;
    for (column, bar) in bars.iter().enumerate().skip(1) {
        let (long, short) = grid.column(column);
        // Whatever stands inside the range the bar swept was opened by that bar, so it is small beside
        // what one bar can open: a tenth of its volume plus the change of the stock, 5 % of it levelled.
        let opened = bar.volume.map_or(0.0, Qty::to_f64) * 0.1 + 3_000.0;
        let bound = (opened * 0.05 * bar.high.to_f64()) as f32;
        let swept_long: f32 = long[row(bar.low) + 1..].iter().sum();
        let swept_short: f32 = short[..row(bar.high)].iter().sum();
        assert!(
            swept_long <= bound && swept_short <= bound,
            "column {column}: {swept_long} {swept_short} {bound}"
        );
        let closed_row = row(bar.close);
        assert!(long[closed_row + 1..].iter().all(|usd| *usd == 0.0));
        assert!(short[..closed_row].iter().all(|usd| *usd == 0.0));
    }
}

#[test]
fn consumption_hardly_depends_on_the_cell() {
    for days in [&QUIET[..], &CRASH[..]] {
        let Some(bars) = recorded(days) else { return };
        let consumed = |cells_in_price: i64| {
            let mut ledger = with_cells(cells_in_price);
            let steps = bars.iter().map(|bar| ledger.apply(bar, &[]));
            steps.map(|step| step.consumed_long.coins + step.consumed_short.coins).sum::<f64>()
        };
        let fine = consumed(10_000);
        for cells_in_price in [5_000, 2_000, 1_000] {
            let off = consumed(cells_in_price) / fine - 1.0;
            eprintln!("{} bars, 1/{cells_in_price}: {:+.2} % consumed", bars.len(), off * 100.0);
            assert!(off.abs() < 0.02, "{cells_in_price}: {off}");
        }
    }
}
