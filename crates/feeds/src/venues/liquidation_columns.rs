//! The columns of files of realised liquidations, as they are recorded from a venue's feed.

use liqheat_market::{PriceKind, Symbol};

/// The columns of one venue's files. Names are in small letters; the order in the file is free.
#[derive(Debug)]
pub struct LiquidationColumns {
    /// A header that fits, for the text of errors.
    pub header: &'static str,
    /// Time in milliseconds: the first of these that the file has.
    pub time: &'static [&'static str],
    /// The contract.
    pub symbol: &'static str,
    /// Side of the position: `long`, or `Buy` of one that was bought. Preferred to [`Self::order_side`].
    pub position_side: Option<&'static str>,
    /// Side of the order that closed it: `SELL` closes a long.
    pub order_side: Option<&'static str>,
    /// Quantity, in coins or in contracts.
    pub qty: &'static str,
    /// Price, of [`Self::price_kind`].
    pub price: &'static str,
    /// What the price is.
    pub price_kind: PriceKind,
    /// Bankruptcy price, read in rows where [`Self::price`] is empty; the file need not have it.
    pub bankruptcy_price: Option<&'static str>,
    /// Coins in a contract, where quantities are contracts.
    pub contract_value: Option<&'static str>,
    /// The symbol of what is in [`Self::symbol`]; `None` when it is not a contract that can be followed.
    pub symbol_of: fn(&str) -> Option<Symbol>,
}
