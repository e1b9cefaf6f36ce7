//! Finished grids of the current bar, so that many viewers of one chart cost one computation.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use liqheat_market::UnixMs;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::ChartRange;

    fn request(columns: usize) -> GridRequest {
        let range = ChartRange::from_name("24h").unwrap();
        GridRequest {
            range,
            bin: None,
            columns: Some(columns),
            compact: true,
            by_leverage: false,
            packed: false,
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
}
