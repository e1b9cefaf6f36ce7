//! The address of a running server, for commands that talk to one.

use std::fmt;

use hyper::Uri;

/// Scheme, host and port of a server, with the path under which a proxy has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// Without a slash at its end.
    base: String,
}

impl ServerUrl {
    /// From what a user types.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "such as http://127.0.0.1:8000 or https://heat.example";
        let text = text.trim();
        let uri: Uri = text.parse().map_err(|error| format!("not a URL ({error}); {EXAMPLE}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err(format!("must begin with http:// or https:// and name a host, {EXAMPLE}"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("must not hold a user or password; give a token with --token".to_owned());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(format!("must be the address of the server and nothing behind it, {EXAMPLE}"));
        }
        Ok(Self { base: text.trim_end_matches('/').to_owned() })
    }

    /// The URL of a route, `/v1/..`, with parameters that are percent-encoded here.
    pub(crate) fn route(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut url = format!("{}{path}", self.base);
        for (index, (name, value)) in parameters.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                    url.push(char::from(byte));
                } else {
                    url.push_str(&format!("%{byte:02X}"));
                }
            }
        }
        url
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_are_read_and_others_refused() {
        for (text, base) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
            ("https://heat.example/liqheat/", "https://heat.example/liqheat"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            assert_eq!(ServerUrl::parse(text).unwrap().to_string(), base);
        }
        for bad in [
            "",
            "127.0.0.1:8000",
            "localhost",
            "ws://localhost:8000",
            "http://",
            "http://u:p@localhost",
            "http://localhost/?a=b",
            "http://localhost/#a",
        ] {
            assert!(ServerUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_encoded() {
        let url = ServerUrl::parse("http://localhost:1/x/").unwrap();
        let name = "klines/BTC USDT&a=b.csv";
        assert_eq!(
            url.route("/v1/ingest", &[("name", name), ("symbol", "A+B")]),
            "http://localhost:1/x/v1/ingest?name=klines/BTC%20USDT%26a%3Db.csv&symbol=A%2BB"
        );
    }
}
