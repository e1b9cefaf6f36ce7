//! Reports of data that cannot be had: one gap for neighbours that are lost for the same reason.

use super::command::BackfillCommand;
use super::task::TaskKind;
use crate::live::GapCause;
use crate::live::contract::ContractIndex;
use crate::live::pipeline::{EventGate, Loss, LostRange, Series};
use crate::venues::RestQuery;

/// Rows of a page that were refused; neighbours with the same reason become one gap.
pub(super) struct LostRows {
    contract: ContractIndex,
    lost: Vec<LostRange>,
    reason: String,
}

impl LostRows {
    pub(super) const fn new(contract: ContractIndex) -> Self {
        Self { contract, lost: Vec::new(), reason: String::new() }
    }

    /// Gives up the data of a row.
    pub(super) fn add(
        &mut self,
        task: TaskKind,
        query: &RestQuery,
        reason: &str,
        gate: &mut EventGate,
        commands: &mut Vec<BackfillCommand>,
    ) {
        if self.reason != reason {
            self.report(commands);
            reason.clone_into(&mut self.reason);
        }
        if matches!(task, TaskKind::Series(..)) {
            gate.on_unavailable(query, Loss::All, &mut self.lost);
        } else if let (Some(stream), Some((from, to))) = (task.stream(), query.span()) {
            let (contract, reason) = (self.contract, format!("refused: {reason}"));
            commands.push(BackfillCommand::Gap {
                contract,
                stream,
                from,
                to,
                cause: GapCause::Refused,
                reason,
            });
        }
    }

    pub(super) fn report(&mut self, commands: &mut Vec<BackfillCommand>) {
        let mut merged: Vec<LostRange> = Vec::new();
        for lost in self.lost.drain(..) {
            match merged.last_mut() {
                Some(last) if last.series == lost.series && last.numbers.1 + 1 == lost.numbers.0 => {
                    last.numbers.1 = lost.numbers.1;
                    (last.from, last.to) = (last.from.min(lost.from), last.to.max(lost.to));
                }
                _ => merged.push(lost),
            }
        }
        report_lost(
            self.contract,
            &merged,
            GapCause::Refused,
            &format!("refused: {}", self.reason),
            commands,
        );
    }
}

pub(super) fn report_lost(
    contract: ContractIndex,
    lost: &[LostRange],
    cause: GapCause,
    reason: &str,
    commands: &mut Vec<BackfillCommand>,
) {
    for lost in lost {
        let reason = match lost.series {
            Series::Trades => {
                let (first, last) = lost.numbers;
                format!("trades {first} to {last}: {reason}")
            }
            Series::MarkKlines => format!("klines of the mark price: {reason}"),
            Series::Klines => reason.to_owned(),
        };
        let (stream, from, to) = (lost.series.stream(), lost.from, lost.to);
        commands.push(BackfillCommand::Gap { contract, stream, from, to, cause, reason });
    }
}
