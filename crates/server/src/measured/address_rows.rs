//! Known addresses as rows of the store.

use liqheat_measured::{Address, KnownAddress, LookInterval};
use liqheat_store::AccountAddress;

/// `None` for a row whose address or interval this version does not know.
pub(super) fn known_of(row: &AccountAddress) -> Option<(Address, KnownAddress)> {
    let known = KnownAddress {
        found: row.found,
        traded: row.traded,
        held: row.held,
        looked: row.looked,
        interval: LookInterval::from_ms(row.interval_ms)?,
        is_named: false,
    };
    Some((row.address.parse().ok()?, known))
}

pub(super) fn row_of((address, known): &(Address, KnownAddress)) -> AccountAddress {
    AccountAddress {
        address: address.to_string(),
        found: known.found,
        traded: known.traded,
        held: known.held,
        looked: known.looked,
        interval_ms: known.interval.ms(),
    }
}
