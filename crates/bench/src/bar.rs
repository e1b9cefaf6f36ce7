//! One bar: applied to the ledger, put on the board, encoded as a snapshot.

use std::time::Duration;

use liqheat_market::UnixMs;
use liqheat_market::convert::round_u64;
use liqheat_model::{Ledger, Params};
use liqheat_stream::{BoardUpdate, Counters, Hub, HubSettings};
use liqheat_wire::Cell;

use super::data::Year;
use super::{median, print_limit, timed};

const WARM_BARS: usize = 20_000;
const MEASURED: usize = 2_000;
const LIMIT: Duration = Duration::from_millis(1);

pub(super) fn run(year: &Year) -> anyhow::Result<()> {
    let mut ledger = Ledger::new(Params::default(), year.tiers.clone());
    let hub = Hub::new(["BTCUSDT".to_owned()], HubSettings { update_interval: Duration::from_secs(5) });
    let slot = hub.slot("BTCUSDT").ok_or_else(|| anyhow::anyhow!("no slot"))?;
    let (warm, rest) = year.bars.split_at(WARM_BARS.min(year.bars.len() / 2));
    for bar in warm {
        ledger.apply(bar, &[]);
    }
    let (mut took, mut bytes) = (Vec::new(), 0);
    for bar in rest.iter().take(MEASURED) {
        let (frame, time) = timed(|| {
            ledger.apply(bar, &[]);
            update_of(&ledger).map(|update| slot.publish(update));
            slot.snapshot_json()
        });
        took.push(time);
        bytes = frame.map_or(0, |frame| frame.len());
    }
    let slowest = took.iter().max().copied().unwrap_or_default();
    let more =
        format!("snapshot of {bytes} bytes; slowest of {MEASURED}: {:.3} ms", slowest.as_secs_f64() * 1e3);
    print_limit("one bar applied, on the board and encoded", median(took), LIMIT, &more);
    Ok(())
}

fn update_of(ledger: &Ledger) -> Option<BoardUpdate> {
    let base_bin = ledger.base_bin()?;
    let levels = ledger.levels(base_bin, None);
    let cell = |level: liqheat_model::LevelUsd| Cell {
        price: level.price,
        long_usd: round_u64(level.long_usd),
        short_usd: round_u64(level.short_usd),
    };
    Some(BoardUpdate {
        epoch: ledger.grid_version().to_string(),
        cells: levels.into_iter().map(cell).collect(),
        price: ledger.last_price()?,
        base_bin,
        as_of: ledger.as_of().unwrap_or(UnixMs(0)),
        counters: Counters::default(),
    })
}
