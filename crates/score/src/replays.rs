//! Replays of the same bars that the card needs besides the graded one: for the invariants, and with less input.

use liqheat_market::{Bar, Qty, TierTable};
use liqheat_model::{Ledger, ParamValues, Params};

use crate::card::InvariantNumbers;
use crate::volume_at_price::VolumeAtPrice;

/// Replays the bars twice more (whole, and from a checkpoint in the middle) and once in cells of twice the width.
/// `seen` is what the graded run has found of I1 to I3, `last` its ledger.
pub(crate) fn invariants(
    seen: InvariantNumbers,
    last: &Ledger,
    consumed: f64,
    bars: &[Bar],
    params: &Params,
    tiers: &TierTable,
    volume_at_price: &dyn VolumeAtPrice,
) -> InvariantNumbers {
    let apply = |ledger: &mut Ledger, bars: &[Bar]| {
        let steps = bars.iter().map(|bar| ledger.apply(bar, volume_at_price.of_bar(bar.open_time)));
        steps.map(|step| step.consumed_long.coins + step.consumed_short.coins).sum::<f64>()
    };
    let (first, second) = bars.split_at(bars.len() / 2);
    let mut whole = Ledger::new(params.clone(), tiers.clone());
    apply(&mut whole, first);
    let restored = Ledger::decode(&whole.encode(), params.clone(), tiers.clone());
    apply(&mut whole, second);
    let mut differ = u32::from(whole.state_hash() != last.state_hash());
    // A checkpoint that cannot be read differs in every bit.
    differ += u32::from(!restored.is_ok_and(|mut restored| {
        apply(&mut restored, second);
        restored.state_hash() == last.state_hash()
    }));
    let values = params.values();
    let wide = ParamValues { cells_in_price: (values.cells_in_price / 2).max(200), ..values.clone() };
    let (mut total_by_cell_width, mut consumed_by_cell_width) = (f64::NAN, f64::NAN);
    if let Ok(wide) = Params::new(wide) {
        let mut coarse = Ledger::new(wide, tiers.clone());
        let consumed_coarse = apply(&mut coarse, bars);
        total_by_cell_width = change(coarse.open_interest(), last.open_interest());
        consumed_by_cell_width = change(consumed_coarse, consumed);
    }
    InvariantNumbers { replays_that_differ: differ, total_by_cell_width, consumed_by_cell_width, ..seen }
}

fn change(other: f64, one: f64) -> f64 {
    if one > 0.0 { (other / one - 1.0).abs() } else { 0.0 }
}

/// The bars with the first known open interest throughout; `None` when it does not vary.
pub(crate) fn without_open_interest(bars: &[Bar]) -> Option<Vec<Bar>> {
    let first = bars.iter().find_map(|bar| bar.open_interest)?;
    let varies = bars.iter().any(|bar| bar.open_interest.is_some_and(|known| known != first));
    varies.then(|| bars.iter().map(|bar| Bar { open_interest: Some(first), ..*bar }).collect())
}

/// The bars with the mean volume so far in place of each volume; `None` when none is known.
pub(crate) fn without_volume(bars: &[Bar]) -> Option<Vec<Bar>> {
    let (mut sum, mut count) = (0.0, 0.0);
    let mut known = false;
    let mut flat = Vec::with_capacity(bars.len());
    for bar in bars {
        if let Some(volume) = bar.volume {
            sum += volume.to_f64();
            count += 1.0;
            known |= volume.is_positive();
        }
        let mean = if count > 0.0 { Qty::from_f64(sum / count).ok() } else { None };
        flat.push(Bar { volume: mean, taker_buy_volume: None, ..*bar });
    }
    known.then_some(flat)
}
