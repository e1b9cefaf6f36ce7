//! What the operator allows: origins of pages, and hosts under which the server is reached.

use std::fmt;
use std::str::FromStr;

use super::error::{WebOriginError, shown};
use super::host::{Authority, Host};
use super::origin::WebOrigin;

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

#[cfg(test)]
mod tests {
    use super::*;

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
