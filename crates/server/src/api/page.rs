//! The dashboard, embedded in the program.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::http::Refusal;

/// The built page; empty in a program that was built before the page was.
#[derive(RustEmbed)]
#[folder = "../../web/dashboard/dist"]
#[allow_missing = true]
struct Page;

/// What the page may load: itself, and WebSockets of any host, for those who point it at another server. It may be
/// framed by pages of its own origin only.
const CONTENT_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; \
     object-src 'none'; base-uri 'none'; frame-ancestors 'self'";

pub(super) async fn page(uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(file) = Page::get(path) else {
        return missing(path);
    };
    // Vite puts a hash of the content into the names under assets/, so they never change.
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = HeaderValue::from_str(file.metadata.mimetype())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY)),
    ];
    (headers, file.data.into_owned()).into_response()
}

fn missing(path: &str) -> Response {
    if path == "index.html" {
        let text = "This program was built without its page. Build it with `make build`; the HTTP API and /ws/heatmap work.\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    Refusal::not_found(format!("there is no '/{}' here", path.chars().take(80).collect::<String>()))
        .into_response()
}
