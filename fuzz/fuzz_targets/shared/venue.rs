//! Any bytes as the frames of a connection, and as the answer to a question. The first byte chooses.

use liqheat_feeds::venues::{ContractTable, Exchange, LIVE_INTERVAL, RestQuery, Signal, contract};
use liqheat_market::{KlineKind, Symbol, UnixMs};

/// 2025-11-24 00:00 UTC.
const NOW: UnixMs = UnixMs(1_763_942_400_000);

/// Frames are divided by line feeds, so that a reader meets several of them.
pub fn read(exchange: &Exchange, bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let symbols = ["BTCUSDT", "1000PEPEUSDT"].map(|name| Symbol::new(name).expect("a symbol"));
    let contracts: Vec<_> = symbols.iter().filter_map(|symbol| contract(exchange, symbol)).collect();
    let (from, to) = (NOW.plus(-86_400_000), NOW);
    let klines = |kind| RestQuery::Klines { kind, interval: LIVE_INTERVAL, from, to };
    let wants = [
        RestQuery::Time,
        RestQuery::Contracts,
        klines(KlineKind::Last),
        klines(KlineKind::Mark),
        RestQuery::OpenInterest,
        RestQuery::OpenInterestHistory { from, to },
        RestQuery::Funding { from, to },
        RestQuery::Tiers,
        RestQuery::Trades { first: 1, last: 5_000 },
    ];
    if let Some(query) = wants.get(usize::from(*first)) {
        for contract in &contracts {
            if let Ok(page) = exchange.answer(contract, query, rest, NOW) {
                assert!(page.next != Some(*query), "a page that leads to itself");
                let _ = page.tiers.map(|tiers| tiers.table(NOW, liqheat_market::Price::from_units(1)));
            }
        }
        return;
    }
    let table = ContractTable::new(contracts);
    let mut reader = exchange.reader(&table, NOW);
    for frame in rest.split(|byte| *byte == b'\n') {
        let mut signals = Vec::new();
        let understood = reader.read(frame, NOW, &mut signals).is_ok();
        assert!(understood || signals.is_empty(), "a refused frame says nothing");
        for signal in signals {
            if let Signal::Event { contract, .. } | Signal::Alive { contract, .. } = signal {
                assert!(contract < table.contracts().len());
            }
        }
    }
}
