//! The table of an export while it is gathered.

use std::path::Path;

use liqheat_store::{ExportColumn, ExportTable, ExportValue};

use super::{ExportState, ROWS_MAX, too_many};
use crate::http::Refusal;

/// A table that grows off the async workers.
pub(super) struct TableBuilder<'a> {
    pub(super) state: &'a ExportState,
    table: ExportTable,
}

impl<'a> TableBuilder<'a> {
    pub(super) async fn new(
        state: &'a ExportState,
        folder: &Path,
        columns: &'static [ExportColumn],
    ) -> Result<Self, Refusal> {
        let folder = folder.to_owned();
        let table = state.exports.compute.run(move || ExportTable::create(&folder, columns)).await?;
        Ok(Self { state, table })
    }

    pub(super) async fn append<R: Send + 'static>(
        self,
        rows: Vec<R>,
        row: impl Fn(&R) -> Vec<ExportValue> + Send + 'static,
    ) -> Result<Self, Refusal> {
        let Self { state, mut table } = self;
        if table.rows().saturating_add(rows.len() as u64) > ROWS_MAX {
            return Err(too_many());
        }
        let appended = state.exports.compute.run(move || {
            table.append(rows.iter().map(row))?;
            Ok::<_, liqheat_store::ExportError>(table)
        });
        Ok(Self { state, table: appended.await? })
    }

    /// The table with all rows that were appended.
    pub(super) fn into_table(self) -> ExportTable {
        self.table
    }
}
