//! The parts that routes and background tasks share, made in the order in which data goes through them, and their metrics.

#![expect(clippy::disallowed_methods, reason = "the moment from which the server counts its uptime")]

use std::sync::Arc;
use std::time::Instant;

use liqheat_cluster::{Backplane, Driver};
use liqheat_stream::{Hub, RenewTokens};
use prometheus_client::registry::Registry;

use super::foundation::{ConsumedParts, Foundation};
use super::source::Feed;
use crate::alerts::{AlertParts, Alerts};
use crate::clock::MarketClock;
use crate::cluster::{Cluster, Listing};
use crate::compute::ComputePool;
use crate::engine::{EngineParts, Updater, UpdaterSettings};
use crate::expected::ExpectedBoards;
use crate::gateway::{AccessPolicy, Addresses, TokenGate, Tokens};
use crate::ops::metrics::{self, FrontMetrics};
use crate::ops::stopping::StopFlag;
use crate::published::{FeedWatch, Published};
use crate::reads::Reads;
use crate::reload::{self, Reload, ReloadMetrics};
use crate::traces;

/// Handles of all parts that more than one other part uses.
pub(super) struct SharedParts {
    pub(super) base: Foundation,
    pub(super) hub: Arc<Hub>,
    pub(super) backplane: Backplane,
    /// The producer's list, on an edge.
    pub(super) learned: Option<Arc<Listing>>,
    pub(super) published: Arc<Published>,
    pub(super) updater: Arc<Updater>,
    pub(super) expected: Arc<ExpectedBoards>,
    pub(super) alerts: Arc<Alerts>,
    pub(super) reads: Arc<Reads>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) gate: Arc<TokenGate>,
    pub(super) access: Arc<AccessPolicy>,
    pub(super) addresses: Arc<Addresses>,
    pub(super) front_metrics: Arc<FrontMetrics>,
    pub(super) stopping: StopFlag,
    pub(super) started: Instant,
}

/// What only one part takes over.
pub(super) struct OwnedParts {
    pub(super) feed: Option<Feed>,
    pub(super) driver: Option<Driver>,
}

impl SharedParts {
    pub(super) fn new(base: Foundation, consumed: ConsumedParts) -> (Self, OwnedParts) {
        let ConsumedParts { tokens, cluster: Cluster { backplane, learned, driver }, feed } = consumed;
        let Foundation { settings, store, catalog, clock, live, sessions, updates, .. } = &base;
        let started = Instant::now();
        let hub = Arc::clone(sessions.hub());
        let watch = FeedWatch::new(Arc::clone(clock), live.clone(), updates.feed_failing.clone());
        let published =
            Published::new(catalog, Arc::clone(&hub), backplane.clone(), watch, MarketClock::wall_now());
        let published = Arc::new(published);
        let updater = Updater::new(
            Arc::clone(catalog),
            EngineParts {
                store: store.clone(),
                compute: ComputePool::new(1),
                metrics: Arc::clone(updates),
                checkpoints_kept: settings.checkpoints_kept,
            },
            Arc::clone(&published),
            Arc::clone(clock),
            UpdaterSettings { update_interval: settings.update_interval, retention: settings.retention },
        );
        let expected = ExpectedBoards::new(
            Arc::clone(catalog),
            Arc::clone(&published),
            Arc::clone(&hub),
            store.on_read_connections(),
            settings.expected,
        );
        let alerts = Alerts::new(
            AlertParts {
                store: store.clone(),
                catalog: Arc::clone(catalog),
                published: Arc::clone(&published),
                clock: Arc::clone(clock),
                backplane: backplane.clone(),
                hub: Arc::clone(&hub),
                update_interval: settings.update_interval,
            },
            settings.alerts.clone(),
        );
        let tokens = Arc::new(tokens);
        sessions.set_renewal(Arc::clone(&tokens) as Arc<dyn RenewTokens>);
        let shared = Self {
            reads: Reads::new(store),
            gate: Arc::new(TokenGate::new(Arc::clone(&tokens))),
            access: AccessPolicy::new(&settings.front.hosts, &settings.front.allowed_origins),
            addresses: Addresses::new(settings.addresses, started),
            updater: Arc::new(updater),
            expected: Arc::new(expected),
            front_metrics: Arc::default(),
            stopping: StopFlag::default(),
            hub,
            backplane,
            learned,
            published,
            alerts,
            tokens,
            started,
            base,
        };
        (shared, OwnedParts { feed, driver })
    }

    /// Everything that `GET /metrics` shows.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.hub.metrics.register(registry);
        traces::register(registry);
        metrics::register(
            registry,
            &self.base.updates,
            &self.front_metrics,
            &self.hub,
            &self.base.store,
            self.started,
        );
        if let Some(live) = &self.base.live {
            metrics::register_live(registry, live, &self.base.clock);
        }
        if let Some(measured) = &self.base.measured {
            measured.metrics.register(registry);
        }
        self.backplane.register(registry);
        metrics::register_reads(registry, &self.reads);
        self.tokens.register(registry);
        self.alerts.register(registry);
    }

    /// What changes settings while the server runs.
    pub(super) fn reload(&self, registry: &mut Registry) -> Reload {
        let metrics = ReloadMetrics::default();
        metrics.register(registry);
        Reload::new(reload::Parts {
            sessions: Arc::clone(&self.base.sessions),
            access: Arc::clone(&self.access),
            addresses: Arc::clone(&self.addresses),
            tokens: Arc::clone(&self.tokens),
            alerts: Arc::clone(&self.alerts),
            metrics,
        })
    }

    /// Whether this server has no database.
    pub(super) fn is_edge(&self) -> bool {
        self.base.settings.is_edge()
    }

    /// Whether states are computed here as time goes on, not only on request.
    pub(super) fn has_updater(&self) -> bool {
        self.base.settings.ws_enabled && !self.is_edge()
    }
}
