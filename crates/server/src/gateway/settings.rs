//! What an operator can set about the front door.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::web_origin::{AllowedHost, AllowedOrigin};

/// The front door: who may come in, and how long they may take.
#[derive(Debug, Clone)]
pub struct FrontSettings {
    /// Origins of pages, besides those of this server, that may open WebSockets.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// Origins of pages, besides those of this server, that may show the page in a frame with `?embed=1`.
    pub embed_origins: Vec<AllowedOrigin>,
    /// Names under which the server is reached, besides `localhost` and addresses.
    pub hosts: Vec<AllowedHost>,
    /// Proxies that are believed when they name a client in `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNet>,
    /// A request head that is not complete within this ends its connection.
    pub handshake_timeout: Duration,
    /// A response whose client accepts no byte for this long ends its connection.
    pub write_timeout: Duration,
    /// Connections that speak HTTP at once; WebSockets are counted elsewhere.
    pub http_connections_max: usize,
    /// Whether permessage-deflate is agreed to.
    pub compression: bool,
    /// Whether `/metrics` and `/ws/stats` are on a listener of their own and nowhere else.
    pub metrics_apart: bool,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            embed_origins: Vec::new(),
            hosts: Vec::new(),
            trusted_proxies: loopback(),
            handshake_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            http_connections_max: 512,
            compression: true,
            metrics_apart: false,
        }
    }
}

/// This machine.
fn loopback() -> Vec<IpNet> {
    vec![
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into(),
    ]
}
