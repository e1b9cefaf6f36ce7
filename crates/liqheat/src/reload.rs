//! SIGHUP: settings are read again from where they came from, and what can change while the server runs is taken over.
//!
//! Variables of the environment are those that the process was started with, so what is to be changed stands in the
//! configuration file or in a file that it names. A mistake anywhere changes nothing.

use std::time::Duration;

use anyhow::Context;
use liqheat_server::Reload;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::cli::{Command, Role};
use crate::config::{self, SettingsError};
use crate::effective::EffectiveSettings;
use crate::logging;

/// Settings that a running server takes over. The contents of the files that they name are read again each time.
pub(crate) const RELOADABLE: &[&str] = &[
    "alerts",
    "allowed_origins",
    "hosts",
    "log",
    "ws_drain_window",
    "ws_idle_timeout",
    "ws_jwt_audience",
    "ws_jwt_issuer",
    "ws_jwt_jwks",
    "ws_jwt_public_key",
    "ws_jwt_secret",
    "ws_jwt_secret_file",
    "ws_max_connections",
    "ws_max_connections_per_address",
    "ws_max_message_bytes",
    "ws_max_messages_per_second",
    "ws_max_new_connections_per_minute",
    "ws_max_queue_size",
    "ws_max_subscriptions",
    "ws_ping_interval",
    "ws_slow_consumer_timeout",
    "ws_stalled_timeout",
    "ws_status_interval",
    "ws_subscribe_timeout",
];

/// A setting whose value is another one than the server runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is taken over.
    Applied(String),
    /// It counts from the next start on.
    NeedsRestart(String),
}

/// What becomes of every setting that differs.
pub(crate) fn changes(before: &EffectiveSettings, now: &EffectiveSettings) -> Vec<Change> {
    let change = |key: &str| {
        if RELOADABLE.contains(&key) {
            Change::Applied(key.to_owned())
        } else {
            Change::NeedsRestart(key.to_owned())
        }
    };
    now.changed_since(before).map(change).collect()
}

/// Waits for SIGHUP, for a server that reads its settings again.
pub(crate) struct Reloader {
    hangups: Signal,
    role: Role,
    /// What the server runs with.
    effective: EffectiveSettings,
}

impl Reloader {
    /// Catches the signal from now on.
    ///
    /// # Errors
    /// When it cannot be caught.
    pub(crate) fn new(role: Role, effective: EffectiveSettings) -> anyhow::Result<Self> {
        let hangups = signal(SignalKind::hangup()).context("cannot catch SIGHUP")?;
        Ok(Self { hangups, role, effective })
    }

    /// Reloads at every signal; never ends.
    pub(crate) async fn run(mut self, server: Reload) {
        loop {
            if self.hangups.recv().await.is_none() {
                // No signal can come any more.
                tokio::time::sleep(Duration::MAX).await;
            }
            // Files of keys, rules and parameters are small and local, and this happens when the operator asks for it.
            if let Err(faults) = tokio::task::block_in_place(|| self.reload(&server)) {
                for fault in faults {
                    error!(fault, "settings not reloaded; nothing has changed");
                }
            }
        }
    }

    /// Reads everything, then changes everything. An error is every mistake, and then nothing has changed.
    fn reload(&mut self, server: &Reload) -> Result<(), Vec<String>> {
        let refused = |faults: Vec<String>| {
            server.refuse();
            faults
        };
        let config::Settings { cli, effective: now, .. } =
            config::parse(std::env::args_os()).map_err(|error| refused(faults_of(&error)))?;
        let Command::Serve(serve) = cli.command else {
            return Err(refused(vec!["the command line is no longer that of a server".to_owned()]));
        };
        let settings =
            serve.front.settings(self.role).map_err(|error| refused(vec![format!("{error:#}")]))?;
        let levels = logging::parse_levels(&cli.logging.log)
            .map_err(|error| refused(vec![format!("LIQHEAT_LOG: {error}")]))?;
        server.apply(settings)?;
        logging::set_levels(levels);
        let (mut applied, mut waiting) = (Vec::new(), Vec::new());
        for change in changes(&self.effective, &now) {
            match change {
                Change::Applied(key) => applied.push(key),
                Change::NeedsRestart(key) => waiting.push(key),
            }
        }
        info!(changed = applied.join(", "), "settings reloaded");
        if !waiting.is_empty() {
            warn!("changed, needs a restart: {}", waiting.join(", "));
        }
        self.effective.take_over(&now, |key| RELOADABLE.contains(&key));
        Ok(())
    }
}

fn faults_of(error: &SettingsError) -> Vec<String> {
    match error {
        SettingsError::CommandLine(error) => vec![error.to_string().trim().to_owned()],
        SettingsError::Faults(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::cli::Cli;

    fn effective(flags: &str) -> EffectiveSettings {
        let words = ["liqheat", "serve"].into_iter().chain(flags.split_whitespace());
        let matches = Cli::command().get_matches_from(words);
        Cli::from_arg_matches(&matches).unwrap();
        EffectiveSettings::of(&Cli::command(), &matches)
    }

    #[test]
    fn changes_are_taken_over_or_named() {
        let secret = |letter: &str| format!("--ws-jwt-secret {}", letter.repeat(40));
        let before = effective(&format!("--listen 127.0.0.1:1 --log info {}", secret("a")));
        assert_eq!(changes(&before, &before), []);
        let now = effective(&format!("--listen 127.0.0.1:2 --log debug {}", secret("b")));
        let found = changes(&before, &now);
        let expected = [
            Change::NeedsRestart("listen".into()),
            Change::Applied("log".into()),
            Change::Applied("ws_jwt_secret".into()),
        ];
        assert!(expected.iter().all(|change| found.contains(change)) && found.len() == 3, "{found:?}");
        assert!(!format!("{now:?}").contains("bbbb"), "secrets are never shown");

        // What waits for a restart is named again at the next reload.
        let mut running = before;
        running.take_over(&now, |key| RELOADABLE.contains(&key));
        assert_eq!(changes(&running, &now), [Change::NeedsRestart("listen".into())]);
    }

    #[test]
    fn every_reloadable_setting_exists() {
        let command = crate::cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        let known: Vec<&str> =
            serve.get_arguments().chain(command.get_arguments()).map(|one| one.get_id().as_str()).collect();
        for key in RELOADABLE {
            assert!(known.contains(key), "{key}");
        }
    }
}
