//! All boards that are served, each in a slot.

use std::collections::BTreeMap;
use std::sync::Arc;
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

/// All boards; fixed set of symbols for the life of the process.
#[derive(Debug)]
pub struct Hub {
    slots: BTreeMap<String, Arc<BoardSlot>>,
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
        Self { slots, settings, bells, metrics }
    }

    /// The slot of a symbol; `None` when it is not served.
    #[must_use]
    pub fn slot(&self, symbol: &str) -> Option<&Arc<BoardSlot>> {
        self.slots.get(symbol)
    }

    /// Every slot, by symbol.
    pub fn slots(&self) -> impl Iterator<Item = &Arc<BoardSlot>> {
        self.slots.values()
    }

    pub(crate) const fn bells(&self) -> &Arc<Bells> {
        &self.bells
    }

    /// The text for a symbol that is not served.
    #[must_use]
    pub fn unknown_symbol(&self, symbol: &str) -> String {
        let valid: Vec<&str> = self.slots.keys().map(String::as_str).collect();
        let named: String = symbol.chars().take(40).collect();
        format!("Symbol '{named}' not supported. Valid: {}", valid.join(", "))
    }

    /// What is the same for all symbols.
    #[must_use]
    pub const fn settings(&self) -> &HubSettings {
        &self.settings
    }
}
