//! `GET /v1/symbols`: what is served and how it stands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::Venue;
use liqheat_wire::{SymbolRow, SymbolsBody};

use super::DataState;
use crate::catalog::leverage_of;
use crate::measured;

pub(super) async fn symbols(State(state): State<Arc<DataState>>) -> Json<SymbolsBody> {
    if let Some(learned) = &state.learned {
        return Json(learned.body(&state.hub, state.websocket));
    }
    for symbol in state.catalog.listed() {
        // Without a state the row says so; a failure is counted and logged.
        let _ = state.refresh(symbol).await;
    }
    let rows = state.catalog.listed().map(|symbol| {
        let first = symbol.first_bar();
        let live = state.published.live(&symbol.name);
        let sum = state.published.sum(&symbol.name);
        SymbolRow {
            symbol: symbol.name.clone(),
            venue: symbol.venue().to_owned(),
            venues: symbol.venues().into_iter().map(Venue::name).collect(),
            interval: symbol.interval().to_string(),
            first: first.map(|first| first.0),
            last: sum.as_deref().map(|sum| sum.as_of).or(first).map(|last| last.0),
            base_bin: live.map(|live| live.base_bin.into()),
            state: state.published.feed_state(&symbol.name),
            simulated: symbol.is_simulated(),
            seen_share: sum.map_or(0.0, |sum| sum.seen_share),
            leverages: symbol.leverages().into_iter().map(leverage_of).collect(),
            parameters: symbol.parameters(),
            measured: false,
        }
    });
    let layers = state
        .measured
        .iter()
        .flat_map(|measured| measured.symbols.iter().map(move |symbol| (measured, symbol)));
    let layers = layers.map(|(measured, symbol)| {
        let shown = measured.shown(symbol);
        SymbolRow {
            symbol: symbol.name.clone(),
            venue: measured::VENUE.name().to_owned(),
            venues: vec![measured::VENUE.name()],
            interval: state
                .catalog
                .symbol(&symbol.estimate)
                .map_or_else(String::new, |one| one.interval().to_string()),
            first: None,
            last: shown.as_ref().map(|shown| shown.as_of.0),
            base_bin: shown.as_ref().map(|shown| shown.bin.into()),
            state: state.published.feed_state(&symbol.name),
            simulated: false,
            seen_share: 0.0,
            leverages: Vec::new(),
            parameters: Vec::new(),
            measured: true,
        }
    });
    Json(SymbolsBody {
        symbols: rows.chain(layers).collect(),
        simulated: state.catalog.is_simulated(),
        speed: state.speed,
        websocket: state.websocket,
    })
}
