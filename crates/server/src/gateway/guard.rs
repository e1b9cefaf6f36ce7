//! Checks that every request passes before any route sees it, and headers that every answer carries.
//!
//! - A head of at most [`HEAD_BYTES_MAX`]; the buffer that it is read into is larger at times.
//! - Only GET, HEAD and preflights ([`super::cors`]), and POST and DELETE where a route takes them; everything else, CONNECT
//!   included, is 405.
//! - `Host` must be there, once, and name this server ([`super::access`]): protection against DNS rebinding.
//! - Every answer says `X-Content-Type-Options: nosniff`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::AccessPolicy;
use super::web_origin::Authority;
use crate::http::Refusal;

/// Most bytes of a request head.
pub(super) const HEAD_BYTES_MAX: usize = 32 * 1_024;

/// What requests may name and ask.
pub(crate) struct Guard {
    access: Arc<AccessPolicy>,
}

impl Guard {
    pub(crate) fn new(access: Arc<AccessPolicy>) -> Arc<Self> {
        Arc::new(Self { access })
    }

    fn judge(&self, request: &Request) -> Result<(), Refusal> {
        if head_bytes(request) > HEAD_BYTES_MAX {
            return Err(Refusal::head_too_large("the request head is larger than 32 KiB"));
        }
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        if !is_read && !is_preflight && !is_write(request) {
            return Err(Refusal::method_not_allowed("only GET and HEAD are answered here"));
        }
        let Some(requested) = requested(request.uri(), request.version(), request.headers())? else {
            return Ok(());
        };
        if self.access.rules().hosts.allows(&requested.host) {
            return Ok(());
        }
        Err(Refusal::forbidden(format!(
            "'{}' is not a known name of this server; if it is one, add it with --hosts (LIQHEAT_HOSTS)",
            requested.host
        )))
    }
}

/// Whether a request changes something and a route exists for that. Who may do so is decided by [`super::WriteGate`].
fn is_write(request: &Request) -> bool {
    const WRITABLE: [&str; 3] = ["/v1/alerts", "/v1/ingest", "/mcp"];
    [Method::POST, Method::DELETE].contains(request.method()) && WRITABLE.contains(&request.uri().path())
}

/// The length of a request head as it is usually written.
fn head_bytes(request: &Request) -> usize {
    /// Two spaces, the version, and the two line breaks at the ends of the first line and the head.
    const FIRST_LINE: usize = 2 + "HTTP/1.1".len() + 4;
    /// A colon, a space and a line break.
    const OF_HEADER: usize = 4;
    // Without an allocation, because this is done for every request.
    let uri = request.uri();
    let target = uri.path().len()
        + uri.query().map_or(0, |query| query.len() + 1)
        + uri.authority().map_or(0, |authority| authority.as_str().len())
        + uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let headers = request.headers().iter();
    let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + OF_HEADER).sum();
    FIRST_LINE + request.method().as_str().len() + target + headers
}

pub(crate) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match guard.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The server that a request names. `None` for HTTP/1.0 without a host, which no browser sends.
pub(super) fn requested(
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
) -> Result<Option<Authority>, Refusal> {
    let mut named = headers.get_all(header::HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default(),
        (None, _) if version < Version::HTTP_11 => return Ok(None),
        (None, _) => return Err(Refusal::bad("the header Host is missing")),
        (Some(_), Some(_)) => return Err(Refusal::bad("the header Host is there more than once")),
    };
    // A target that names its server goes before Host (RFC 9112, 3.2.2).
    let name = uri.authority().map_or(host, |authority| authority.as_str());
    let authority = name.parse().map_err(|error| Refusal::bad(format!("the header Host: {error}")))?;
    Ok(Some(authority))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;

    use super::*;

    fn status(method: &str, uri: &str, version: Version, hosts: &[&str]) -> StatusCode {
        let guard = Guard::new(AccessPolicy::new(&["heat.example".parse().unwrap()], &[]));
        let mut request = Request::builder().method(method).uri(uri).version(version);
        for host in hosts {
            request = request.header("host", *host);
        }
        let judged = guard.judge(&request.body(Body::empty()).unwrap());
        judged.map_or_else(|refusal| refusal.into_response().status(), |()| StatusCode::OK)
    }

    #[test]
    fn heads_are_measured_as_they_are_written() {
        let head = |padding: usize| {
            let text =
                format!("GET /live?a=b HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(padding));
            let request = Request::builder().uri("/live?a=b").header("host", "localhost");
            let request = request.header("x", "x".repeat(padding)).body(Body::empty()).unwrap();
            (text.len(), request)
        };
        let guard = Guard::new(AccessPolicy::new(&[], &[]));
        let (length, request) = head(100);
        assert_eq!(head_bytes(&request), length);
        let room = HEAD_BYTES_MAX - length + 100;
        assert!(guard.judge(&head(room).1).is_ok());
        let refused = guard.judge(&head(room + 1).1).unwrap_err();
        assert_eq!(refused.into_response().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }

    #[test]
    fn requests_are_judged_by_method_and_host() {
        for (method, uri, hosts, expected) in [
            ("GET", "/", &["heat.example"][..], 200),
            ("HEAD", "/", &["HEAT.example.:443"], 200),
            ("GET", "/", &["127.0.0.1:8000"], 200),
            ("GET", "/", &["[::1]:8000"], 200),
            ("GET", "/", &["localhost"], 200),
            ("GET", "/", &["heat.example:"], 200),
            ("GET", "/", &["[::1]:"], 200),
            ("GET", "/", &["evil.example:"], 403),
            ("GET", "/", &[":"], 400),
            ("GET", "/", &["evil.example"], 403),
            ("GET", "/", &["evil.example:8000"], 403),
            ("GET", "/", &[], 400),
            ("GET", "/", &[""], 400),
            ("GET", "/", &["a b"], 400),
            ("GET", "/", &["heat.example:port"], 400),
            ("GET", "/", &["user@heat.example"], 400),
            ("GET", "/", &["heat.example", "heat.example"], 400),
            ("GET", "/", &["heat.example", "evil.example"], 400),
            ("GET", "http://heat.example/", &["heat.example"], 200),
            ("GET", "http://evil.example/", &["heat.example"], 403),
            ("GET", "http://evil.example/", &[], 400),
            ("CONNECT", "heat.example:443", &["heat.example"], 405),
            ("POST", "/", &["heat.example"], 405),
            ("POST", "/v1/alerts", &["heat.example"], 200),
            ("DELETE", "/v1/alerts", &["evil.example"], 403),
            ("PUT", "/v1/alerts", &["heat.example"], 405),
            ("POST", "/v1/alerts/", &["heat.example"], 405),
            ("POST", "/v1/ingest", &["heat.example"], 200),
            ("POST", "/v1/ingest", &["evil.example"], 403),
            ("POST", "/mcp", &["heat.example"], 200),
            ("POST", "/mcp", &["evil.example"], 403),
            ("POST", "/v1/symbols", &["heat.example"], 405),
            ("OPTIONS", "/", &["evil.example"], 405),
        ] {
            let judged = status(method, uri, Version::HTTP_11, hosts);
            assert_eq!(judged, expected, "{method} {uri} {hosts:?}");
        }
        assert_eq!(status("GET", "/", Version::HTTP_10, &[]), 200, "no browser speaks HTTP/1.0");
        assert_eq!(status("GET", "/", Version::HTTP_10, &["evil.example"]), 403);
    }
}
