//! Cross-origin reads: pages of the origins in `--allowed-origins` may read every route, as they may open sockets.
//!
//! The rule is that of sockets ([`super::admission`]), so a page whose socket fails can poll.

use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::web_origin::{AllowedOrigin, WebOrigin};

/// How long a browser may remember the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// Answers preflights, and names the origin in answers to allowed ones.
pub(crate) fn cors(allowed: &[AllowedOrigin]) -> CorsLayer {
    let allowed = allowed.to_vec();
    let is_allowed = move |origin: &HeaderValue, _: &Parts| is_allowed(origin, &allowed);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([
            header::AUTHORIZATION,
            header::ACCEPT,
            header::IF_NONE_MATCH,
            HeaderName::from_static("cg-api-key"),
        ])
        .expose_headers([header::ETAG, header::RETRY_AFTER])
        .max_age(MAX_AGE)
}

fn is_allowed(origin: &HeaderValue, allowed: &[AllowedOrigin]) -> bool {
    let parsed = origin.to_str().ok().and_then(|text| text.parse::<WebOrigin>().ok());
    allowed.contains(&AllowedOrigin::Any)
        || parsed.is_some_and(|origin| allowed.iter().any(|one| one.matches(&origin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_as_parsed_values() {
        let allowed: Vec<AllowedOrigin> = vec!["https://charts.example".parse().unwrap()];
        let check = |origin: &str| is_allowed(&HeaderValue::from_str(origin).unwrap(), &allowed);
        assert!(check("https://charts.example") && check("https://Charts.Example:443"));
        for foreign in ["http://charts.example", "https://charts.example.evil", "null", "", "*"] {
            assert!(!check(foreign), "{foreign}");
        }
        assert!(is_allowed(&HeaderValue::from_static("null"), &[AllowedOrigin::Any]));
    }
}
