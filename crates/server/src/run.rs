//! Assembly, supervision and shutdown: the only module that knows all parts.
//!
//! Everything is built before anything starts. The parts then run until one of them ends or the operator asks
//! to stop, and stop in order: readiness off and no new sockets, goodbye to sockets, no new connections,
//! updater and feed, the store last. While sockets are sent away, requests are answered, so that whoever asks
//! whether this server is ready hears that it is not. A part that ends by itself is a fault, and the whole process goes down with it: restart and replay are
//! tested, half a server is not.

#![expect(clippy::disallowed_methods, reason = "knows all parts and starts their clocks")]

mod end;
mod source;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use liqheat_cluster::Driver;
use liqheat_feeds::sim::Sim;
use liqheat_feeds::tiers::TierBook;
use liqheat_market::convert::{signed_ms, whole_ms};
use liqheat_store::{InstrumentSpan, Store};
use liqheat_stream::{Hub, HubSettings, RenewTokens, Sessions};
use liqheat_wire::format_time;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use tracing::{error, info, warn};

use crate::accuracy::{Grader, GraderParts};
use crate::alerts::{AlertParts, Alerts};
use crate::api::{self, ApiStates, DataState, HealthState, StatsState, TimeseriesFlights};
use crate::catalog::{self, Catalog, UnknownName};
use crate::channels::ChannelFeed;
use crate::clock::{MarketClock, PlayedClock};
use crate::cluster::Cluster;
use crate::compute::ComputePool;
use crate::engine::{EngineParts, OnDemand, Updater, UpdaterSettings};
use crate::expected::ExpectedBoards;
use crate::gateway::{self, AccessPolicy, Addresses, Front, SocketState, TokenGate, Tokens};
use crate::history::History;
use crate::http::{Refusal, target};
use crate::ingest::SimFeed;
use crate::ingest::live::{self, Live};
use crate::measured::{self, MeasuredLayer, MeasuredParts};
use crate::ops::metrics::{self, FrontMetrics, UpdateMetrics};
use crate::ops::process::{ConnectionCapacity, raise_descriptors};
use crate::ops::stopping::StopFlag;
use crate::published::{FeedWatch, Published};
use crate::reads::Reads;
use crate::reload::{self, Reload, ReloadMetrics};
use crate::settings::ServerSettings;
use crate::traces;

pub use end::{ServeError, ServerEnd};
use source::Feed;
pub use source::Source;

/// A server, built and ready to run.
pub struct Server {
    front: Front,
    /// Where `/metrics` and `/ws/stats` are apart.
    metrics_front: Option<Front>,
    metrics_listener: Option<TcpListener>,
    tokens: Arc<Tokens>,
    reload: Reload,
    updater: Option<Arc<Updater>>,
    /// `None` where nothing is graded: on an edge, and over stored data that nothing adds to.
    grader: Option<Grader>,
    /// Where the updater runs.
    channels: Option<ChannelFeed>,
    /// Where the updater runs, with its interval.
    expected: Option<(Arc<ExpectedBoards>, Duration)>,
    /// Where accounts are looked at.
    measured: Option<MeasuredParts>,
    feed: Option<Feed>,
    driver: Option<Driver>,
    /// `None` where there is nothing to watch.
    alerts: Option<Arc<Alerts>>,
    sessions: Arc<Sessions>,
    catalog: Arc<Catalog>,
    /// `None` on an edge.
    store: Option<Store>,
    stop_within: Duration,
    stopping: StopFlag,
    /// Ends all sessions.
    closing: CancellationToken,
}

/// The parts that are made before the rest is wired to them.
struct Foundation {
    settings: ServerSettings,
    store: Store,
    catalog: Arc<Catalog>,
    clock: Arc<MarketClock>,
    live: Option<Arc<Live>>,
    measured: Option<Arc<MeasuredLayer>>,
    /// Market seconds a second.
    speed: f64,
    tokens: Tokens,
    sessions: Arc<Sessions>,
    cluster: Cluster,
    closing: CancellationToken,
    updates: Arc<UpdateMetrics>,
}

impl Foundation {
    /// Wires the parts into a line: catalog, engine, published states, routes and gateway.
    fn into_server(self, feed: Option<Feed>) -> Server {
        let Self {
            settings,
            store,
            catalog,
            clock,
            live,
            measured,
            speed,
            tokens,
            sessions,
            cluster,
            closing,
            updates,
        } = self;
        let started = Instant::now();
        let (hub, backplane) = (Arc::clone(sessions.hub()), cluster.backplane);
        let (front_metrics, stopping) = (Arc::new(FrontMetrics::default()), StopFlag::default());
        let watch = FeedWatch::new(Arc::clone(&clock), live.clone(), updates.feed_failing.clone());
        let published =
            Published::new(&catalog, Arc::clone(&hub), backplane.clone(), watch, MarketClock::wall_now());
        let published = Arc::new(published);
        let updater = Arc::new(Updater::new(
            Arc::clone(&catalog),
            EngineParts {
                store: store.clone(),
                compute: ComputePool::new(1),
                metrics: Arc::clone(&updates),
                checkpoints_kept: settings.checkpoints_kept,
            },
            Arc::clone(&published),
            Arc::clone(&clock),
            UpdaterSettings { update_interval: settings.update_interval, retention: settings.retention },
        ));
        let mut registry = Registry::default();
        hub.metrics.register(&mut registry);
        traces::register(&mut registry);
        metrics::register(&mut registry, &updates, &front_metrics, &hub, &store, started);
        if let Some(live) = &live {
            metrics::register_live(&mut registry, live, &clock);
        }
        if let Some(measured) = &measured {
            measured.metrics.register(&mut registry);
        }
        backplane.register(&mut registry);
        let channels = ChannelFeed {
            catalog: Arc::clone(&catalog),
            published: Arc::clone(&published),
            hub: Arc::clone(&hub),
            backplane: backplane.clone(),
            store: store.on_read_connections(),
            clock: Arc::clone(&clock),
            expected: settings.expected,
        };
        let expected = Arc::new(ExpectedBoards::new(
            Arc::clone(&catalog),
            Arc::clone(&published),
            Arc::clone(&hub),
            store.on_read_connections(),
            settings.expected,
        ));
        let looks = measured.clone().zip(live.clone()).map(|(layer, live)| MeasuredParts {
            layer,
            live,
            store: store.clone(),
            published: Arc::clone(&published),
            hub: Arc::clone(&hub),
            backplane: backplane.clone(),
            update_interval: settings.update_interval,
        });
        let reads = Reads::new(&store);
        metrics::register_reads(&mut registry, &reads);
        let (is_edge, ws_enabled) = (settings.is_edge(), settings.ws_enabled);
        let is_simulated = catalog.is_simulated();
        let tokens = Arc::new(tokens);
        tokens.register(&mut registry);
        sessions.set_renewal(Arc::clone(&tokens) as Arc<dyn RenewTokens>);
        let gate = Arc::new(TokenGate::new(Arc::clone(&tokens)));
        let grades = !is_edge && !matches!(*clock, MarketClock::Wall);
        let grader = grades.then(|| {
            Grader::new(GraderParts {
                catalog: Arc::clone(&catalog),
                store: store.on_read_connections(),
                clock: Arc::clone(&clock),
                live: live.clone(),
            })
        });
        let alerts = Alerts::new(
            AlertParts {
                store: store.clone(),
                catalog: Arc::clone(&catalog),
                published: Arc::clone(&published),
                clock: Arc::clone(&clock),
                backplane: backplane.clone(),
                hub: Arc::clone(&hub),
                update_interval: settings.update_interval,
            },
            settings.alerts,
        );
        alerts.register(&mut registry);
        let access = AccessPolicy::new(&settings.front.hosts, &settings.front.allowed_origins);
        let addresses = Addresses::new(settings.addresses, started);
        let reload_metrics = ReloadMetrics::default();
        reload_metrics.register(&mut registry);
        let reload = Reload::new(reload::Parts {
            sessions: Arc::clone(&sessions),
            access: Arc::clone(&access),
            addresses: Arc::clone(&addresses),
            tokens: Arc::clone(&tokens),
            alerts: Arc::clone(&alerts),
            metrics: reload_metrics,
        });
        let data = DataState {
            catalog: Arc::clone(&catalog),
            published: Arc::clone(&published),
            hub: Arc::clone(&hub),
            reads,
            trusted_proxies: settings.front.trusted_proxies.clone(),
            history: History::new(),
            clock,
            expected: settings.expected,
            expected_boards: Arc::clone(&expected),
            measured: measured.clone(),
            speed,
            // As long as a poller of the old contract waits between two requests.
            timeseries: TimeseriesFlights::new(Duration::from_secs(5), 16, 64 << 20),
            formats: api::format_flights(),
            exports: api::Exports::new(),
            ingests: api::Ingests::new(store.clone(), is_simulated),
            websocket: ws_enabled,
            alerts: Arc::clone(&alerts),
            on_demand: (!ws_enabled).then(|| OnDemand::new(Arc::clone(&updater))),
            learned: cluster.learned,
        };
        let health = HealthState {
            stopping: stopping.clone(),
            updates: Arc::clone(&updates),
            backplane,
            hub: Arc::clone(&hub),
            catalog: Arc::clone(&catalog),
            published,
            live: live.clone(),
            tokens: Arc::clone(&gate),
            alerts: Arc::clone(&alerts),
            measured,
            store: store.clone(),
            ws_enabled,
            is_edge,
            update_interval: settings.update_interval,
        };
        let stats = StatsState { hub, front: Arc::clone(&front_metrics), updates, live, started };
        let proxies = settings.front.trusted_proxies.clone();
        let states = ApiStates {
            writes: Arc::new(gateway::WriteGate::new(Arc::clone(&gate), proxies)),
            data: Arc::new(data),
            health: Arc::new(health),
            stats: Arc::new(stats),
            registry: Arc::new(registry),
            tokens: Arc::clone(&gate),
            frames: api::FramePolicy::new(&settings.front.embed_origins),
        };
        let socket = SocketState {
            ws_enabled,
            settings: settings.front.clone(),
            sessions: Arc::clone(&sessions),
            access: Arc::clone(&access),
            addresses,
            tokens: gate,
            metrics: Arc::clone(&front_metrics),
            stopping: stopping.clone(),
        };
        let socket = Arc::new(socket);
        let api = api::routes(states, settings.front.metrics_apart);
        let metrics_front = api.metrics.map(|router| Front {
            settings: settings.front.clone(),
            router: router
                .layer(from_fn_with_state(gateway::Guard::new(Arc::clone(&access)), gateway::check))
                .layer(from_fn_with_state(Arc::clone(&front_metrics), api::count)),
            metrics: Arc::clone(&front_metrics),
            stop_within: settings.stop_within,
        });
        let routes = api
            .main
            .merge(gateway::stream_route(Arc::clone(&socket)))
            .layer(from_fn_with_state(Arc::clone(&access), AccessPolicy::share));
        let router = gateway::socket_route(socket)
            .merge(routes)
            .layer(from_fn_with_state(gateway::Guard::new(access), gateway::check))
            .layer(from_fn_with_state(Arc::clone(&front_metrics), api::count));
        Server {
            front: Front {
                settings: settings.front,
                router,
                metrics: front_metrics,
                stop_within: settings.stop_within,
            },
            metrics_front,
            metrics_listener: None,
            tokens,
            reload,
            updater: (ws_enabled && !is_edge).then_some(updater),
            grader,
            channels: (ws_enabled && !is_edge).then_some(channels),
            expected: (ws_enabled && !is_edge).then_some((expected, settings.update_interval)),
            measured: looks,
            feed,
            driver: cluster.driver,
            alerts: (ws_enabled && !is_edge).then_some(alerts),
            sessions,
            catalog,
            store: (!is_edge).then_some(store),
            stop_within: settings.stop_within,
            stopping,
            closing,
        }
    }
}

impl Server {
    /// Builds all parts over an open store. With a simulated source this first simulates the history.
    ///
    /// # Errors
    /// When the store fails, or what is asked for is not there.
    pub async fn build(
        store: Store,
        source: Source,
        mut settings: ServerSettings,
        tiers: &TierBook,
    ) -> Result<Self, ServeError> {
        let tokens = Tokens::load(&settings.tokens).map_err(ServeError::Tokens)?;
        fit_into_descriptors(&mut settings);
        let updates = Arc::new(UpdateMetrics::default());
        let kind = source.kind();
        let mut followed = None;
        let mut simulated = None;
        let (clock, speed) = match source {
            Source::Stored => (Arc::new(MarketClock::Wall), 1.0),
            Source::Live(settings) => {
                let clock = Arc::new(MarketClock::Live(settings.clock.clone()));
                followed = Some((live::instruments(&settings, &store).await?, settings));
                (clock, 1.0)
            }
            Source::Played { from, to, speed } => {
                let spans = store.instruments().await?;
                if !spans.iter().any(|span| span.first < to && span.last > from) {
                    let stored = describe(&spans);
                    return Err(ServeError::NothingToPlay {
                        from: format_time(from),
                        to: format_time(to),
                        stored,
                    });
                }
                info!(from = format_time(from), to = format_time(to), speed, "replay");
                let played = PlayedClock::new(from, to, speed, Instant::now());
                (Arc::new(MarketClock::Played(played)), speed)
            }
            Source::Simulated { config, history, speed } => {
                let clock = Arc::new(MarketClock::fed(config.start));
                let until = config.start.plus(signed_ms(history));
                let mut feed = SimFeed::new(Sim::new(*config)?, store.clone(), Arc::clone(&clock), speed);
                let began = Instant::now();
                feed.fill_until(until).await?;
                info!(until = format_time(until), took_ms = whole_ms(began.elapsed()), "simulated history");
                simulated = Some(Feed::Simulated(Box::new(feed), updates.feed_failing.clone()));
                (clock, speed)
            }
        };
        let spans = store.instruments().await?;
        let (instruments, followed) = match followed {
            Some((instruments, settings)) => (instruments, Some(settings)),
            None => (catalog::stored(&spans), None),
        };
        let markets = catalog::markets(instruments, &settings.symbols, tiers, &settings.model)
            .map_err(|UnknownName(wanted)| ServeError::UnknownSymbol { wanted, stored: describe(&spans) })?;
        let catalog = Arc::new(Catalog::new(markets));
        for ledger in catalog.ledgers() {
            let instrument = ledger.instrument();
            let parameters = format!("{:016x}", ledger.spec.params.fingerprint());
            info!(%instrument, tiers = live::describe_tiers(tiers, instrument), parameters, "margin tiers and model parameters");
        }
        if catalog.is_empty() {
            warn!("the database holds no market data; load some with `liqheat ingest PATH` and start again");
        }
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
        let cluster = Cluster::join(&settings, &sessions, (&catalog, measured.as_deref()), speed, Some(kind));
        let foundation = Foundation {
            settings,
            store,
            catalog,
            clock,
            live,
            measured,
            speed,
            tokens,
            sessions,
            cluster,
            closing,
            updates,
        };
        Ok(foundation.into_server(feed))
    }

    /// A server that serves the states of other servers and has no database. `settings.redis` says where from.
    ///
    /// # Errors
    /// When the settings of tokens cannot be used.
    pub fn edge(settings: ServerSettings) -> Result<Self, ServeError> {
        Self::without_markets(Store::absent(), Vec::new(), settings, |settings, sessions| {
            Cluster::join(settings, sessions, (&Catalog::default(), None), 1.0, None)
        })
    }

    /// A server over empty boards that somebody else moves: the same front and sessions, and no market data behind
    /// them. For measuring what they cost.
    ///
    /// # Errors
    /// When the settings of tokens cannot be used.
    pub fn over_boards(
        store: Store,
        boards: Vec<String>,
        settings: ServerSettings,
    ) -> Result<Self, ServeError> {
        Self::without_markets(store, boards, settings, |_, _| Cluster::alone())
    }

    fn without_markets(
        store: Store,
        boards: Vec<String>,
        mut settings: ServerSettings,
        join: impl FnOnce(&ServerSettings, &Arc<Sessions>) -> Cluster,
    ) -> Result<Self, ServeError> {
        let tokens = Tokens::load(&settings.tokens).map_err(ServeError::Tokens)?;
        fit_into_descriptors(&mut settings);
        let closing = CancellationToken::new();
        let hub = Hub::new(boards, HubSettings { update_interval: settings.update_interval });
        let sessions = Sessions::new(Arc::new(hub), settings.sockets.sessions(), closing.clone());
        let cluster = join(&settings, &sessions);
        let foundation = Foundation {
            settings,
            store,
            catalog: Arc::default(),
            clock: Arc::new(MarketClock::Wall),
            live: None,
            measured: None,
            speed: 1.0,
            tokens,
            sessions,
            cluster,
            closing,
            updates: Arc::default(),
        };
        Ok(foundation.into_server(None))
    }

    /// Answers a request as a client on this machine would be answered, without a socket: for commands that work on a
    /// database.
    pub async fn ask(&mut self, path: &str, parameters: &[(&str, String)]) -> Response {
        let request = Request::get(target(path, parameters)).header(header::HOST, "localhost");
        let local: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let request = request.extension(ConnectInfo(local)).body(Body::empty());
        match request {
            Ok(request) => match self.front.router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(error) => Refusal::malformed(error.to_string()).into_response(),
        }
    }

    /// The boards, for whoever moves them from outside (see [`Server::over_boards`]).
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        self.sessions.hub()
    }

    /// With a listener for `/metrics` and `/ws/stats`, where `settings.front.metrics_apart` is set.
    #[must_use]
    pub fn with_metrics_listener(mut self, listener: TcpListener) -> Self {
        self.metrics_listener = Some(listener);
        self
    }

    /// What changes settings while the server runs.
    #[must_use]
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// Runs until `shutdown` completes or a part fails.
    ///
    /// # Errors
    /// When the socket cannot be used, or the store cannot be closed.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<ServerEnd, ServeError> {
        let Self {
            front,
            metrics_front,
            metrics_listener,
            tokens,
            reload: _,
            updater,
            grader,
            channels,
            expected,
            measured,
            feed,
            driver,
            alerts,
            sessions,
            catalog,
            store,
            stop_within,
            stopping,
            closing,
        } = self;
        info!(address = %listener.local_addr()?, symbols = catalog.listed().count(), "listening");
        // Apart from the signal to sessions, because the order matters: they see the newest state to the end.
        let (stop_front, stop_sources) = (CancellationToken::new(), CancellationToken::new());
        let mut parts: JoinSet<&'static str> = JoinSet::new();
        let stop = stop_front.clone();
        parts.spawn(async move {
            front.run(listener, stop).await;
            "front"
        });
        if let (Some(front), Some(listener)) = (metrics_front, metrics_listener) {
            info!(address = %listener.local_addr()?, "metrics listening");
            let stop = stop_front.clone();
            parts.spawn(async move {
                front.run(listener, stop).await;
                "metrics front"
            });
        }
        match (&store, updater) {
            (None, _) => info!("edge: no database, no updater; states come from other servers"),
            (Some(_), Some(updater)) => {
                let stop = stop_sources.clone();
                parts.spawn(async move {
                    updater.run(stop).await;
                    "updater"
                });
            }
            (Some(_), None) => {
                warn!(
                    "WS_ENABLED=false: no socket is served and the updater does not run; HTTP still answers"
                );
            }
        }
        if let Some(grader) = grader {
            let stop = stop_sources.clone();
            parts.spawn(async move {
                grader.run(stop).await;
                "running score"
            });
        }
        if let Some(channels) = channels {
            let stop = stop_sources.clone();
            parts.spawn(async move {
                channels.run(stop).await;
                "channels"
            });
        }
        if let Some((expected, update_interval)) = expected {
            let stop = stop_sources.clone();
            parts.spawn(async move {
                expected.run(update_interval, stop).await;
                "expected view"
            });
        }
        if let Some(parts_of_looks) = measured {
            let stop = stop_sources.clone();
            parts.spawn(async move {
                measured::run(parts_of_looks, stop).await;
                "measured layer"
            });
        }
        if let Some(driver) = driver {
            let stop = stop_sources.clone();
            parts.spawn(async move {
                driver.run(stop).await;
                "cluster"
            });
        }
        if let Some(alerts) = alerts {
            let stop = stop_sources.clone();
            parts.spawn(async move {
                alerts.run(stop).await;
                "alerts"
            });
        }
        if let Some(feed) = feed {
            let stop = stop_sources.clone();
            parts.spawn(async move {
                feed.run(stop).await;
                "feed"
            });
        }

        let stop = stop_sources.clone();
        parts.spawn(async move {
            tokens.watch(stop).await;
            "token keys"
        });

        let mut outcome = tokio::select! {
            () = shutdown => ServerEnd::InOrder,
            ended = parts.join_next() => ServerEnd::Fault(describe_end(ended)),
        };
        if let ServerEnd::Fault(part) = &outcome {
            error!(part, "a part ended by itself; stopping the server");
        }
        stopping.begin();
        let sockets = sessions.hub().metrics.active_connections.load(Ordering::Relaxed);
        info!(sockets, "stopping");
        let stop_all = async {
            closing.cancel();
            sessions.drained().await;
            stop_front.cancel();
            stop_sources.cancel();
            while let Some(ended) = parts.join_next().await {
                if let Err(error) = ended {
                    return Some(error.to_string());
                }
            }
            None
        };
        match timeout(stop_within, stop_all).await {
            Ok(None) => {}
            Ok(Some(fault)) => outcome = ServerEnd::Fault(fault),
            Err(_) => {
                let within_s = stop_within.as_secs();
                error!(within_s, parts = parts.len(), "not everything stopped in time; ending all the same");
                outcome = ServerEnd::Fault("shutdown deadline".to_owned());
                parts.abort_all();
            }
        }
        if let Some(store) = store {
            store.close().await?;
        }
        info!("stopped");
        Ok(outcome)
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

fn describe_end(ended: Option<Result<&'static str, tokio::task::JoinError>>) -> String {
    match ended {
        Some(Ok(part)) => part.to_owned(),
        Some(Err(error)) => error.to_string(),
        None => "nothing".to_owned(),
    }
}

fn describe(spans: &[InstrumentSpan]) -> String {
    if spans.is_empty() {
        return "nothing yet (load some with `liqheat ingest PATH`)".to_owned();
    }
    let span = |span: &InstrumentSpan| {
        format!("{} from {} to {}", span.instrument, format_time(span.first), format_time(span.last))
    };
    spans.iter().map(span).collect::<Vec<_>>().join("; ")
}
