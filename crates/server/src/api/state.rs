//! The parts of all data routes, made once, at the start, and how a handler takes its own out of them ([`FromRef`]).

use std::sync::Arc;

use axum::extract::FromRef;

use super::export::{ExportState, Exports};
use super::formats::{FormatFlights, FormatState};
use super::heatmap::TimeseriesFlights;
use super::ingest::Ingests;
use super::parts::{CandleState, ModelState, PresentState, StoredRows, SymbolDirectory, TrustedProxies};
use super::symbols::ListingState;
use crate::alerts::Alerts;
use crate::clock::MarketClock;
use crate::expected::ExpectedBoards;

/// The parts that data routes are given.
pub(crate) struct DataParts {
    pub(crate) model: ModelState,
    pub(crate) trusted_proxies: TrustedProxies,
    /// Boards of the expected view.
    pub(crate) expected_boards: Arc<ExpectedBoards>,
    /// Answers of time series that are under way or fresh.
    pub(crate) timeseries: Arc<TimeseriesFlights>,
    /// The same of answers in formats of other services.
    pub(crate) formats: Arc<FormatFlights>,
    pub(crate) exports: Arc<Exports>,
    pub(crate) ingests: Arc<Ingests>,
    pub(crate) alerts: Arc<Alerts>,
    pub(crate) listing: ListingState,
}

/// All parts of the data routes, from which a handler takes its own.
#[derive(Clone)]
pub(crate) struct DataState(Arc<DataParts>);

impl DataState {
    pub(crate) fn new(parts: DataParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether the symbols are those of another server.
    pub(super) fn is_edge(&self) -> bool {
        self.0.listing.learned.is_some()
    }
}

/// Lets handlers take a part of [`DataState`].
macro_rules! part {
    ($part:ty, $parts:ident => $value:expr) => {
        impl FromRef<DataState> for $part {
            fn from_ref(state: &DataState) -> Self {
                let $parts = &*state.0;
                $value
            }
        }
    };
}

part!(SymbolDirectory, parts => parts.model.rows.symbols.clone());
part!(PresentState, parts => parts.model.present.clone());
part!(StoredRows, parts => parts.model.rows.clone());
part!(ModelState, parts => parts.model.clone());
part!(CandleState, parts => CandleState {
    rows: parts.model.rows.clone(),
    published: Arc::clone(&parts.model.present.published),
});
part!(FormatState, parts => FormatState { model: parts.model.clone(), flights: Arc::clone(&parts.formats) });
part!(ExportState, parts => ExportState { model: parts.model.clone(), exports: Arc::clone(&parts.exports) });
part!(ListingState, parts => parts.listing.clone());
part!(TrustedProxies, parts => parts.trusted_proxies.clone());
part!(Arc<MarketClock>, parts => Arc::clone(&parts.model.rows.clock));
part!(Arc<ExpectedBoards>, parts => Arc::clone(&parts.expected_boards));
part!(Arc<TimeseriesFlights>, parts => Arc::clone(&parts.timeseries));
part!(Arc<Ingests>, parts => Arc::clone(&parts.ingests));
part!(Arc<Alerts>, parts => Arc::clone(&parts.alerts));
