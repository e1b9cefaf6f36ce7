//! Origins of pages.

use std::fmt;
use std::str::FromStr;

use super::error::{WebOriginError, shown};
use super::host::{Authority, Host};

/// Where a page comes from: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin {
    pub(super) scheme: String,
    host: Host,
    /// `None` where the scheme has no default and none is given.
    port: Option<u16>,
}

impl WebOrigin {
    /// The host.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Whether a page of this origin was loaded from the server that a request names. The server does not know
    /// whether a proxy in front of it ends TLS, so the scheme is taken as given.
    pub(crate) fn is_of(&self, requested: &Authority) -> bool {
        self.host == requested.host && self.port == requested.port.or(default_port(&self.scheme))
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

impl FromStr for WebOrigin {
    type Err = WebOriginError;

    fn from_str(text: &str) -> Result<Self, WebOriginError> {
        let wrong = || WebOriginError::Origin(shown(text));
        let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
        let scheme = scheme.to_ascii_lowercase();
        let mut letters = scheme.bytes();
        let begins_well = letters.next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !begins_well || !letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            return Err(wrong());
        }
        // Origins are written by browsers, which leave an empty port away with its colon.
        if authority.contains(['/', '?', '#', '@', ' ']) || authority.ends_with(':') {
            return Err(wrong());
        }
        let Authority { host, port } = authority.parse()?;
        Ok(Self { port: port.or(default_port(&scheme)), scheme, host })
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) if default_port(&self.scheme) != Some(port) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_with_default_ports() {
        for (origin, host, is_own) in [
            ("https://heat.example", "heat.example", true),
            ("https://heat.example", "heat.example:443", true),
            ("https://heat.example:443", "heat.example", true),
            ("http://heat.example", "heat.example:80", true),
            ("http://heat.example:80", "HEAT.example.", true),
            ("https://heat.example:8443", "heat.example:8443", true),
            ("HTTPS://Heat.Example", "heat.example", true),
            ("http://[::1]:8000", "[0:0::1]:8000", true),
            ("http://127.0.0.1:8000", "127.0.0.1:8000", true),
            ("chrome-extension://abc", "abc", true),
            ("https://heat.example:8443", "heat.example", false),
            ("https://heat.example", "heat.example:80", false),
            ("http://heat.example", "heat.example:443", false),
            ("http://127.0.0.1:9000", "127.0.0.1:8000", false),
            ("https://evil.example", "heat.example", false),
            ("https://heat.example.evil.example", "heat.example", false),
            ("http://localhost:8000", "127.0.0.1:8000", false),
        ] {
            let (parsed, host): (WebOrigin, Authority) = (origin.parse().unwrap(), host.parse().unwrap());
            assert_eq!(parsed.is_of(&host), is_own, "{origin} {host:?}");
        }
        for bad in [
            "",
            "null",
            "heat.example",
            "https://",
            "https:///",
            "https://heat.example/",
            "https://heat.example/x",
            "https://a@b",
            "https://heat.example:",
            "https://heat.example:0",
            "https://heat.example:65536",
            "https://heat.example:+443",
            "https://heat.example:44 3",
            "://heat.example",
            "1a://b",
            "https://a b",
            "https://[::1",
            "https://heat.example?x",
        ] {
            assert!(bad.parse::<WebOrigin>().is_err(), "{bad}");
        }
        assert_eq!(
            "https://Heat.example:443".parse::<WebOrigin>().unwrap().to_string(),
            "https://heat.example"
        );
        assert_eq!("http://[::1]:8080".parse::<WebOrigin>().unwrap().to_string(), "http://[::1]:8080");
    }
}
