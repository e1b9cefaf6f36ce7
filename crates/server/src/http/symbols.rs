//! `GET /v1/symbols`: what is served and how it stands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::Venue;
use liqheat_wire::{SymbolRow, SymbolsBody};

use crate::app::App;
use crate::cluster::state_of;

pub(super) async fn symbols(State(app): State<Arc<App>>) -> Json<SymbolsBody> {
    if let Some(learned) = &app.learned {
        return Json(learned.body(&app.hub));
    }
    for symbol in app.symbols.values() {
        // Without a view the row says so; a failure is counted and in the log.
        let _ = super::view_of(&app, symbol).await;
    }
    let rows = app.symbols.values().map(|symbol| {
        let view = symbol.view();
        let view = view.as_deref();
        SymbolRow {
            symbol: symbol.name.clone(),
            venue: symbol.instrument.venue.to_string(),
            interval: symbol.interval.to_string(),
            first: symbol.first_bar.0,
            last: view.map_or(symbol.first_bar, |view| view.as_of).0,
            base_bin: view.map(|view| view.base_bin.into()),
            state: state_of(&app.hub, &symbol.name),
            simulated: symbol.instrument.venue == Venue::Sim,
            seen_share: view.map_or(0.0, |view| view.seen_share),
        }
    });
    Json(SymbolsBody { symbols: rows.collect(), simulated: app.is_simulated(), speed: app.speed })
}
