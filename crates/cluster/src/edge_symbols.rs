//! Which symbols an edge serves: those of the producer's list, or the ones it was configured with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::NAME_BYTES_MAX;

/// Symbols that an edge serves at most.
pub(crate) const SYMBOLS_MAX: usize = 1_000;

/// What a list changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ListChange {
    pub(crate) add: Vec<String>,
    pub(crate) remove: Vec<String>,
    /// Symbols that are not served because there are too many.
    pub(crate) skipped: usize,
}

/// The symbols of an edge.
#[derive(Debug)]
pub(crate) struct EdgeSymbols {
    /// Symbols come from the settings; the list only describes them.
    is_fixed: bool,
    /// Symbols that are served, and since when the list lacks them.
    symbols: BTreeMap<String, Option<Instant>>,
    drop_after: Duration,
}

impl EdgeSymbols {
    /// `fixed` are the symbols of the settings; empty for those of the list.
    pub(crate) fn new(fixed: &[String], drop_after: Duration) -> Self {
        let symbols = fixed.iter().map(|symbol| (symbol.clone(), None)).collect();
        Self { is_fixed: !fixed.is_empty(), symbols, drop_after }
    }

    /// Whether there is any symbol.
    pub(crate) fn knows_symbols(&self) -> bool {
        !self.symbols.is_empty()
    }

    /// The list was read. Symbols that it lacks are removed after a while, or at once where new ones need the room.
    pub(crate) fn on_list(&mut self, names: Vec<String>, now: Instant) -> ListChange {
        let mut change = ListChange::default();
        if self.is_fixed {
            return change;
        }
        let listed: BTreeSet<String> = names.into_iter().filter(|name| is_name(name)).collect();
        for (symbol, missing_since) in &mut self.symbols {
            if listed.contains(symbol) {
                *missing_since = None;
            } else {
                missing_since.get_or_insert(now);
            }
        }
        let mut missing: Vec<(Instant, String)> =
            self.symbols.iter().filter_map(|(symbol, since)| Some(((*since)?, symbol.clone()))).collect();
        missing.sort_unstable();
        let new: Vec<String> = listed.into_iter().filter(|name| !self.symbols.contains_key(name)).collect();
        let mut room = SYMBOLS_MAX.saturating_sub(self.symbols.len());
        for (since, symbol) in missing {
            if now.duration_since(since) >= self.drop_after || room < new.len() {
                self.symbols.remove(&symbol);
                change.remove.push(symbol);
                room += 1;
            }
        }
        change.skipped = new.len().saturating_sub(room);
        change.add = new.into_iter().take(room).collect();
        self.symbols.extend(change.add.iter().map(|symbol| (symbol.clone(), None)));
        change
    }
}

/// Whether this can be the name of a symbol. Exchanges list names outside ASCII.
fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DROP_AFTER: Duration = Duration::from_secs(60);

    fn names(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|number| format!("S{number}USDT")).collect()
    }

    #[test]
    fn symbols_come_with_the_list_and_go_a_minute_after_they_left_it() {
        let (mut symbols, began) = (EdgeSymbols::new(&[], DROP_AFTER), Instant::now());
        let mut list = names(0..2);
        list.extend(["币安人生USDT".into(), String::new(), "a b".into(), "x".repeat(101)]);
        let change = symbols.on_list(list, began);
        assert_eq!(change.add, ["S0USDT", "S1USDT", "币安人生USDT"]);
        let at = |second| began + Duration::from_secs(second);
        assert_eq!(symbols.on_list(names(0..1), at(10)), ListChange::default());
        assert_eq!(symbols.on_list(names(0..2), at(50)), ListChange::default(), "one is back");
        assert_eq!(symbols.on_list(names(0..1), at(69)), ListChange::default());
        assert_eq!(symbols.on_list(names(0..1), at(70)).remove, ["币安人生USDT"]);
        assert_eq!(symbols.on_list(names(0..1), at(129)).remove, ["S1USDT"]);
    }

    #[test]
    fn stale_names_make_room_for_new_ones() {
        let (mut symbols, now) = (EdgeSymbols::new(&[], DROP_AFTER), Instant::now());
        let change = symbols.on_list(names(0..SYMBOLS_MAX + 7), now);
        assert_eq!((change.add.len(), change.skipped), (SYMBOLS_MAX, 7));
        let change = symbols.on_list(names(5_000..5_001), now);
        assert_eq!((change.add, change.remove.len(), change.skipped), (names(5_000..5_001), 1, 0));
        let change = symbols.on_list(names(6_000..6_000 + SYMBOLS_MAX), now);
        assert_eq!((change.add.len(), change.remove.len(), change.skipped), (SYMBOLS_MAX, SYMBOLS_MAX, 0));
    }

    #[test]
    fn configured_symbols_stay() {
        let (mut symbols, now) = (EdgeSymbols::new(&["A".into()], DROP_AFTER), Instant::now());
        assert!(symbols.knows_symbols());
        assert_eq!(symbols.on_list(names(0..9), now), ListChange::default());
    }

    proptest! {
        /// Whatever lists come: what is served is what was added and not removed, never too much, and a list that
        /// stays is served whole a minute later.
        #[test]
        fn a_list_that_stays_is_served(
            lists in prop::collection::vec((0usize..1_500, 0usize..1_200, 0u64..90), 1..12),
        ) {
            let mut symbols = EdgeSymbols::new(&[], DROP_AFTER);
            let (mut now, mut served) = (Instant::now(), BTreeSet::new());
            let mut on_list = |list: Vec<String>, now| {
                let change = symbols.on_list(list, now);
                change.remove.iter().for_each(|name| assert!(served.remove(name)));
                change.add.iter().for_each(|name| assert!(served.insert(name.clone())));
                assert!(served.len() <= SYMBOLS_MAX);
                served.clone()
            };
            for (from, length, seconds) in &lists {
                now += Duration::from_secs(*seconds);
                on_list(names(*from..from + length), now);
            }
            let (from, length, _) = lists[lists.len() - 1];
            let list = names(from..from + length);
            let served = on_list(list.clone(), now + DROP_AFTER);
            prop_assert_eq!(served.len(), length.min(SYMBOLS_MAX));
            prop_assert!(served.iter().all(|name| list.contains(name)));
        }
    }
}
