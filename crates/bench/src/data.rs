//! A year of 5-minute bars to measure with: recorded klines where a file is given, else a seeded walk. Open
//! interest is made up in both cases, because a year of it is not recorded; the work is the same.

use std::path::{Path, PathBuf};

use anyhow::Context;
use liqheat_market::convert::approx_f64;
use liqheat_market::{
    Bar, Instrument, Interval, Kline, KlineKind, OpenInterest, Price, Qty, Symbol, TierTable, UnixMs, Venue,
};
use liqheat_model::assemble;
use liqheat_store::baseline::Baseline;
use liqheat_store::{Location, Settings, Store};

const BARS: i64 = 105_120;
/// 2025-01-01, whose year the recorded files hold.
const START: UnixMs = UnixMs(1_735_689_600_000);

pub(super) struct Year {
    pub(super) instrument: Instrument,
    pub(super) klines: Vec<Kline>,
    pub(super) open_interest: Vec<OpenInterest>,
    pub(super) bars: Vec<Bar>,
    pub(super) tiers: TierTable,
    /// The recorded file, where there is one.
    pub(super) parquet: Option<PathBuf>,
}

impl Year {
    pub(super) fn load(parquet: Option<&Path>, folder: &Path) -> anyhow::Result<Self> {
        let instrument = Instrument::new(Venue::Binance, Symbol::new("BTCUSDT")?);
        let klines = match parquet {
            Some(path) => recorded(path, &instrument, folder)?,
            None => random()?,
        };
        let open_interest = stock(&klines)?;
        let bars = assemble(&klines, &[], &open_interest);
        let parquet = parquet.map(Path::to_path_buf);
        let tiers = liqheat_feeds::tiers::TierBook::embedded().table(&instrument);
        Ok(Self { instrument, klines, open_interest, bars, tiers, parquet })
    }

    /// Writes the year into a new file of the store.
    pub(super) fn store(&self, file: &Path) -> anyhow::Result<()> {
        let store = Store::open(Location::File(file.to_path_buf()), Settings::default())?;
        store.append(&self.instrument, self.klines.clone()).blocking()?;
        store.append(&self.instrument, self.open_interest.clone()).blocking()?;
        Ok(store.close_blocking()?)
    }

    pub(super) fn describe(&self) -> String {
        let bars = self.bars.len();
        match self.parquet.as_deref().and_then(Path::file_name) {
            Some(name) => {
                let name = name.to_string_lossy();
                format!("{bars} bars of 5 minutes from {name}, open interest made up")
            }
            None => format!("{bars} bars of 5 minutes from a seeded walk (name recorded ones with --klines)"),
        }
    }
}

fn recorded(parquet: &Path, instrument: &Instrument, folder: &Path) -> anyhow::Result<Vec<Kline>> {
    let file = folder.join("recorded.duckdb");
    let baseline = Baseline::create(&file, &Settings::default())?;
    baseline.load_klines_parquet(parquet, instrument, Interval::M5)?;
    drop(baseline);
    let store = Store::open(Location::File(file), Settings::default())?;
    let to = START.plus(BARS * Interval::M5.ms());
    let klines = store.klines(instrument, KlineKind::Last, Interval::M5, START, to).blocking()?;
    store.close_blocking()?;
    anyhow::ensure!(!klines.is_empty(), "{} holds no bars of 2025", parquet.display());
    Ok(klines)
}

/// A seeded linear congruential generator; the quality of its numbers does not matter here.
struct RandomNumbers(u64);

impl RandomNumbers {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        approx_f64(self.0 >> 11) / approx_f64(1u64 << 53)
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A walk from 95,000 with about a tenth of a per cent a bar.
fn random() -> anyhow::Result<Vec<Kline>> {
    let mut random = RandomNumbers(7);
    let mut price = 95_000.0_f64;
    let bar = |index: i64| -> anyhow::Result<Kline> {
        let open = price;
        price *= (0.001 * random.normal()).exp();
        let (low, high) = (open.min(price), open.max(price));
        let tick = |value: f64| Price::from_f64((value * 10.0).round() / 10.0);
        Ok(Kline {
            kind: KlineKind::Last,
            interval: Interval::M5,
            open_time: START.plus(index * Interval::M5.ms()),
            open: tick(open)?,
            high: tick(high * (1.0 + 0.0004 * random.uniform()))?,
            low: tick(low * (1.0 - 0.0004 * random.uniform()))?,
            close: tick(price)?,
            volume: Some(Qty::from_f64((random.uniform() * 800_000.0).round() / 1_000.0)?),
            taker_buy_volume: None,
            trades: None,
        })
    };
    (0..BARS).map(bar).collect::<anyhow::Result<_>>().context("making bars")
}

/// A stock near 90,000 coins, counted at every close.
fn stock(klines: &[Kline]) -> anyhow::Result<Vec<OpenInterest>> {
    let mut random = RandomNumbers(11);
    let mut coins = 90_000.0_f64;
    let sample = |kline: &Kline| {
        coins += 60.0 * random.normal() - (coins - 90_000.0) * 0.001;
        Ok(OpenInterest {
            time: kline.close_time(),
            qty: Qty::from_f64((coins * 1_000.0).round() / 1_000.0)?,
        })
    };
    klines.iter().map(sample).collect()
}
