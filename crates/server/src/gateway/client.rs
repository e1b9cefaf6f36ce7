//! Whose request it is: the peer's, or behind a proxy that is trusted the one the proxy names.
//!
//! `X-Forwarded-For` is a list to which every proxy appends whom it heard from, so only what trusted proxies
//! appended is true: read from the right, the first address that is no trusted proxy is the client.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// The client's address, or that of the proxy if it names none.
    pub(crate) address: IpAddr,
    /// Whether limits by address apply. Not to a trusted proxy that names no client: they would hit everybody
    /// behind it.
    pub(crate) limited: bool,
}

impl Client {
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        if !is_trusted(peer, trusted) {
            return Self { address: peer, limited: true };
        }
        let values = headers.get_all("x-forwarded-for").iter();
        let named: Vec<&str> =
            values.flat_map(|value| value.to_str().unwrap_or("").split(',')).map(str::trim).collect();
        for name in named.iter().rev() {
            match address_of(name) {
                Some(address) if is_trusted(address, trusted) => {}
                Some(address) => return Self { address, limited: true },
                // What a proxy could not name ("unknown") ends what can be believed.
                None => break,
            }
        }
        Self { address: peer, limited: false }
    }
}

pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// An address, with or without a port and brackets.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_client_is_the_last_one_that_is_no_trusted_proxy() {
        let trusted = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"].map(|net| net.parse().unwrap());
        for (peer, forwarded, address, limited) in [
            ("198.51.100.7", &[][..], "198.51.100.7", true),
            ("198.51.100.7", &["192.0.2.1"], "198.51.100.7", true),
            ("::ffff:198.51.100.7", &[], "198.51.100.7", true),
            ("127.0.0.1", &[], "127.0.0.1", false),
            ("127.0.0.1", &["192.0.2.1"], "192.0.2.1", true),
            ("::1", &["2001:db8::7"], "2001:db8::7", true),
            ("::ffff:127.0.0.1", &["192.0.2.1"], "192.0.2.1", true),
            // The client writes the left end itself.
            ("127.0.0.1", &["203.0.113.9, 192.0.2.1"], "192.0.2.1", true),
            ("127.0.0.1", &["203.0.113.9, 192.0.2.1, 10.1.2.3"], "192.0.2.1", true),
            ("127.0.0.1", &["203.0.113.9", "192.0.2.1,10.1.2.3"], "192.0.2.1", true),
            ("127.0.0.1", &["192.0.2.1:4711"], "192.0.2.1", true),
            ("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7", true),
            ("127.0.0.1", &["[2001:db8::7]"], "2001:db8::7", true),
            ("127.0.0.1", &["192.0.2.1, unknown"], "127.0.0.1", false),
            ("127.0.0.1", &["10.0.0.1, 127.0.0.1"], "127.0.0.1", false),
            ("127.0.0.1", &[""], "127.0.0.1", false),
        ] {
            let headers =
                forwarded.iter().map(|value| ("x-forwarded-for".parse().unwrap(), value.parse().unwrap()));
            let headers: HeaderMap<HeaderValue> = headers.collect();
            let expected = Client { address: address.parse().unwrap(), limited };
            assert_eq!(
                Client::of(peer.parse().unwrap(), &headers, &trusted),
                expected,
                "{peer} {forwarded:?}"
            );
        }
    }
}
