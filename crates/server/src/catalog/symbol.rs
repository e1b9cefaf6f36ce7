//! The names under which clients see ledgers.
//!
//! A market is one symbol at every venue that has it. `BTCUSDT` is the sum of its ledgers, `BTCUSDT@binance` one of
//! them. Where only one venue has the symbol both names mean the same, and the longer one is served without being
//! listed.

use std::sync::Arc;

use liqheat_market::{Interval, Price, UnixMs, Venue};
use liqheat_wire::Decimal;

use super::ledger::VenueLedger;

/// Index of a market in [`super::Catalog::markets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MarketIndex(pub(crate) usize);

/// A symbol that is served, under one name.
#[derive(Debug)]
pub(crate) struct ServedSymbol {
    /// The name clients use: the symbol, with `@venue` where one venue is meant.
    pub(crate) name: String,
    /// Whether lists of symbols show it; the others are second names.
    pub(crate) listed: bool,
    /// Its ledgers; never empty.
    pub(crate) ledgers: Vec<Arc<VenueLedger>>,
    /// The market it belongs to.
    pub(crate) market: MarketIndex,
}

impl ServedSymbol {
    /// The leverage classes of all its ledgers, lowest first.
    pub(crate) fn leverages(&self) -> Vec<f64> {
        let of = |ledger: &Arc<VenueLedger>| ledger.spec.leverages();
        let mut leverages: Vec<f64> = self.ledgers.iter().flat_map(of).collect();
        leverages.sort_by(f64::total_cmp);
        leverages.dedup();
        leverages
    }

    /// Fingerprints of the model's parameters, in the order of the venues.
    pub(crate) fn parameters(&self) -> Vec<String> {
        let of = |ledger: &Arc<VenueLedger>| format!("{:016x}", ledger.spec.params.fingerprint());
        self.ledgers.iter().map(of).collect()
    }

    /// Opening time of the first bar of any venue.
    pub(crate) fn first_bar(&self) -> Option<UnixMs> {
        self.ledgers.iter().filter_map(|ledger| ledger.first_bar()).min()
    }

    /// The longest bars of any venue.
    pub(crate) fn interval(&self) -> Interval {
        self.ledgers.iter().map(|ledger| ledger.spec.interval).max().unwrap_or(Interval::M1)
    }

    /// The shortest time that is made of whole bars at every venue, milliseconds.
    pub(crate) fn whole_bars_ms(&self) -> i64 {
        let longest = self.interval().ms();
        (1..).map(|times| longest * times).find(|ms| self.bars_fit(*ms)).unwrap_or(longest)
    }

    /// Whether a time is made of whole bars at every venue.
    pub(crate) fn bars_fit(&self, ms: i64) -> bool {
        self.ledgers.iter().all(|ledger| ms % ledger.spec.interval.ms() == 0)
    }

    /// Venues, in their order.
    pub(crate) fn venues(&self) -> Vec<Venue> {
        self.ledgers.iter().map(|ledger| ledger.instrument().venue).collect()
    }

    /// The venue, or `all` where it is the sum of several.
    pub(crate) fn venue(&self) -> &'static str {
        match self.ledgers.as_slice() {
            [ledger] => ledger.instrument().venue.name(),
            _ => "all",
        }
    }

    /// Whether its market is simulated.
    pub(crate) fn is_simulated(&self) -> bool {
        self.ledgers.iter().any(|ledger| ledger.instrument().venue == Venue::Sim)
    }
}

/// One symbol at all its venues.
#[derive(Debug)]
pub(crate) struct Market {
    /// The ledgers.
    pub(crate) ledgers: Vec<Arc<VenueLedger>>,
    /// The names that show them: the sum, where it is served, before its venues.
    pub(crate) symbols: Vec<Arc<ServedSymbol>>,
}

impl Market {
    /// Its name in logs.
    pub(crate) fn name(&self) -> &str {
        self.symbols.first().map_or("", |symbol| &symbol.name)
    }

    /// The names in the order in which they are published: venues, then their sum, so that whoever sees a state of the
    /// sum finds one of each venue in it.
    pub(crate) fn parts_before_sum(&self) -> impl Iterator<Item = &Arc<ServedSymbol>> {
        self.symbols.iter().rev()
    }
}

/// A leverage as a number in JSON: 25, not 25.0.
pub(crate) fn leverage_of(leverage: f64) -> Decimal {
    Price::from_f64(leverage).unwrap_or_default().into()
}
