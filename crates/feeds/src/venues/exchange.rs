//! A venue as one value: its description, and the functions that know its formats.

use liqheat_market::{Instrument, Symbol, UnixMs, Venue};

use super::{
    ConnectionOpening, Contract, ContractTable, FrameError, LiquidationColumns, LiquidationFeed,
    ListedContract, Page, ReportedUsage, Request, RequestRefusal, RestQuery, Underlying, VenueFrameReader,
    VenueLimits, contract_named,
};

/// Finds a header of an answer by its name in small letters.
type Headers<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Reads the answer to a query about a contract, received at a time.
type ReadAnswer = fn(&Contract, &RestQuery, &[u8], UnixMs) -> Result<Page, FrameError>;

/// A venue. Stateless; one static value each, see [`exchange`](super::exchange).
#[derive(Debug)]
pub struct Exchange {
    /// Which one.
    pub venue: Venue,
    /// Its name as people write it, such as `OKX`.
    pub display_name: &'static str,
    /// The market that is followed, for people: `USD-M futures`.
    pub market: &'static str,
    /// Address of the socket without path, such as `wss://fstream.binance.com`.
    pub socket_base: &'static str,
    /// Address of the REST interface without path, such as `https://fapi.binance.com`.
    pub rest_base: &'static str,
    /// Its rules.
    pub limits: VenueLimits,
    /// How complete its feed of liquidations is.
    pub liquidation_feed: LiquidationFeed,
    /// The columns of files that were recorded from that feed; `None` where no such files are read.
    pub liquidation_columns: Option<LiquidationColumns>,
    /// The margin tiers that are shipped, a file of the form of [`TierBook::parse`](crate::tiers::TierBook::parse).
    pub tier_table: &'static str,
    /// Other names of the venue in files of margin tiers, such as `binance-um`.
    pub tier_table_names: &'static [&'static str],
    /// Most accounts whose fills may be requested at once; 0 where the venue shows them to nobody.
    pub accounts_max: usize,
    /// Whether contracts are of different sizes, so that no amount can be read before they are known.
    pub has_sizes: bool,
    /// See [`Exchange::names_of`].
    pub(super) names_of: fn(&Symbol) -> Vec<String>,
    /// See [`Exchange::symbol_of`].
    pub(super) symbol_of: fn(&str) -> Option<Symbol>,
    /// See [`Exchange::opening`].
    pub(super) opening: fn(&ContractTable) -> ConnectionOpening,
    /// See [`Exchange::reader`].
    pub(super) reader: fn(&ContractTable, UnixMs) -> Box<dyn VenueFrameReader>,
    /// See [`Exchange::request`].
    pub(super) request: fn(&Contract, &RestQuery, UnixMs) -> Option<Request>,
    /// See [`Exchange::answer`].
    pub(super) answer: ReadAnswer,
    /// See [`Exchange::refusal`].
    pub(super) refusal: fn(&RestQuery, u16, &[u8]) -> Option<RequestRefusal>,
    /// See [`Exchange::reported_usage`].
    pub(super) reported_usage: fn(&Headers<'_>) -> ReportedUsage,
}

impl Exchange {
    /// What the venue may call a contract, the likeliest name first; empty when it can have none of that symbol. `BTCUSDT`
    /// is `BTC-USDT-SWAP` at OKX and `BTC` at Hyperliquid; `1000SHIBUSDT` is that or `SHIB1000USDT` at Bybit. Only the
    /// venue's list says which of them exist; readers convert packs of any size.
    #[must_use]
    pub fn names_of(&self, symbol: &Symbol) -> Vec<String> {
        (self.names_of)(symbol)
    }

    /// The likeliest name; `None` when the venue can have no contract of that symbol.
    #[must_use]
    pub fn name_of(&self, symbol: &Symbol) -> Option<String> {
        self.names_of(symbol).into_iter().next()
    }

    /// The symbol of a contract's name; `None` when the name is not that of a contract that can be followed.
    #[must_use]
    pub fn symbol_of(&self, name: &str) -> Option<Symbol> {
        (self.symbol_of)(name)
    }

    /// Whether a listed contract is what `contract` means. A stock that is listed under the name that follows from a coin's
    /// symbol is not; one whose name was given on purpose to another symbol is.
    #[must_use]
    pub fn serves(&self, listed: &ListedContract, contract: &Contract) -> bool {
        listed.name == contract.name
            && (listed.underlying == Underlying::Coin
                || !self.names_of(&contract.symbol).contains(&listed.name))
    }

    /// What to send on a new connection.
    #[must_use]
    pub fn opening(&self, table: &ContractTable) -> ConnectionOpening {
        (self.opening)(table)
    }

    /// A reader for a connection that was opened at `opened`, by our clock.
    #[must_use]
    pub fn reader(&self, table: &ContractTable, opened: UnixMs) -> Box<dyn VenueFrameReader> {
        (self.reader)(table, opened)
    }

    /// The request for the first page of a query; `None` when the venue does not offer it. `now` is the venue's clock: where
    /// recent and older data have different endpoints, it selects the endpoint. The depth of a history is not checked, see
    /// [`HistoryDepths::clip`](super::HistoryDepths::clip).
    #[must_use]
    pub fn request(&self, contract: &Contract, query: &RestQuery, now: UnixMs) -> Option<Request> {
        (self.request)(contract, query, now)
    }

    /// Reads an answer for which [`Exchange::refusal`] returns `None`. `received` is the venue's clock when it came: klines
    /// that have not ended by it are not taken. A row that cannot be used is in [`Page::rejected`].
    ///
    /// # Errors
    /// When the answer as a whole is not what the venue sends, or is an error message of the venue.
    pub fn answer(
        &self,
        contract: &Contract,
        query: &RestQuery,
        body: &[u8],
        received: UnixMs,
    ) -> Result<Page, FrameError> {
        (self.answer)(contract, query, body, received)
    }

    /// What an answer with this status means; `None` when [`Exchange::answer`] reads it. Venues also refuse with status
    /// 200 and a code in the body.
    #[must_use]
    pub fn refusal(&self, query: &RestQuery, status: u16, body: &[u8]) -> Option<RequestRefusal> {
        (self.refusal)(query, status, body)
    }

    /// What the headers of an answer say about limits; `header` finds one by its name in small letters.
    #[must_use]
    pub fn reported_usage(&self, header: &Headers<'_>) -> ReportedUsage {
        (self.reported_usage)(header)
    }
}

/// A contract whose size is one coin, named as the venue names it.
#[must_use]
pub fn contract(exchange: &Exchange, symbol: &Symbol) -> Option<Contract> {
    Some(contract_named(symbol, &exchange.name_of(symbol)?))
}

/// The instrument of a contract.
#[must_use]
pub fn instrument(exchange: &Exchange, contract: &Contract) -> Instrument {
    Instrument::new(exchange.venue, contract.symbol.clone())
}

/// [`Exchange::refusal`] of a venue that uses HTTP's meanings.
pub(super) fn refusal_of_status(_query: &RestQuery, status: u16, _body: &[u8]) -> Option<RequestRefusal> {
    RequestRefusal::of_status(status)
}

/// [`Exchange::reported_usage`] of a venue whose headers say nothing.
pub(super) fn no_usage(_header: &Headers<'_>) -> ReportedUsage {
    ReportedUsage::default()
}
