//! Where the market's events come from, and what writes them into the store while the server runs.

use std::sync::Arc;
use std::time::Duration;

use liqheat_cluster::DataKind;
use liqheat_feeds::live::LiveSettings;
use liqheat_feeds::sim::SimConfig;
use liqheat_feeds::tiers::TierBook;
use liqheat_market::UnixMs;
use liqheat_store::Store;
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::catalog::Catalog;
use crate::ingest::SimFeed;
use crate::ingest::live::{self, Live};

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
