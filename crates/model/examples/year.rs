//! Times a year of synthetic 5-minute bars through the ledger, its levels and a history grid:
//! `cargo run --release -p liqheat-model --example year`.

#![allow(clippy::disallowed_methods, reason = "an example runs real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]

use std::time::Duration;

use liqheat_market::{Bar, Interval, Price, Qty, TierTable, UnixMs};
use liqheat_model::{ClassDetail, GridSpec, Ledger, LeverageClass, NO_PROFILE, ParamValues, Params, history};

const BARS: usize = 105_120;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bars = random_walk()?;
    let tiers = TierTable::flat(UnixMs(0), 0.004)?;
    let new_ledger = || Ledger::new(Params::default(), tiers.clone());

    let (ledger, took) = timed(|| {
        let mut ledger = new_ledger();
        let broken: usize = bars.iter().map(|bar| ledger.apply(bar, &[]).broken.len()).sum();
        assert_eq!(broken, 0, "invariants hold");
        ledger
    });
    print("a year of bars", took, &format!("{:.2} us a bar", took.as_secs_f64() * 1e6 / BARS as f64));

    let (_, took) = timed(|| {
        let mut ledger = Ledger::new(by_class(), tiers.clone());
        let broken: usize = bars.iter().map(|bar| ledger.apply(bar, &[]).broken.len()).sum();
        assert_eq!(broken, 0, "invariants hold");
    });
    let each = took.as_secs_f64() * 1e6 / BARS as f64;
    print("each class closed at its own rate", took, &format!("{each:.2} us a bar"));

    let bin = ledger.base_bin().ok_or("not started")?;
    let (levels, took) = timed(|| ledger.levels(bin, None));
    print("levels", took, &format!("{} levels in bins of {bin}", levels.len()));
    let (bytes, took) = timed(|| ledger.encode());
    print("encode", took, &format!("{} bytes", bytes.len()));
    let (decoded, took) = timed(|| Ledger::decode(&bytes, Params::default(), tiers.clone()));
    print("decode", took, &format!("same state: {}", decoded?.state_hash() == ledger.state_hash()));
    let (check, took) = timed(|| ledger.check());
    print("full check", took, &format!("{check:?}"));

    let shown = &bars[BARS - 1000..];
    let mut warm = new_ledger();
    bars[..BARS - 1000].iter().for_each(|bar| drop(warm.apply(bar, &[])));
    let price = warm.last_price().ok_or("not started")?;
    let bin = warm.base_bin().ok_or("not started")?;
    let middle = price.units() / bin.units();
    let spec = GridSpec {
        start: shown[0].open_time,
        column_ms: Interval::M5.ms(),
        columns: 1000,
        price_low: Price::from_units((middle - 500).max(0) * bin.units()),
        bin,
        rows: 1000,
    };
    for run in ["cold", "warm"] {
        let mut ledger = warm.clone();
        let (grid, took) = timed(|| history(&mut ledger, shown, NO_PROFILE, spec));
        let sum: f64 = grid?.long.iter().map(|usd| f64::from(*usd)).sum();
        print("1000 x 1000 grid", took, &format!("{run}, {sum:.3e} USD in all"));
    }
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn print(what: &str, took: Duration, more: &str) {
    println!("{what:<18} {:>10.3} ms  {more}", took.as_secs_f64() * 1e3);
}

/// A seeded walk from 90,000 with about 0.1 % range and 400 coins a bar on a stock near 100,000 coins.
/// Nine classes, the most that are shipped, each closed at its own rate.
fn by_class() -> Params {
    let class = |(leverage, taker_weight, closing_rate): (f64, f64, f64)| LeverageClass {
        leverage,
        taker_weight,
        detail: ClassDetail { closing_rate, ..ClassDetail::default() },
    };
    let rates = [3.3, 3.3, 3.3, 2.8, 1.0, 1.1, 0.56, 0.3, 0.15];
    let leverages = [150.0, 125.0, 100.0, 50.0, 25.0, 23.0, 12.7, 6.5, 3.1];
    let classes: Vec<LeverageClass> =
        leverages.into_iter().zip(rates).map(|(leverage, rate)| class((leverage, 1.0, rate))).collect();
    let mut values = ParamValues { unlevelled_closing_rate: 0.2, ..ParamValues::default() };
    values.set_classes(&classes).unwrap_or_default();
    Params::new(values).unwrap_or_default()
}

fn random_walk() -> Result<Vec<Bar>, liqheat_market::DecimalError> {
    let mut state: u64 = 7;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    let (mut price, mut stock) = (90_000.0, 100_000.0);
    let mut bars = Vec::with_capacity(BARS);
    for index in 0..BARS {
        let open = price;
        price *= f64::exp(0.0012 * normal());
        stock *= f64::exp(0.001 * normal());
        let high = f64::max(open, price) * (1.0 + 0.0005 * normal().abs());
        let low = f64::min(open, price) * (1.0 - 0.0005 * normal().abs());
        let volume = 400.0 * f64::exp(0.7 * normal());
        let open_time = UnixMs(1_700_000_100_000).plus(Interval::M5.ms() * index as i64);
        bars.push(Bar {
            open_time,
            close_time: open_time.plus(Interval::M5.ms()),
            open: Price::from_f64(open)?,
            high: Price::from_f64(high)?,
            low: Price::from_f64(low)?,
            close: Price::from_f64(price)?,
            mark: None,
            volume: Some(Qty::from_f64(volume)?),
            taker_buy_volume: None,
            open_interest: Some(Qty::from_f64(stock)?),
        });
    }
    Ok(bars)
}
