//! How live sources stand, read off their newest state when somebody asks.

use std::fmt;
use std::sync::Arc;

use liqheat_feeds::live::VenueStatus;
use liqheat_market::convert::approx_f64;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::clock::MarketClock;
use crate::ingest::live::Live;

#[derive(Debug)]
pub(super) struct Sources {
    pub(super) live: Arc<Live>,
    pub(super) clock: Arc<MarketClock>,
}

type Gauge = (&'static str, &'static str, fn(&VenueStatus) -> Option<f64>);
type Count = (&'static str, &'static str, fn(&VenueStatus) -> u64);

const GAUGES: [Gauge; 4] = [
    ("liqheat_source_connections", "Connections that bring data", |venue| Some(f64::from(venue.connections))),
    ("liqheat_source_clock_skew_seconds", "The venue's clock minus the local clock", |venue| {
        venue.skew_ms.map(|ms| approx_f64(ms) / 1_000.0)
    }),
    (
        "liqheat_source_clock",
        "Local clock against the venue's: 0 within 2 s, 1 off by more, 2 off by more than 30 s",
        |venue| venue.skew_ms.map(|_| f64::from(venue.clock.grade())),
    ),
    ("liqheat_source_weight_used", "Weight of requests used in the running minute", |venue| {
        Some(f64::from(venue.weight_used))
    }),
];

const COUNTS: [Count; 7] = [
    ("liqheat_source_frames", "Frames received", |venue| venue.frames),
    (
        "liqheat_source_refused",
        "Frames, rows and events that were refused: not understood, or with impossible values",
        |venue| venue.refused,
    ),
    ("liqheat_source_repeated", "Events received more than once", |venue| venue.repeated),
    ("liqheat_source_reconnects", "Connections opened again after one was lost", |venue| venue.reconnects),
    ("liqheat_source_rollovers", "Connections replaced because of their age", |venue| venue.rollovers),
    ("liqheat_source_holes_filled", "Gaps that were filled", |venue| venue.holes_filled),
    ("liqheat_source_gaps", "Gaps that could not be filled", |venue| venue.gaps),
];

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (status, now) = (self.live.status(), self.clock.now());
        let mut up = encoder.encode_descriptor(
            "liqheat_source_up",
            "1 while a stream brings data, else 0",
            None,
            MetricType::Gauge,
        )?;
        for venue in &status.venues {
            for stream in &venue.streams {
                let symbol = stream.symbol.as_str();
                let labels =
                    [("venue", venue.venue.name()), ("symbol", symbol), ("stream", stream.stream.name())];
                let brings = stream.state.brings_data();
                up.encode_family(&labels)?.encode_gauge(&i64::from(brings))?;
            }
        }
        let mut silent = encoder.encode_descriptor(
            "liqheat_source_silent_seconds",
            "Seconds since the last message of a stream",
            None,
            MetricType::Gauge,
        )?;
        for venue in &status.venues {
            for stream in &venue.streams {
                let Some(heard) = stream.heard else { continue };
                let symbol = stream.symbol.as_str();
                let labels =
                    [("venue", venue.venue.name()), ("symbol", symbol), ("stream", stream.stream.name())];
                let seconds = approx_f64(now.since(heard).max(0)) / 1_000.0;
                silent.encode_family(&labels)?.encode_gauge(&seconds)?;
            }
        }
        for (name, help, of) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for venue in &status.venues {
                if let Some(value) = of(venue) {
                    family.encode_family(&[("venue", venue.venue.name())])?.encode_gauge(&value)?;
                }
            }
        }
        for (name, help, of) in COUNTS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for venue in &status.venues {
                let labels = [("venue", venue.venue.name())];
                let metric = family.encode_family(&labels)?;
                ConstCounter::new(of(venue)).encode(metric)?;
            }
        }
        let writer = self.live.journal.stats();
        let stored = encoder.encode_descriptor(
            "liqheat_live_events_stored",
            "Events of live sources stored",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(writer.stored).encode(stored)?;
        let mut gauge = |name, help, value: u64| {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&approx_f64(value))
        };
        gauge("liqheat_live_events_waiting", "Events that wait to be stored", writer.waiting)?;
        gauge("liqheat_live_store_failing", "Consecutive failed attempts to store", writer.failing)
    }
}
