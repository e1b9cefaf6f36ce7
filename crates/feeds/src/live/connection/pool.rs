//! The supervisors of a venue: which contracts each of them has, and how they are replaced when the venue lists or delists
//! a contract.
//!
//! A supervisor's contracts never change. A new contract gets a supervisor of its own; when one is removed, a successor is
//! opened for the remaining contracts, and the old supervisor ends when that one brings data.

#![expect(clippy::disallowed_methods, reason = "starts the supervisors of a venue, and awaits their ends")]

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::assignment::Assignment;
use super::supervisor::ConnectionSupervisor;
use super::{ConnectionCommand, ConnectionContext, ConnectionSettings, SupervisorIndex};
use crate::live::contract::ContractIndex;
use crate::venues::{Account, Contract, ContractTable};

/// Every supervisor that was ever started for a venue.
pub(in crate::live) struct ConnectionPool {
    context: Arc<ConnectionContext>,
    accounts: Vec<Account>,
    wants_traders: bool,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), JoinError>>,
    members: Vec<Member>,
}

struct Member {
    contracts: Vec<ContractIndex>,
    commands: mpsc::Sender<ConnectionCommand>,
    stop: CancellationToken,
    /// The supervisor that is to take over.
    successor: Option<SupervisorIndex>,
}

impl ConnectionPool {
    /// Commands that wait for a supervisor; beyond it advice is dropped and given again later.
    const COMMANDS_MAX: usize = 8;

    pub(in crate::live) fn new(
        settings: ConnectionSettings,
        (accounts, wants_traders): (Vec<Account>, bool),
        stop: CancellationToken,
    ) -> Self {
        let context = Arc::new(ConnectionContext::new(settings));
        Self { context, accounts, wants_traders, stop, tasks: JoinSet::new(), members: Vec::new() }
    }

    /// Starts as many supervisors as some contracts need.
    pub(in crate::live) fn open(&mut self, contracts: &[(ContractIndex, Contract)]) -> Vec<SupervisorIndex> {
        let per_connection = self.context.limits.contracts_per_connection.max(1);
        contracts.chunks(per_connection).map(|chunk| self.open_one(chunk)).collect()
    }

    fn open_one(&mut self, contracts: &[(ContractIndex, Contract)]) -> SupervisorIndex {
        let supervisor = SupervisorIndex(self.members.len());
        let (indices, contracts): (Vec<_>, Vec<_>) = contracts.iter().cloned().unzip();
        // Fills of accounts count at the supervisor that has their contract.
        let table = ContractTable::new(contracts)
            .with_accounts(self.accounts.clone())
            .with_traders(self.wants_traders);
        let assignment = Assignment { supervisor, contracts: indices.clone(), table };
        let (commands, received) = mpsc::channel(Self::COMMANDS_MAX);
        let stop = self.stop.child_token();
        let task = ConnectionSupervisor::new(Arc::clone(&self.context), assignment, commands.clone());
        self.tasks.spawn(task.run(received, stop.clone()));
        self.members.push(Member { contracts: indices, commands, stop, successor: None });
        supervisor
    }

    /// The contracts of a supervisor.
    pub(in crate::live) fn contracts(&self, supervisor: SupervisorIndex) -> &[ContractIndex] {
        self.members.get(supervisor.0).map_or(&[], |member| &member.contracts)
    }

    /// Ends a supervisor when its successor brings data; at once when it has none.
    pub(in crate::live) fn retire(
        &mut self,
        supervisor: SupervisorIndex,
        successor: Option<SupervisorIndex>,
    ) {
        for (index, member) in self.members.iter_mut().enumerate() {
            // Those that wait for this one wait for its successor now.
            if index != supervisor.0 && member.successor != Some(supervisor) {
                continue;
            }
            member.successor = successor;
            if successor.is_none() {
                member.stop.cancel();
            }
        }
    }

    /// Whether a supervisor has ended or is about to.
    pub(in crate::live) fn is_retired(&self, supervisor: SupervisorIndex) -> bool {
        self.members.get(supervisor.0).is_none_or(|member| member.stop.is_cancelled())
    }

    /// A supervisor brings data: those that it succeeds end. Returns them.
    pub(in crate::live) fn on_proved(&mut self, supervisor: SupervisorIndex) -> Vec<SupervisorIndex> {
        let mut ended = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate() {
            if member.successor.take_if(|successor| *successor == supervisor).is_some() {
                member.stop.cancel();
                ended.push(SupervisorIndex(index));
            }
        }
        ended
    }

    /// Advises a supervisor to replace its connection.
    pub(in crate::live) fn advise_replacement(&self, supervisor: SupervisorIndex, reason: String) {
        if let Some(member) = self.members.get(supervisor.0) {
            // When it is busy the advice is given again later.
            let _ = member.commands.try_send(ConnectionCommand::Replace { connection: None, reason });
        }
    }

    /// Waits for the next supervisor that has ended; `None` while there is none.
    ///
    /// # Errors
    /// When a task panicked.
    pub(in crate::live) async fn ended(&mut self) -> Option<Result<(), JoinError>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.and_then(|ended| ended))
    }

    /// Ends all supervisors and waits until they have.
    ///
    /// # Errors
    /// When a task panicked.
    pub(in crate::live) async fn shut_down(&mut self) -> Result<(), JoinError> {
        self.stop.cancel();
        while let Some(ended) = self.ended().await {
            ended?;
        }
        Ok(())
    }
}
