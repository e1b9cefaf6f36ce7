//! Flags of traces.

use clap::Args;
use liqheat_server::{CollectorUrl, TraceSettings};

/// Traces by OTLP (OpenTelemetry).
#[derive(Debug, Args)]
#[command(next_help_heading = "Traces")]
pub(crate) struct Traces {
    /// URL of an OpenTelemetry collector that takes OTLP over HTTP (http://127.0.0.1:4318); if it is not set, no spans
    /// are sent. Only in a build with `--features otlp`.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = str::parse::<CollectorUrl>, value_name = "URL")]
    pub(crate) otlp_endpoint: Option<CollectorUrl>,
    /// Name of this server in traces.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "liqheat", value_name = "NAME")]
    pub(crate) otlp_service: String,
    /// Share of traces that are sent, 0 to 1. The traceparent of a request overrides it.
    #[arg(long, env = "LIQHEAT_OTLP_SAMPLE_RATIO", default_value = "1", value_parser = share, value_name = "SHARE")]
    pub(crate) otlp_sample_ratio: f64,
}

impl Traces {
    /// `None` where no collector is set.
    pub(crate) fn settings(&self) -> Option<TraceSettings> {
        self.otlp_endpoint.clone().map(|collector| TraceSettings {
            collector,
            service: self.otlp_service.clone(),
            sample_ratio: self.otlp_sample_ratio,
        })
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "must be a number from 0 to 1, such as 0.1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_without_a_collector() {
        let traces = |otlp_endpoint| Traces {
            otlp_endpoint,
            otlp_service: "heat-1".to_owned(),
            otlp_sample_ratio: 0.5,
        };
        assert_eq!(traces(None).settings(), None);
        let settings = traces("http://127.0.0.1:4318".parse().ok()).settings().unwrap();
        assert_eq!((settings.service.as_str(), settings.sample_ratio), ("heat-1", 0.5));
    }

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        assert_eq!((share("0"), share(" 0.25"), share("1")), (Ok(0.0), Ok(0.25), Ok(1.0)));
        for bad in ["", "-0.1", "1.01", "NaN", "half"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
