//! Maintenance margin tables, shipped as dated files and replaceable.
//!
//! Bybit, OKX and Hyperliquid publish their tiers, Binance shows them to accounts only, and all change them without a
//! calendar. So a table is data with a date: a JSON file of the form of `venues/binance/tiers-2026-09.json`. A few
//! large symbols are shipped; a fuller file of the same form replaces them symbol by symbol ([`TierBook::parse`],
//! [`TierBook::replaced_by`]). What no table covers gets a flat [`FALLBACK_RATE`].

mod file;
mod origin;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use liqheat_market::{Instrument, Symbol, TierTable, UnixMs, Venue};

use crate::venues::exchanges;

pub use file::TierBookError;
pub use origin::TierOrigin;

/// Maintenance rate of instruments without a table: the first tier of most small contracts.
pub const FALLBACK_RATE: f64 = 0.01;

/// Tables by instrument.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TierBook {
    tables: BTreeMap<Instrument, (TierTable, TierOrigin)>,
    skipped: Vec<String>,
}

impl TierBook {
    /// The tables shipped with the program.
    #[must_use]
    pub fn embedded() -> Self {
        exchanges().fold(Self::default(), |book, exchange| {
            let shipped = Self::parse(exchange.tier_table)
                .expect("invariant: shipped tables are whole, a test reads them");
            book.replaced_by(shipped.from_origin(TierOrigin::Shipped))
        })
    }

    /// This book with the tables of another in place of its own for the same instruments.
    #[must_use]
    pub fn replaced_by(mut self, newer: Self) -> Self {
        self.tables.extend(newer.tables);
        self.skipped.extend(newer.skipped);
        self
    }

    /// This book with one table more, as a venue publishes it ([`crate::venues::TierRows::table`]).
    #[must_use]
    pub fn with_table(mut self, instrument: Instrument, table: TierTable) -> Self {
        self.tables.insert(instrument, (table, TierOrigin::Venue));
        self
    }

    /// All tables of this book as coming from there; those that are read count as given.
    #[must_use]
    pub fn from_origin(mut self, origin: TierOrigin) -> Self {
        self.tables.values_mut().for_each(|(_, from)| *from = origin);
        self
    }

    /// Where the table of an instrument comes from; `None` when there is none of its own.
    #[must_use]
    pub fn origin(&self, instrument: &Instrument) -> Option<TierOrigin> {
        Some(self.tables.get(instrument)?.1)
    }

    /// The table of an instrument; `None` when there is none of its own. The simulated market follows
    /// Binance's rules for BTCUSDT whatever its symbol.
    #[must_use]
    pub fn own_table(&self, instrument: &Instrument) -> Option<&TierTable> {
        if instrument.venue == Venue::Sim {
            let followed = Instrument::new(Venue::Binance, Symbol::new("BTCUSDT").ok()?);
            return self.tables.get(&followed).map(|(table, _)| table);
        }
        self.tables.get(instrument).map(|(table, _)| table)
    }

    /// The table of an instrument, or one flat tier of [`FALLBACK_RATE`], dated 1970, when it has none.
    #[must_use]
    pub fn table(&self, instrument: &Instrument) -> TierTable {
        self.own_table(instrument).cloned().unwrap_or_else(|| {
            TierTable::flat(UnixMs(0), FALLBACK_RATE)
                .expect("invariant: the fallback rate is between 0 and 1")
        })
    }

    /// Names in the files read that are not written in ASCII; their tables are skipped.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.skipped
    }

    /// Instruments with a table of their own.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.tables.keys()
    }
}
