//! Who may change something: whoever has a token, and where no tokens are configured whoever is on this machine.
//!
//! Pages of other origins may not, also those that may read (`--allowed-origins`): a browser sends their requests with the
//! user's network position, and that is not the user's consent.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{HeaderMap, Uri, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use super::TokenGate;
use super::client::Client;
use super::guard::requested;
use super::web_origin::{Authority, WebOrigin};
use crate::http::Refusal;

/// Checks requests that change something.
pub(crate) struct WriteGate {
    tokens: Arc<TokenGate>,
    trusted_proxies: Vec<IpNet>,
}

impl WriteGate {
    pub(crate) const fn new(tokens: Arc<TokenGate>, trusted_proxies: Vec<IpNet>) -> Self {
        Self { tokens, trusted_proxies }
    }

    /// The layer before routes that change something. The token itself is checked by [`TokenGate::require`].
    pub(crate) async fn require(
        State(gate): State<Arc<Self>>,
        request: Request,
        next: Next,
    ) -> Result<Response, Refusal> {
        let (mut parts, body) = request.into_parts();
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(&mut parts, &()).await;
        let ConnectInfo(peer) = peer.map_err(|_| Refusal::forbidden("the client's address is not known"))?;
        check_origin(&parts.headers, &parts.uri, parts.version)?;
        let client = Client::of(peer.ip(), &parts.headers, &gate.trusted_proxies);
        if !gate.tokens.is_closed() && !client.address.is_loopback() {
            return Err(Refusal::forbidden(
                "without tokens only this machine may change anything; configure tokens (--ws-jwt-secret-file)",
            ));
        }
        Ok(next.run(Request::from_parts(parts, body)).await)
    }
}

/// The layer before routes that programs post to: pages of other origins may not.
pub(crate) async fn same_origin(request: Request, next: Next) -> Result<Response, Refusal> {
    check_origin(request.headers(), request.uri(), request.version())?;
    Ok(next.run(request).await)
}

/// A request of a page must come from a page of this server. Programs send neither header.
fn check_origin(headers: &HeaderMap, uri: &Uri, version: Version) -> Result<(), Refusal> {
    let refused = || Refusal::forbidden("pages of other origins may not change anything here");
    if let Some(site) = headers.get("sec-fetch-site")
        && ![&b"same-origin"[..], b"none"].contains(&site.as_bytes())
    {
        return Err(refused());
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let named: Option<Authority> = requested(uri, version, headers)?;
    let origin = origin.to_str().ok().and_then(|text| text.parse::<WebOrigin>().ok());
    match (origin, named, origins.next()) {
        (Some(origin), Some(named), None) if origin.is_of(&named) => Ok(()),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue, StatusCode};
    use axum::response::IntoResponse;

    use super::*;

    fn status(headers: &[(&'static str, &'static str)]) -> StatusCode {
        let mut map = HeaderMap::new();
        map.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8000"));
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let checked = check_origin(&map, &Uri::from_static("/v1/alerts"), Version::HTTP_11);
        checked.map_or_else(|refusal| refusal.into_response().status(), |()| StatusCode::OK)
    }

    #[test]
    fn only_programs_and_the_own_page_may_write() {
        for (headers, expected) in [
            (&[][..], 200),
            (&[("origin", "http://127.0.0.1:8000")], 200),
            (&[("origin", "http://127.0.0.1:8000"), ("sec-fetch-site", "same-origin")], 200),
            (&[("sec-fetch-site", "none")], 200),
            (&[("sec-fetch-site", "cross-site")], 403),
            (&[("sec-fetch-site", "same-site")], 403),
            (&[("origin", "http://127.0.0.1:8000"), ("sec-fetch-site", "cross-site")], 403),
            (&[("origin", "http://127.0.0.1:8001")], 403),
            (&[("origin", "https://charts.example")], 403),
            (&[("origin", "null")], 403),
            (&[("origin", "")], 403),
            (&[("origin", "http://127.0.0.1:8000"), ("origin", "http://127.0.0.1:8000")], 403),
        ] {
            assert_eq!(status(headers), expected, "{headers:?}");
        }
    }
}
