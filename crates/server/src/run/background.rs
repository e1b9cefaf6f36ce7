//! The parts that run by themselves, beside the listeners.

use std::sync::Arc;
use std::time::Duration;

use liqheat_cluster::Driver;
use tracing::{info, warn};

use super::running::RunningParts;
use super::shared::{OwnedParts, SharedParts};
use super::source::Feed;
use crate::accuracy::{Grader, GraderParts};
use crate::alerts::Alerts;
use crate::channels::ChannelFeed;
use crate::clock::MarketClock;
use crate::engine::Updater;
use crate::expected::ExpectedBoards;
use crate::gateway::Tokens;
use crate::measured::{self, MeasuredParts};

/// What runs until the server stops; `None` is what this server has not.
pub(super) struct Background {
    is_edge: bool,
    updater: Option<Arc<Updater>>,
    /// `None` where nothing is graded: on an edge, and over stored data that nothing adds to.
    grader: Option<Grader>,
    /// Where the updater runs.
    channels: Option<ChannelFeed>,
    /// Where the updater runs, with its interval.
    expected: Option<(Arc<ExpectedBoards>, Duration)>,
    /// Where accounts are looked at.
    measured: Option<MeasuredParts>,
    driver: Option<Driver>,
    /// Where the updater runs.
    alerts: Option<Arc<Alerts>>,
    feed: Option<Feed>,
    tokens: Arc<Tokens>,
}

impl SharedParts {
    /// What of it this server has.
    pub(super) fn background(&self, owned: OwnedParts) -> Background {
        let has_updater = self.has_updater();
        let grades = !self.is_edge() && !matches!(*self.base.clock, MarketClock::Wall);
        let looks = self.base.measured.clone().zip(self.base.live.clone());
        Background {
            is_edge: self.is_edge(),
            updater: has_updater.then(|| Arc::clone(&self.updater)),
            grader: grades.then(|| {
                Grader::new(GraderParts {
                    catalog: Arc::clone(&self.base.catalog),
                    store: self.base.store.on_read_connections(),
                    clock: Arc::clone(&self.base.clock),
                    live: self.base.live.clone(),
                })
            }),
            channels: has_updater.then(|| ChannelFeed {
                catalog: Arc::clone(&self.base.catalog),
                published: Arc::clone(&self.published),
                hub: Arc::clone(&self.hub),
                backplane: self.backplane.clone(),
                store: self.base.store.on_read_connections(),
                clock: Arc::clone(&self.base.clock),
                expected: self.base.settings.expected,
            }),
            expected: has_updater.then(|| (Arc::clone(&self.expected), self.base.settings.update_interval)),
            measured: looks.map(|(layer, live)| MeasuredParts {
                layer,
                live,
                store: self.base.store.clone(),
                published: Arc::clone(&self.published),
                hub: Arc::clone(&self.hub),
                backplane: self.backplane.clone(),
                update_interval: self.base.settings.update_interval,
            }),
            driver: owned.driver,
            alerts: has_updater.then(|| Arc::clone(&self.alerts)),
            feed: owned.feed,
            tokens: Arc::clone(&self.tokens),
        }
    }
}

impl Background {
    /// Starts all of it.
    pub(super) fn start(self, parts: &mut RunningParts) {
        match self.updater {
            Some(updater) => parts.start("updater", |stop| updater.run(stop)),
            None if self.is_edge => info!("edge: no database, no updater; states come from other servers"),
            None => warn!(
                "WS_ENABLED=false: no socket is served and the updater does not run; HTTP still answers"
            ),
        }
        if let Some(grader) = self.grader {
            parts.start("running score", |stop| grader.run(stop));
        }
        if let Some(channels) = self.channels {
            parts.start("channels", |stop| channels.run(stop));
        }
        if let Some((expected, interval)) = self.expected {
            parts.start("expected view", |stop| expected.run(interval, stop));
        }
        if let Some(measured) = self.measured {
            parts.start("measured layer", |stop| measured::run(measured, stop));
        }
        if let Some(driver) = self.driver {
            parts.start("cluster", |stop| driver.run(stop));
        }
        if let Some(alerts) = self.alerts {
            parts.start("alerts", |stop| alerts.run(stop));
        }
        if let Some(feed) = self.feed {
            parts.start("feed", |stop| feed.run(stop));
        }
        let tokens = self.tokens;
        parts.start("token keys", |stop| async move { tokens.watch(stop).await });
    }
}
