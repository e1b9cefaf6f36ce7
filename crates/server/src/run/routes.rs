//! The states of the routes, and the routers of the listeners.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use prometheus_client::registry::Registry;

use super::shared::SharedParts;
use crate::api::{
    self, ApiStates, DataParts, DataState, HealthState, ListingState, ModelState, PresentState, StatsState,
    StoredRows, SymbolDirectory, TimeseriesFlights, TrustedProxies,
};
use crate::engine::OnDemand;
use crate::gateway::{self, AccessPolicy, Front, SocketState};
use crate::history::History;

/// The listeners of a server.
pub(super) struct Fronts {
    pub(super) main: Front,
    /// Where `/metrics` and `/ws/stats` are apart.
    pub(super) metrics: Option<Front>,
}

impl SharedParts {
    /// All routes, behind the checks that every request passes.
    pub(super) fn fronts(&self, registry: Registry) -> Fronts {
        let api = api::routes(self.api_states(registry), self.base.settings.front.metrics_apart);
        let socket = Arc::new(self.socket_state());
        let routes = api
            .main
            .merge(gateway::stream_route(Arc::clone(&socket)))
            .layer(from_fn_with_state(Arc::clone(&self.access), AccessPolicy::share));
        Fronts {
            main: self.front(gateway::socket_route(socket).merge(routes)),
            metrics: api.metrics.map(|router| self.front(router)),
        }
    }

    fn front(&self, router: Router) -> Front {
        let guard = gateway::Guard::new(Arc::clone(&self.access));
        Front {
            settings: self.base.settings.front.clone(),
            router: router
                .layer(from_fn_with_state(guard, gateway::check))
                .layer(from_fn_with_state(Arc::clone(&self.front_metrics), api::count)),
            metrics: Arc::clone(&self.front_metrics),
            stop_within: self.base.settings.stop_within,
        }
    }

    fn api_states(&self, registry: Registry) -> ApiStates {
        let proxies = self.base.settings.front.trusted_proxies.clone();
        let stats = StatsState {
            hub: Arc::clone(&self.hub),
            front: Arc::clone(&self.front_metrics),
            updates: Arc::clone(&self.base.updates),
            live: self.base.live.clone(),
            started: self.started,
        };
        ApiStates {
            writes: Arc::new(gateway::WriteGate::new(Arc::clone(&self.gate), proxies)),
            data: self.data_state(),
            health: Arc::new(self.health_state()),
            stats: Arc::new(stats),
            registry: Arc::new(registry),
            tokens: Arc::clone(&self.gate),
            frames: api::FramePolicy::new(&self.base.settings.front.embed_origins),
        }
    }

    fn data_state(&self) -> DataState {
        let websocket = self.base.settings.ws_enabled;
        let symbols = SymbolDirectory {
            catalog: Arc::clone(&self.base.catalog),
            hub: Arc::clone(&self.hub),
            measured: self.base.measured.clone(),
        };
        let present = PresentState {
            symbols: symbols.clone(),
            published: Arc::clone(&self.published),
            on_demand: (!websocket).then(|| Arc::new(OnDemand::new(Arc::clone(&self.updater)))),
        };
        let rows =
            StoredRows { symbols, reads: Arc::clone(&self.reads), clock: Arc::clone(&self.base.clock) };
        DataState::new(DataParts {
            model: ModelState {
                present: present.clone(),
                rows,
                history: Arc::new(History::new()),
                expected: self.base.settings.expected,
            },
            trusted_proxies: TrustedProxies(self.base.settings.front.trusted_proxies.as_slice().into()),
            expected_boards: Arc::clone(&self.expected),
            // As long as a poller of the old contract waits between two requests.
            timeseries: Arc::new(TimeseriesFlights::new(Duration::from_secs(5), 16, 64 << 20)),
            formats: Arc::new(api::format_flights()),
            exports: Arc::new(api::Exports::new()),
            ingests: Arc::new(api::Ingests::new(self.base.store.clone(), self.base.catalog.is_simulated())),
            alerts: Arc::clone(&self.alerts),
            listing: ListingState {
                present,
                learned: self.learned.clone(),
                speed: self.base.speed,
                websocket,
            },
        })
    }

    fn health_state(&self) -> HealthState {
        HealthState {
            stopping: self.stopping.clone(),
            updates: Arc::clone(&self.base.updates),
            backplane: self.backplane.clone(),
            hub: Arc::clone(&self.hub),
            catalog: Arc::clone(&self.base.catalog),
            published: Arc::clone(&self.published),
            live: self.base.live.clone(),
            tokens: Arc::clone(&self.gate),
            alerts: Arc::clone(&self.alerts),
            measured: self.base.measured.clone(),
            store: self.base.store.clone(),
            ws_enabled: self.base.settings.ws_enabled,
            is_edge: self.is_edge(),
            update_interval: self.base.settings.update_interval,
        }
    }

    fn socket_state(&self) -> SocketState {
        SocketState {
            ws_enabled: self.base.settings.ws_enabled,
            settings: self.base.settings.front.clone(),
            sessions: Arc::clone(&self.base.sessions),
            access: Arc::clone(&self.access),
            addresses: Arc::clone(&self.addresses),
            tokens: Arc::clone(&self.gate),
            metrics: Arc::clone(&self.front_metrics),
            stopping: self.stopping.clone(),
        }
    }
}
