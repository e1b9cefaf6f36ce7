//! What a supervisor and its connections are for.

use super::SupervisorIndex;
use crate::live::contract::ContractIndex;
use crate::venues::ContractTable;

/// Which contracts a supervisor keeps connected.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) supervisor: SupervisorIndex,
    /// Indices of the contracts of `table`, in its order.
    pub(super) contracts: Vec<ContractIndex>,
    pub(super) table: ContractTable,
}
