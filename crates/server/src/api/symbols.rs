//! `GET /v1/symbols`: what is served, and the state of its data.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::Venue;
use liqheat_wire::{SymbolRow, SymbolsBody};

use super::parts::{PresentState, SymbolDirectory};
use crate::catalog::leverage_of;
use crate::cluster::Listing;
use crate::measured;

/// What lists of symbols are made from.
#[derive(Clone)]
pub(crate) struct ListingState {
    pub(crate) present: PresentState,
    /// The producer's symbols, on an edge.
    pub(crate) learned: Option<Arc<Listing>>,
    /// Market seconds a second.
    pub(crate) speed: f64,
    /// Whether `/ws/heatmap` accepts connections.
    pub(crate) websocket: bool,
}

pub(super) async fn symbols(State(listing): State<ListingState>) -> Json<SymbolsBody> {
    let ListingState { present, learned, speed, websocket } = &listing;
    let SymbolDirectory { catalog, hub, measured } = &present.symbols;
    if let Some(learned) = learned {
        return Json(learned.body(hub, *websocket));
    }
    for symbol in catalog.listed() {
        // Without a state the row says so; a failure is counted and logged.
        let _ = present.refresh(symbol).await;
    }
    let rows = catalog.listed().map(|symbol| {
        let first = symbol.first_bar();
        let head = present.published.head(&symbol.name);
        SymbolRow {
            symbol: symbol.name.clone(),
            venue: symbol.venue().to_owned(),
            venues: symbol.venues().into_iter().map(Venue::name).collect(),
            interval: symbol.interval().to_string(),
            first: first.map(|first| first.0),
            last: head.map(|head| head.as_of).or(first).map(|last| last.0),
            base_bin: head.map(|head| head.base_bin.into()),
            state: present.published.feed_state(&symbol.name),
            simulated: symbol.is_simulated(),
            seen_share: present.published.local_sum(&symbol.name).map_or(0.0, |sum| sum.seen_share),
            leverages: symbol.leverages().into_iter().map(leverage_of).collect(),
            parameters: symbol.parameters(),
            measured: false,
        }
    });
    let layers = measured.iter().flat_map(|measured| measured.symbols.iter());
    let layers = layers.map(|symbol| {
        let head = present.published.head(&symbol.name);
        SymbolRow {
            symbol: symbol.name.clone(),
            venue: measured::VENUE.name().to_owned(),
            venues: vec![measured::VENUE.name()],
            interval: catalog
                .symbol(&symbol.estimate)
                .map_or_else(String::new, |one| one.interval().to_string()),
            first: None,
            last: head.map(|head| head.as_of.0),
            base_bin: head.map(|head| head.base_bin.into()),
            state: present.published.feed_state(&symbol.name),
            simulated: false,
            seen_share: 0.0,
            leverages: Vec::new(),
            parameters: Vec::new(),
            measured: true,
        }
    });
    Json(SymbolsBody {
        symbols: rows.chain(layers).collect(),
        simulated: catalog.is_simulated(),
        speed: *speed,
        websocket: *websocket,
    })
}
