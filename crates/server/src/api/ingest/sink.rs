//! Where the rows of a file go: the store, and the ledgers that read them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use liqheat_market::Instrument;
use liqheat_store::{AppendResult, Batch, Store};

use super::super::claims::IngestClaims;
use crate::catalog::{Catalog, EngineCommand, VenueLedger};
use crate::http::Refusal;
use crate::ingest::files::{LoadError, RowSink};

/// Stores rows and reports them to the ledgers, as the writer of live events does.
pub(super) struct LedgerSink {
    store: Store,
    claims: IngestClaims,
    ledgers: BTreeMap<Instrument, Arc<VenueLedger>>,
    /// Instruments with rows that no ledger of this server reads.
    pub(super) not_served: BTreeSet<String>,
}

impl LedgerSink {
    pub(super) fn new(store: Store, claims: IngestClaims, catalog: &Catalog) -> Self {
        let ledgers = catalog.ledgers().map(|ledger| (ledger.instrument().clone(), Arc::clone(ledger)));
        Self { store, claims, ledgers: ledgers.collect(), not_served: BTreeSet::new() }
    }
}

impl RowSink for LedgerSink {
    fn store(&mut self, instrument: &Instrument, rows: Batch) -> Result<AppendResult, LoadError> {
        if !self.claims.allows(instrument) {
            return Err(LoadError::Refused(format!(
                "The token does not allow rows of {instrument} (claim 'symbols')"
            )));
        }
        let appended = self.store.append(instrument, rows).blocking()?;
        match self.ledgers.get(instrument) {
            Some(ledger) => ledger.send(EngineCommand::Append(appended.dirty)),
            None => {
                self.not_served.insert(instrument.to_string());
            }
        }
        Ok(appended)
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => error.into(),
            LoadError::Refused(detail) => Self::forbidden(detail),
        }
    }
}
