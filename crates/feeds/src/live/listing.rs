//! Which of the wanted contracts a venue lists. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use liqheat_market::{Qty, Symbol};

use super::clock::Uptime;
use super::contract::ContractIndex;
use crate::venues::{Contract, ListedContract, Page, RowSubject, Underlying};

/// What a venue lists, by its names; contracts whose row cannot be used have a reason.
pub(super) type ListedContracts = BTreeMap<String, Result<ListedContract, String>>;

/// Adds an answer of the venue to what it lists.
pub(super) fn add_page(listed: &mut ListedContracts, page: Page) {
    for rejected in page.rejected {
        if let RowSubject::Contract(name) = rejected.subject {
            listed.entry(name).or_insert_with(|| Err(rejected.error.to_string()));
        }
    }
    for contract in page.contracts {
        listed.insert(contract.name.clone(), Ok(contract));
    }
}

/// A change in what a venue lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListingChange {
    /// A contract is listed that was never followed.
    Added(Contract),
    /// A contract is listed again.
    Relisted(ContractIndex, Qty),
    /// A contract that was followed is not listed any more.
    Delisted(ContractIndex),
    /// The venue changed the size of a contract.
    Resized(ContractIndex, Qty),
    /// A contract is not followed, for this reason. Reported once.
    Unusable(Symbol, String),
}

#[derive(Debug)]
struct WantedContract {
    contract: Contract,
    /// Set when it was first followed.
    index: Option<ContractIndex>,
    is_listed: bool,
    /// The reason reported last.
    reported: Option<String>,
}

/// The contracts that are wanted of a venue.
#[derive(Debug)]
pub(super) struct ContractListing {
    wanted: Vec<WantedContract>,
    interval: Duration,
    is_running: bool,
    last_at: Uptime,
    next_at: Uptime,
}

impl ContractListing {
    /// After a lost connection or a refused subscription the list is requested early, because one delisted contract may
    /// take others with it; but not more often than this.
    const EARLY: Duration = Duration::from_secs(300);
    /// A failed request is repeated after this time.
    const RETRY: Duration = Duration::from_secs(60);

    pub(super) fn new(wanted: Vec<Contract>, interval: Duration, now: Uptime) -> Self {
        let wanted = wanted
            .into_iter()
            .map(|contract| WantedContract { contract, index: None, is_listed: false, reported: None })
            .collect();
        Self { wanted, interval, is_running: false, last_at: now, next_at: now }
    }

    /// What is wanted, whether it is listed or not.
    pub(super) fn wanted(&self) -> Vec<Contract> {
        self.wanted.iter().map(|wanted| wanted.contract.clone()).collect()
    }

    /// Whether the list should be requested now; if so, the request counts as sent.
    pub(super) fn begin_if_due(&mut self, now: Uptime) -> bool {
        if self.is_running || now < self.next_at {
            return false;
        }
        self.is_running = true;
        self.last_at = now;
        self.next_at = now.plus(self.interval);
        true
    }

    /// Something happened that a delisted contract may be the reason of.
    pub(super) fn request_early(&mut self) {
        self.next_at = self.next_at.min(self.last_at.plus(Self::EARLY));
    }

    /// The request failed.
    pub(super) fn on_failure(&mut self, now: Uptime) {
        self.is_running = false;
        self.next_at = self.next_at.min(now.plus(Self::RETRY));
    }

    /// The venue does not offer a list: every contract is taken to be listed.
    pub(super) fn on_not_offered(&mut self) -> Vec<ListingChange> {
        self.is_running = false;
        let mut changes = Vec::new();
        for wanted in self.wanted.iter_mut().filter(|wanted| !wanted.is_listed) {
            wanted.is_listed = true;
            let added = || ListingChange::Added(wanted.contract.clone());
            let size = wanted.contract.size;
            changes.push(wanted.index.map_or_else(added, |index| ListingChange::Relisted(index, size)));
        }
        changes
    }

    /// The venue's list arrived. `is_silent` says whether a contract brings no data: one that does is listed, whatever the
    /// list says.
    pub(super) fn on_list(
        &mut self,
        listed: &ListedContracts,
        is_silent: impl Fn(ContractIndex) -> bool,
    ) -> Vec<ListingChange> {
        self.is_running = false;
        let mut changes = Vec::new();
        for wanted in &mut self.wanted {
            match usable(listed.get(&wanted.contract.name)) {
                Ok(size) => wanted.on_listed(size, &mut changes),
                Err(reason) => wanted.on_unlisted(reason, &is_silent, &mut changes),
            }
        }
        changes
    }

    /// A contract was given its index.
    pub(super) fn set_index(&mut self, symbol: &Symbol, index: ContractIndex) {
        if let Some(wanted) = self.wanted.iter_mut().find(|wanted| wanted.contract.symbol == *symbol) {
            wanted.index = Some(index);
        }
    }

    /// Wanted symbols that the venue does not list.
    pub(super) fn unlisted(&self) -> Vec<Symbol> {
        let unlisted = self.wanted.iter().filter(|wanted| !wanted.is_listed);
        unlisted.map(|wanted| wanted.contract.symbol.clone()).collect()
    }
}

impl WantedContract {
    fn on_listed(&mut self, size: Qty, changes: &mut Vec<ListingChange>) {
        let was_listed = std::mem::replace(&mut self.is_listed, true);
        let before = std::mem::replace(&mut self.contract.size, size);
        self.reported = None;
        match (self.index, was_listed) {
            (None, false) => changes.push(ListingChange::Added(self.contract.clone())),
            (Some(index), false) => changes.push(ListingChange::Relisted(index, size)),
            (Some(index), true) if before != size => changes.push(ListingChange::Resized(index, size)),
            (_, true) => {}
        }
    }

    fn on_unlisted(
        &mut self,
        reason: Option<String>,
        is_silent: impl Fn(ContractIndex) -> bool,
        changes: &mut Vec<ListingChange>,
    ) {
        if self.is_listed {
            let Some(index) = self.index.filter(|index| is_silent(*index)) else { return };
            self.is_listed = false;
            changes.push(ListingChange::Delisted(index));
        }
        let reason = reason.unwrap_or_else(|| format!("there is no contract {}", self.contract.name));
        if self.reported.as_ref() != Some(&reason) {
            self.reported = Some(reason.clone());
            changes.push(ListingChange::Unusable(self.contract.symbol.clone(), reason));
        }
    }
}

/// The size of a contract that can be followed; else the reason, or nothing where it is not in the list.
fn usable(listed: Option<&Result<ListedContract, String>>) -> Result<Qty, Option<String>> {
    match listed {
        None => Err(None),
        Some(Err(reason)) => Err(Some(format!("its row in the list cannot be used: {reason}"))),
        Some(Ok(ListedContract { underlying: Underlying::Coin, size, .. })) => Ok(*size),
        // A stock or a commodity of the same ticker is another market.
        Some(Ok(ListedContract { underlying: Underlying::Other, .. })) => {
            Err(Some("it is not a contract on a coin".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::live::contract::ContractMap;
    use crate::venues::contract_named;

    const HOUR: Duration = Duration::from_secs(3_600);
    const COIN: Qty = Qty::ONE;

    fn symbol(text: &str) -> Symbol {
        Symbol::new(text).unwrap()
    }

    fn listing() -> ContractListing {
        let wanted = ["BTCUSDT", "ETHUSDT"].map(|name| contract_named(&symbol(name), name));
        ContractListing::new(wanted.to_vec(), HOUR, Uptime(0))
    }

    fn listed(names: &[&str], size: Qty) -> ListedContracts {
        let row =
            |name: &&str| ListedContract { name: (*name).to_owned(), size, underlying: Underlying::Coin };
        names.iter().map(|name| ((*name).to_owned(), Ok(row(name)))).collect()
    }

    /// The two contracts, followed.
    fn followed() -> (ContractListing, [ContractIndex; 2]) {
        let mut listing = listing();
        let mut indices = ContractMap::default();
        let indices = [indices.push(()), indices.push(())];
        assert_eq!(listing.on_list(&listed(&["BTCUSDT", "ETHUSDT"], COIN), |_| true).len(), 2);
        listing.set_index(&symbol("BTCUSDT"), indices[0]);
        listing.set_index(&symbol("ETHUSDT"), indices[1]);
        (listing, indices)
    }

    #[test]
    fn the_list_is_requested_at_intervals_and_early_after_trouble() {
        let mut listing = listing();
        assert!(listing.begin_if_due(Uptime(0)));
        assert!(!listing.begin_if_due(Uptime(9_000_000)), "one request at a time");
        listing.on_list(&ListedContracts::new(), |_| true);
        assert!(!listing.begin_if_due(Uptime(3_599_999)));
        listing.request_early();
        assert!(!listing.begin_if_due(Uptime(299_999)));
        assert!(listing.begin_if_due(Uptime(300_000)));
        listing.on_failure(Uptime(301_000));
        assert!(!listing.begin_if_due(Uptime(360_999)));
        assert!(listing.begin_if_due(Uptime(361_000)));
    }

    #[test]
    fn contracts_come_go_and_come_back() {
        let mut listing = listing();
        let added = listing.on_list(&listed(&["BTCUSDT"], COIN), |_| true);
        assert!(
            matches!(&added[0], ListingChange::Added(contract) if contract.name == "BTCUSDT"),
            "{added:?}"
        );
        let reason = "there is no contract ETHUSDT".to_owned();
        assert_eq!(added[1..], [ListingChange::Unusable(symbol("ETHUSDT"), reason)]);
        assert_eq!(listing.unlisted(), [symbol("ETHUSDT")]);

        let (mut listing, [btc, eth]) = followed();
        let only_btc = listed(&["BTCUSDT"], COIN);
        assert_eq!(listing.on_list(&only_btc, |_| false), [], "one that speaks is listed");
        let changes = listing.on_list(&only_btc, |index| index == eth);
        assert_eq!(changes[0], ListingChange::Delisted(eth));
        assert_eq!(listing.on_list(&only_btc, |_| true), [], "reported once");
        let both = listed(&["BTCUSDT", "ETHUSDT"], COIN);
        assert_eq!(listing.on_list(&both, |_| true), [ListingChange::Relisted(eth, COIN)]);
        assert_eq!(listing.unlisted(), []);
        let resized = Qty::from_units(7);
        let changes = listing.on_list(&listed(&["BTCUSDT", "ETHUSDT"], resized), |_| true);
        assert_eq!(changes, [ListingChange::Resized(btc, resized), ListingChange::Resized(eth, resized)]);
    }

    #[test]
    fn a_row_that_cannot_be_used_costs_its_own_contract() {
        let mut listing = listing();
        let mut list = listed(&["BTCUSDT"], COIN);
        list.insert("ETHUSDT".to_owned(), Err("field ctVal: empty".to_owned()));
        let changes = listing.on_list(&list, |_| true);
        assert!(matches!(&changes[0], ListingChange::Added(contract) if contract.name == "BTCUSDT"));
        let reason = "its row in the list cannot be used: field ctVal: empty".to_owned();
        assert_eq!(changes[1], ListingChange::Unusable(symbol("ETHUSDT"), reason));
    }

    #[test]
    fn a_stock_of_the_same_ticker_is_not_followed() {
        let mut listing = listing();
        let mut list = listed(&["BTCUSDT", "ETHUSDT"], COIN);
        if let Some(Ok(row)) = list.get_mut("ETHUSDT") {
            row.underlying = Underlying::Other;
        }
        let changes = listing.on_list(&list, |_| true);
        let reason = "it is not a contract on a coin".to_owned();
        assert_eq!(changes[1], ListingChange::Unusable(symbol("ETHUSDT"), reason));
    }

    #[test]
    fn where_no_list_is_offered_everything_is_listed() {
        let mut listing = listing();
        let changes = listing.on_not_offered();
        assert_eq!(changes.len(), 2);
        assert_eq!(listing.unlisted(), []);
        assert_eq!(listing.on_not_offered(), []);
    }
}
