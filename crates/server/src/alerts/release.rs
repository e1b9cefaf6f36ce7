//! When an alert goes into the outbox: at once where this server is alone; in a cluster when Redis has confirmed that
//! this server was the producer after the alert was raised.
//!
//! Every server of a cluster watches, so all raise about the same alerts. Those of a replica are kept for show and not
//! sent. A producer's wait for the next accepted renewal of the lease: it proves that no other server was the producer when they
//! were raised. While Redis is away alerts wait, because another server may have become the producer; they are sent when this
//! server is the producer again, and dropped when it is not.

use std::collections::VecDeque;

use liqheat_alerts::Alert;
use liqheat_cluster::Production;
use tokio::time::Instant;
use tracing::warn;

use super::Alerts;

/// Most alerts that wait.
const HELD_MAX: usize = 1_000;

/// Alerts that have been raised and not yet put into the outbox, oldest first.
#[derive(Debug, Default)]
pub(super) struct HeldAlerts(VecDeque<(Alert, Instant)>);

/// What becomes of the oldest alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is sent by this server.
    Send,
    /// Another server sends it.
    Show,
    /// Not known yet.
    Wait,
}

fn fate(production: Production, raised: Instant) -> Fate {
    match production {
        Production::Alone => Fate::Send,
        Production::Here { confirmed, .. } => {
            if raised < confirmed {
                Fate::Send
            } else {
                Fate::Wait
            }
        }
        Production::Elsewhere => Fate::Show,
        Production::Unknown => Fate::Wait,
    }
}

impl HeldAlerts {
    pub(super) fn push(&mut self, alert: Alert, now: Instant) {
        if self.0.len() >= HELD_MAX
            && let Some((alert, _)) = self.0.pop_front()
        {
            warn!(id = alert.id, "alert given up: too many wait for the cluster's lease");
        }
        self.0.push_back((alert, now));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Alerts {
    /// Puts alerts whose time has come into the outbox.
    pub(super) async fn release(&self, held: &mut HeldAlerts) {
        while let Some((alert, raised)) = held.0.front() {
            let is_sent = match fate(self.backplane.production(), *raised) {
                Fate::Wait => return,
                Fate::Send => true,
                Fate::Show => false,
            };
            if let Err(error) = self.enqueue(alert, is_sent).await {
                warn!(id = alert.id, %error, "alert not stored; the next turn tries again");
                return;
            }
            held.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_producer_sends_what_was_raised_before_its_last_confirmation() {
        let raised = Instant::now();
        let here = |confirmed| fate(Production::Here { token: 1, confirmed }, raised);
        assert_eq!(here(raised - Duration::from_secs(1)), Fate::Wait);
        assert_eq!(here(raised), Fate::Wait);
        assert_eq!(here(raised + Duration::from_millis(1)), Fate::Send);
        let others = [Production::Alone, Production::Elsewhere, Production::Unknown];
        assert_eq!(others.map(|one| fate(one, raised)), [Fate::Send, Fate::Show, Fate::Wait]);
    }
}
