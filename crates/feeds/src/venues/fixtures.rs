//! For tests of venues: sessions and answers that stand in files, one a line.

use liqheat_market::{Event, Qty, Symbol, UnixMs};
use proptest::prelude::*;

use super::{
    Contract, ContractTable, Exchange, FrameError, Page, RestQuery, Signal, VenueFrameReader, contract,
};

/// Contracts of a venue, one coin each unless a size is given.
pub(super) fn table(exchange: &Exchange, symbols: &[(&str, &str)]) -> ContractTable {
    let contracts = symbols.iter().map(|(symbol, size)| sized(exchange, symbol, size));
    ContractTable::new(contracts.collect())
}

/// One contract.
pub(super) fn sized(exchange: &Exchange, symbol: &str, size: &str) -> Contract {
    let plain = contract(exchange, &Symbol::new(symbol).unwrap()).unwrap();
    Contract { size: Qty::parse(size).unwrap(), ..plain }
}

/// What every line of a session says; each must be understood, and every row of it.
pub(super) fn session(reader: &mut dyn VenueFrameReader, lines: &str, received: UnixMs) -> Vec<Vec<Signal>> {
    lines
        .lines()
        .map(|line| {
            let mut signals = Vec::new();
            reader
                .read(line.as_bytes(), received, &mut signals)
                .unwrap_or_else(|error| panic!("{line}: {error}"));
            for signal in &signals {
                assert!(!matches!(signal, Signal::Rejected(_)), "{line}: {signal:?}");
            }
            signals
        })
        .collect()
}

/// What is wrong with the first row that was not accepted, or with the frame.
pub(super) fn complaint(reader: &mut dyn VenueFrameReader, frame: &str, received: UnixMs) -> String {
    let mut signals = Vec::new();
    if let Err(error) = reader.read(frame.as_bytes(), received, &mut signals) {
        assert_eq!(signals, []);
        return error.to_string();
    }
    let rejected = signals.into_iter().find_map(|signal| match signal {
        Signal::Rejected(row) => Some(row.error.to_string()),
        _ => None,
    });
    rejected.unwrap_or_else(|| panic!("{frame} is accepted"))
}

/// The events among signals.
pub(super) fn events(signals: &[Signal]) -> Vec<Event> {
    signals
        .iter()
        .filter_map(|signal| match signal {
            Signal::Event { event, .. } => Some(*event),
            Signal::Order { report, .. } => Some(Event::Liquidation(report.so_far())),
            _ => None,
        })
        .collect()
}

/// The answer to a question, from a file of `question answer` lines.
pub(super) fn answer(
    exchange: &Exchange,
    contract: &Contract,
    answers: &str,
    kind: &str,
    received: UnixMs,
) -> (RestQuery, Page) {
    let line = answers.lines().find(|line| line.split([':', ' ']).next() == Some(kind)).unwrap();
    let (question, body) = line.split_once(' ').unwrap();
    let query: RestQuery = question.parse().unwrap();
    assert!(exchange.request(contract, &query, received).is_some(), "{question}");
    let page = exchange.answer(contract, &query, body.as_bytes(), received).unwrap();
    assert_eq!(page.rejected, []);
    (query, page)
}

/// No bytes bring a reader or the taker of answers down, and a refused frame says nothing. Frames are lines of the files
/// with one byte changed, cut or doubled, so that they get past the first look.
pub(super) fn nothing_panics(exchange: &Exchange, table: &ContractTable, session: &str, answers: &str) {
    let contract = &table.contracts()[0];
    let lines: Vec<String> = session.lines().chain(answers.lines()).map(str::to_owned).collect();
    let damage = (proptest::sample::select(lines), any::<proptest::sample::Index>(), any::<u8>(), 0_usize..4);
    let mut runner = proptest::test_runner::TestRunner::default();
    let outcome = runner.run(&damage, |(line, at, byte, kind)| {
        let (question, body) =
            match line.split_once(' ').and_then(|(left, right)| Some((left.parse().ok()?, right))) {
                Some((query, body)) => (Some::<RestQuery>(query), body.to_owned()),
                None => (None, line),
            };
        let mut bytes = body.into_bytes();
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.truncate(at),
            2 => bytes.insert(at, byte),
            _ => {
                let tail = bytes.split_off(at);
                bytes.extend(tail.iter().copied().cycle().take(tail.len() * 2));
            }
        }
        let received = UnixMs(1_763_942_400_000);
        if let Some(query) = question {
            let _ = exchange.answer(contract, &query, &bytes, received);
        }
        let mut signals = Vec::new();
        let result: Result<(), FrameError> =
            exchange.reader(table, received).read(&bytes, received, &mut signals);
        prop_assert!(result.is_ok() || signals.is_empty());
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
