//! Flags of traces.

use clap::Args;
use liqheat_server::{CollectorUrl, TraceSettings};

use crate::traces::CAN_EXPORT;

/// Traces by OTLP (OpenTelemetry).
#[derive(Debug, Args)]
#[command(next_help_heading = "Traces")]
pub(crate) struct Traces {
    /// URL of an OpenTelemetry collector that takes OTLP over HTTP (http://127.0.0.1:4318); without, no spans are sent. Only
    /// in a build with `--features otlp`.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = str::parse::<CollectorUrl>, value_name = "URL")]
    pub(crate) otlp_endpoint: Option<CollectorUrl>,
    /// Name of this server in traces.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "liqheat", value_name = "NAME")]
    pub(crate) otlp_service: String,
    /// Share of traces that are sent, 0 to 1. A request whose traceparent says that it is sampled, or is not, is not counted.
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

    /// A collector in a build that can send it nothing.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults_of(CAN_EXPORT)
    }

    fn faults_of(&self, can_export: bool) -> Vec<String> {
        let is_in_vain = self.otlp_endpoint.is_some() && !can_export;
        let fault = "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this liqheat was built without the feature otlp: build it with \
                     `cargo build --release -p liqheat --features otlp`, or unset it";
        if is_in_vain { vec![fault.to_owned()] } else { Vec::new() }
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
    fn a_collector_needs_a_build_that_can_send_to_it() {
        let traces = |otlp_endpoint| Traces {
            otlp_endpoint,
            otlp_service: "heat-1".to_owned(),
            otlp_sample_ratio: 0.5,
        };
        let (with, without) = (traces("http://127.0.0.1:4318".parse().ok()), traces(None));
        assert!(with.faults_of(false)[0].contains("--features otlp"));
        assert_eq!((with.faults_of(true).len(), without.faults_of(false).len()), (0, 0));
        assert_eq!(without.settings(), None);
        let settings = with.settings().unwrap();
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
