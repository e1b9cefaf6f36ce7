//! What this server serves: ledgers by venue, and the names that show them. Built once, at the start.

mod ledger;
mod rollbacks;
mod select;
mod symbol;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use ledger::{EngineCommand, LedgerSpec, LedgerView, VenueLedger};
pub(crate) use select::{InstrumentCandidate, UnknownName, markets, stored};
pub(crate) use symbol::{Market, MarketIndex, ServedSymbol, leverage_of};

/// Everything that is served.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    symbols: BTreeMap<String, Arc<ServedSymbol>>,
    markets: Vec<Arc<Market>>,
}

impl Catalog {
    pub(crate) fn new(markets: Vec<Arc<Market>>) -> Self {
        let symbols = markets.iter().flat_map(|market| &market.symbols);
        let symbols = symbols.map(|symbol| (symbol.name.clone(), Arc::clone(symbol))).collect();
        Self { symbols, markets }
    }

    /// A symbol by any of its names.
    pub(crate) fn symbol(&self, name: &str) -> Option<&Arc<ServedSymbol>> {
        self.symbols.get(name)
    }

    /// Every name, second names included.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = &Arc<ServedSymbol>> {
        self.symbols.values()
    }

    /// The names that lists of symbols show.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Arc<ServedSymbol>> {
        self.symbols.values().filter(|symbol| symbol.listed)
    }

    pub(crate) fn markets(&self) -> &[Arc<Market>] {
        &self.markets
    }

    /// Every ledger once.
    pub(crate) fn ledgers(&self) -> impl Iterator<Item = &Arc<VenueLedger>> {
        self.markets.iter().flat_map(|market| &market.ledgers)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// Whether any of it is simulated.
    pub(crate) fn is_simulated(&self) -> bool {
        self.symbols().any(|symbol| symbol.is_simulated())
    }
}
