//! Hosts and origins as parsed values, so that two spellings of one are equal.
//!
//! `https://Heat.example.:443` and `https://heat.example` are the same origin, and so are `[0:0::1]` and `[::1]` the
//! same host. Names are compared in lower case and without a final dot; names outside ASCII must be given in their
//! ASCII form (`xn--..`), which is what browsers send.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

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

/// Text that is no host, origin or authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebOriginError {
    /// A host.
    #[error("'{0}' is not a host: a name (heat.example), an IPv4 address, or an IPv6 address in brackets")]
    Host(String),
    /// A name with characters outside ASCII.
    #[error("'{0}': write the name in its ASCII form (xn--..), as browsers send it")]
    NotAscii(String),
    /// A port.
    #[error("'{0}' does not end with a port of 1 to 65535")]
    Port(String),
    /// An origin.
    #[error(
        "'{0}' is not an origin: scheme and host without a path, such as https://heat.example or http://10.0.0.5:8080"
    )]
    Origin(String),
    /// An origin that no page can have.
    #[error(
        "'{0}' cannot be the origin of a page: write https:// or http:// (or the scheme of a browser extension or app, such as chrome-extension://)"
    )]
    Scheme(String),
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

/// Where a page comes from: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
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

/// Origins that are allowed: one, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`.
    Any,
    /// This one.
    Origin(WebOrigin),
}

impl AllowedOrigin {
    pub(crate) fn matches(&self, origin: &WebOrigin) -> bool {
        match self {
            Self::Any => true,
            Self::Origin(allowed) => allowed == origin,
        }
    }
}

impl FromStr for AllowedOrigin {
    type Err = WebOriginError;

    /// Reads an origin that pages can have, or `*`; a final slash, as it is copied from a browser, does not count.
    fn from_str(text: &str) -> Result<Self, WebOriginError> {
        let text = text.trim();
        if text == "*" {
            Ok(Self::Any)
        } else {
            let origin: WebOrigin = text.strip_suffix('/').unwrap_or(text).parse()?;
            if is_of_pages(&origin.scheme) {
                Ok(Self::Origin(origin))
            } else {
                Err(WebOriginError::Scheme(shown(text)))
            }
        }
    }
}

/// Whether pages with this scheme exist: those of the web, of browser extensions, and of shells around web applications.
fn is_of_pages(scheme: &str) -> bool {
    const OF_APPS: [&str; 5] = ["app", "capacitor", "ionic", "tauri", "vscode-webview"];
    matches!(scheme, "http" | "https") || scheme.ends_with("-extension") || OF_APPS.contains(&scheme)
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Origin(origin) => origin.fmt(f),
        }
    }
}

/// Hosts under which the server may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedHost {
    /// `*`: whatever a request names.
    Any,
    /// `*.example`: every name below this one.
    Below(String),
    /// This host, at any port.
    Host(Host),
}

impl AllowedHost {
    fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Below(parent), Host::Name(name)) => {
                name.strip_suffix(parent.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (Self::Below(_), Host::Address(_)) => false,
            (Self::Host(allowed), host) => allowed == host,
        }
    }
}

impl FromStr for AllowedHost {
    type Err = WebOriginError;

    fn from_str(text: &str) -> Result<Self, WebOriginError> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return match parent.parse()? {
                Host::Name(name) => Ok(Self::Below(name)),
                Host::Address(_) => Err(WebOriginError::Host(shown(text))),
            };
        }
        match text.parse::<Authority>() {
            Ok(Authority { host, port: None }) => Ok(Self::Host(host)),
            // An IPv6 address without brackets looks like a port.
            _ => text.parse().map(Self::Host),
        }
    }
}

/// The protection against DNS rebinding: which hosts a request may name.
///
/// A page of an attacker can make the name it was loaded from point to this server; the browser then takes both for
/// one origin, and only the name in `Host` shows it. It cannot do so with an address, and not with `localhost`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostRules {
    allowed: Vec<AllowedHost>,
}

impl HostRules {
    /// The configured hosts, and those of pages that may open sockets.
    pub(crate) fn new(hosts: &[AllowedHost], origins: &[AllowedOrigin]) -> Self {
        let of_origins = origins.iter().filter_map(|origin| match origin {
            AllowedOrigin::Origin(origin) => Some(AllowedHost::Host(origin.host().clone())),
            AllowedOrigin::Any => None,
        });
        Self { allowed: hosts.iter().cloned().chain(of_origins).collect() }
    }

    pub(crate) fn allows(&self, host: &Host) -> bool {
        matches!(host, Host::Address(_))
            || host.is_loopback()
            || self.allowed.iter().any(|rule| rule.matches(host))
    }
}

/// Text from outside, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
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

    #[test]
    fn settings_are_read_as_people_write_them() {
        let allowed: AllowedOrigin = " https://Charts.example:443/ ".parse().unwrap();
        assert!(allowed.matches(&"https://charts.example".parse().unwrap()));
        assert!(!allowed.matches(&"http://charts.example".parse().unwrap()));
        assert!("*".parse::<AllowedOrigin>().unwrap().matches(&"http://x".parse().unwrap()));
        for bad in ["charts.example", "https://charts.example/page", "null", ""] {
            assert!(bad.parse::<AllowedOrigin>().is_err(), "{bad}");
        }
        for scheme in ["ftp", "FTP", "ws", "wss", "file", "gopher", "redis"] {
            let error = format!("{scheme}://charts.example").parse::<AllowedOrigin>().unwrap_err();
            assert!(matches!(error, WebOriginError::Scheme(_)), "{scheme}");
            assert!(error.to_string().contains("write https:// or http://"), "{error}");
        }
        for scheme in ["http", "HTTPS", "chrome-extension", "moz-extension", "tauri"] {
            assert!(format!("{scheme}://abc").parse::<AllowedOrigin>().is_ok(), "{scheme}");
        }
        for bad in ["https://heat.example", "heat.example:8000", "*.10.0.0.1", "a b", "", "*."] {
            assert!(bad.parse::<AllowedHost>().is_err(), "{bad}");
        }
        assert_eq!("2001:db8::1".parse(), Ok(AllowedHost::Host("[2001:db8::1]".parse().unwrap())));
    }

    #[test]
    fn foreign_names_are_refused() {
        let hosts = ["heat.example", "*.charts.example"].map(|host| host.parse().unwrap());
        let origins = ["https://page.example", "*"].map(|origin| origin.parse().unwrap());
        let rules = HostRules::new(&hosts, &origins);
        for (host, is_allowed) in [
            ("localhost", true),
            ("LOCALHOST.", true),
            ("app.localhost", true),
            ("127.0.0.1", true),
            ("[::1]", true),
            ("203.0.113.7", true),
            ("[2001:db8::7]", true),
            ("heat.example", true),
            ("Heat.Example.", true),
            ("page.example", true),
            ("a.charts.example", true),
            ("a.b.charts.example", true),
            ("charts.example", false),
            ("xcharts.example", false),
            ("a.heat.example", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("notlocalhost", false),
        ] {
            assert_eq!(rules.allows(&host.parse().unwrap()), is_allowed, "{host}");
        }
        assert!(HostRules::new(&[AllowedHost::Any], &[]).allows(&"evil.example".parse().unwrap()));
    }
}
