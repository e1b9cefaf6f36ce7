//! RejectedRows of frames that were refused and cannot be requested, gathered to a few gaps. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use liqheat_market::UnixMs;

use super::clock::Uptime;
use super::contract::ContractIndex;
use crate::venues::StreamKind;

/// Refused rows of one stream within a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RejectedStretch {
    pub(super) stream: StreamKind,
    pub(super) from: UnixMs,
    pub(super) to: UnixMs,
    pub(super) reason: String,
}

#[derive(Debug)]
struct RejectedRows {
    from: UnixMs,
    to: UnixMs,
    count: u64,
    /// Why the first was refused.
    reason: String,
    due: Uptime,
}

/// Refused rows that have not been reported yet.
#[derive(Debug, Default)]
pub(super) struct RejectedStretches(BTreeMap<(ContractIndex, StreamKind), RejectedRows>);

impl RejectedStretches {
    /// RejectedRows are gathered for this time: a venue that changes its format has thousands a second.
    const GATHER: Duration = Duration::from_secs(60);

    pub(super) fn add(
        &mut self,
        contract: ContractIndex,
        stream: StreamKind,
        time: UnixMs,
        reason: String,
        now: Uptime,
    ) {
        let due = now.plus(Self::GATHER);
        let fresh = || RejectedRows { from: time, to: time.plus(1), count: 0, reason, due };
        let rows = self.0.entry((contract, stream)).or_insert_with(fresh);
        rows.count += 1;
        (rows.from, rows.to) = (rows.from.min(time), rows.to.max(time.plus(1)));
    }

    /// What has been gathered for long enough.
    pub(super) fn take_due(&mut self, now: Uptime) -> Vec<(ContractIndex, RejectedStretch)> {
        let mut due = Vec::new();
        self.0.retain(|(contract, stream), rows| {
            if rows.due > now {
                return true;
            }
            let reason = match rows.count {
                1 => format!("refused: {}", rows.reason),
                count => format!("{count} rows refused: {}", rows.reason),
            };
            let (stream, from, to) = (*stream, rows.from, rows.to);
            due.push((*contract, RejectedStretch { stream, from, to, reason }));
            false
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::contract::ContractMap;

    #[test]
    fn rows_of_a_minute_are_one_gap() {
        let contract = ContractMap::default().push(());
        let mut stretches = RejectedStretches::default();
        let stream = StreamKind::Liquidations;
        for second in 0..30 {
            let time = UnixMs(1_000_000 + second * 1_000);
            stretches.add(contract, stream, time, "field sz: 0".to_owned(), Uptime(second * 1_000));
        }
        assert_eq!(stretches.take_due(Uptime(59_999)), []);
        let expected = RejectedStretch {
            stream,
            from: UnixMs(1_000_000),
            to: UnixMs(1_029_001),
            reason: "30 rows refused: field sz: 0".to_owned(),
        };
        assert_eq!(stretches.take_due(Uptime(60_000)), [(contract, expected)]);
        assert_eq!(stretches.take_due(Uptime(60_000)), []);
    }
}
