//! What is wrong with this server's part in the cluster: shown by `/ready` while it lasts, and logged once when it
//! begins and once when it ends. What goes on and off all the time is logged no more than once a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use liqheat_market::convert::whole_ms;
use tokio::time::Instant;
use tracing::{info, warn};

/// An issue that comes back within this time after it ended is not logged again.
const QUIET: Duration = Duration::from_secs(60);
/// Issues remembered at most, beyond those that last: with a thousand symbols each may have several.
const KEPT_MAX: usize = 5_000;

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Issue {
    RedisDown,
    /// Servers that serve something else use the same prefix.
    OtherGroup,
    /// An edge does not know of any symbol.
    NoSymbols,
    /// Nothing usable comes from the producer for a symbol.
    Silent(String),
    /// A state that cannot be published.
    TooLarge(String),
    /// The list in Redis is not one.
    BadList,
    /// The list holds more symbols than an edge serves.
    LongList,
    /// A lease, fence or group that no server wrote.
    BadKeys,
    /// The stored state of a symbol is not one.
    BadState(String),
    /// Messages of a symbol that are none.
    BadMessages(String),
    /// Publications refused for a newer token.
    Fenced,
}

impl Issue {
    /// The event in the log.
    const fn event(&self) -> &'static str {
        match self {
            Self::RedisDown => "Redis unavailable",
            Self::OtherGroup => "another group uses this prefix",
            Self::NoSymbols => "no symbol list",
            Self::Silent(_) => "no updates from the producer",
            Self::TooLarge(_) => "state too large to publish",
            Self::BadList => "unusable symbol list in Redis",
            Self::LongList => "symbol list too long",
            Self::BadKeys => "unusable value in Redis ignored",
            Self::BadState(_) => "unusable stored state in Redis",
            Self::BadMessages(_) => "unusable messages on a channel",
            Self::Fenced => "publication refused: another server has a newer fencing token",
        }
    }

    fn symbol(&self) -> Option<&str> {
        match self {
            Self::Silent(symbol)
            | Self::TooLarge(symbol)
            | Self::BadState(symbol)
            | Self::BadMessages(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// Whether the server should get no traffic meanwhile. The others disturb nobody: the value is ignored.
    const fn blocks(&self) -> bool {
        matches!(
            self,
            Self::RedisDown | Self::OtherGroup | Self::NoSymbols | Self::Silent(_) | Self::TooLarge(_)
        )
    }

    /// How long it lasts after it was last raised, where nothing tells its end.
    const fn lasts(&self) -> Option<Duration> {
        match self {
            Self::BadMessages(_) | Self::BadKeys | Self::Fenced => Some(Duration::from_secs(30)),
            _ => None,
        }
    }
}

/// An issue that `/ready` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) issue: Issue,
    pub(crate) detail: String,
    pub(crate) since: Instant,
}

#[derive(Debug)]
struct Entry {
    detail: String,
    since: Instant,
    raised: Instant,
    ended: Option<Instant>,
    is_logged: bool,
}

/// All issues of this server.
#[derive(Debug, Default)]
pub(crate) struct Issues {
    entries: BTreeMap<Issue, Entry>,
    /// Since when the first connection to Redis is awaited.
    connecting: Option<Instant>,
    changed: bool,
}

impl Issues {
    /// None yet, but Redis is not connected either.
    pub(crate) fn connecting(now: Instant) -> Self {
        Self { connecting: Some(now), changed: true, ..Self::default() }
    }

    /// Redis answers.
    pub(crate) const fn connected(&mut self) {
        self.connecting = None;
        self.changed = true;
    }

    /// Something else that `/ready` shows has changed.
    pub(crate) const fn touch(&mut self) {
        self.changed = true;
    }

    /// Says that something is wrong (still). Returns whether that is new.
    pub(crate) fn raise(&mut self, issue: Issue, detail: impl Into<String>, now: Instant) -> bool {
        let detail = detail.into();
        if let Some(entry) = self.entries.get_mut(&issue).filter(|entry| entry.ended.is_none()) {
            entry.raised = now;
            self.changed |= entry.detail != detail;
            entry.detail = detail;
            return false;
        }
        let quiet =
            self.entries.get(&issue).and_then(|entry| entry.ended).is_some_and(|ended| now - ended < QUIET);
        if !quiet {
            warn!(symbol = issue.symbol(), detail, "{}", issue.event());
        }
        self.changed = true;
        let entry = Entry { detail, since: now, raised: now, ended: None, is_logged: !quiet };
        self.entries.insert(issue, entry);
        true
    }

    /// Says that something is not wrong (any more). Returns whether it was.
    pub(crate) fn clear(&mut self, issue: &Issue, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(issue).filter(|entry| entry.ended.is_none()) else {
            return false;
        };
        entry.ended = Some(now);
        self.changed = true;
        // The end of an outage has a line of its own.
        if entry.is_logged && *issue != Issue::RedisDown {
            let lasted_ms = whole_ms(now.duration_since(entry.since));
            info!(symbol = issue.symbol(), lasted_ms, "resolved: {}", issue.event());
        }
        true
    }

    /// Forgets all issues of a symbol that is no longer served.
    pub(crate) fn forget(&mut self, symbol: &str) {
        self.entries.retain(|issue, _| issue.symbol() != Some(symbol));
        self.changed = true;
    }

    pub(crate) fn is_raised(&self, issue: &Issue) -> bool {
        self.entries.get(issue).is_some_and(|entry| entry.ended.is_none())
    }

    pub(crate) fn on_tick(&mut self, now: Instant) {
        let over = |(issue, entry): (&Issue, &Entry)| {
            let lasts = issue.lasts()?;
            (entry.ended.is_none() && now.duration_since(entry.raised) >= lasts).then(|| issue.clone())
        };
        let over: Vec<Issue> = self.entries.iter().filter_map(over).collect();
        for issue in &over {
            self.clear(issue, now);
        }
        if self.entries.len() > KEPT_MAX {
            self.entries.retain(|_, entry| entry.ended.is_none_or(|ended| now - ended < QUIET));
        }
    }

    /// Symbols without updates.
    pub(crate) fn silent(&self) -> usize {
        self.reasons_of(|issue| matches!(issue, Issue::Silent(_))).count()
    }

    /// What `/ready` shows; `None` when that has not changed since it was last taken.
    pub(crate) fn take_changed(&mut self) -> Option<Vec<Reason>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let connecting = self.connecting.filter(|_| !self.is_raised(&Issue::RedisDown));
        let detail = || "connecting".to_owned();
        let connecting = connecting.map(|since| Reason { issue: Issue::RedisDown, detail: detail(), since });
        Some(connecting.into_iter().chain(self.reasons_of(Issue::blocks)).collect())
    }

    fn reasons_of(&self, shown: impl Fn(&Issue) -> bool) -> impl Iterator<Item = Reason> {
        let lasting = self.entries.iter().filter(move |(issue, entry)| entry.ended.is_none() && shown(issue));
        lasting.map(|(issue, entry)| Reason {
            issue: issue.clone(),
            detail: entry.detail.clone(),
            since: entry.since,
        })
    }
}

/// Bounds the log lines of events that are no issues: three a minute of each kind.
#[derive(Debug, Default)]
pub(crate) struct LogLimit(BTreeMap<String, (Instant, u32)>);

impl LogLimit {
    const LINES: u32 = 3;

    /// Whether an event may be logged.
    pub(crate) fn allows(&mut self, event: &str, now: Instant) -> bool {
        self.0.retain(|_, (since, _)| now.duration_since(*since) < QUIET);
        let (_, lines) = self.0.entry(event.to_owned()).or_insert((now, 0));
        *lines += 1;
        *lines <= Self::LINES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_shown_while_it_lasts_and_logged_once_a_minute() {
        let (mut issues, began) = (Issues::default(), Instant::now());
        let silent = || Issue::Silent("BTCUSDT".into());
        let mut logged = 0;
        for second in 0..120 {
            let now = began + Duration::from_secs(second);
            assert!(issues.raise(silent(), "x", now));
            logged += u32::from(issues.entries[&silent()].is_logged);
            assert!(!issues.raise(silent(), "x", now), "it lasts");
            let shown = issues.take_changed().unwrap();
            assert_eq!((shown.len(), shown[0].since, issues.silent()), (1, now, 1));
            assert_eq!(issues.take_changed(), None);
            assert!(issues.clear(&silent(), now) && !issues.clear(&silent(), now));
            assert_eq!(issues.take_changed().unwrap(), []);
        }
        assert_eq!(logged, 1, "it never stayed away for a minute");
        assert!(issues.raise(silent(), "x", began + Duration::from_secs(180)));
        assert!(issues.entries[&silent()].is_logged);
        issues.forget("BTCUSDT");
        assert_eq!(issues.silent(), 0);
    }

    #[test]
    fn what_nobody_ends_ends_by_itself_and_does_not_block() {
        let (mut issues, now) = (Issues::default(), Instant::now());
        issues.raise(Issue::BadMessages("BTCUSDT".into()), "x", now);
        assert_eq!(issues.take_changed().unwrap(), []);
        issues.on_tick(now + Duration::from_secs(29));
        assert!(issues.is_raised(&Issue::BadMessages("BTCUSDT".into())));
        issues.on_tick(now + Duration::from_secs(30));
        assert!(!issues.is_raised(&Issue::BadMessages("BTCUSDT".into())));
    }
}
