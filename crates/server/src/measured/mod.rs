//! The measured layer: liquidation prices of real accounts, where a venue publishes them, beside the estimate and never
//! added to it.
//!
//! [`AccountTracker`](liqheat_measured::AccountTracker) and [`LayerSchedule`](liqheat_measured::LayerSchedule) decide; the
//! [task] executes: it asks the venue, stores the addresses, and publishes a board for each symbol under a name of its own. [`MeasuredLayer`] is what routes read. Every five minutes the
//! layer of each symbol is stored, so that there is a past to show.

mod address_rows;
mod layer_board;
mod metrics;
mod stored_layer;
mod task;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use liqheat_feeds::venues::{self, Contract};
use liqheat_market::{Price, Symbol, UnixMs, Venue};
use liqheat_measured::{Address, Layer};

pub(crate) use metrics::MeasuredMetrics;
pub(crate) use stored_layer::whole_seconds;
pub(crate) use task::{MeasuredParts, run};

/// The venue whose accounts everybody may look at.
pub(crate) const VENUE: Venue = Venue::Hyperliquid;

/// Settings of measured positions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeasuredSettings {
    /// Addresses that are looked at whatever they hold.
    pub addresses: Vec<Address>,
    /// Whether answers name the addresses of positions.
    pub show_addresses: bool,
}

/// A symbol with a measured layer.
#[derive(Debug, Clone)]
pub(crate) struct MeasuredSymbol {
    /// The name of the layer, `BTCUSDT@hyperliquid:measured`.
    pub(crate) name: String,
    /// The name of the estimate at the same venue, `BTCUSDT@hyperliquid`.
    pub(crate) estimate: String,
    pub(crate) symbol: Symbol,
    /// Its contract at the venue.
    contract: Contract,
}

/// A layer in the units of its symbol.
#[derive(Debug, Clone)]
pub(crate) struct ShownLayer {
    /// Time of the marks it was computed with.
    pub(crate) as_of: UnixMs,
    /// Height of a level.
    pub(crate) bin: Price,
    /// USD of one coin of the venue over USD of one coin of the symbol.
    pub(crate) pack: f64,
    pub(crate) layer: Layer,
    /// Addresses that are known at the venue.
    pub(crate) addresses: usize,
    /// Accounts whose look is due and has not been possible yet.
    pub(crate) late: usize,
}

/// The newest layer of each symbol.
#[derive(Debug)]
pub(crate) struct MeasuredLayer {
    pub(crate) settings: MeasuredSettings,
    pub(crate) symbols: Vec<MeasuredSymbol>,
    pub(crate) metrics: MeasuredMetrics,
    /// By the name of the layer. Locked for a pointer copy.
    shown: Mutex<BTreeMap<String, Arc<ShownLayer>>>,
    /// Symbols of which more is measured than is open, with the sentence for `/ready`.
    issues: Mutex<BTreeMap<String, String>>,
}

impl MeasuredSymbol {
    /// Suffix of the name of a layer.
    pub(crate) const SUFFIX: &'static str = ":measured";

    fn new(symbol: &Symbol, contract: Contract) -> Self {
        let estimate = format!("{symbol}@{VENUE}");
        Self { name: format!("{estimate}{}", Self::SUFFIX), estimate, symbol: symbol.clone(), contract }
    }

    #[cfg(test)]
    pub(crate) fn of_test(symbol: &str) -> Self {
        let symbol = Symbol::new(symbol).unwrap();
        Self::new(&symbol, venues::contract_named(&symbol, "BTC"))
    }
}

impl MeasuredLayer {
    /// For the symbols that are followed at the venue. `names` are contracts whose name does not follow from the symbol.
    pub(crate) fn new<'a>(
        settings: MeasuredSettings,
        symbols: impl IntoIterator<Item = &'a Symbol>,
        names: &BTreeMap<Symbol, String>,
    ) -> Self {
        let contract = |symbol: &Symbol| match names.get(symbol) {
            Some(name) => Some(venues::contract_named(symbol, name)),
            None => venues::contract(venues::exchange(VENUE)?, symbol),
        };
        let symbols = symbols.into_iter();
        let symbols = symbols.filter_map(|symbol| Some(MeasuredSymbol::new(symbol, contract(symbol)?)));
        Self {
            settings,
            symbols: symbols.collect(),
            metrics: MeasuredMetrics::default(),
            shown: Mutex::default(),
            issues: Mutex::default(),
        }
    }

    /// The symbol of a name: that of the layer, of the estimate, or without the venue.
    pub(crate) fn symbol(&self, name: &str) -> Option<&MeasuredSymbol> {
        self.symbols.iter().find(|one| [&one.name, &one.estimate, one.symbol.as_str()].contains(&name))
    }

    /// The newest layer of a symbol; `None` before the first.
    pub(crate) fn shown(&self, symbol: &MeasuredSymbol) -> Option<Arc<ShownLayer>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).get(&symbol.name).cloned()
    }

    /// One sentence for each issue, for `/ready`.
    pub(crate) fn issues(&self) -> Vec<String> {
        self.issues.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn show(&self, symbol: &MeasuredSymbol, shown: Arc<ShownLayer>) {
        let is_wrong = shown.layer.exceeds_open_interest();
        let mut issues = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_wrong {
            issues.remove(&symbol.name);
        } else if !issues.contains_key(&symbol.name) {
            let coverage = |side: &liqheat_measured::MeasuredSide| side.coverage.unwrap_or_default();
            let (long, short) = (coverage(&shown.layer.long), coverage(&shown.layer.short));
            let issue = format!(
                "measured positions of {} are more than half of the venue's open interest (coverage of longs {long:.2}, of shorts {short:.2}): the venue may no longer count both sides, and its open interest be half of the true one here",
                symbol.estimate
            );
            tracing::error!(
                symbol = symbol.name,
                coverage_long = long,
                coverage_short = short,
                "measured positions exceed half of the open interest; does the venue still count both sides?"
            );
            issues.insert(symbol.name.clone(), issue);
        }
        drop(issues);
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(symbol.name.clone(), shown);
    }
}
