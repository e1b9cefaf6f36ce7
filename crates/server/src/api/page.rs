//! The dashboard, embedded in the program.

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::formats::coinglass;
use crate::gateway::AllowedOrigin;
use crate::http::{Refusal, is_coding_accepted};

/// The built page; empty in a program that was built before the page was.
#[derive(RustEmbed)]
#[folder = "../../web/dashboard/dist"]
#[allow_missing = true]
struct Page;

/// Content coding (`br`) of the compressed twins that the build of the page writes; a seventh smaller than gzip.
const CODING: &str = "br";
/// How the name of that form ends.
const CODED_SUFFIX: &str = ".br";

/// What the page may load: itself, and WebSockets of any host, for those who point it at another server.
const CONTENT_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; \
     object-src 'none'; base-uri 'none'; frame-ancestors 'self'";

/// Which pages may show the page in a frame.
///
/// Those of other origins only with `?embed=1`, where nothing can be clicked that changes anything: otherwise a foreign page
/// could make its visitors click in a frame that they do not see.
pub(crate) struct FramePolicy {
    /// With `embed=1`.
    embedded: HeaderValue,
}

impl FramePolicy {
    /// `origins`: of pages that may embed, besides those of this server.
    pub(crate) fn new(origins: &[AllowedOrigin]) -> Self {
        let listed: String = origins.iter().map(|origin| format!(" {origin}")).collect();
        // Origins are made of the characters of addresses.
        let embedded = HeaderValue::from_str(&format!("{CONTENT_POLICY}{listed}"));
        Self { embedded: embedded.unwrap_or(HeaderValue::from_static(CONTENT_POLICY)) }
    }

    fn of(&self, uri: &Uri) -> HeaderValue {
        let is_embedded = uri.query().is_some_and(|query| query.split('&').any(|field| field == "embed=1"));
        if is_embedded { self.embedded.clone() } else { HeaderValue::from_static(CONTENT_POLICY) }
    }
}

pub(super) fn page(policy: &FramePolicy, uri: &Uri, headers: &HeaderMap) -> Response {
    if uri.path().starts_with(coinglass::PREFIX) {
        return coinglass::not_served(uri.path());
    }
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(file) = Page::get(path).filter(|_| !path.ends_with(CODED_SUFFIX)) else {
        return missing(path);
    };
    let mut accepted =
        headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let is_accepted = accepted.any(|list| is_coding_accepted(list, CODING));
    let coded = if is_accepted { Page::get(&format!("{path}{CODED_SUFFIX}")) } else { None };
    let coding = coded.is_some().then_some([(header::CONTENT_ENCODING, CODING)]);
    // Vite puts a hash of the content into the names under assets/, so they never change.
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = HeaderValue::from_str(file.metadata.mimetype())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let head = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::CONTENT_SECURITY_POLICY, policy.of(uri)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    (head, coding, coded.unwrap_or(file).data.into_owned()).into_response()
}

fn missing(path: &str) -> Response {
    if path == "index.html" {
        let text = "This program was built without its page. Build it with `make build`; the HTTP API and /ws/heatmap work.\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    Refusal::not_found(format!("there is no '/{}' here", path.chars().take(80).collect::<String>()))
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_origins_may_frame_only_the_embedded_page() {
        let origins = ["https://charts.example".parse().unwrap(), "http://localhost:3000".parse().unwrap()];
        let policy = FramePolicy::new(&origins);
        let ancestors = |policy: &FramePolicy, uri: &str| {
            let value = policy.of(&uri.parse().unwrap());
            value.to_str().unwrap().split("frame-ancestors ").nth(1).unwrap().to_owned()
        };
        let all = "'self' https://charts.example http://localhost:3000";
        assert_eq!(ancestors(&policy, "/?symbol=BTCUSDT&embed=1"), all);
        for uri in ["/", "/?symbol=BTCUSDT", "/?embed=0", "/?embed=10", "/?noembed=1", "/assets/embed=1"] {
            assert_eq!(ancestors(&policy, uri), "'self'", "{uri}");
        }
        assert_eq!(ancestors(&FramePolicy::new(&[]), "/?embed=1"), "'self'");
        assert_eq!(ancestors(&FramePolicy::new(&["*".parse().unwrap()]), "/?embed=1"), "'self' *");
    }
}
