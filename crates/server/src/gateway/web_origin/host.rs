//! Hosts and authorities, as the `Host` header names them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::error::{WebOriginError, shown};

/// Longest name of a host (RFC 1035), without a final dot.
const NAME_BYTES_MAX: usize = 253;

/// A host: an address or a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IP address.
    Address(IpAddr),
    /// A name in lower case, without a final dot.
    Name(String),
}

impl Host {
    /// Whether it names this machine and nothing else: `localhost`, a name below it, or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

impl FromStr for Host {
    type Err = WebOriginError;

    /// Reads a name, an IPv4 address, or an IPv6 address in brackets or without.
    fn from_str(text: &str) -> Result<Self, WebOriginError> {
        let wrong = || WebOriginError::Host(shown(text));
        let bracketed =
            text.strip_prefix('[').map(|rest| rest.strip_suffix(']').ok_or_else(wrong)).transpose()?;
        if let Ok(address) = bracketed.unwrap_or(text).parse::<Ipv6Addr>() {
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if bracketed.is_some() {
            return Err(wrong());
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        if !text.is_ascii() {
            return Err(WebOriginError::NotAscii(shown(text)));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if name.len() > NAME_BYTES_MAX || !name.split('.').all(is_label) {
            return Err(wrong());
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What the `Host` header holds: a host and perhaps a port. `name:`, an empty port, is none (RFC 3986, 3.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: Host,
    pub(crate) port: Option<u16>,
}

impl FromStr for Authority {
    type Err = WebOriginError;

    fn from_str(text: &str) -> Result<Self, WebOriginError> {
        // A colon inside of brackets belongs to the address.
        let after_host = text.rfind(']').map_or(0, |end| end + 1);
        let Some(colon) = text[after_host..].find(':').map(|colon| after_host + colon) else {
            return Ok(Self { host: text.parse()?, port: None });
        };
        let (host, port) = (&text[..colon], &text[colon + 1..]);
        if port.is_empty() {
            return Ok(Self { host: host.parse()?, port: None });
        }
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0);
        let port = port.ok_or_else(|| WebOriginError::Port(shown(text)))?;
        Ok(Self { host: host.parse()?, port: Some(port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_host_are_equal() {
        for (one, other) in [
            ("heat.example", "HEAT.Example."),
            ("[::1]", "[0:0:0:0:0:0:0:1]"),
            ("::1", "[::1]"),
            ("[::ffff:192.0.2.1]", "192.0.2.1"),
            ("[2001:DB8::a]", "[2001:db8:0::A]"),
        ] {
            assert_eq!(one.parse::<Host>().unwrap(), other.parse::<Host>().unwrap(), "{one} {other}");
        }
        for (text, shown) in [("A.b.", "a.b"), ("2001:db8:0::1", "[2001:db8::1]"), ("192.0.2.1", "192.0.2.1")]
        {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), shown);
        }
        let long = format!("{}.example", "a.".repeat(130));
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "a@b",
            "[::1",
            "::1]",
            "[192.0.2.1]",
            "[a]",
            "a%00b",
            &long,
        ] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
        assert_eq!("wärme.example".parse::<Host>(), Err(WebOriginError::NotAscii("wärme.example".into())));
    }

    #[test]
    fn an_empty_port_is_none() {
        for (text, host, port) in [
            ("heat.example:", "heat.example", None),
            ("[::1]:", "::1", None),
            ("127.0.0.1:", "127.0.0.1", None),
            ("heat.example:80", "heat.example", Some(80)),
        ] {
            assert_eq!(text.parse(), Ok(Authority { host: host.parse().unwrap(), port }), "{text}");
        }
        for bad in [":", ":80", "heat.example::", "heat.example:80:", "heat.example: ", "[::1]x:"] {
            assert!(bad.parse::<Authority>().is_err(), "{bad}");
        }
    }
}
