//! From finished spans to a collector, by OTLP over HTTP.
//!
//! Nothing waits for the collector. A finished span enters a bounded queue or is dropped; a thread of the exporter sends
//! what waits once a second, in batches. A batch that the collector does not take within five seconds, a few attempts
//! included, is dropped. The end of the program waits for the rest for a bounded time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanExporter,
    SpanProcessor,
};
use tracing::{info, warn};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use super::client::{CollectorClient, LastFailure, TIMEOUT};
use super::counters::counters;
use super::settings::TraceSettings;

/// Spans that wait to be sent.
const QUEUE_MAX: usize = 4_096;
/// Spans of one request.
const BATCH_MAX: usize = 512;
/// Between two batches, unless one is full earlier.
const INTERVAL: Duration = Duration::from_secs(1);
/// For what waits when the program ends.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// What takes spans, as a part of the subscriber.
pub type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SpanExportError {
    /// No exporter can be made of the settings.
    #[error("traces by OTLP: {0}")]
    Settings(#[from] ExporterBuildError),
    /// The system gives no descriptors.
    #[error("traces by OTLP: {0}")]
    Runtime(#[from] io::Error),
}

/// The thread that sends spans, until it is asked to finish.
#[derive(Debug)]
pub struct SpanExport {
    provider: SdkTracerProvider,
    waiting: WaitingSpans,
}

impl SpanExport {
    /// Starts it. The layer belongs into the subscriber of the process.
    ///
    /// # Errors
    /// When no exporter can be made of the settings, or the system gives no descriptors.
    pub fn start(settings: &TraceSettings) -> Result<(Self, SpanLayer), SpanExportError> {
        // From here on they are shown.
        counters();
        let failure = LastFailure::default();
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new(failure.clone())?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.collector.traces())
            .with_timeout(TIMEOUT)
            .build()?;
        let waiting = WaitingSpans::default();
        let exporter = CountingExporter {
            exporter,
            failure,
            waiting: waiting.clone(),
            is_failing: AtomicBool::new(false),
        };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(INTERVAL)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BoundedProcessor { processor, waiting: waiting.clone() })
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("liqheat"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(|callsite| callsite.is_span() && callsite.target().starts_with("liqheat")))
            .boxed();
        Ok((Self { provider, waiting }, layer))
    }

    /// Sends what waits and ends the thread; waits for a second at most.
    pub fn finish(self) {
        let ended = self.provider.shutdown_with_timeout(FLUSH_MAX);
        let rest = self.waiting.0.load(Ordering::Relaxed);
        if ended.is_err() && rest > 0 {
            counters().dropped.inc_by(rest as u64);
            warn!(spans = rest, "spans dropped: the collector did not take them before the end");
        }
    }
}

/// Number of spans that wait.
#[derive(Debug, Clone, Default)]
struct WaitingSpans(Arc<AtomicUsize>);

impl WaitingSpans {
    /// Takes a place; `false` when there is none.
    fn enter(&self) -> bool {
        let one_more = |waiting| (waiting < QUEUE_MAX).then_some(waiting + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    fn leave(&self, spans: usize) {
        self.0.fetch_sub(spans, Ordering::Relaxed);
    }
}

/// Counts spans for which there is no room, which the processor below does not say.
#[derive(Debug)]
struct BoundedProcessor {
    processor: BatchSpanProcessor,
    waiting: WaitingSpans,
}

impl SpanProcessor for BoundedProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.waiting.enter() {
            self.processor.on_end(span);
        } else {
            counters().dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// Counts what the collector took and did not take, and logs when that changes.
#[derive(Debug)]
struct CountingExporter {
    exporter: opentelemetry_otlp::SpanExporter,
    failure: LastFailure,
    waiting: WaitingSpans,
    is_failing: AtomicBool,
}

impl CountingExporter {
    fn count(&self, spans: usize, result: &OTelSdkResult) {
        match result {
            Ok(()) => {
                counters().exported.inc_by(spans as u64);
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    info!("the collector takes spans again");
                }
            }
            Err(error) => {
                counters().dropped.inc_by(spans as u64);
                let reason = self.failure.take().unwrap_or_else(|| error.to_string());
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    warn!(
                        reason,
                        "spans dropped: the collector does not take them; logged once until it does"
                    );
                }
            }
        }
    }
}

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.waiting.leave(spans);
        let result = self.exporter.export(batch).await;
        self.count(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
