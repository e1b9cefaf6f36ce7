//! Assembly, supervision and shutdown.
//!
//! Everything is built before anything starts. The parts then run until one of them ends or the operator asks
//! to stop, and stop in order: readiness off and no new sockets, goodbye to sockets, no new connections,
//! updater and feed, the store last. While sockets are sent away, requests are answered, so that whoever asks
//! whether this server is ready hears that it is not. A part that ends by itself is a fault, and the whole process goes down with it: restart and replay are
//! tested, half a server is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use liqheat_feeds::live::LiveSettings;
use liqheat_feeds::sim::{Sim, SimConfig, SimConfigError};
use liqheat_feeds::tiers::{TierBook, TierBookError};
use liqheat_market::UnixMs;
use liqheat_store::{InstrumentSpan, Store, StoreError};
use liqheat_stream::{Driver, Hub, HubSettings, Sessions};
use liqheat_wire::format_time;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::app::App;
use crate::clock::{MarketClock, PlayedClock};
use crate::cluster::Cluster;
use crate::feed::SimFeed;
use crate::live::{self, Live};
use crate::process::{Fit, raise_descriptors};
use crate::served::{self, Unknown, Wanted};
use crate::settings::ServerSettings;
use crate::symbol::Market;
use crate::tokens::{TokenSettingsError, Tokens};
use crate::{front, updater};

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

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The simulation's settings.
    #[error(transparent)]
    Sim(#[from] SimConfigError),
    /// The tier tables.
    #[error(transparent)]
    Tiers(#[from] TierBookError),
    /// A symbol that is asked for but not stored.
    #[error("symbol '{wanted}' is not in the database; it holds {stored}")]
    UnknownSymbol {
        /// What was asked for.
        wanted: String,
        /// What there is.
        stored: String,
    },
    /// A replay needs something to play.
    #[error("nothing to replay: the database holds no bars between {from} and {to}; it holds {stored}")]
    NothingToPlay {
        /// From.
        from: String,
        /// To.
        to: String,
        /// What there is.
        stored: String,
    },
    /// The settings of tokens; every mistake.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Tokens(Vec<TokenSettingsError>),
    /// The address of the listener cannot be read.
    #[error("the listening socket: {0}")]
    Socket(#[from] std::io::Error),
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// As asked, everything in order.
    InOrder,
    /// A part ended by itself or did not stop in time; its name.
    Fault(String),
}

/// A server, built and ready to run.
pub struct Server {
    app: Arc<App>,
    feed: Option<Feed>,
    driver: Option<Driver>,
    closing: CancellationToken,
}

/// Who writes into the store while the server runs.
enum Feed {
    Simulated(Box<SimFeed>),
    Live(Box<LiveSettings>, TierBook),
}

impl Feed {
    async fn run(self, app: Arc<App>, stop: CancellationToken) {
        match self {
            Self::Simulated(feed) => feed.run(app, stop).await,
            Self::Live(settings, tiers) => {
                if let Err(error) = live::follow(app, *settings, tiers, stop).await {
                    error!(%error, "live markets are no longer followed");
                }
            }
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
        let mut followed = None;
        let (clock, speed, feed) = match source {
            Source::Stored => (Arc::new(MarketClock::Wall), 1.0, None),
            Source::Live(live) => {
                followed = Some(live::instruments(&live, &store).await?);
                (Arc::new(MarketClock::Live(live.clock)), 1.0, Some(Feed::Live(live, tiers.clone())))
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
                (
                    Arc::new(MarketClock::Played(PlayedClock::new(from, to, speed, Instant::now()))),
                    speed,
                    None,
                )
            }
            Source::Simulated { config, history, speed } => {
                let clock = Arc::new(MarketClock::fed(config.start));
                let until = config.start.plus(history.as_millis() as i64);
                let mut feed = SimFeed::new(Sim::new(*config)?, store.clone(), Arc::clone(&clock), speed);
                let began = Instant::now();
                feed.fill_until(until).await?;
                info!(
                    until = format_time(until),
                    took_ms = began.elapsed().as_millis() as u64,
                    "simulated history"
                );
                (clock, speed, Some(Feed::Simulated(Box::new(feed))))
            }
        };
        let spans = store.instruments().await?;
        let live = followed.is_some().then(|| Arc::new(Live::default()));
        let instruments = followed.unwrap_or_else(|| spans.iter().map(Wanted::from).collect());
        let markets = served::markets(instruments, &settings.symbols, tiers)
            .map_err(|Unknown(wanted)| ServeError::UnknownSymbol { wanted, stored: describe(&spans) })?;
        for part in markets.iter().flat_map(|market| &market.parts) {
            info!(instrument = %part.instrument, tiers = live::describe_tiers(tiers, &part.instrument), "margin tiers");
        }
        if markets.is_empty() {
            warn!("the database holds no market data; load some with `liqheat ingest PATH` and start again");
        }
        let closing = CancellationToken::new();
        let hub = boards_of(&markets, settings.update_interval);
        let sessions = Sessions::new(Arc::new(hub), settings.sockets.sessions(), closing.clone());
        let cluster = Cluster::join(&settings, &sessions, &markets, speed);
        let app =
            Arc::new(App::new(settings, store, sessions, clock, markets, live, speed, tokens, &cluster));
        Ok(Self { app, feed, driver: cluster.driver, closing })
    }

    /// A server that serves what others make, with no database behind it. `settings.redis` says where from.
    ///
    /// # Errors
    /// When the settings of tokens cannot be used.
    pub fn edge(mut settings: ServerSettings) -> Result<Self, ServeError> {
        let tokens = Tokens::load(&settings.tokens).map_err(ServeError::Tokens)?;
        fit_into_descriptors(&mut settings);
        let closing = CancellationToken::new();
        let hub = Hub::new([], HubSettings { update_interval: settings.update_interval });
        let sessions = Sessions::new(Arc::new(hub), settings.sockets.sessions(), closing.clone());
        let (clock, markets) = (Arc::new(MarketClock::Wall), Vec::new());
        let cluster = Cluster::join(&settings, &sessions, &markets, 1.0);
        let store = Store::absent();
        let app = Arc::new(App::new(settings, store, sessions, clock, markets, None, 1.0, tokens, &cluster));
        Ok(Self { app, feed: None, driver: cluster.driver, closing })
    }

    /// A server over empty boards that somebody else moves: the same front and sessions, and nothing behind
    /// them. For measuring what they cost.
    ///
    /// # Errors
    /// When the settings of tokens cannot be used.
    pub fn over_boards(
        store: Store,
        boards: Vec<String>,
        mut settings: ServerSettings,
    ) -> Result<Self, ServeError> {
        let tokens = Tokens::load(&settings.tokens).map_err(ServeError::Tokens)?;
        fit_into_descriptors(&mut settings);
        let closing = CancellationToken::new();
        let hub = Hub::new(boards, HubSettings { update_interval: settings.update_interval });
        let sessions = Sessions::new(Arc::new(hub), settings.sockets.sessions(), closing.clone());
        let clock = Arc::new(MarketClock::Wall);
        let (markets, alone) = (Vec::new(), Cluster::alone());
        let app = Arc::new(App::new(settings, store, sessions, clock, markets, None, 1.0, tokens, &alone));
        Ok(Self { app, feed: None, driver: None, closing })
    }

    /// What requests and tasks share, for tests that look inside.
    #[must_use]
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Runs until `shutdown` completes or a part fails.
    ///
    /// # Errors
    /// When the socket cannot be used, or the store cannot be closed.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Stopped, ServeError> {
        let Self { app, feed, driver, closing } = self;
        info!(address = %listener.local_addr()?, symbols = app.listed().count(), "listening");
        // Apart from the signal to sessions, because the order matters: they see the newest state to the end.
        let (stop_front, stop_sources) = (CancellationToken::new(), CancellationToken::new());
        let mut parts: JoinSet<&'static str> = JoinSet::new();
        let (front_app, stop) = (Arc::clone(&app), stop_front.clone());
        parts.spawn(async move {
            front::run(front_app, listener, stop).await;
            "front"
        });
        if app.is_edge() {
            info!("edge: no database, no updater; states come from other servers");
        } else if app.settings.ws_enabled {
            let (app, stop) = (Arc::clone(&app), stop_sources.clone());
            parts.spawn(async move {
                updater::run(app, stop).await;
                "updater"
            });
        } else {
            warn!("WS_ENABLED=false: no socket is served and the updater does not run; HTTP still answers");
        }
        if let Some(driver) = driver {
            let stop = stop_sources.clone();
            parts.spawn(async move {
                driver.run(stop).await;
                "backplane"
            });
        }
        if let Some(feed) = feed {
            let (app, stop) = (Arc::clone(&app), stop_sources.clone());
            parts.spawn(async move {
                feed.run(app, stop).await;
                "feed"
            });
        }

        let mut outcome = tokio::select! {
            () = shutdown => Stopped::InOrder,
            ended = parts.join_next() => Stopped::Fault(describe_end(ended)),
        };
        if let Stopped::Fault(part) = &outcome {
            error!(part, "a part ended by itself; stopping the server");
        }
        app.begin_stopping();
        info!(
            sockets = app.hub.metrics.active_connections.load(std::sync::atomic::Ordering::Relaxed),
            "stopping"
        );
        let stopping = async {
            closing.cancel();
            app.sessions.drained().await;
            stop_front.cancel();
            stop_sources.cancel();
            while let Some(ended) = parts.join_next().await {
                if let Err(error) = ended {
                    return Some(error.to_string());
                }
            }
            None
        };
        match timeout(app.settings.stop_within, stopping).await {
            Ok(None) => {}
            Ok(Some(fault)) => outcome = Stopped::Fault(fault),
            Err(_) => {
                let within_s = app.settings.stop_within.as_secs();
                error!(within_s, parts = parts.len(), "not everything stopped in time; ending all the same");
                outcome = Stopped::Fault("shutdown deadline".to_owned());
                parts.abort_all();
            }
        }
        if !app.is_edge() {
            app.store.close().await?;
        }
        info!("stopped");
        Ok(outcome)
    }
}

/// A board for every name.
fn boards_of(markets: &[Arc<Market>], update_interval: Duration) -> Hub {
    let names = |listed: bool| {
        let symbols = markets.iter().flat_map(|market| &market.symbols);
        symbols.filter(move |symbol| symbol.listed == listed).map(|symbol| symbol.name.clone())
    };
    Hub::new(names(true), HubSettings { update_interval }).with_second_names(names(false))
}

/// Every connection takes a descriptor, so there can be no more than the system allows this process.
fn fit_into_descriptors(settings: &mut ServerSettings) {
    let limit = raise_descriptors();
    let wanted = settings.sockets.connections_max;
    let fit = Fit::under(limit, wanted, settings.front.http_connections_max);
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
