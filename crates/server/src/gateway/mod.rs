//! From an accepted TCP connection to an HTTP request or a raw socket, and who may have one.

mod access;
mod addresses;
mod admission;
mod bearer;
mod client;
mod cors;
mod events;
mod extensions;
mod front;
mod guard;
mod settings;
mod takeover;
mod tokens;
mod upgrade;
mod web_origin;
mod writes;

pub(crate) use access::AccessPolicy;
pub use addresses::AddressLimits;
pub(crate) use addresses::Addresses;
pub(crate) use admission::SocketState;
pub(crate) use bearer::{IngestGranted, RequestAccess, TokenGate};
pub(crate) use client::Client;
pub(crate) use events::stream_route;
pub(crate) use front::Front;
pub(crate) use guard::{Guard, check};
pub use settings::FrontSettings;
pub(crate) use tokens::Tokens;
pub use tokens::{Secret, TokenSettings, TokenSettingsError};
pub(crate) use upgrade::socket_route;
pub use web_origin::{AllowedHost, AllowedOrigin, Host, WebOrigin, WebOriginError};
pub(crate) use writes::{WriteGate, same_origin};
