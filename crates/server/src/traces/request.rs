//! The span of an HTTP request, the upgrade of a socket among them.
//!
//! It has the method, the route as it is documented and the status; no query, no header and no address of a client.

use axum::http::{HeaderMap, Method, StatusCode};
use tracing::field::Empty;
use tracing::{Span, trace_span};

/// The span of one request.
pub(crate) struct RequestSpan(Span);

impl RequestSpan {
    /// Begins it; a `traceparent` among the headers continues the trace of the client. `route` is `None` for what has no
    /// route of its own.
    pub(crate) fn begin(method: &Method, route: Option<&str>, headers: &HeaderMap) -> Self {
        let method = known(method);
        let span = trace_span!(
            "http.request",
            otel.name = Empty,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
        );
        if !span.is_disabled() {
            continue_trace(&span, headers);
            match route {
                Some(route) => span.record("otel.name", format!("{method} {route}")),
                None => span.record("otel.name", method),
            };
        }
        Self(span)
    }

    /// What happens for the request runs in it.
    pub(crate) fn span(&self) -> Span {
        self.0.clone()
    }

    /// Ends it with the status of the answer.
    pub(crate) fn end(self, status: StatusCode) {
        self.0.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            self.0.record("otel.status_code", "ERROR");
        }
    }
}

/// The method's name; any that is not in use is one, because clients may send what they like.
const fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

#[cfg(feature = "otlp")]
fn continue_trace(span: &Span, headers: &HeaderMap) {
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry::trace::TraceContextExt;
    use opentelemetry_http::HeaderExtractor;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let context = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if context.span().span_context().is_valid() {
        // It fails for a span that nobody takes.
        let _ = span.set_parent(context);
    }
}

#[cfg(not(feature = "otlp"))]
const fn continue_trace(_: &Span, _: &HeaderMap) {}
