//! Where spans are sent, and which.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;

/// How spans are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// The collector.
    pub collector: CollectorUrl,
    /// `service.name` of all spans.
    pub service: String,
    /// Share of traces that are sent, 0 to 1, where a request does not say by its `traceparent`.
    pub sample_ratio: f64,
}

/// Address of a collector: `http` or `https`, a host, perhaps a port and a path. Spans go to `v1/traces` below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorUrl(String);

/// Text that is no address of a collector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be the URL of a collector without query and credentials, such as http://127.0.0.1:4318")]
pub struct CollectorUrlError;

impl CollectorUrl {
    /// Where spans are posted.
    #[must_use]
    pub fn traces(&self) -> String {
        format!("{}/v1/traces", self.0)
    }
}

impl FromStr for CollectorUrl {
    type Err = CollectorUrlError;

    fn from_str(text: &str) -> Result<Self, CollectorUrlError> {
        let text = text.trim();
        let url: Uri = text.parse().map_err(|_| CollectorUrlError)?;
        let is_http = matches!(url.scheme_str(), Some("http" | "https"));
        let has_host = url.host().is_some_and(|host| !host.is_empty());
        // Logged and shown in the settings, so nothing secret may be part of it.
        let is_plain =
            url.query().is_none() && url.authority().is_some_and(|one| !one.as_str().contains('@'));
        if is_http && has_host && is_plain && !text.contains('#') {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(CollectorUrlError)
        }
    }
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_below_the_address() {
        for (text, traces) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            (" https://otel.example/ ", "https://otel.example/v1/traces"),
            ("http://[::1]:4318/tenant/a/", "http://[::1]:4318/tenant/a/v1/traces"),
        ] {
            assert_eq!(text.parse::<CollectorUrl>().unwrap().traces(), traces);
        }
        for bad in [
            "",
            "127.0.0.1:4318",
            "collector",
            "grpc://collector:4317",
            "http://",
            "http:///v1",
            "http://a b",
            "http://user:secret@collector",
            "http://collector?key=secret",
            "http://collector#x",
        ] {
            assert_eq!(bad.parse::<CollectorUrl>(), Err(CollectorUrlError), "{bad}");
        }
    }
}
