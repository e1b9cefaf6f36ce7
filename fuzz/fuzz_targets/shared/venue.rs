//! Any bytes as the frames of a connection, and as the answer to a question. The first byte chooses.

use liqheat_feeds::venues::{Exchange, LIVE_INTERVAL, Roster, Signal, Want, contract};
use liqheat_market::{KlineKind, Symbol, UnixMs};

/// 2025-11-24 00:00 UTC.
const NOW: UnixMs = UnixMs(1_763_942_400_000);

/// Frames are divided by line feeds, so that a reader meets several of them.
pub fn read(exchange: &dyn Exchange, bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let symbols = ["BTCUSDT", "1000PEPEUSDT"].map(|name| Symbol::new(name).expect("a symbol"));
    let contracts: Vec<_> = symbols.iter().filter_map(|symbol| contract(exchange, symbol)).collect();
    let (from, to) = (NOW.plus(-86_400_000), NOW);
    let klines = |kind| Want::Klines { kind, interval: LIVE_INTERVAL, from, to };
    let wants = [
        Want::Time,
        Want::Contracts,
        klines(KlineKind::Last),
        klines(KlineKind::Mark),
        Want::OpenInterest,
        Want::OpenInterestHistory { from, to },
        Want::Funding { from, to },
        Want::Tiers,
        Want::Trades { first: 1, last: 5_000 },
    ];
    if let Some(want) = wants.get(usize::from(*first)) {
        for contract in &contracts {
            if let Ok(page) = exchange.answer(contract, want, rest, NOW) {
                assert!(page.next != Some(*want), "a page that leads to itself");
                let _ = page.tiers.map(|tiers| tiers.table(NOW, liqheat_market::Price::from_units(1)));
            }
        }
        return;
    }
    let roster = Roster::new(contracts);
    let mut reader = exchange.reader(&roster);
    for frame in rest.split(|byte| *byte == b'\n') {
        let mut signals = Vec::new();
        let understood = reader.read(frame, NOW, &mut signals).is_ok();
        assert!(understood || signals.is_empty(), "a refused frame says nothing");
        for signal in signals {
            if let Signal::Event { contract, .. } | Signal::Alive { contract, .. } = signal {
                assert!(contract < roster.contracts().len());
            }
        }
    }
}
