//! The parts that are made before the rest is wired to them: what is served, by which clock, and who follows it.

use std::sync::Arc;
use std::time::Duration;

use liqheat_feeds::tiers::TierBook;
use liqheat_store::Store;
use liqheat_stream::{Hub, HubSettings, Sessions};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::end::ServeError;
use super::source::{Feed, OpenSource, Source, describe};
use crate::catalog::{self, Catalog, UnknownName};
use crate::clock::MarketClock;
use crate::cluster::Cluster;
use crate::gateway::Tokens;
use crate::ingest::live::{self, Live};
use crate::measured::{self, MeasuredLayer};
use crate::ops::metrics::UpdateMetrics;
use crate::ops::process::{ConnectionCapacity, raise_descriptors};
use crate::settings::ServerSettings;

/// What everything else is built on.
pub(super) struct Foundation {
    pub(super) settings: ServerSettings,
    pub(super) store: Store,
    pub(super) catalog: Arc<Catalog>,
    pub(super) clock: Arc<MarketClock>,
    pub(super) live: Option<Arc<Live>>,
    pub(super) measured: Option<Arc<MeasuredLayer>>,
    /// Market seconds a second.
    pub(super) speed: f64,
    pub(super) sessions: Arc<Sessions>,
    /// Ends all sessions.
    pub(super) closing: CancellationToken,
    pub(super) updates: Arc<UpdateMetrics>,
}

/// What is made with the foundation and taken over by the parts above it.
pub(super) struct ConsumedParts {
    pub(super) tokens: Tokens,
    pub(super) cluster: Cluster,
    /// What writes into the store while the server runs.
    pub(super) feed: Option<Feed>,
}

impl Foundation {
    /// Over the markets of an open store and a source. A simulated source first simulates the history.
    ///
    /// # Errors
    /// When the store fails, or what is asked for is not there.
    pub(super) async fn over_markets(
        store: Store,
        source: Source,
        mut settings: ServerSettings,
        tiers: &TierBook,
    ) -> Result<(Self, ConsumedParts), ServeError> {
        let tokens = Tokens::load(&settings.tokens).map_err(ServeError::Tokens)?;
        fit_into_descriptors(&mut settings);
        let updates = Arc::new(UpdateMetrics::default());
        let kind = source.kind();
        let OpenSource { clock, speed, followed, simulated } = source.open(&store, &updates).await?;
        let spans = store.instruments().await?;
        let (instruments, followed) = match followed {
            Some((instruments, settings)) => (instruments, Some(settings)),
            None => (catalog::stored(&spans), None),
        };
        let markets = catalog::markets(instruments, &settings.symbols, tiers, &settings.model)
            .map_err(|UnknownName(wanted)| ServeError::UnknownSymbol { wanted, stored: describe(&spans) })?;
        let catalog = Arc::new(Catalog::new(markets));
        log_ledgers(&catalog, tiers);
        let live = followed.is_some().then(|| Arc::new(Live::default()));
        let measured = followed.as_ref().and_then(|followed| {
            let venue = followed.venues.iter().find(|venue| venue.venue == measured::VENUE)?;
            let settings = settings.measured.clone().filter(|_| venue.looks.is_some())?;
            Some(Arc::new(MeasuredLayer::new(settings, &venue.symbols, &venue.names)))
        });
        let feed = match (live.clone(), followed) {
            (Some(live), Some(settings)) => {
                let (catalog, store) = (Arc::clone(&catalog), store.clone());
                Some(Feed::Live { live, catalog, store, settings, tiers: tiers.clone() })
            }
            _ => simulated,
        };
        let closing = CancellationToken::new();
        let layers = measured.iter().flat_map(|measured| &measured.symbols);
        let hub = boards_of(&catalog, settings.update_interval)
            .with_symbols(layers.map(|symbol| symbol.name.clone()));
        let sessions = Sessions::new(Arc::new(hub), settings.sockets.sessions(), closing.clone());
        let layers = (&*catalog, measured.as_deref());
        let cluster = Cluster::join(&settings, &sessions, layers, speed, Some(kind));
        let foundation =
            Self { settings, store, catalog, clock, live, measured, speed, sessions, closing, updates };
        Ok((foundation, ConsumedParts { tokens, cluster, feed }))
    }

    /// Over boards that somebody else moves; `join` gives this server its place in a cluster.
    ///
    /// # Errors
    /// When the settings of tokens cannot be used.
    pub(super) fn without_markets(
        store: Store,
        boards: Vec<String>,
        mut settings: ServerSettings,
        join: impl FnOnce(&ServerSettings, &Arc<Sessions>) -> Cluster,
    ) -> Result<(Self, ConsumedParts), ServeError> {
        let tokens = Tokens::load(&settings.tokens).map_err(ServeError::Tokens)?;
        fit_into_descriptors(&mut settings);
        let closing = CancellationToken::new();
        let hub = Hub::new(boards, HubSettings { update_interval: settings.update_interval });
        let sessions = Sessions::new(Arc::new(hub), settings.sockets.sessions(), closing.clone());
        let cluster = join(&settings, &sessions);
        let foundation = Self {
            settings,
            store,
            catalog: Arc::default(),
            clock: Arc::new(MarketClock::Wall),
            live: None,
            measured: None,
            speed: 1.0,
            sessions,
            closing,
            updates: Arc::default(),
        };
        Ok((foundation, ConsumedParts { tokens, cluster, feed: None }))
    }
}

fn log_ledgers(catalog: &Catalog, tiers: &TierBook) {
    for ledger in catalog.ledgers() {
        let instrument = ledger.instrument();
        let parameters = format!("{:016x}", ledger.spec.params.fingerprint());
        info!(%instrument, tiers = live::describe_tiers(tiers, instrument), parameters, "margin tiers and model parameters");
    }
    if catalog.is_empty() {
        warn!("the database holds no market data; load some with `liqheat ingest PATH` and start again");
    }
}

/// A board for every name.
fn boards_of(catalog: &Catalog, update_interval: Duration) -> Hub {
    let names = |listed: bool| {
        catalog.symbols().filter(move |symbol| symbol.listed == listed).map(|symbol| symbol.name.clone())
    };
    Hub::new(names(true), HubSettings { update_interval })
        .with_second_names(names(false))
        .with_expected_views()
}

/// Every connection takes a descriptor, so there can be no more than the system allows this process.
fn fit_into_descriptors(settings: &mut ServerSettings) {
    let limit = raise_descriptors();
    let wanted = settings.sockets.connections_max;
    let fit = ConnectionCapacity::under(limit, wanted, settings.front.http_connections_max);
    fit.warn_if_cut(limit, wanted);
    settings.sockets.connections_max = fit.sockets;
    settings.front.http_connections_max = fit.http;
}
