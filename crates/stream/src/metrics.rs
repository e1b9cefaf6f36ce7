//! What the stream counts, by the names under which Prometheus reads it.
//!
//! Label values are bounded: symbols that are served, words of the protocol, close codes the server sends.
//! Those that are touched with every frame are looked up once and kept ([`SymbolMetrics`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use liqheat_market::UnixMs;
use liqheat_wire::{Channel, CloseCode, ErrorCode};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::window::WindowCounter;

/// How states are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, EncodeLabelValue)]
pub enum Encoding {
    /// JSON in text messages.
    #[default]
    Json,
    /// The compact form in binary messages.
    Binary,
    /// JSON in server-sent events.
    Events,
}

impl Encoding {
    /// The word used in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Binary => "binary",
            Self::Events => "events",
        }
    }
}

type LabelValue = &'static str;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfSymbol {
    symbol: String,
}

/// How a client takes states.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfConnection {
    /// `json` or `binary`.
    pub encoding: LabelValue,
    /// `deflate` or `none`.
    pub compression: LabelValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfState {
    kind: LabelValue,
    encoding: LabelValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfChannel {
    channel: LabelValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfCode {
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfOutcome {
    outcome: LabelValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct SavedBy {
    by: LabelValue,
}

/// A family of histograms with the same buckets.
type Histograms = Family<OfSymbol, Histogram, fn() -> Histogram>;

/// Whether a state travels whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Snapshot,
    Delta,
}

impl Kind {
    /// The `type` of its message.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Delta => "delta",
        }
    }
}

/// How a resumed subscription began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResumeOutcome {
    /// It has the newest state.
    Current,
    /// A difference led on.
    Delta,
    /// The way is not known any more.
    Snapshot,
}

impl ResumeOutcome {
    const ALL: [Self; 3] = [Self::Current, Self::Delta, Self::Snapshot];

    const fn name(self) -> LabelValue {
        match self {
            Self::Current => "current",
            Self::Delta => "delta",
            Self::Snapshot => "snapshot",
        }
    }
}

const KINDS: [(Kind, LabelValue); 2] = [(Kind::Snapshot, "snapshot"), (Kind::Delta, "delta")];
const ENCODINGS: [Encoding; 3] = [Encoding::Json, Encoding::Binary, Encoding::Events];

/// All of the stream's metrics.
#[derive(Debug)]
pub struct StreamMetrics {
    /// Places taken: sockets open now.
    pub active_connections: AtomicU64,
    /// Frames of the last minute.
    pub sent_1m: WindowCounter,
    /// Sockets open now, by how they take states.
    pub connections: Family<OfConnection, Gauge>,
    /// Sockets ever opened.
    pub connections_total: Counter,
    /// Bytes written, framing included.
    pub bytes_sent: Counter,
    /// Frames written, of all kinds.
    pub frames_sent: Counter,
    /// Clients marked slow now.
    pub slow_consumers: Gauge,
    /// States skipped because a client could not take them.
    pub updates_skipped: Counter,
    /// States held back because two were on their way unpainted.
    pub credit_waits: Counter,
    /// Clients that found another hash than they were told.
    pub hash_mismatches: Counter,
    pub(crate) subscriptions: Family<OfSymbol, Gauge>,
    pub(crate) messages_sent: Family<OfSymbol, Counter>,
    pub(crate) slow_consumers_total: Family<OfSymbol, Counter>,
    channel_subscriptions: Family<OfChannel, Gauge>,
    channel_messages_sent: Family<OfChannel, Counter>,
    pub(crate) broadcast: Histograms,
    pub(crate) latency: Histograms,
    pub(crate) written_to_painted: Histograms,
    pub(crate) event_to_painted: Histograms,
    states_made: Family<OfState, Counter>,
    states_sent: Family<OfState, Counter>,
    saved: Family<SavedBy, Counter>,
    closes: Family<OfCode, Counter>,
    client_errors: Family<OfCode, Counter>,
    resumes: Family<OfOutcome, Counter>,
}

/// From a tenth of a millisecond to ten seconds.
fn seconds() -> Histogram {
    Histogram::new([
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
        10.0,
    ])
}

impl Default for StreamMetrics {
    fn default() -> Self {
        let histograms = || Histograms::new_with_constructor(seconds);
        Self {
            active_connections: AtomicU64::new(0),
            sent_1m: WindowCounter::default(),
            connections: Family::default(),
            connections_total: Counter::default(),
            bytes_sent: Counter::default(),
            frames_sent: Counter::default(),
            slow_consumers: Gauge::default(),
            updates_skipped: Counter::default(),
            credit_waits: Counter::default(),
            hash_mismatches: Counter::default(),
            subscriptions: Family::default(),
            messages_sent: Family::default(),
            slow_consumers_total: Family::default(),
            channel_subscriptions: Family::default(),
            channel_messages_sent: Family::default(),
            broadcast: histograms(),
            latency: histograms(),
            written_to_painted: histograms(),
            event_to_painted: histograms(),
            states_made: Family::default(),
            states_sent: Family::default(),
            saved: Family::default(),
            closes: Family::default(),
            client_errors: Family::default(),
            resumes: Family::default(),
        }
    }
}

impl StreamMetrics {
    /// Shows everything to those who read the registry.
    pub fn register(&self, registry: &mut Registry) {
        macro_rules! show {
            ($metric:expr, $name:literal, $help:literal) => {
                registry.register($name, $help, $metric.clone())
            };
        }
        show!(self.subscriptions, "ws_active_connections", "Connections that are subscribed to a symbol");
        show!(self.connections, "ws_connections", "Open connections by encoding and compression");
        show!(self.connections_total, "ws_connections_opened", "Connections ever opened");
        show!(self.messages_sent, "ws_messages_sent", "States and statuses written, by symbol");
        show!(
            self.channel_subscriptions,
            "ws_channel_subscriptions",
            "Subscriptions to channels beside the heatmap"
        );
        show!(
            self.channel_messages_sent,
            "ws_channel_messages_sent",
            "Messages of channels beside the heatmap written"
        );
        show!(self.frames_sent, "ws_frames_sent", "Frames written, of all kinds");
        show!(self.bytes_sent, "ws_bytes_sent", "Bytes written, framing included");
        show!(self.saved, "ws_bytes_saved", "Bytes saved by differences (estimated) and compression");
        show!(
            self.states_made,
            "ws_frames_made",
            "States encoded; fewer than delivered, because clients share them"
        );
        show!(self.states_sent, "ws_frames_delivered", "States written to clients");
        show!(self.slow_consumers_total, "ws_slow_consumers", "Clients marked slow, by symbol they follow");
        show!(self.slow_consumers, "ws_slow_consumers_now", "Clients that are slow now");
        show!(
            self.updates_skipped,
            "ws_updates_skipped",
            "States skipped because a client could not accept them"
        );
        show!(self.credit_waits, "ws_credit_waits", "States held back because two were unpainted");
        show!(
            self.broadcast,
            "ws_broadcast_duration_seconds",
            "From a change of the board to the end of the round of all clients"
        );
        show!(
            self.latency,
            "ws_update_latency_seconds",
            "From a change of the board to the end of its writing to one client"
        );
        show!(
            self.written_to_painted,
            "ws_paint_latency_seconds",
            "From writing a state to the client's acknowledgement that it was painted"
        );
        show!(
            self.event_to_painted,
            "ws_event_paint_latency_seconds",
            "From the newest market event in a state to its painting; live markets only"
        );
        show!(self.closes, "ws_closes", "Connections ended, by close code; 1006 is a broken one");
        show!(self.client_errors, "ws_errors", "Messages of clients that were refused, by code");
        show!(self.resumes, "ws_resumes", "Clients that resumed from a position, by result");
        show!(
            self.hash_mismatches,
            "ws_hash_mismatches",
            "Clients that computed a hash other than the server's"
        );
        self.touch();
    }

    /// Drops the rows of a symbol that is no longer served.
    pub(crate) fn forget(&self, symbol: &str) {
        let label = OfSymbol { symbol: symbol.to_owned() };
        self.subscriptions.remove(&label);
        self.messages_sent.remove(&label);
        self.slow_consumers_total.remove(&label);
        for histograms in [&self.broadcast, &self.latency, &self.written_to_painted, &self.event_to_painted] {
            histograms.remove(&label);
        }
    }

    /// Makes every word a row from the start, so that a rate can be taken from the first event on.
    fn touch(&self) {
        for code in CloseCode::ALL {
            self.closes.get_or_create_owned(&OfCode { code: code.number().to_string() });
        }
        for code in ErrorCode::ALL {
            self.client_errors.get_or_create_owned(&OfCode { code: code.name().to_owned() });
        }
        for channel in Channel::BESIDE_HEATMAP {
            drop(self.of_channel(channel));
        }
        for outcome in ResumeOutcome::ALL {
            self.resumes.get_or_create_owned(&OfOutcome { outcome: outcome.name() });
        }
    }

    /// Subscriptions to a channel, and its messages written.
    pub(crate) fn of_channel(&self, channel: Channel) -> (Gauge, Counter) {
        let label = OfChannel { channel: channel.name() };
        (
            self.channel_subscriptions.get_or_create_owned(&label),
            self.channel_messages_sent.get_or_create_owned(&label),
        )
    }

    /// Frames and bytes went out.
    pub(crate) fn wrote(&self, frames: u64, bytes: u64, wall_clock: fn() -> UnixMs) {
        self.bytes_sent.inc_by(bytes);
        if frames > 0 {
            self.frames_sent.inc_by(frames);
            self.sent_1m.add(wall_clock().0.unsigned_abs() / 1_000, frames);
        }
    }

    /// A connection began (+1) or ended (-1).
    pub(crate) fn connected(&self, encoding: Encoding, deflate: bool, by: i64) {
        let compression = if deflate { "deflate" } else { "none" };
        self.connections
            .get_or_create_owned(&OfConnection { encoding: encoding.name(), compression })
            .inc_by(by);
        if by > 0 {
            self.connections_total.inc();
        }
    }

    /// A connection ended, with this code; `None` is one that broke.
    pub(crate) fn closed(&self, code: Option<CloseCode>) {
        // What browsers report for a connection that broke.
        const ABNORMAL: u16 = 1006;
        let code = code.map_or(ABNORMAL, CloseCode::number).to_string();
        self.closes.get_or_create_owned(&OfCode { code }).inc();
    }

    /// A message of a client was refused.
    pub(crate) fn refused(&self, code: ErrorCode) {
        self.client_errors.get_or_create_owned(&OfCode { code: code.name().to_owned() }).inc();
    }

    /// A client came back with a position.
    pub(crate) fn resumed(&self, outcome: ResumeOutcome) {
        self.resumes.get_or_create_owned(&OfOutcome { outcome: outcome.name() }).inc();
    }

    /// Connections closed so far, by code, where there were any.
    #[must_use]
    pub fn closes(&self) -> Vec<(u16, u64)> {
        let codes = CloseCode::ALL.map(CloseCode::number).into_iter().chain([1006]);
        let count = |code: u16| {
            let count = self.closes.get(&OfCode { code: code.to_string() })?.get();
            (count > 0).then_some((code, count))
        };
        codes.filter_map(count).collect()
    }

    /// Open connections by encoding and compression, where there are any.
    #[must_use]
    pub fn connections(&self) -> Vec<(OfConnection, u64)> {
        let kinds = ENCODINGS.iter().flat_map(|encoding| {
            ["none", "deflate"].map(|compression| OfConnection { encoding: encoding.name(), compression })
        });
        let count = |kind: OfConnection| {
            let count = self.connections.get(&kind)?.get();
            u64::try_from(count).ok().filter(|count| *count > 0).map(|count| (kind, count))
        };
        kinds.filter_map(count).collect()
    }

    /// Messages of clients that were refused so far.
    #[must_use]
    pub fn client_errors_total(&self) -> u64 {
        let count = |code: ErrorCode| {
            let label = OfCode { code: code.name().to_owned() };
            self.client_errors.get(&label).map_or(0, |counter| counter.get())
        };
        ErrorCode::ALL.into_iter().map(count).sum()
    }

    /// States encoded and states written so far: how much sharing saves.
    #[must_use]
    pub fn states_made_and_sent(&self) -> (u64, u64) {
        let sum = |family: &Family<OfState, Counter>| {
            let labels = KINDS
                .iter()
                .flat_map(|(_, kind)| ENCODINGS.map(|encoding| OfState { kind, encoding: encoding.name() }));
            labels.filter_map(|label| family.get(&label).map(|counter| counter.get())).sum()
        };
        (sum(&self.states_made), sum(&self.states_sent))
    }

    /// Clients ever marked slow by symbols they follow.
    #[must_use]
    pub fn slow_consumers_total(&self, symbol: &str) -> u64 {
        let label = OfSymbol { symbol: symbol.to_owned() };
        self.slow_consumers_total.get(&label).map_or(0, |counter| counter.get())
    }

    /// Takes a place if fewer than `most` are taken.
    pub(crate) fn take_place(&self, most: u64) -> bool {
        let take = |now| (now < most).then_some(now + 1);
        self.active_connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// One symbol's metrics, looked up once.
#[derive(Debug)]
pub(crate) struct SymbolMetrics {
    pub(crate) subscriptions: Gauge,
    pub(crate) messages_sent: Counter,
    pub(crate) slow_consumers: Counter,
    pub(crate) broadcast: Histogram,
    latency: Histogram,
    written_to_painted: Histogram,
    event_to_painted: Histogram,
    made: [[Counter; ENCODINGS.len()]; 2],
    sent: [[Counter; ENCODINGS.len()]; 2],
    saved_by_delta: Counter,
    saved_by_deflate: Counter,
}

impl SymbolMetrics {
    pub(crate) fn new(all: &StreamMetrics, symbol: &str) -> Self {
        let label = OfSymbol { symbol: symbol.to_owned() };
        let states = |family: &Family<OfState, Counter>| {
            KINDS.map(|(_, kind)| {
                ENCODINGS
                    .map(|encoding| family.get_or_create_owned(&OfState { kind, encoding: encoding.name() }))
            })
        };
        Self {
            subscriptions: all.subscriptions.get_or_create_owned(&label),
            messages_sent: all.messages_sent.get_or_create_owned(&label),
            slow_consumers: all.slow_consumers_total.get_or_create_owned(&label),
            broadcast: all.broadcast.get_or_create_owned(&label),
            latency: all.latency.get_or_create_owned(&label),
            written_to_painted: all.written_to_painted.get_or_create_owned(&label),
            event_to_painted: all.event_to_painted.get_or_create_owned(&label),
            made: states(&all.states_made),
            sent: states(&all.states_sent),
            saved_by_delta: all.saved.get_or_create_owned(&SavedBy { by: "delta" }),
            saved_by_deflate: all.saved.get_or_create_owned(&SavedBy { by: "deflate" }),
        }
    }

    pub(crate) fn made(&self, kind: Kind, encoding: Encoding) {
        self.made[kind as usize][encoding as usize].inc();
    }

    /// A state went out; `saved` are bytes by difference and by compression.
    pub(crate) fn sent(&self, kind: Kind, encoding: Encoding, saved: SavedBytes) {
        self.sent[kind as usize][encoding as usize].inc();
        self.messages_sent.inc();
        self.saved_by_delta.inc_by(saved.by_delta);
        self.saved_by_deflate.inc_by(saved.by_deflate);
    }

    pub(crate) fn written(&self, after: Duration) {
        self.latency.observe(after.as_secs_f64());
    }

    /// A client painted a state: so long after its writing, and after the newest market event in it, where the
    /// market is live.
    pub(crate) fn on_painted(&self, after_writing: Duration, after_event: Option<Duration>) {
        self.written_to_painted.observe(after_writing.as_secs_f64());
        if let Some(after) = after_event {
            self.event_to_painted.observe(after.as_secs_f64());
        }
    }
}

/// Bytes that a frame is smaller than a plain whole state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SavedBytes {
    pub(crate) by_delta: u64,
    pub(crate) by_deflate: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_shown_under_its_name() {
        let metrics = StreamMetrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let of_symbol = SymbolMetrics::new(&metrics, "BTCUSDT");
        of_symbol.sent(Kind::Delta, Encoding::Binary, SavedBytes { by_delta: 7, by_deflate: 0 });
        of_symbol.broadcast.observe(0.002);
        metrics.connected(Encoding::Json, true, 1);
        metrics.closed(None);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "ws_active_connections{symbol=\"BTCUSDT\"} 0",
            "ws_messages_sent_total{symbol=\"BTCUSDT\"} 1",
            "ws_slow_consumers_total{symbol=\"BTCUSDT\"} 0",
            "ws_broadcast_duration_seconds_bucket{le=\"0.0025\",symbol=\"BTCUSDT\"} 1",
            "ws_frames_delivered_total{kind=\"delta\",encoding=\"binary\"} 1",
            "ws_connections{encoding=\"json\",compression=\"deflate\"} 1",
            "ws_closes_total{code=\"1006\"} 1",
            "ws_closes_total{code=\"4102\"} 0",
            "ws_bytes_saved_total{by=\"delta\"} 7",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        assert_eq!(metrics.closes(), [(1006, 1)]);
        assert_eq!(metrics.states_made_and_sent(), (0, 1));
    }
}
