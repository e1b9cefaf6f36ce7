//! All boards that are served, each in a slot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::broadcast::Bells;
use crate::metrics::StreamMetrics;
use crate::slot::BoardSlot;

/// What is the same for all symbols.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// How often boards change; the default rhythm of subscriptions.
    pub update_interval: Duration,
}

/// All boards. Symbols may come while it runs (on a server that learns them from others), but none goes.
#[derive(Debug)]
pub struct Hub {
    /// Locked for a few instructions; written only when a symbol comes.
    slots: RwLock<BTreeMap<String, Arc<BoardSlot>>>,
    /// Names that are served, but that nobody has to be told of while nobody uses them.
    second_names: BTreeSet<String>,
    settings: HubSettings,
    bells: Arc<Bells>,
    /// What all sessions count.
    pub metrics: Arc<StreamMetrics>,
}

impl Hub {
    /// Empty boards for these symbols.
    #[must_use]
    pub fn new(symbols: impl IntoIterator<Item = String>, settings: HubSettings) -> Self {
        let (metrics, bells) = (Arc::new(StreamMetrics::default()), Bells::new());
        let slots = symbols
            .into_iter()
            .map(|symbol| (symbol.clone(), Arc::new(BoardSlot::new(symbol, &metrics, &bells))))
            .collect();
        Self { slots: RwLock::new(slots), second_names: BTreeSet::new(), settings, bells, metrics }
    }

    /// With empty boards for further names, of symbols that have another name already: they are left out of lists
    /// until somebody follows them.
    #[must_use]
    pub fn with_second_names(mut self, names: impl IntoIterator<Item = String>) -> Self {
        for name in names {
            let slot = Arc::new(BoardSlot::new(name.clone(), &self.metrics, &self.bells));
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
            let slot = BoardSlot::new(symbol.to_owned(), &self.metrics, &self.bells);
            slots.insert(symbol.to_owned(), Arc::new(slot));
        }
    }

    pub(crate) const fn bells(&self) -> &Arc<Bells> {
        &self.bells
    }

    /// The slots that reports show: those of first names, and others while somebody follows them.
    pub fn listed(&self) -> impl Iterator<Item = Arc<BoardSlot>> {
        let shown =
            |slot: &Arc<BoardSlot>| !self.second_names.contains(slot.symbol()) || slot.subscriptions() > 0;
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
