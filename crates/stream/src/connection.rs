//! What was agreed when a client connected.

use std::net::IpAddr;

use crate::access::Grant;
use crate::metrics::Encoding;

/// What was agreed when a client connected.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The client's address, for logs and limits.
    pub client: IpAddr,
    /// How it takes states.
    pub encoding: Encoding,
    /// permessage-deflate, without context takeover on either side.
    pub deflate: bool,
    /// What it was let in with.
    pub grant: Grant,
}

impl Connection {
    /// A plain one, of text.
    #[must_use]
    pub fn plain(client: IpAddr) -> Self {
        Self { client, encoding: Encoding::Json, deflate: false, grant: Grant::default() }
    }
}
