//! The kinds of rows that can be exported, a file for each.
//!
//! To add one, write its file with a `KIND` and name it in [`KINDS`]; the parameter `what` and its description follow.

mod bars;
mod grid;
mod levels;
mod liquidations;
mod measured;
mod selected_state;
mod values;
mod walls;

use std::pin::Pin;

use liqheat_store::{ColumnKind, ExportColumn};
use liqheat_wire::Channel;

use super::super::reading::Reading;
use super::ExportRequest;
use super::table::TableBuilder;
use crate::http::Refusal;

/// All kinds, in the order in which the documentation names them.
pub(super) static KINDS: &[&ExportKind] =
    &[&bars::KIND, &levels::KIND, &walls::KIND, &liquidations::KIND, &grid::KIND, &measured::KIND];

/// Appends all rows of a request to a table.
type AppendRows = for<'a> fn(
    TableBuilder<'a>,
    Reading,
    &'a ExportRequest,
) -> Pin<Box<dyn Future<Output = Result<TableBuilder<'a>, Refusal>> + Send + 'a>>;

/// A kind of rows.
#[derive(Debug)]
pub(super) struct ExportKind {
    /// Value of the parameter `what`.
    pub(super) name: &'static str,
    /// The channel with the same data: a token that covers it may export them.
    pub(super) channel: Channel,
    pub(super) scope: ExportScope,
    /// How long after the newest event of the symbol there can be rows, ms.
    pub(super) reach_ms: i64,
    /// Whether the rows are measured, not estimated: they exist at one venue only.
    pub(super) is_measured: bool,
    pub(super) columns: &'static [ExportColumn],
    pub(super) append: AppendRows,
}

/// Which time a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExportScope {
    /// The state of one moment: the parameters `from` and `interval` are refused.
    Moment,
    /// A period: `interval` is refused.
    Period,
    /// A period in candles of an interval.
    Candles,
}

impl ExportKind {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }
}

const fn column(name: &'static str, kind: ColumnKind) -> ExportColumn {
    ExportColumn { name, kind }
}
