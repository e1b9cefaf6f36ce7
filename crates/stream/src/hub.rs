//! All boards that are served, each in a slot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use liqheat_wire::{FeedState, ViewHorizon};
use tokio::sync::Notify;

use crate::followers::WakeSignals;
use crate::metrics::StreamMetrics;
use crate::slot::BoardSlot;

/// What is the same for all symbols.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// How often boards change; the default rhythm of subscriptions.
    pub update_interval: Duration,
}

/// All boards. On a server that takes its symbols from the producer's list they come and go while it runs.
#[derive(Debug)]
pub struct Hub {
    /// Locked for a few instructions; written only when a symbol comes or goes.
    slots: RwLock<BTreeMap<String, Arc<BoardSlot>>>,
    /// Boards that are no longer served, but that clients still hold: a symbol that comes back has the same board.
    /// Locked for a few instructions.
    removed: Mutex<BTreeMap<String, Weak<BoardSlot>>>,
    /// Whether a symbol without a board may be refused; on an edge only once it has read the list.
    symbols_known: AtomicBool,
    /// Names that are served, but that nobody has to be told of while nobody uses them.
    second_names: BTreeSet<String>,
    settings: HubSettings,
    wake_signals: Arc<WakeSignals>,
    /// Begins the names of the epochs of channels: different for every process.
    run: Arc<str>,
    channel_wanted: Arc<Notify>,
    expected_wanted: Arc<Notify>,
    /// What all sessions count.
    pub metrics: Arc<StreamMetrics>,
}

impl Hub {
    /// Empty boards for these symbols.
    #[must_use]
    pub fn new(symbols: impl IntoIterator<Item = String>, settings: HubSettings) -> Self {
        let (metrics, wake_signals) = (Arc::new(StreamMetrics::default()), WakeSignals::new());
        let run: Arc<str> = format!("{:08x}", fastrand::u32(..)).into();
        let channel_wanted = Arc::new(Notify::new());
        let slots = symbols
            .into_iter()
            .map(|symbol| {
                (
                    symbol.clone(),
                    Arc::new(BoardSlot::new(symbol, &metrics, &wake_signals, (&run, &channel_wanted))),
                )
            })
            .collect();
        Self {
            slots: RwLock::new(slots),
            removed: Mutex::default(),
            symbols_known: AtomicBool::new(true),
            second_names: BTreeSet::new(),
            settings,
            wake_signals,
            run,
            channel_wanted,
            expected_wanted: Arc::default(),
            metrics,
        }
    }

    /// With empty boards for further symbols.
    #[must_use]
    pub fn with_symbols(self, symbols: impl IntoIterator<Item = String>) -> Self {
        symbols.into_iter().for_each(|symbol| self.add(&symbol));
        self
    }

    /// With boards of the expected view for every symbol so far, which [`BoardSlot::expected`] gives out.
    #[must_use]
    pub fn with_expected_views(self) -> Self {
        for slot in self.slots() {
            slot.set_expected(ViewHorizon::ALL.map(|horizon| {
                let (symbol, wanted) = (slot.symbol().to_owned(), (&self.run, &self.channel_wanted));
                let board = BoardSlot::new(symbol, &self.metrics, &self.wake_signals, wanted);
                Arc::new(board.of_horizon(horizon, Arc::clone(&self.expected_wanted)))
            }));
        }
        self
    }

    /// Waits until a client follows a board of the expected view.
    pub async fn expected_wanted(&self) {
        self.expected_wanted.notified().await;
    }

    /// Names this run of the process in the epochs of states that no other server has.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// With empty boards for further names, of symbols that have another name already: they are excluded from lists
    /// until somebody follows them.
    #[must_use]
    pub fn with_second_names(mut self, names: impl IntoIterator<Item = String>) -> Self {
        for name in names {
            let slot = Arc::new(BoardSlot::new(
                name.clone(),
                &self.metrics,
                &self.wake_signals,
                (&self.run, &self.channel_wanted),
            ));
            self.slots.get_mut().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), slot);
            self.second_names.insert(name);
        }
        self
    }

    /// The slot of a symbol; `None` when it is not served.
    #[must_use]
    pub fn slot(&self, symbol: &str) -> Option<Arc<BoardSlot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(symbol).cloned()
    }

    /// Waits until a client follows a channel that nobody followed.
    pub async fn channel_wanted(&self) {
        self.channel_wanted.notified().await;
    }

    /// Every slot, by symbol.
    pub fn slots(&self) -> impl Iterator<Item = Arc<BoardSlot>> + use<> {
        let slots: Vec<_> =
            self.slots.read().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect();
        slots.into_iter()
    }

    /// An empty board for one more symbol; nothing happens when it has one. See [`crate::Sessions::add_board`].
    pub(crate) fn add(&self, symbol: &str) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if !slots.contains_key(symbol) {
            let known = self.removed().remove(symbol).and_then(|slot| slot.upgrade());
            let new = || {
                Arc::new(BoardSlot::new(
                    symbol.to_owned(),
                    &self.metrics,
                    &self.wake_signals,
                    (&self.run, &self.channel_wanted),
                ))
            };
            slots.insert(symbol.to_owned(), known.unwrap_or_else(new));
        }
    }

    /// Serves a symbol no longer. Clients that follow it are notified that it is stale, and get its states again when it
    /// comes back. See [`crate::Sessions::remove_board`].
    pub(crate) fn remove(&self, symbol: &str) {
        let slot = self.slots.write().unwrap_or_else(PoisonError::into_inner).remove(symbol);
        let mut removed = self.removed();
        // Whoever let go of the last of these leaves their metrics.
        removed.retain(|name, slot| {
            let is_held = slot.strong_count() > 0;
            if !is_held {
                self.metrics.forget(name);
            }
            is_held
        });
        if let Some(slot) = slot {
            slot.set_feed(FeedState::Stale, None);
            removed.insert(symbol.to_owned(), Arc::downgrade(&slot));
        }
    }

    fn removed(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Weak<BoardSlot>>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all symbols are known, so that others may be refused. `false` on an edge that has not read the
    /// producer's list yet.
    #[must_use]
    pub fn symbols_known(&self) -> bool {
        self.symbols_known.load(Ordering::Relaxed)
    }

    /// Sets [`Hub::symbols_known`].
    pub fn set_symbols_known(&self, known: bool) {
        self.symbols_known.store(known, Ordering::Relaxed);
    }

    pub(crate) const fn wake_signals(&self) -> &Arc<WakeSignals> {
        &self.wake_signals
    }

    /// The slots that reports show: those of first names, and others while somebody follows them.
    pub fn listed(&self) -> impl Iterator<Item = Arc<BoardSlot>> {
        let is_followed = |slot: &BoardSlot| {
            slot.subscriptions() > 0 || slot.topics().iter().any(|topic| topic.followers().count() > 0)
        };
        let shown =
            move |slot: &Arc<BoardSlot>| !self.second_names.contains(slot.symbol()) || is_followed(slot);
        self.slots().filter(shown)
    }

    /// The text for a symbol that is not served.
    #[must_use]
    pub fn unknown_symbol(&self, symbol: &str) -> String {
        let slots: Vec<Arc<BoardSlot>> = self.slots().collect();
        let names = slots.iter().map(|slot| slot.symbol());
        let valid: Vec<&str> = names.filter(|name| !self.second_names.contains(*name)).collect();
        let named: String = symbol.chars().take(40).collect();
        format!("Symbol '{named}' not supported. Valid: {}", valid.join(", "))
    }

    /// What is the same for all symbols.
    #[must_use]
    pub const fn settings(&self) -> &HubSettings {
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_that_comes_back_has_the_board_that_clients_hold() {
        let hub = Hub::new(["A".to_owned()], HubSettings { update_interval: Duration::from_secs(1) });
        let held = hub.slot("A").unwrap();
        hub.remove("A");
        assert!(hub.slot("A").is_none() && hub.symbols_known());
        assert_eq!(held.feed().state, FeedState::Stale);
        hub.add("A");
        assert!(Arc::ptr_eq(&hub.slot("A").unwrap(), &held));
        hub.remove("A");
        drop(held);
        hub.add("B");
        hub.remove("B");
        hub.remove("none");
        assert!(hub.removed().is_empty(), "nobody holds them");
        hub.add("A");
        assert_eq!(hub.slot("A").unwrap().feed().state, FeedState::WarmingUp);
    }
}
