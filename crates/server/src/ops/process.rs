//! What the operating system allows this process and what it uses: descriptors and memory.

#![expect(clippy::disallowed_methods, reason = "reads what the kernel says of this process")]

use std::sync::atomic::AtomicU64;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Descriptors kept back for everything but clients: the database, its log and temporary files, standard
/// streams, the event queue, listening sockets.
const RESERVE: u64 = 64;

/// The counter behind `liqheat_log_lines_dropped_total`: log lines that standard error did not take. One for the
/// process, because the log is; whoever sets up logging counts.
pub fn log_lines_dropped() -> &'static AtomicU64 {
    static DROPPED: AtomicU64 = AtomicU64::new(0);
    &DROPPED
}

/// Raises the number of descriptors this process may open as far as it may itself; gives what it is then, `None`
/// when there is no limit.
pub(crate) fn raise_descriptors() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        debug!(%error, "the limit of open descriptors cannot be raised");
    }
    descriptors_max()
}

/// Descriptors this process may open.
pub(crate) fn descriptors_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Connections that a limit of file descriptors allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionCapacity {
    /// Sockets.
    pub(crate) sockets: u64,
    /// Connections that speak HTTP.
    pub(crate) http: usize,
}

impl ConnectionCapacity {
    /// As many of those wanted as fit. HTTP takes at most a quarter, and some sockets there must always be.
    pub(crate) fn under(limit: Option<u64>, sockets: u64, http: usize) -> Self {
        let Some(limit) = limit else { return Self { sockets, http } };
        let http = http.min(usize::try_from(limit / 4).unwrap_or(usize::MAX)).max(1);
        let left = limit.saturating_sub(RESERVE).saturating_sub(http as u64);
        Self { sockets: sockets.min(left.max(limit / 8)), http }
    }

    /// Says so when it is less than what was wanted.
    pub(crate) fn warn_if_cut(self, limit: Option<u64>, wanted: u64) {
        if self.sockets < wanted {
            warn!(
                wanted,
                connections_max = self.sockets,
                descriptors = limit,
                "WS_MAX_CONNECTIONS is more than the limit of open descriptors allows; raise it (ulimit -n, \
                 LimitNOFILE= of a systemd unit) or lower the setting"
            );
        }
    }
}

/// Memory of this process; `None` where that cannot be read.
pub(crate) fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

/// Descriptors this process has open; `None` where that cannot be read.
pub(crate) fn open_descriptors() -> Option<u64> {
    // One of them is the folder being read.
    Some((std::fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_cut_to_what_fits() {
        for (limit, sockets, http, fit) in [
            (None, 1_000_000, 512, (1_000_000, 512)),
            (Some(1_048_576), 10_000, 512, (10_000, 512)),
            (Some(20_000), 10_000, 512, (10_000, 512)),
            (Some(20_000), 50_000, 512, (19_424, 512)),
            (Some(1_024), 10_000, 512, (704, 256)),
            (Some(1_024), 100, 512, (100, 256)),
            (Some(64), 100, 512, (8, 16)),
            (Some(0), 100, 512, (0, 1)),
        ] {
            let expected = ConnectionCapacity { sockets: fit.0, http: fit.1 };
            assert_eq!(
                ConnectionCapacity::under(limit, sockets, http),
                expected,
                "{limit:?} {sockets} {http}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_is_seen() {
        assert!(resident_bytes().unwrap() > 1 << 20);
        assert!((3..100_000).contains(&open_descriptors().unwrap()));
        assert!(descriptors_max().is_none_or(|most| most >= open_descriptors().unwrap()));
    }
}
