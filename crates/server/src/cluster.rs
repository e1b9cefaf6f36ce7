//! This server in a cluster: the symbol list, and what servers must have in common.
//!
//! The symbol list goes from the producer to edges through Redis, because an edge has no database to read it from.
//! Everything else that an edge serves is on the boards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use liqheat_cluster::{Backplane, DataKind, Driver, Group, Role, SymbolList};
use liqheat_market::Venue;
use liqheat_stream::{Hub, Sessions};
use liqheat_wire::{SymbolRow, SymbolsBody};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::catalog::{Catalog, ServedSymbol, leverage_of};
use crate::measured::{self, MeasuredLayer, MeasuredSymbol};
use crate::published::seen_share;
use crate::settings::ServerSettings;

/// The backplane and its task, and the symbol list of an edge.
pub(crate) struct Cluster {
    pub(crate) backplane: Backplane,
    /// The producer's list; `None` on a server that has symbols of its own.
    pub(crate) learned: Option<Arc<Listing>>,
    /// To be run; `None` where this server is alone.
    pub(crate) driver: Option<Driver>,
}

impl Cluster {
    /// A server that is alone.
    pub(crate) const fn alone() -> Self {
        Self { backplane: Backplane::memory(), learned: None, driver: None }
    }

    /// As the settings say. `kind` is the source of this server's data; `None` on an edge.
    pub(crate) fn join(
        settings: &ServerSettings,
        sessions: &Arc<Sessions>,
        (catalog, measured): (&Catalog, Option<&MeasuredLayer>),
        speed: f64,
        kind: Option<DataKind>,
    ) -> Self {
        let Some(redis) = settings.redis.clone() else { return Self::alone() };
        if !settings.ws_enabled && redis.role == Role::All {
            warn!(
                "WS_ENABLED=false: this server computes no states, so it takes no part in REDIS_ENABLED; polling is answered from its own data"
            );
            return Self::alone();
        }
        let symbols = catalog.symbols().cloned().collect();
        let layers = measured.map(|measured| measured.symbols.clone()).unwrap_or_default();
        let listing = Arc::new(Listing { symbols, layers, speed, learned: Mutex::default() });
        let learned = (redis.role == Role::Edge).then(|| Arc::clone(&listing));
        let group = kind.filter(|_| redis.role == Role::All).map(|kind| group_of(kind, catalog));
        let (driver, backplane) = Driver::new(redis, Arc::clone(sessions), listing, group);
        Self { backplane, learned, driver: Some(driver) }
    }
}

/// What servers must have in common to share their states: kind of data, venues and model.
fn group_of(kind: DataKind, catalog: &Catalog) -> Group {
    let venues = catalog.ledgers().map(|ledger| ledger.instrument().venue.name());
    let models: BTreeSet<u64> = catalog.ledgers().map(|ledger| ledger.spec.params.fingerprint()).collect();
    let model = models.into_iter().fold(0, |all: u64, one| all.rotate_left(1) ^ one);
    Group::new(kind, venues, model)
}

/// The list as it stands in Redis. Fields that this version does not know are skipped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct StoredList {
    speed: f64,
    symbols: Vec<ListedSymbol>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct ListedSymbol {
    symbol: String,
    /// `false` for second names.
    listed: bool,
    venue: String,
    venues: Vec<String>,
    interval: String,
    first: Option<i64>,
    simulated: bool,
    seen_share: f64,
    leverages: Vec<f64>,
    /// Fingerprints of the model's parameters, in the order of the venues.
    parameters: Vec<String>,
    /// Whether it is a layer of measured positions.
    measured: bool,
}

/// The symbol list: this server's own, or the producer's.
pub(crate) struct Listing {
    symbols: Vec<Arc<ServedSymbol>>,
    /// Layers of measured positions: boards that an edge serves like those of symbols.
    layers: Vec<MeasuredSymbol>,
    speed: f64,
    /// Locked for the length of a copy.
    learned: Mutex<StoredList>,
}

impl Listing {
    /// The body of `GET /v1/symbols` on an edge: the producer's list, with the state of each board.
    pub(crate) fn body(&self, hub: &Hub, websocket: bool) -> SymbolsBody {
        let listed = self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut known: BTreeMap<String, ListedSymbol> =
            listed.symbols.into_iter().map(|row| (row.symbol.clone(), row)).collect();
        let rows = hub.slots().filter_map(|slot| {
            let row = known.remove(slot.symbol());
            if row.as_ref().is_some_and(|row| !row.listed) {
                return None;
            }
            let row = row.unwrap_or_default();
            let feed = slot.feed();
            let venues = row.venues.iter().filter_map(|name| Venue::from_name(name).ok());
            Some(SymbolRow {
                symbol: slot.symbol().to_owned(),
                venue: row.venue,
                venues: venues.map(Venue::name).collect(),
                interval: row.interval,
                first: row.first,
                last: feed.as_of.map(|as_of| as_of.0).or(row.first),
                base_bin: slot.with_board(|board| board.base_bin().into()),
                state: feed.state,
                simulated: row.simulated,
                seen_share: row.seen_share,
                leverages: row.leverages.into_iter().map(leverage_of).collect(),
                parameters: row.parameters,
                measured: row.measured,
            })
        });
        let symbols: Vec<SymbolRow> = rows.collect();
        let simulated = symbols.iter().any(|row| row.simulated);
        SymbolsBody { symbols, simulated, speed: listed.speed, websocket }
    }
}

impl SymbolList for Listing {
    fn own(&self) -> Vec<u8> {
        let row = |symbol: &Arc<ServedSymbol>| ListedSymbol {
            symbol: symbol.name.clone(),
            listed: symbol.listed,
            venue: symbol.venue().to_owned(),
            venues: symbol.venues().iter().map(ToString::to_string).collect(),
            interval: symbol.interval().to_string(),
            first: symbol.first_bar().map(|first| first.0),
            simulated: symbol.is_simulated(),
            seen_share: rounded_seen_share(symbol),
            leverages: symbol.leverages(),
            parameters: symbol.parameters(),
            measured: false,
        };
        let interval = |layer: &MeasuredSymbol| {
            let estimate = self.symbols.iter().find(|symbol| symbol.name == layer.estimate);
            estimate.map_or_else(String::new, |symbol| symbol.interval().to_string())
        };
        let layer = |layer: &MeasuredSymbol| ListedSymbol {
            symbol: layer.name.clone(),
            listed: true,
            venue: measured::VENUE.to_string(),
            venues: vec![measured::VENUE.to_string()],
            interval: interval(layer),
            measured: true,
            ..ListedSymbol::default()
        };
        let rows = self.symbols.iter().map(row).chain(self.layers.iter().map(layer));
        let listed = StoredList { speed: self.speed, symbols: rows.collect() };
        // Serialising plain numbers and strings into memory cannot fail.
        serde_json::to_vec(&listed).unwrap_or_default()
    }

    fn adopt(&self, bytes: &[u8]) -> Result<Vec<String>, String> {
        let listed: StoredList = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let names = listed.symbols.iter().map(|row| row.symbol.clone()).collect();
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = listed;
        Ok(names)
    }
}

/// The share of a symbol that the model has seen open, to a thousandth so that the list changes seldom.
fn rounded_seen_share(symbol: &ServedSymbol) -> f64 {
    let views: Vec<_> = symbol.ledgers.iter().filter_map(|ledger| ledger.view()).collect();
    (seen_share(views.iter()) * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use liqheat_market::{Instrument, Interval, Symbol, UnixMs};
    use liqheat_model::Params;
    use liqheat_stream::HubSettings;

    use liqheat_wire::FeedState;

    use super::*;
    use crate::catalog::{LedgerSpec, MarketIndex, VenueLedger};

    fn listing(symbols: Vec<Arc<ServedSymbol>>) -> Listing {
        let layers = vec![MeasuredSymbol::of_test("BTCUSDT")];
        Listing { symbols, layers, speed: 120.0, learned: Mutex::default() }
    }

    #[test]
    fn an_edge_says_of_symbols_what_the_producer_says() {
        let instrument = Instrument { venue: Venue::Sim, symbol: Symbol::new("BTCUSDT").unwrap() };
        let tiers = liqheat_feeds::tiers::TierBook::embedded().table(&instrument);
        let interval = Interval::from_name("5m").unwrap();
        let spec = LedgerSpec::new(instrument, interval, Params::default(), 0);
        let ledger = Arc::new(VenueLedger::new(spec, Some(UnixMs(7)), tiers));
        let named = |name: &str, listed| {
            let (name, ledgers) = (name.to_owned(), vec![Arc::clone(&ledger)]);
            Arc::new(ServedSymbol { name, listed, ledgers, market: MarketIndex(0) })
        };
        let producer = listing(vec![named("BTCUSDT", true), named("BTCUSDT@sim", false)]);
        let edge = listing(Vec::new());
        let names = ["BTCUSDT", "BTCUSDT@sim", "BTCUSDT@hyperliquid:measured"].map(str::to_owned);
        assert_eq!(edge.adopt(&producer.own()), Ok(names.to_vec()));
        let settings = HubSettings { update_interval: Duration::from_secs(1) };
        let body = edge.body(&Hub::new(names, settings), true);
        assert_eq!((body.speed, body.simulated, body.symbols.len()), (120.0, true, 2));
        let [row, layer] = ["BTCUSDT", "BTCUSDT@hyperliquid:measured"]
            .map(|name| body.symbols.iter().find(|row| row.symbol == name).unwrap());
        assert_eq!((layer.measured, layer.venue.as_str(), layer.leverages.len()), (true, "hyperliquid", 0));
        assert!(!row.measured);
        assert_eq!(row.parameters, [format!("{:016x}", Params::default().fingerprint())]);
        assert_eq!((row.venue.as_str(), row.interval.as_str(), row.first), ("sim", "5m", Some(7)));
        assert_eq!((row.venues.as_slice(), row.leverages.len()), (&["sim"][..], 6));
        assert_eq!((row.state, row.base_bin), (FeedState::WarmingUp, None));
        assert!(edge.adopt(b"nonsense").is_err());
        assert_eq!(edge.adopt(br#"{"speed":1,"symbols":[],"later":[]}"#), Ok(Vec::new()));
    }
}
