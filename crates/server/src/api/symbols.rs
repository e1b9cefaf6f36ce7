//! `GET /v1/symbols`: what is served, and the state of its data.

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
        let head = state.published.head(&symbol.name);
        SymbolRow {
            symbol: symbol.name.clone(),
            venue: symbol.venue().to_owned(),
            venues: symbol.venues().into_iter().map(Venue::name).collect(),
            interval: symbol.interval().to_string(),
            first: first.map(|first| first.0),
            last: head.map(|head| head.as_of).or(first).map(|last| last.0),
            base_bin: head.map(|head| head.base_bin.into()),
            state: state.published.feed_state(&symbol.name),
            simulated: symbol.is_simulated(),
            seen_share: state.published.local_sum(&symbol.name).map_or(0.0, |sum| sum.seen_share),
            leverages: symbol.leverages().into_iter().map(leverage_of).collect(),
            parameters: symbol.parameters(),
            measured: false,
        }
    });
    let layers = state.measured.iter().flat_map(|measured| measured.symbols.iter());
    let layers = layers.map(|symbol| {
        let head = state.published.head(&symbol.name);
        SymbolRow {
            symbol: symbol.name.clone(),
            venue: measured::VENUE.name().to_owned(),
            venues: vec![measured::VENUE.name()],
            interval: state
                .catalog
                .symbol(&symbol.estimate)
                .map_or_else(String::new, |one| one.interval().to_string()),
            first: None,
            last: head.map(|head| head.as_of.0),
            base_bin: head.map(|head| head.base_bin.into()),
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
