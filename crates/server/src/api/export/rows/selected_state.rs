//! The state whose levels or walls are exported.

use liqheat_market::UnixMs;
use liqheat_wire::parse_time;

use super::super::super::parts::ModelState;
use super::super::super::reading::Reading;
use super::super::super::selection::{SelectedState, StateSelector};
use super::super::ExportRequest;
use crate::http::Refusal;

pub(super) async fn selected(
    model: &ModelState,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<SelectedState, Refusal> {
    let of = if wanted.is_past { StateSelector::At(wanted.to) } else { StateSelector::Live };
    SelectedState::select(model, reading, &wanted.symbol, of, None).await
}

pub(super) fn time_of(selected: &SelectedState) -> UnixMs {
    parse_time(&selected.reference.as_of).unwrap_or(UnixMs(0))
}
