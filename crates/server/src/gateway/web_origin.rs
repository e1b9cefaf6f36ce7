//! Hosts and origins as parsed values, so that two spellings of one are equal.
//!
//! `https://Heat.example.:443` and `https://heat.example` are the same origin, and so are `[0:0::1]` and `[::1]` the
//! same host. Names are compared in lower case and without a final dot; names outside ASCII must be given in their
//! ASCII form (`xn--..`), which is what browsers send.

mod error;
mod host;
mod origin;
mod rules;

pub use error::WebOriginError;
pub(crate) use host::Authority;
pub use host::Host;
pub use origin::WebOrigin;
pub(crate) use rules::HostRules;
pub use rules::{AllowedHost, AllowedOrigin};
