//! Contracts that are followed.

use std::collections::HashMap;

use liqheat_market::convert::approx_f64;
use liqheat_market::{Qty, Symbol, UNIT_SCALE};

use super::Account;
use super::names::{pack_of_name, pack_of_symbol};

/// One contract that is followed: its two names and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// The one spelling used inside, such as `BTCUSDT`.
    pub symbol: Symbol,
    /// As the venue writes it, such as `BTC-USDT-SWAP` or `BTC`.
    pub name: String,
    /// Coins in one contract; 1 where the venue counts in coins.
    pub size: Qty,
}

impl Contract {
    /// Coins of the symbol in one coin of the venue: 1 but where cheap coins are traded in packs of different sizes.
    #[must_use]
    pub fn pack(&self) -> f64 {
        approx_f64(pack_of_name(&self.name)) / approx_f64(pack_of_symbol(self.symbol.as_str()))
    }
}

/// The same under a name that does not follow from the symbol.
#[must_use]
pub fn contract_named(symbol: &Symbol, name: &str) -> Contract {
    Contract { symbol: symbol.clone(), name: name.to_owned(), size: Qty::from_units(UNIT_SCALE) }
}

/// The contracts of one connection; signals name them by their index in it.
#[derive(Debug, Clone, Default)]
pub struct ContractTable {
    contracts: Vec<Contract>,
    by_name: HashMap<String, usize>,
    accounts: Vec<Account>,
    wants_traders: bool,
}

impl ContractTable {
    /// From contracts; of two with the same name the first counts.
    #[must_use]
    pub fn new(contracts: Vec<Contract>) -> Self {
        let mut by_name = HashMap::with_capacity(contracts.len());
        for (index, contract) in contracts.iter().enumerate() {
            by_name.entry(contract.name.clone()).or_insert(index);
        }
        Self { contracts, by_name, accounts: Vec::new(), wants_traders: false }
    }

    /// The same with accounts whose fills are subscribed to, where a venue publishes them.
    #[must_use]
    pub fn with_accounts(mut self, accounts: Vec<Account>) -> Self {
        self.accounts = accounts;
        self
    }

    /// The same with [`Signal::Traders`](super::Signal::Traders), where a venue names the accounts of trades.
    #[must_use]
    pub const fn with_traders(mut self, wants_traders: bool) -> Self {
        self.wants_traders = wants_traders;
        self
    }

    /// Whether the accounts of trades are wanted.
    #[must_use]
    pub const fn wants_traders(&self) -> bool {
        self.wants_traders
    }

    /// The accounts whose fills are subscribed to.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The contracts in their order.
    #[must_use]
    pub fn contracts(&self) -> &[Contract] {
        &self.contracts
    }

    /// Index of the contract that the venue calls `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}
