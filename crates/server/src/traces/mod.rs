//! Traces: the spans of this program, which a build with the feature `otlp` sends to a collector of OpenTelemetry.
//!
//! Spans are those of `tracing`, at the level `TRACE`, in whatever crate does the work. Nobody takes them unless a
//! collector is set: then a span that is not taken costs one load of an atomic. What has a span is a request, a turn of the
//! updater, a query, a request to a venue, a publication: never a message of a client.

#[cfg(feature = "otlp")]
mod client;
#[cfg(feature = "otlp")]
mod counters;
#[cfg(feature = "otlp")]
mod export;
mod request;
mod settings;

use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};

#[cfg(feature = "otlp")]
pub(crate) use counters::register;
#[cfg(feature = "otlp")]
pub use export::{SpanExport, SpanExportError, SpanLayer};
pub(crate) use request::RequestSpan;
pub use settings::{CollectorUrl, CollectorUrlError, TraceSettings};

/// The work is part of the span. For modules in which `instrument` means a contract.
pub(crate) fn within<F: Future>(span: Span, work: F) -> Instrumented<F> {
    work.instrument(span)
}

/// Counters of spans: none in a build that sends none.
#[cfg(not(feature = "otlp"))]
pub(crate) const fn register(_: &mut prometheus_client::registry::Registry) {}
