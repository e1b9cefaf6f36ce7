//! The symbol list and the group: what the servers of a prefix serve, and which symbols an edge follows.

use tokio::time::Instant;
use tracing::info;

use super::Node;
use crate::edge_symbols::SYMBOLS_MAX;
use crate::group::Group;
use crate::issues::Issue;
use crate::metrics::ResyncReason;
use crate::request::{Host, ListRead, Moment, StoredValue};
use crate::settings::Role;

impl Node {
    pub(super) fn on_list(&mut self, read: ListRead, at: Moment, host: &mut impl Host) {
        self.on_group(read.group, at.now);
        if self.settings.role == Role::Edge && !self.issues.is_raised(&Issue::OtherGroup) {
            self.read_list(read.list, at.now, host);
            let knows = self.edge_symbols.knows_symbols();
            if knows {
                host.set_symbols_known();
                self.issues.clear(&Issue::NoSymbols, at.now);
            } else {
                self.issues.raise(Issue::NoSymbols, "no producer has written the list yet", at.now);
            }
        }
        let times = &self.settings.times;
        let is_waiting = self.settings.role == Role::Edge && !self.edge_symbols.knows_symbols();
        self.list_at = at.now + if is_waiting { times.list_retry } else { times.list_every };
    }

    pub(super) fn read_list(&mut self, list: StoredValue, now: Instant, host: &mut impl Host) {
        let adopted = match list {
            StoredValue::Missing => {
                self.issues.clear(&Issue::BadList, now);
                return;
            }
            StoredValue::Bytes(bytes) => match self.list.take_if(|(known, _)| *known == bytes) {
                Some(known) => Ok(known),
                None => host.adopt_list(&bytes).map(|names| (bytes, names)),
            },
            StoredValue::Unusable(why) => Err(why),
        };
        match adopted {
            Ok((bytes, names)) => {
                self.issues.clear(&Issue::BadList, now);
                self.list = Some((bytes, names.clone()));
                self.change_symbols(names, now, host);
            }
            Err(why) => {
                self.metrics.unusable.inc();
                self.issues.raise(Issue::BadList, why, now);
            }
        }
    }

    pub(super) fn change_symbols(&mut self, names: Vec<String>, now: Instant, host: &mut impl Host) {
        let change = self.edge_symbols.on_list(names, now);
        for symbol in &change.remove {
            host.remove_symbol(symbol);
            self.producer.remove_symbol(symbol);
            self.replica.remove_symbol(symbol);
            self.issues.forget(symbol);
            self.channels.add.remove(symbol);
            self.channels.remove.insert(symbol.clone());
        }
        for symbol in &change.add {
            host.add_symbol(symbol);
            self.add_symbol(symbol, now);
        }
        if change.skipped > 0 {
            let detail = format!("{} symbols more than the {SYMBOLS_MAX} that are served", change.skipped);
            self.issues.raise(Issue::LongList, detail, now);
        } else {
            self.issues.clear(&Issue::LongList, now);
        }
        let (added, removed) = (change.add.len(), change.remove.len());
        if added + removed > 0 && self.logs.allows("symbols", now) {
            let first: Vec<&str> = change.add.iter().map(String::as_str).take(20).collect();
            info!(added, removed, symbols = first.join(","), "symbol list changed");
        }
    }

    /// Whether the servers of this prefix serve something else than this server.
    pub(super) fn is_foreign(&self) -> bool {
        self.settings.group.is_some() && self.issues.is_raised(&Issue::OtherGroup)
    }

    /// What the servers of this prefix serve.
    pub(super) fn on_group(&mut self, group: Option<Group>, now: Instant) {
        let detail = match (&self.settings.group, group, &self.known_group) {
            (Some(ours), Some(theirs), _) if theirs != *ours => {
                Some(format!("they serve '{theirs}', this server '{ours}'; use another REDIS_CHANNEL_PREFIX"))
            }
            (Some(_), _, _) => None,
            // An edge keeps the group that it has seen, while Redis knows none.
            (None, None, _) => return,
            (None, Some(theirs), Some(known)) if !theirs.has_kind_of(known) => {
                Some(format!("they serve '{theirs}', this edge follows '{known}'; restart it to follow them"))
            }
            (None, Some(theirs), known) => {
                if known.as_ref() != Some(&theirs) {
                    if self.logs.allows("group", now) {
                        info!(group = theirs.as_str(), "following");
                    }
                    self.replica.set_group(theirs.fingerprint());
                    self.replica.restart(ResyncReason::Start, now);
                    self.known_group = Some(theirs);
                }
                None
            }
        };
        self.metrics.group_mismatch.set(i64::from(detail.is_some()));
        match detail {
            Some(detail) => {
                self.issues.raise(Issue::OtherGroup, detail, now);
            }
            None => {
                if self.issues.clear(&Issue::OtherGroup, now) && self.settings.group.is_some() {
                    self.replica.restart(ResyncReason::Start, now);
                }
            }
        }
    }
}
