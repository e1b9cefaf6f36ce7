//! This server as one of several: what it needs besides the backplane itself.
//!
//! The list of symbols goes from the producer to edges through Redis, because an edge has no database to read
//! it from. Everything else that an edge serves is on the boards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use liqheat_market::{UnixMs, Venue};
use liqheat_stream::{Backplane, Catalogue, Driver, Hub, Role, Sessions};
use liqheat_wire::{FeedState, SymbolRow, SymbolsBody};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::settings::ServerSettings;
use crate::symbol::ServedSymbol;

/// The backplane, and what an edge learns besides states.
pub(crate) struct Cluster {
    pub(crate) backplane: Backplane,
    /// What the producer serves; `None` on a server that has symbols of its own.
    pub(crate) learned: Option<Arc<Listing>>,
    /// To be run; `None` where this server is alone.
    pub(crate) driver: Option<Driver>,
}

impl Cluster {
    /// A server that is alone.
    pub(crate) const fn alone() -> Self {
        Self { backplane: Backplane::memory(), learned: None, driver: None }
    }

    /// As the settings say.
    pub(crate) fn join(
        settings: &ServerSettings,
        sessions: &Arc<Sessions>,
        symbols: &BTreeMap<String, Arc<ServedSymbol>>,
        speed: f64,
    ) -> Self {
        let Some(redis) = settings.redis.clone() else { return Self::alone() };
        if !settings.ws_enabled && redis.role == Role::All {
            warn!(
                "WS_ENABLED=false: this server makes no states, so it takes no part in REDIS_ENABLED; polling is answered from its own data"
            );
            return Self::alone();
        }
        let listing = Arc::new(Listing { symbols: symbols.clone(), speed, learned: Mutex::default() });
        let learned = (redis.role == Role::Edge).then(|| Arc::clone(&listing));
        let (driver, backplane) = Driver::new(redis, Arc::clone(sessions), listing);
        Self { backplane, learned, driver: Some(driver) }
    }
}

/// What is served, as it stands in Redis. Unknown fields are left to newer versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Listed {
    speed: f64,
    symbols: Vec<ListedSymbol>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ListedSymbol {
    symbol: String,
    venue: String,
    interval: String,
    first: i64,
    simulated: bool,
    seen_share: f64,
}

/// The list of symbols: ours for others, or theirs for us.
pub(crate) struct Listing {
    symbols: BTreeMap<String, Arc<ServedSymbol>>,
    speed: f64,
    /// Locked for the length of a copy.
    learned: Mutex<Listed>,
}

impl Listing {
    /// The body of `GET /v1/symbols` on an edge: what the producer says of a symbol, and how its board stands.
    pub(crate) fn body(&self, hub: &Hub) -> SymbolsBody {
        let listed = self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut known: BTreeMap<String, ListedSymbol> =
            listed.symbols.into_iter().map(|row| (row.symbol.clone(), row)).collect();
        let rows = hub.slots().map(|slot| {
            let row = known.remove(slot.symbol());
            let standing = slot.standing();
            let base_bin = slot.with_board(|board| board.base_bin().into());
            let first = row.as_ref().map_or(0, |row| row.first);
            SymbolRow {
                symbol: slot.symbol().to_owned(),
                venue: row.as_ref().map(|row| row.venue.clone()).unwrap_or_default(),
                interval: row.as_ref().map(|row| row.interval.clone()).unwrap_or_default(),
                first,
                last: standing.as_of.unwrap_or(UnixMs(first)).0,
                base_bin,
                state: standing.state,
                simulated: row.as_ref().is_some_and(|row| row.simulated),
                seen_share: row.map_or(0.0, |row| row.seen_share),
            }
        });
        let symbols: Vec<SymbolRow> = rows.collect();
        let simulated = symbols.iter().any(|row| row.simulated);
        SymbolsBody { symbols, simulated, speed: listed.speed }
    }
}

impl Catalogue for Listing {
    fn ours(&self) -> Vec<u8> {
        let row = |symbol: &Arc<ServedSymbol>| ListedSymbol {
            symbol: symbol.name.clone(),
            venue: symbol.instrument.venue.to_string(),
            interval: symbol.interval.to_string(),
            first: symbol.first_bar.0,
            simulated: symbol.instrument.venue == Venue::Sim,
            // To a thousandth, so that the list changes seldom.
            seen_share: symbol.view().map_or(0.0, |view| (view.seen_share * 1_000.0).round() / 1_000.0),
        };
        let listed = Listed { speed: self.speed, symbols: self.symbols.values().map(row).collect() };
        // Serialising plain numbers and strings into memory cannot fail.
        serde_json::to_vec(&listed).unwrap_or_default()
    }

    fn learn(&self, bytes: &[u8]) -> Result<Vec<String>, String> {
        let listed: Listed = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let names = listed.symbols.iter().map(|row| row.symbol.clone()).collect();
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = listed;
        Ok(names)
    }
}

/// How a symbol stands on this server.
pub(crate) fn state_of(hub: &Hub, symbol: &str) -> FeedState {
    hub.slot(symbol).map_or(FeedState::WarmingUp, |slot| slot.standing().state)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use liqheat_market::{Instrument, Interval, Symbol};
    use liqheat_model::Params;
    use liqheat_stream::HubSettings;

    use super::*;

    fn listing(symbols: BTreeMap<String, Arc<ServedSymbol>>) -> Listing {
        Listing { symbols, speed: 120.0, learned: Mutex::default() }
    }

    #[test]
    fn an_edge_says_of_symbols_what_the_producer_says() {
        let instrument = Instrument { venue: Venue::Sim, symbol: Symbol::new("BTCUSDT").unwrap() };
        let tiers = liqheat_feeds::tiers::TierBook::embedded().table(&instrument);
        let served = ServedSymbol::new(
            "BTCUSDT".into(),
            instrument,
            Interval::from_name("5m").unwrap(),
            UnixMs(7),
            tiers,
            Params::default(),
        );
        let producer = listing(BTreeMap::from([("BTCUSDT".to_owned(), Arc::new(served))]));
        let edge = listing(BTreeMap::new());
        assert_eq!(edge.learn(&producer.ours()), Ok(vec!["BTCUSDT".to_owned()]));
        let settings = HubSettings { update_interval: Duration::from_secs(1) };
        let body = edge.body(&Hub::new(["BTCUSDT".to_owned()], settings));
        assert_eq!((body.speed, body.simulated, body.symbols.len()), (120.0, true, 1));
        let row = &body.symbols[0];
        assert_eq!((row.venue.as_str(), row.interval.as_str(), row.first), ("sim", "5m", 7));
        assert_eq!((row.state, row.base_bin), (FeedState::WarmingUp, None));
        assert!(edge.learn(b"nonsense").is_err());
        assert_eq!(edge.learn(br#"{"speed":1,"symbols":[],"later":[]}"#), Ok(Vec::new()));
    }
}
