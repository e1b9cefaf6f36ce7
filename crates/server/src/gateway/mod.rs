//! From an accepted TCP connection to an HTTP request or a raw socket, and who may have one.

mod addresses;
mod bearer;
mod client;
mod extensions;
mod front;
mod tokens;
mod upgrade;

pub use addresses::AddressLimits;
pub(crate) use addresses::Addresses;
pub(crate) use bearer::TokenGate;
pub(crate) use client::Client;
pub(crate) use front::Front;
pub(crate) use tokens::Tokens;
pub use tokens::{Secret, TokenSettings, TokenSettingsError};
pub(crate) use upgrade::{SocketState, routes};
