//! Traces by OTLP: whether this build sends them, and what starts and ends with the log.

use liqheat_server::TraceSettings;

use crate::logging::SpanLayer;

/// Whether this build can send spans.
pub(crate) const CAN_EXPORT: bool = cfg!(feature = "otlp");

/// What sends spans; nothing in a build without the feature `otlp`, or without a collector.
#[derive(Debug, Default)]
pub(crate) struct TraceExport {
    #[cfg(feature = "otlp")]
    export: Option<liqheat_server::SpanExport>,
}

impl TraceExport {
    /// Starts it, with the layer that takes spans.
    ///
    /// # Errors
    /// When no exporter can be made of the settings, or the system gives no descriptors.
    #[cfg(feature = "otlp")]
    pub(crate) fn start(settings: Option<&TraceSettings>) -> anyhow::Result<(Self, Option<SpanLayer>)> {
        let Some(settings) = settings else { return Ok((Self::default(), None)) };
        let (export, layer) = liqheat_server::SpanExport::start(settings)?;
        Ok((Self { export: Some(export) }, Some(layer)))
    }

    /// Starts nothing.
    #[cfg(not(feature = "otlp"))]
    #[expect(clippy::unnecessary_wraps, reason = "as in a build with the feature")]
    pub(crate) fn start(_: Option<&TraceSettings>) -> anyhow::Result<(Self, Option<SpanLayer>)> {
        Ok((Self::default(), None))
    }

    /// Sends what waits; a second at most.
    pub(crate) fn finish(self) {
        #[cfg(feature = "otlp")]
        if let Some(export) = self.export {
            export.finish();
        }
    }
}
