//! `GET /v1/symbols`: what is served and how it stands.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::{Price, Venue};
use liqheat_wire::{Decimal, SymbolRow, SymbolsBody};

use crate::app::App;
use crate::cluster::state_of;

pub(super) async fn symbols(State(app): State<Arc<App>>) -> Json<SymbolsBody> {
    if let Some(learned) = &app.learned {
        return Json(learned.body(&app.hub));
    }
    for symbol in app.listed() {
        // Without a view the row says so; a failure is counted and in the log.
        let _ = super::view_of(&app, symbol).await;
    }
    let rows = app.listed().map(|symbol| {
        let first = symbol.first_bar();
        let view = symbol.view();
        let view = view.as_deref();
        SymbolRow {
            symbol: symbol.name.clone(),
            venue: symbol.venue().to_owned(),
            venues: symbol.venues().into_iter().map(Venue::name).collect(),
            interval: symbol.interval().to_string(),
            first: first.map(|first| first.0),
            last: view.map(|view| view.as_of).or(first).map(|last| last.0),
            base_bin: view.map(|view| view.base_bin.into()),
            state: state_of(&app.hub, &symbol.name),
            simulated: symbol.is_simulated(),
            seen_share: view.map_or(0.0, |view| view.seen_share),
            leverages: symbol.classes().iter().map(|(leverage, _)| leverage_of(*leverage)).collect(),
        }
    });
    Json(SymbolsBody { symbols: rows.collect(), simulated: app.is_simulated(), speed: app.speed })
}

/// A leverage as a number in JSON: 25, not 25.0.
pub(crate) fn leverage_of(leverage: f64) -> Decimal {
    Price::from_f64(leverage).unwrap_or_default().into()
}
