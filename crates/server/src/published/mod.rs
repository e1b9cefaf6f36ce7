//! The live state of each symbol, read by sockets, polling and every HTTP route of the present.
//!
//! The state itself is the symbol's board. Alone, this server moves it with the sum of its own ledgers. In a cluster the
//! producer does, and the boards of all other servers follow it. Their ledgers move as well, for what a board does not
//! hold: see [`Published::local_sum`]. Whether there is a state, its levels, its price and its time are read from the
//! board alone ([`Published::live`], [`Published::head`]), so every server of a cluster answers the same.

mod health;
mod split;
mod sum;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use liqheat_cluster::Backplane;
use liqheat_market::{Price, UnixMs};
use liqheat_model::LeverageLevel;
use liqheat_stream::{BoardUpdate, Hub};
use liqheat_wire::{Cell, FeedState};

use crate::catalog::{Catalog, Market, ServedSymbol};
pub(crate) use health::FeedWatch;
pub(crate) use split::split;
pub(crate) use sum::{LedgerSum, common_bin, seen_share, sum_by_leverage, sum_cells};

/// The live state of a symbol, all of it from one board state.
#[derive(Debug, Clone)]
pub(crate) struct LiveState {
    /// Epoch of the board.
    pub(crate) epoch: Arc<str>,
    /// The board's last change.
    pub(crate) seq: u64,
    /// Time of the newest market event in it.
    pub(crate) as_of: UnixMs,
    /// The price now.
    pub(crate) price: Price,
    /// Height of a level.
    pub(crate) base_bin: Price,
    /// Levels by leverage: lowest leverage first, prices ascending within it. The classes of a level sum to the board's
    /// dollars.
    pub(crate) by_leverage: Vec<LeverageLevel>,
}

/// The live state of a symbol without its levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateHead {
    /// Time of the newest market event in it.
    pub(crate) as_of: UnixMs,
    pub(crate) price: Price,
    /// Height of a level.
    pub(crate) base_bin: Price,
}

/// Publishes the sums of ledgers and gives out the live states.
pub(crate) struct Published {
    hub: Arc<Hub>,
    backplane: Backplane,
    watch: FeedWatch,
    /// Names this run of the process in the epochs of its states.
    epoch_run: String,
    /// The newest sum of each symbol's ledgers. The map is fixed; each entry is locked for a pointer copy.
    sums: BTreeMap<String, Mutex<Option<Arc<LedgerSum>>>>,
}

impl Published {
    pub(crate) fn new(
        catalog: &Catalog,
        hub: Arc<Hub>,
        backplane: Backplane,
        watch: FeedWatch,
        started: UnixMs,
    ) -> Self {
        let sums = catalog.symbols().map(|symbol| (symbol.name.clone(), Mutex::default())).collect();
        Self { hub, backplane, watch, epoch_run: run_name(started), sums }
    }

    /// Name of this run of the process.
    pub(crate) fn run(&self) -> &str {
        &self.epoch_run
    }

    /// Publishes the newest sums of a market's ledgers under all its names.
    pub(crate) fn publish(&self, market: &Market, now: UnixMs) {
        for symbol in market.parts_before_sum() {
            let Some(slot) = self.hub.slot(&symbol.name) else { continue };
            let sum = sum::sum(&self.watch.summed(symbol), &self.epoch_run).map(Arc::new);
            if let Some(sum) = &sum {
                self.set_sum(&symbol.name, Arc::clone(sum));
            }
            let shown = self.local_sum(&symbol.name);
            let (state, sources) = self.watch.state(symbol, shown.as_deref(), now);
            self.backplane.publish(&slot, sum.as_deref().map(board_update), state, sources);
        }
    }

    /// The ledgers of a market could not be moved: the state of its data becomes degraded.
    pub(crate) fn fail(&self, market: &Market) {
        for symbol in &market.symbols {
            if let Some(slot) = self.hub.slot(&symbol.name) {
                self.backplane.failing(&slot);
            }
        }
    }

    /// Waits until all symbols should be published at once, because this server became the producer.
    pub(crate) async fn publication_wanted(&self) {
        self.backplane.turn_wanted().await;
    }

    /// The newest sum of a symbol's ledgers on this server; `None` before the first. On a follower it may differ from the
    /// board. It is for what no board holds: the past and the age of positions, which are computed from stored rows, the
    /// split by leverage, open interest and its seen share, and the order of the venues.
    pub(crate) fn local_sum(&self, name: &str) -> Option<Arc<LedgerSum>> {
        self.sums.get(name)?.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_sum(&self, name: &str, sum: Arc<LedgerSum>) {
        if let Some(place) = self.sums.get(name) {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(sum);
        }
    }

    /// The epoch of a symbol's live state, which costs no split by leverage; `None` before its board's first state.
    pub(crate) fn epoch(&self, name: &str) -> Option<Arc<str>> {
        self.hub.slot(name)?.with_board(|board| Arc::clone(board.epoch()))
    }

    /// The live state of a symbol; `None` before its board's first state.
    pub(crate) fn live(&self, name: &str) -> Option<LiveState> {
        let (mut live, cells) = self.board_state(name)?;
        if let Some(local) = self.local_sum(name) {
            // A follower's ledgers may have other bins than the producer's.
            live.by_leverage = split(&cells, &sum_by_leverage(local.by_leverage.iter(), live.base_bin));
        }
        Some(live)
    }

    /// The state of a board, not split by leverage, with its levels; `None` before the first.
    pub(crate) fn board_state(&self, name: &str) -> Option<(LiveState, Vec<Cell>)> {
        self.hub.slot(name)?.with_board(|board| {
            let live = LiveState {
                epoch: Arc::clone(board.epoch()),
                seq: board.seq(),
                as_of: board.as_of(),
                price: board.price(),
                base_bin: board.base_bin(),
                by_leverage: Vec::new(),
            };
            (live, board.cells())
        })
    }

    /// The live state of a symbol without its levels; `None` before its board's first state.
    pub(crate) fn head(&self, name: &str) -> Option<StateHead> {
        self.hub.slot(name)?.with_board(|board| StateHead {
            as_of: board.as_of(),
            price: board.price(),
            base_bin: board.base_bin(),
        })
    }

    /// The state of a symbol's data.
    pub(crate) fn feed_state(&self, name: &str) -> FeedState {
        self.hub.slot(name).map_or(FeedState::WarmingUp, |slot| slot.feed().state)
    }

    /// Whether a symbol has a state to show.
    pub(crate) fn has_state(&self, symbol: &ServedSymbol) -> bool {
        self.head(&symbol.name).is_some()
    }
}

fn board_update(sum: &LedgerSum) -> BoardUpdate {
    BoardUpdate {
        epoch: sum.epoch.clone(),
        cells: sum.cells.as_ref().clone(),
        price: sum.price,
        base_bin: sum.base_bin,
        as_of: sum.as_of,
        counters: sum.counters,
    }
}

/// Milliseconds since 1970 in base 36: eight characters until 2059. Every frame carries it.
fn run_name(started: UnixMs) -> String {
    const BASE: u32 = 36;
    let mut rest = started.0.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(rest % u64::from(BASE)).unwrap_or_default();
        digits.extend(char::from_digit(digit, BASE));
        rest /= u64::from(BASE);
        if rest == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use liqheat_stream::{Counters, HubSettings};

    use super::*;
    use crate::clock::MarketClock;

    #[test]
    fn a_run_has_a_short_name_of_its_own() {
        assert_eq!(run_name(UnixMs(0)), "0");
        assert_eq!(run_name(UnixMs(35)), "z");
        assert_eq!(run_name(UnixMs(36)), "10");
        assert_eq!(run_name(UnixMs(1_766_932_200_000)), "mjptt740");
    }

    /// A follower: its board holds what the producer published, its ledgers something else.
    #[test]
    fn the_live_state_is_the_boards_whatever_the_local_ledgers_hold() {
        let settings = HubSettings { update_interval: Duration::from_secs(1) };
        let hub = Arc::new(Hub::new(["BTCUSDT".to_owned()], settings));
        let watch = FeedWatch::stored(Arc::new(MarketClock::Wall));
        let mut published =
            Published::new(&Catalog::default(), Arc::clone(&hub), Backplane::memory(), watch, UnixMs(1));
        published.sums.insert("BTCUSDT".to_owned(), Mutex::default());
        assert!(published.live("BTCUSDT").is_none() && published.live("ETHUSDT").is_none());
        let at = Price::from_units;
        hub.slot("BTCUSDT").unwrap().publish(BoardUpdate {
            epoch: "producer".into(),
            cells: vec![Cell { price: at(20), long_usd: 300, short_usd: 0 }],
            price: at(55),
            base_bin: at(10),
            as_of: UnixMs(9),
            counters: Counters::default(),
        });
        let local = |leverage, price, long_usd| LeverageLevel { leverage, price, long_usd, short_usd: 0.0 };
        let sum = LedgerSum {
            as_of: UnixMs(8),
            price: at(54),
            base_bin: at(5),
            seen_share: 1.0,
            warming_up: false,
            cells: Arc::default(),
            by_leverage: Arc::new(vec![
                local(5.0, at(20), 1.0),
                local(5.0, at(25), 1.0),
                local(50.0, at(25), 1.0),
            ]),
            counters: Counters::default(),
            epoch: "local".into(),
            ledgers: Vec::new(),
        };
        published.set_sum("BTCUSDT", Arc::new(sum));
        let live = published.live("BTCUSDT").unwrap();
        assert_eq!(published.epoch("BTCUSDT").as_ref(), Some(&live.epoch));
        assert_eq!((&*live.epoch, live.price, live.base_bin), ("producer", at(55), at(10)));
        let head = StateHead { as_of: UnixMs(9), price: at(55), base_bin: at(10) };
        assert_eq!(published.head("BTCUSDT"), Some(head));
        assert_eq!(published.local_sum("BTCUSDT").unwrap().as_of, UnixMs(8));
        assert_eq!(live.by_leverage, [local(5.0, at(20), 200.0), local(50.0, at(20), 100.0)]);
    }
}
