//! A picture of 1000 x 1000 cells, computed from bars and encoded in the compact form, whole and split by leverage.

use std::time::Duration;

use liqheat_market::convert::signed_len;
use liqheat_market::{Bar, Interval, Price};
use liqheat_model::{GridPainter, GridSpec, Ledger, NO_PROFILE, Params};
use liqheat_server::pack;
use liqheat_wire::{Decimal, FeedState, GridHeader, GridLayout, GridScale, encode_grid};

use super::data::Year;
use super::{median, print_limit, timed};

const SIDE: usize = 1_000;
const ROUNDS: usize = 5;
const LIMIT: Duration = Duration::from_millis(100);

pub(super) fn run(year: &Year) -> anyhow::Result<()> {
    let (warm, shown) = year.bars.split_at(year.bars.len().saturating_sub(SIDE));
    let mut before = Ledger::new(Params::default(), year.tiers.clone());
    for bar in warm {
        before.apply(bar, &[]);
    }
    let (price, bin) = before.last_price().zip(before.cell()).ok_or_else(|| anyhow::anyhow!("no bars"))?;
    // Two cells a row show a tenth of the price up and down, as a chart of some days does.
    let bin = Price::from_units(bin.units() * 2);
    let lowest = (price.units() / bin.units() - signed_len(SIDE) / 2).max(0) * bin.units();
    let start = shown.first().map(|bar| bar.open_time).unwrap_or_default();
    let price_low = Price::from_units(lowest);
    let spec = GridSpec { start, column_ms: Interval::M5.ms(), columns: SIDE, price_low, bin, rows: SIDE };
    measure("a 1000 x 1000 history grid, warm", &before, shown, spec, false)?;
    measure("the same with a plane a leverage class", &before, shown, spec, true)
}

fn measure(what: &str, before: &Ledger, shown: &[Bar], spec: GridSpec, split: bool) -> anyhow::Result<()> {
    let classes = before.params().values().weights.classes();
    let leverages: Vec<Decimal> = if split {
        classes
            .iter()
            .map(|(leverage, _)| Price::from_f64(*leverage).map(Decimal::from))
            .collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    let (mut took, mut encoded) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut ledger = before.clone();
        let (bytes, time) = timed(|| {
            let painter =
                if split { GridPainter::split(spec, classes.len()) } else { GridPainter::new(spec) }?;
            let grid = painter.over(&mut ledger, shown, NO_PROFILE);
            let usd_max = grid.long.iter().chain(&grid.short).copied().fold(0.0, f32::max);
            let header = header(spec, usd_max, &leverages);
            anyhow::Ok(encode_grid(&header, GridLayout::Predicted, &grid.long, &grid.short, &grid.classes))
        });
        encoded = bytes?;
        took.push(time);
    }
    let (packed, packing) = timed(|| pack(&encoded));
    let more = format!(
        "{} bytes, {} packed once for all in {:.1} ms",
        encoded.len(),
        packed.len(),
        packing.as_secs_f64() * 1e3
    );
    print_limit(what, median(took), LIMIT, &more);
    Ok(())
}

fn header(spec: GridSpec, usd_max: f32, leverages: &[Decimal]) -> GridHeader {
    GridHeader {
        symbol: "BTCUSDT".to_owned(),
        venue: "binance".to_owned(),
        epoch: "bench".to_owned(),
        as_of: spec.start.0,
        start: spec.start.0,
        column_ms: spec.column_ms,
        columns: spec.columns,
        rows: spec.rows,
        price_low: spec.price_low.into(),
        bin: spec.bin.into(),
        scale: GridScale::for_max(f64::from(usd_max)),
        state: FeedState::Replay,
        seen_share: 1.0,
        leverages: leverages.to_vec(),
        coverage_long: Vec::new(),
        coverage_short: Vec::new(),
    }
}
