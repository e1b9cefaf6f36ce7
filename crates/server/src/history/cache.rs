//! Finished grids of the current bar, so that many viewers of one chart cost one computation.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use liqheat_market::{UnixMs, Venue};

use super::grid::GridRequest;

/// What a finished grid stands for; another basis is another grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GridBasis {
    /// The bars in it, by ledger: see [`crate::published::LedgerSum::past`].
    pub(crate) past: Vec<(UnixMs, u64)>,
    /// Epoch of the live state that its last column belongs to.
    pub(crate) epoch: String,
}

/// Finished answers, by symbol. Symbols are those served, so their number is bounded.
#[derive(Debug, Default)]
pub(crate) struct GridCache {
    /// Locked for the length of a look-up among a few entries.
    by_symbol: Mutex<BTreeMap<String, SymbolGrids>>,
}

impl GridCache {
    pub(crate) fn get(&self, symbol: &str, request: GridRequest, basis: &GridBasis) -> Option<Bytes> {
        let grids = self.by_symbol.lock().unwrap_or_else(PoisonError::into_inner);
        grids.get(symbol)?.get(request, basis)
    }

    pub(crate) fn put(&self, symbol: &str, request: GridRequest, basis: GridBasis, body: Bytes) {
        let mut grids = self.by_symbol.lock().unwrap_or_else(PoisonError::into_inner);
        grids.entry(symbol.to_owned()).or_default().put(request, basis, body);
    }
}

/// The grids of one symbol, oldest first.
#[derive(Debug, Default)]
struct SymbolGrids(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    request: GridRequest,
    basis: GridBasis,
    body: Bytes,
}

impl SymbolGrids {
    /// A chart has eight ranges, each with and without leverage; more than that are odd requests, which may wait.
    const ENTRIES_MAX: usize = 16;
    /// Clients that accept no compression get bodies of megabytes; few of them are worth keeping.
    const BYTES_MAX: usize = 32 << 20;

    fn get(&self, request: GridRequest, basis: &GridBasis) -> Option<Bytes> {
        let same = |entry: &&Entry| entry.request == request && entry.basis == *basis;
        self.0.iter().find(same).map(|entry| entry.body.clone())
    }

    fn put(&mut self, request: GridRequest, basis: GridBasis, body: Bytes) {
        let entries = &mut self.0;
        entries.retain(|entry| entry.request != request && entry.basis == basis);
        let bytes = |entries: &[Entry]| entries.iter().map(|entry| entry.body.len()).sum::<usize>();
        while !entries.is_empty()
            && (entries.len() >= Self::ENTRIES_MAX || bytes(entries) + body.len() > Self::BYTES_MAX)
        {
            entries.remove(0);
        }
        entries.push(Entry { request, basis, body });
    }
}

/// What a grid of closed time stands for: the ledgers in it with the version of their past up to its end. Nothing but
/// a late row, other margin tiers or another venue in the sum changes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TileVersion(pub(crate) Vec<(Venue, u64)>);

/// Finished grids of closed time, of all symbols; the least recently used make room.
#[derive(Debug, Default)]
pub(crate) struct TileCache {
    /// Locked for a look-up.
    tiles: Mutex<Tiles>,
}

#[derive(Debug, Default)]
struct Tiles {
    by_key: HashMap<(String, GridRequest), Tile>,
    bytes: usize,
    /// Rises with each use.
    uses: u64,
}

#[derive(Debug)]
struct Tile {
    version: TileVersion,
    body: Bytes,
    used: u64,
}

impl TileCache {
    /// Two screens of a few hundred viewers who look at different pasts.
    const BYTES_MAX: usize = 48 << 20;

    pub(crate) fn get(&self, symbol: &str, request: GridRequest, version: &TileVersion) -> Option<Bytes> {
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        tiles.uses += 1;
        let used = tiles.uses;
        let tile =
            tiles.by_key.get_mut(&(symbol.to_owned(), request)).filter(|tile| tile.version == *version)?;
        tile.used = used;
        Some(tile.body.clone())
    }

    pub(crate) fn put(&self, symbol: &str, request: GridRequest, version: TileVersion, body: Bytes) {
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        let tiles = &mut *tiles;
        tiles.uses += 1;
        tiles.bytes += body.len();
        let tile = Tile { version, body, used: tiles.uses };
        if let Some(old) = tiles.by_key.insert((symbol.to_owned(), request), tile) {
            tiles.bytes -= old.body.len();
        }
        while tiles.bytes > Self::BYTES_MAX {
            let oldest = tiles.by_key.iter().min_by_key(|(_, tile)| tile.used).map(|(key, _)| key.clone());
            let Some(old) = oldest.and_then(|key| tiles.by_key.remove(&key)) else { break };
            tiles.bytes -= old.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{ChartRange, GridSpan};

    fn request(columns: usize) -> GridRequest {
        GridRequest {
            span: GridSpan::Latest(ChartRange::from_name("24h").unwrap()),
            prices: None,
            bin: None,
            columns: Some(columns),
            compact: None,
            by_leverage: false,
            is_gzipped: false,
        }
    }

    fn basis(cursor: i64, epoch: &str) -> GridBasis {
        GridBasis { past: vec![(UnixMs(cursor), 0)], epoch: epoch.to_owned() }
    }

    #[test]
    fn the_cache_is_bounded_in_number_and_bytes() {
        let now = basis(1, "e");
        let cache = GridCache::default();
        let kept = |columns: usize| cache.get("BTCUSDT", request(columns), &now).is_some();
        for columns in 0..20 {
            cache.put("BTCUSDT", request(columns), now.clone(), Bytes::from_static(b"small"));
        }
        assert_eq!((0..20).filter(|columns| kept(*columns)).count(), SymbolGrids::ENTRIES_MAX);
        assert!(!kept(3) && kept(4) && kept(19));
        let half = Bytes::from(vec![0; SymbolGrids::BYTES_MAX / 2]);
        for columns in 20..23 {
            cache.put("BTCUSDT", request(columns), now.clone(), half.clone());
        }
        assert!(!kept(19) && !kept(20) && kept(21) && kept(22), "two halves fit, a third one does not");
        assert!(cache.get("BTCUSDT", request(22), &basis(2, "e")).is_none(), "a bar closed");
        assert!(
            cache.get("BTCUSDT", request(22), &basis(1, "f")).is_none(),
            "the live state has another epoch"
        );
        assert!(cache.get("ETHUSDT", request(22), &now).is_none());
    }

    #[test]
    fn tiles_are_kept_by_version_and_the_least_used_make_room() {
        let cache = TileCache::default();
        let version = |rolled| TileVersion(vec![(Venue::Binance, rolled)]);
        let has = |columns: usize| cache.get("BTCUSDT", request(columns), &version(0)).is_some();
        let third = Bytes::from(vec![0; TileCache::BYTES_MAX / 3]);
        for columns in 0..3 {
            cache.put("BTCUSDT", request(columns), version(0), third.clone());
        }
        assert!(has(1) && has(2) && has(0), "three fit; 1 is the least recently used from here on");
        assert!(cache.get("BTCUSDT", request(2), &version(1)).is_none(), "a late row");
        assert!(cache.get("ETHUSDT", request(2), &version(0)).is_none());
        cache.put("BTCUSDT", request(3), version(0), third.clone());
        assert!(!has(1) && has(2) && has(0) && has(3));
        cache.put("BTCUSDT", request(0), version(1), Bytes::new());
        assert!(!has(0), "replaced");
        let tiles = cache.tiles.lock().unwrap();
        assert_eq!(tiles.bytes, tiles.by_key.values().map(|tile| tile.body.len()).sum::<usize>());
    }
}
