//! What groups of data routes read. A handler takes the parts that its signature names.

use std::sync::Arc;

use ipnet::IpNet;
use liqheat_score::ExpectedModel;
use liqheat_stream::Hub;
use liqheat_wire::format_time;

use crate::catalog::{Catalog, ServedSymbol};
use crate::clock::MarketClock;
use crate::engine::OnDemand;
use crate::history::History;
use crate::http::{Query, Refusal, unknown_symbol};
use crate::measured::{MeasuredLayer, MeasuredSymbol};
use crate::published::{LedgerSum, Published};
use crate::reads::Reads;

/// The symbols that are served, by name.
#[derive(Clone)]
pub(crate) struct SymbolDirectory {
    pub(crate) catalog: Arc<Catalog>,
    /// The boards, those of layers and of other servers' symbols included.
    pub(crate) hub: Arc<Hub>,
    /// Positions of real accounts, where this server looks at them.
    pub(crate) measured: Option<Arc<MeasuredLayer>>,
}

/// A layer of measured positions, with the tracker that makes it.
#[derive(Clone, Copy)]
pub(super) struct NamedLayer<'a> {
    pub(super) measured: &'a MeasuredLayer,
    pub(super) symbol: &'a MeasuredSymbol,
}

impl SymbolDirectory {
    /// The symbol that a request names: missing is 422, unknown is 400.
    pub(super) fn of(&self, query: &Query) -> Result<&Arc<ServedSymbol>, Refusal> {
        self.named(query.required("symbol")?)
    }

    /// A symbol by any of its names; unknown is 400.
    pub(super) fn named(&self, name: &str) -> Result<&Arc<ServedSymbol>, Refusal> {
        self.catalog.symbol(name).ok_or_else(|| {
            if self.is_layer(name) {
                return Refusal::bad(format!(
                    "{name} is a layer of measured positions: ask /v1/measured, /v1/heatmap, /v1/heatmap/history, /v1/walls, /v1/max-pain, /v1/map, /v1/export?what=measured or a socket for it"
                ));
            }
            unknown_symbol(&self.hub, name)
        })
    }

    /// Whether a name is that of a layer of measured positions, made here or by another server.
    pub(super) fn is_layer(&self, name: &str) -> bool {
        name.ends_with(MeasuredSymbol::SUFFIX) && self.hub.slot(name).is_some()
    }

    /// The layer of measured positions with exactly this name; `None` where the name is another symbol's.
    ///
    /// # Errors
    /// Refused where the layer is made by another server, which has its past.
    pub(super) fn layer(&self, name: &str) -> Result<Option<NamedLayer<'_>>, Refusal> {
        if !name.ends_with(MeasuredSymbol::SUFFIX) {
            return Ok(None);
        }
        let own = self
            .measured
            .as_deref()
            .and_then(|measured| Some(NamedLayer { measured, symbol: measured.symbol(name)? }));
        match own {
            None if self.hub.slot(name).is_some() => Err(Refusal::bad(format!(
                "this server does not look at accounts, and so has no past of {name}; ask one with --hyperliquid-measured"
            ))),
            own => Ok(own),
        }
    }
}

/// The present of the symbols.
#[derive(Clone)]
pub(crate) struct PresentState {
    pub(crate) symbols: SymbolDirectory,
    pub(crate) published: Arc<Published>,
    /// Moves ledgers where the updater does not run.
    pub(crate) on_demand: Option<Arc<OnDemand>>,
}

impl PresentState {
    /// Brings a symbol up to date where the updater does not run.
    pub(super) async fn refresh(&self, symbol: &ServedSymbol) -> Result<(), Refusal> {
        match &self.on_demand {
            Some(on_demand) => Ok(on_demand.refresh(symbol).await?),
            None => Ok(()),
        }
    }

    /// The newest sum of a symbol's ledgers on this server ([`Published::local_sum`]), or why there is none yet.
    pub(super) async fn local_sum(&self, symbol: &ServedSymbol) -> Result<Arc<LedgerSum>, Refusal> {
        self.refresh(symbol).await?;
        self.published.local_sum(&symbol.name).ok_or_else(|| no_state(symbol))
    }
}

/// Stored rows, read in turns.
#[derive(Clone)]
pub(crate) struct StoredRows {
    pub(crate) symbols: SymbolDirectory,
    pub(crate) reads: Arc<Reads>,
    pub(crate) clock: Arc<MarketClock>,
}

/// Candles and series of several venues: stored rows, with the venue first whose price is shown.
#[derive(Clone)]
pub(crate) struct CandleState {
    pub(super) rows: StoredRows,
    pub(super) published: Arc<Published>,
}

/// States by leverage, of now and of the past: what runs the model over stored rows.
#[derive(Clone)]
pub(crate) struct ModelState {
    pub(crate) present: PresentState,
    pub(crate) rows: StoredRows,
    pub(crate) history: Arc<History>,
    /// What the expected view is computed with.
    pub(crate) expected: ExpectedModel,
}

/// Proxies whose `X-Forwarded-For` names the client.
#[derive(Clone)]
pub(crate) struct TrustedProxies(pub(crate) Arc<[IpNet]>);

/// Why a symbol has no state yet.
pub(super) fn no_state(symbol: &ServedSymbol) -> Refusal {
    let name = &symbol.name;
    Refusal::unavailable(match symbol.first_bar() {
        Some(first) => format!(
            "no state of {name} yet: its klines begin at {}, and the model needs open interest (metrics files) with them",
            format_time(first)
        ),
        None => format!("no state of {name} yet: nothing of it has been received so far; see /ready"),
    })
}
