//! The index space of contracts within a venue.

use std::ops::{Index, IndexMut};

use liqheat_market::convert::count_u32;
/// Index of a contract among those that are followed at one venue. Stays the same while the process runs, whichever
/// connection carries the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ContractIndex(u32);

/// Something of every contract of a venue.
#[derive(Debug, Clone)]
pub(super) struct ContractMap<T>(Vec<T>);

impl<T> Default for ContractMap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ContractMap<T> {
    /// Adds a contract behind the others.
    pub(super) fn push(&mut self, value: T) -> ContractIndex {
        let index = u32::try_from(self.0.len()).expect("invariant: a venue lists fewer than 2^32 contracts");
        self.0.push(value);
        ContractIndex(index)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ContractIndex, &T)> {
        self.indices().zip(&self.0)
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = ContractIndex> + use<T> {
        (0..count_u32(self.0.len())).map(ContractIndex)
    }

    /// All of them once, beginning with the one after `offset` others.
    pub(super) fn indices_from(&self, offset: usize) -> impl Iterator<Item = ContractIndex> + use<T> {
        let count = self.0.len();
        (0..count).map(move |step| ContractIndex(count_u32((offset + step) % count)))
    }
}

impl<T> Index<ContractIndex> for ContractMap<T> {
    type Output = T;

    fn index(&self, index: ContractIndex) -> &T {
        &self.0[index.0 as usize]
    }
}

impl<T> IndexMut<ContractIndex> for ContractMap<T> {
    fn index_mut(&mut self, index: ContractIndex) -> &mut T {
        &mut self.0[index.0 as usize]
    }
}
