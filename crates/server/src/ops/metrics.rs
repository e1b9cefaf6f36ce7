//! What the server counts, as `GET /metrics` shows it; what the stream counts is its own business.
//!
//! | metric | labels | |
//! |---|---|---|
//! | `liqheat_updates_total` | | turns of the updater, one symbol each |
//! | `liqheat_updates_failed_total` | | those that failed and are tried again |
//! | `liqheat_updates_failing` | | failed turns in a row of the symbol that fails longest; 0 when all is well |
//! | `liqheat_update_late_seconds` | | how long the most overdue update is overdue; 0 while all are in time |
//! | `liqheat_reads_running`, `liqheat_reads_waiting` | | requests that read the database; those that wait for a turn |
//! | `liqheat_reads_refused_total` | | requests answered 503 because too many waited, or waited too long |
//! | `liqheat_feed_failing` | | turns of the simulated market in a row that could not be stored |
//! | `liqheat_update_duration_seconds` | | how long a turn took |
//! | `liqheat_bars_total` | | bars applied to ledgers |
//! | `liqheat_invariants_broken_total` | | only a bug can cause it |
//! | `liqheat_open_interest_doubted_total` | | samples of open interest that counted as unknown, see `OpenInterestFilter` |
//! | `liqheat_open_interest_jumps_total` | | jumps of open interest that later samples confirmed |
//! | `liqheat_upgrades_rejected_total` | `reason` | sockets refused before they were one; see [`SocketRefusal`] |
//! | `liqheat_http_requests_total` | `route`, `status` | `route` as in the documentation or `other`, `status` `1xx` to `5xx` |
//! | `liqheat_http_refused_total` | `reason` | connections and requests refused before any route saw them; see [`HttpRefusal`] |
//! | `liqheat_http_connections_ended_total` | `reason` | HTTP connections ended by the server; see [`ConnectionEnd`] |
//! | `liqheat_feed_state` | `symbol`, `state` | 1 for the state the symbol's data is in, 0 for the others |
//! | `liqheat_board_seq` | `symbol` | last change of the board |
//! | `liqheat_board_levels` | `symbol` | levels with mass |
//! | `liqheat_market_time_seconds` | `symbol` | time of the newest market event shown, since 1970 |
//! | `liqheat_source_up` | `venue`, `symbol`, `stream` | live only: 1 while the stream brings data, else 0 |
//! | `liqheat_source_silent_seconds` | `venue`, `symbol`, `stream` | live only: since the stream last spoke |
//! | `liqheat_source_connections`, `liqheat_source_clock_skew_seconds`, `liqheat_source_weight_used` | `venue` | live only |
//! | `liqheat_source_frames_total`, `liqheat_source_refused_total`, `liqheat_source_repeated_total`, `liqheat_source_reconnects_total`, `liqheat_source_rollovers_total`, `liqheat_source_holes_filled_total`, `liqheat_source_gaps_total` | `venue` | live only |
//! | `liqheat_live_events_stored_total`, `liqheat_live_events_waiting`, `liqheat_live_store_failing` | | live only: on the way into the database |
//! | `liqheat_store_commands_total`, `liqheat_store_failures_total` | | commands the database answered; those with an error |
//! | `liqheat_store_busy_seconds_total` | | time spent in commands; its growth divided by that of the commands is what one takes |
//! | `liqheat_store_longest_command_seconds` | | since the start |
//! | `liqheat_store_waiting` | | commands in the queue |
//! | `liqheat_store_file_in_place` | | 0 when the database file was deleted or replaced while it was open |
//! | `liqheat_uptime_seconds` | | since the start |
//! | `liqheat_log_lines_dropped_total` | | log lines that standard error did not take |
//! | `liqheat_build_info` | `version` | always 1 |
//! | `process_resident_memory_bytes` | | Linux only |
//! | `process_open_fds`, `process_max_fds` | | Linux only |
//!
//! Label values are bounded: symbols are those served, all others are words of this file.

mod collect;
mod sources;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use liqheat_store::Store;
use liqheat_stream::Hub;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use collect::{Boards, Database, Lateness, Process, Turns};
use sources::Sources;

use crate::clock::MarketClock;
use crate::ingest::live::Live;
use crate::reads::Reads;

/// The content type of the text that [`encode`](prometheus_client::encoding::text::encode) makes.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the updater counts.
#[derive(Debug)]
pub(crate) struct UpdateMetrics {
    /// Turns, one symbol each.
    pub(crate) turns: Counter,
    /// Turns that failed and will be tried again.
    pub(crate) failed: Counter,
    /// Bars applied to ledgers.
    pub(crate) bars: Counter,
    /// Broken invariants, which only a bug can cause.
    pub(crate) invariants_broken: Counter,
    /// Samples of open interest far from the last believed one, which counted as unknown.
    pub(crate) open_interest_doubted: Counter,
    /// Jumps of open interest that later samples confirmed.
    pub(crate) open_interest_jumps: Counter,
    /// Failed turns in a row of the symbol that fails longest; zero when all is well.
    pub(crate) failing: Gauge,
    /// Turns of the simulated market in a row that could not be stored.
    pub(crate) feed_failing: Gauge,
    /// How long a turn took, seconds.
    pub(crate) duration: Histogram,
    /// The update that is due first.
    due: NextDue,
}

/// The update that is due first, by its symbol; `None` before the first turn and after the last. Locked for the length
/// of a copy.
type NextDue = Arc<Mutex<Option<(String, Instant)>>>;

impl Default for UpdateMetrics {
    fn default() -> Self {
        Self {
            turns: Counter::default(),
            failed: Counter::default(),
            bars: Counter::default(),
            invariants_broken: Counter::default(),
            open_interest_doubted: Counter::default(),
            open_interest_jumps: Counter::default(),
            failing: Gauge::default(),
            feed_failing: Gauge::default(),
            // Half a millisecond to eight seconds.
            duration: Histogram::new(exponential_buckets(0.000_5, 2.0, 15)),
            due: NextDue::default(),
        }
    }
}

impl UpdateMetrics {
    /// Names the update that is due first.
    pub(crate) fn set_due(&self, due: Option<(&str, tokio::time::Instant)>) {
        let due = due.map(|(symbol, due)| (symbol.to_owned(), due.into_std()));
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = due;
    }

    /// The symbol whose update is overdue longest, and for how long; `None` while all are in time.
    pub(crate) fn late(&self, now: Instant) -> Option<(String, Duration)> {
        late(&self.due, now)
    }

    /// Counts a turn.
    pub(crate) fn count(&self, failed: bool, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        self.turns.inc();
        if failed {
            self.failed.inc();
        }
    }
}

fn late(due: &NextDue, now: Instant) -> Option<(String, Duration)> {
    let due = due.lock().unwrap_or_else(PoisonError::into_inner).clone();
    due.map(|(symbol, due)| (symbol, now.saturating_duration_since(due))).filter(|(_, late)| !late.is_zero())
}

/// Why a socket was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SocketRefusal {
    /// `WS_ENABLED=false`.
    Disabled,
    /// The server is on its way down.
    Stopping,
    /// An edge that has not read the producer's symbol list yet.
    Starting,
    /// Not a WebSocket handshake.
    Handshake,
    /// A page of another origin.
    Origin,
    /// No token, or one that is not accepted.
    Token,
    /// Too many sockets of this address.
    AddressConnections,
    /// Too many new sockets of this address within a minute.
    AddressRate,
    /// All connections are taken.
    Connections,
}

impl SocketRefusal {
    /// Every reason.
    pub(crate) const ALL: [Self; 9] = [
        Self::Disabled,
        Self::Stopping,
        Self::Starting,
        Self::Handshake,
        Self::Origin,
        Self::Token,
        Self::AddressConnections,
        Self::AddressRate,
        Self::Connections,
    ];

    /// The word in metrics and statistics.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Stopping => "stopping",
            Self::Starting => "starting",
            Self::Handshake => "handshake",
            Self::Origin => "origin",
            Self::Token => "token",
            Self::AddressConnections => "address_connections",
            Self::AddressRate => "address_rate",
            Self::Connections => "connections",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectedLabel {
    reason: SocketRefusal,
}

impl EncodeLabelValue for SocketRefusal {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.name().encode(encoder)
    }
}

/// Why a connection or a request was refused before any route saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum HttpRefusal {
    /// Too many connections of this address.
    AddressConnections,
    /// Too many requests of this client are being answered.
    ClientPlaces,
    /// Too many requests are being answered.
    Places,
}

impl HttpRefusal {
    /// Every reason.
    pub(crate) const ALL: [Self; 3] = [Self::AddressConnections, Self::ClientPlaces, Self::Places];

    const fn name(self) -> &'static str {
        match self {
            Self::AddressConnections => "address_connections",
            Self::ClientPlaces => "client_places",
            Self::Places => "places",
        }
    }
}

impl EncodeLabelValue for HttpRefusal {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.name().encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpRefusalLabel {
    reason: HttpRefusal,
}

/// Why the server ended a connection that speaks HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ConnectionEnd {
    /// Idle or stalled, and another client needed its place.
    Evicted,
    /// Its client did not read a response for the write timeout.
    WriteTimeout,
}

impl ConnectionEnd {
    /// Every reason.
    pub(crate) const ALL: [Self; 2] = [Self::Evicted, Self::WriteTimeout];

    const fn name(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::WriteTimeout => "write_timeout",
        }
    }
}

impl EncodeLabelValue for ConnectionEnd {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.name().encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionEndLabel {
    reason: ConnectionEnd,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: &'static str,
}

/// What the front counts.
#[derive(Debug, Default)]
pub(crate) struct FrontMetrics {
    rejected: Family<RejectedLabel, Counter>,
    requests: Family<RequestLabels, Counter>,
    http_refused: Family<HttpRefusalLabel, Counter>,
    connections_ended: Family<ConnectionEndLabel, Counter>,
}

impl FrontMetrics {
    /// Counts a connection or request that was refused before any route saw it.
    pub(crate) fn refuse_http(&self, reason: HttpRefusal) {
        self.http_refused.get_or_create(&HttpRefusalLabel { reason }).inc();
    }

    /// Counts a connection that speaks HTTP and that the server ended.
    pub(crate) fn end_connection(&self, reason: ConnectionEnd) {
        self.connections_ended.get_or_create(&ConnectionEndLabel { reason }).inc();
    }

    /// Counts a socket that was refused.
    pub(crate) fn reject(&self, reason: SocketRefusal) {
        self.rejected.get_or_create(&RejectedLabel { reason }).inc();
    }

    /// How many were refused for a reason.
    #[must_use]
    pub(crate) fn rejected(&self, reason: SocketRefusal) -> u64 {
        self.rejected.get(&RejectedLabel { reason }).map_or(0, |counter| counter.get())
    }

    /// Counts an answer. `route` must be one of a bounded number.
    pub(crate) fn answer(&self, route: &str, status: u16) {
        let status = match status {
            100..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&RequestLabels { route: route.to_owned(), status }).inc();
    }
}

/// What `GET /metrics` shows of live sources.
pub(crate) fn register_live(registry: &mut Registry, live: &Arc<Live>, clock: &Arc<MarketClock>) {
    registry.register_collector(Box::new(Sources { live: Arc::clone(live), clock: Arc::clone(clock) }));
}

/// What `GET /metrics` shows of requests that read the database.
pub(crate) fn register_reads(registry: &mut Registry, reads: &Arc<Reads>) {
    let ours = registry.sub_registry_with_prefix("liqheat");
    ours.register(
        "reads_refused",
        "Requests answered 503 because too many waited for the database, or waited too long",
        reads.refused.clone(),
    );
    registry.register_collector(Box::new(Turns(Arc::clone(reads))));
}

/// Everything that `GET /metrics` shows of the server itself.
pub(crate) fn register(
    registry: &mut Registry,
    updates: &UpdateMetrics,
    front: &FrontMetrics,
    hub: &Arc<Hub>,
    store: &Store,
    started: Instant,
) {
    for reason in SocketRefusal::ALL {
        drop(front.rejected.get_or_create(&RejectedLabel { reason }));
    }
    for reason in HttpRefusal::ALL {
        drop(front.http_refused.get_or_create(&HttpRefusalLabel { reason }));
    }
    for reason in ConnectionEnd::ALL {
        drop(front.connections_ended.get_or_create(&ConnectionEndLabel { reason }));
    }
    let ours = registry.sub_registry_with_prefix("liqheat");
    ours.register("updates", "Turns of the updater, one symbol each", updates.turns.clone());
    ours.register("updates_failed", "Turns that failed and are retried", updates.failed.clone());
    ours.register("updates_failing", "Consecutive failed turns", updates.failing.clone());
    ours.register(
        "feed_failing",
        "Consecutive turns of the simulated market that could not be stored",
        updates.feed_failing.clone(),
    );
    let duration = updates.duration.clone();
    ours.register_with_unit(
        "update_duration",
        "How long a turn of the updater took",
        Unit::Seconds,
        duration,
    );
    ours.register("bars", "Bars applied to ledgers", updates.bars.clone());
    let broken = updates.invariants_broken.clone();
    ours.register("invariants_broken", "Broken invariants of a ledger; only a bug can cause it", broken);
    let doubted = updates.open_interest_doubted.clone();
    ours.register(
        "open_interest_doubted",
        "Samples of open interest that counted as unknown: far from the last believed one",
        doubted,
    );
    let jumps = updates.open_interest_jumps.clone();
    ours.register("open_interest_jumps", "Jumps of open interest that later samples confirmed", jumps);
    ours.register("upgrades_rejected", "Sockets refused, by reason", front.rejected.clone());
    ours.register("http_requests", "Answers, by route and class of status", front.requests.clone());
    let help = "Connections and requests refused before they reached a route, by reason";
    ours.register("http_refused", help, front.http_refused.clone());
    let help = "HTTP connections ended by the server, by reason";
    ours.register("http_connections_ended", help, front.connections_ended.clone());
    ours.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry.register_collector(Box::new(Lateness(Arc::clone(&updates.due))));
    registry.register_collector(Box::new(Boards(Arc::clone(hub))));
    registry.register_collector(Box::new(Database(store.clone())));
    registry.register_collector(Box::new(Process { started }));
}
