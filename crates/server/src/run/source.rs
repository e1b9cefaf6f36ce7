//! Where the market's events come from, and what writes them into the store while the server runs.

#![expect(clippy::disallowed_methods, reason = "the clock of a market begins when its source is opened")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use liqheat_cluster::DataKind;
use liqheat_feeds::live::LiveSettings;
use liqheat_feeds::sim::{Sim, SimConfig};
use liqheat_feeds::tiers::TierBook;
use liqheat_market::UnixMs;
use liqheat_market::convert::{signed_ms, whole_ms};
use liqheat_store::{InstrumentSpan, Store};
use liqheat_wire::format_time;
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::end::ServeError;
use crate::catalog::{Catalog, InstrumentCandidate};
use crate::clock::{MarketClock, PlayedClock};
use crate::ingest::SimFeed;
use crate::ingest::live::{self, Live};
use crate::ops::metrics::UpdateMetrics;

/// Where the market's events come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// What is in the store, as of now.
    Stored,
    /// Live venues, stored as they come; over what is in the store already.
    Live(Box<LiveSettings>),
    /// What is in the store, played as if it happened now.
    Played {
        /// The first moment; everything before it is in the chart already.
        from: UnixMs,
        /// The last moment.
        to: UnixMs,
        /// Market seconds a second.
        speed: f64,
    },
    /// The simulated market.
    Simulated {
        /// Its settings.
        config: Box<SimConfig>,
        /// How much of it is in the chart at the start.
        history: Duration,
        /// Market seconds a second.
        speed: f64,
    },
}

impl Source {
    /// What servers that share their states must have in common.
    pub(super) const fn kind(&self) -> DataKind {
        match self {
            Self::Stored => DataKind::Stored,
            Self::Live(_) => DataKind::Live,
            Self::Played { .. } => DataKind::Replay,
            Self::Simulated { .. } => DataKind::Simulated,
        }
    }

    /// Sets the market's clock, and simulates the history of a simulated market.
    ///
    /// # Errors
    /// When the store fails, or holds nothing of what is to be played.
    pub(super) async fn open(self, store: &Store, updates: &UpdateMetrics) -> Result<OpenSource, ServeError> {
        match self {
            Self::Stored => Ok(OpenSource::of_clock(MarketClock::Wall, 1.0)),
            Self::Live(settings) => {
                let clock = MarketClock::Live(settings.clock.clone());
                let followed = Some((live::instruments(&settings, store).await?, settings));
                Ok(OpenSource { followed, ..OpenSource::of_clock(clock, 1.0) })
            }
            Self::Played { from, to, speed } => {
                let spans = store.instruments().await?;
                if !spans.iter().any(|span| span.first < to && span.last > from) {
                    return Err(ServeError::NothingToPlay {
                        from: format_time(from),
                        to: format_time(to),
                        stored: describe(&spans),
                    });
                }
                info!(from = format_time(from), to = format_time(to), speed, "replay");
                let played = PlayedClock::new(from, to, speed, Instant::now());
                Ok(OpenSource::of_clock(MarketClock::Played(played), speed))
            }
            Self::Simulated { config, history, speed } => {
                let source = OpenSource::of_clock(MarketClock::fed(config.start), speed);
                let until = config.start.plus(signed_ms(history));
                let clock = Arc::clone(&source.clock);
                let mut feed = SimFeed::new(Sim::new(*config)?, store.clone(), clock, speed);
                let began = Instant::now();
                feed.fill_until(until).await?;
                info!(until = format_time(until), took_ms = whole_ms(began.elapsed()), "simulated history");
                let feed = Feed::Simulated(Box::new(feed), updates.feed_failing.clone());
                Ok(OpenSource { simulated: Some(feed), ..source })
            }
        }
    }
}

/// A source that is ready.
pub(super) struct OpenSource {
    pub(super) clock: Arc<MarketClock>,
    /// Market seconds a second.
    pub(super) speed: f64,
    /// What is followed live, and how.
    pub(super) followed: Option<(Vec<InstrumentCandidate>, Box<LiveSettings>)>,
    /// What goes on simulating.
    pub(super) simulated: Option<Feed>,
}

impl OpenSource {
    fn of_clock(clock: MarketClock, speed: f64) -> Self {
        Self { clock: Arc::new(clock), speed, followed: None, simulated: None }
    }
}

/// What writes into the store while the server runs.
pub(super) enum Feed {
    Simulated(Box<SimFeed>, Gauge),
    Live {
        live: Arc<Live>,
        catalog: Arc<Catalog>,
        store: Store,
        settings: Box<LiveSettings>,
        tiers: TierBook,
    },
}

impl Feed {
    pub(super) async fn run(self, stop: CancellationToken) {
        match self {
            Self::Simulated(feed, failing) => feed.run(failing, stop).await,
            Self::Live { live, catalog, store, settings, tiers } => {
                if let Err(error) = live::follow(live, catalog, store, *settings, tiers, stop).await {
                    error!(%error, "live markets are no longer followed");
                }
            }
        }
    }
}

/// What a database holds, for errors.
pub(super) fn describe(spans: &[InstrumentSpan]) -> String {
    if spans.is_empty() {
        return "nothing yet (load some with `liqheat ingest PATH`)".to_owned();
    }
    let span = |span: &InstrumentSpan| {
        format!("{} from {} to {}", span.instrument, format_time(span.first), format_time(span.last))
    };
    spans.iter().map(span).collect::<Vec<_>>().join("; ")
}
