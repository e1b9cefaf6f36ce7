//! Why a server does not start, and how it ended.

use liqheat_feeds::sim::SimConfigError;
use liqheat_feeds::tiers::TierBookError;
use liqheat_store::StoreError;

use crate::gateway::TokenSettingsError;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The simulation's settings.
    #[error(transparent)]
    Sim(#[from] SimConfigError),
    /// The tier tables.
    #[error(transparent)]
    Tiers(#[from] TierBookError),
    /// A symbol that is asked for but not stored.
    #[error("symbol '{wanted}' is not in the database; it holds {stored}")]
    UnknownSymbol {
        /// What was asked for.
        wanted: String,
        /// What there is.
        stored: String,
    },
    /// A replay needs something to play.
    #[error("nothing to replay: the database holds no bars between {from} and {to}; it holds {stored}")]
    NothingToPlay {
        /// From.
        from: String,
        /// To.
        to: String,
        /// What there is.
        stored: String,
    },
    /// The settings of tokens; every mistake.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Tokens(Vec<TokenSettingsError>),
    /// The address of the listener cannot be read.
    #[error("the listening socket: {0}")]
    Socket(#[from] std::io::Error),
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEnd {
    /// As asked, everything in order.
    InOrder,
    /// A part ended by itself or did not stop in time; its name.
    Fault(String),
}
