//! The lines of a venue: which contracts each of them has, and what becomes of them when the venue lists another contract
//! or drops one.
//!
//! A line's contracts never change. One that is added gets a line of its own; where one has gone, the others of its line go
//! on on a new one, and the old line ends when data comes over that, so that nothing falls between.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::LiveSettings;
use super::follow::Start;
use super::line::Line;
use super::socket::Word;
use crate::venues::{Account, Contract, ContractTable, Exchange, VenueLimits};

/// All lines of a venue that there ever were, by their numbers.
pub(super) struct Lines {
    exchange: &'static dyn Exchange,
    limits: VenueLimits,
    socket_base: String,
    accounts: Vec<Account>,
    settings: Arc<LiveSettings>,
    words: mpsc::Sender<Word>,
    /// Numbers of connections, unique for the venue.
    connections: Arc<AtomicU64>,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), JoinError>>,
    lines: Vec<Known>,
}

/// A line as it looks from here.
struct Known {
    /// Places of its contracts among those of the venue, in the order of its table.
    places: Vec<usize>,
    stop: CancellationToken,
    /// The line that is to take over.
    successor: Option<usize>,
}

impl Lines {
    pub(super) fn new(start: &Start, words: mpsc::Sender<Word>, stop: CancellationToken) -> Self {
        Self {
            exchange: start.exchange,
            limits: start.limits.clone(),
            socket_base: start.socket_base.clone(),
            accounts: start.accounts.clone(),
            settings: Arc::clone(&start.settings),
            words,
            connections: Arc::new(AtomicU64::new(1)),
            stop,
            tasks: JoinSet::new(),
            lines: Vec::new(),
        }
    }

    /// Opens as many lines as some contracts need; returns their numbers.
    pub(super) fn open(&mut self, contracts: &[(usize, Contract)]) -> Vec<usize> {
        let per_line = self.limits.contracts_per_connection.max(1);
        contracts.chunks(per_line).map(|chunk| self.open_one(chunk)).collect()
    }

    fn open_one(&mut self, contracts: &[(usize, Contract)]) -> usize {
        let number = self.lines.len();
        let (places, contracts) = contracts.iter().cloned().unzip();
        let settings = &self.settings;
        let line = Line {
            number,
            exchange: self.exchange,
            // A fill counts on the line that has its contract.
            table: ContractTable::new(contracts).with_accounts(self.accounts.clone()),
            limits: self.limits.clone(),
            socket_base: self.socket_base.clone(),
            clock: settings.clock,
            timeout: settings.timeout,
            reconnect: (settings.reconnect_min, settings.reconnect_max),
            recorder: settings.recorder.clone(),
            words: self.words.clone(),
            connections: Arc::clone(&self.connections),
        };
        let stop = self.stop.child_token();
        self.tasks.spawn(line.run(stop.clone()));
        self.lines.push(Known { places, stop, successor: None });
        number
    }

    /// The place of a contract among those of the venue, given its place on a line.
    pub(super) fn place(&self, line: usize, contract: usize) -> Option<usize> {
        self.places(line).get(contract).copied()
    }

    /// The places of a line's contracts.
    pub(super) fn places(&self, line: usize) -> &[usize] {
        self.lines.get(line).map_or(&[], |known| &known.places)
    }

    /// Leaves a line to one that was opened for what remains of its contracts; at once where nothing remains.
    pub(super) fn leave(&mut self, line: usize, successor: Option<usize>) {
        for (number, known) in self.lines.iter_mut().enumerate() {
            // Those that wait for this one wait for what follows it.
            if number != line && known.successor != Some(line) {
                continue;
            }
            known.successor = successor;
            if successor.is_none() {
                known.stop.cancel();
            }
        }
    }

    /// A line has ended or is about to: what it still says of itself is of no interest.
    pub(super) fn is_left(&self, line: usize) -> bool {
        self.lines.get(line).is_none_or(|known| known.stop.is_cancelled())
    }

    /// A line brings data: those that it follows end. Returns their numbers.
    pub(super) fn take_over(&mut self, line: usize) -> Vec<usize> {
        let mut ended = Vec::new();
        for (number, known) in self.lines.iter_mut().enumerate() {
            if known.successor.take_if(|successor| *successor == line).is_some() {
                known.stop.cancel();
                ended.push(number);
            }
        }
        ended
    }

    /// Waits for the next line that has ended; `None` while there are none.
    ///
    /// # Errors
    /// When a task panicked.
    pub(super) async fn ended(&mut self) -> Option<Result<(), JoinError>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.and_then(|ended| ended))
    }

    /// Ends all of them, and waits until they have.
    ///
    /// # Errors
    /// When a task panicked.
    pub(super) async fn end(&mut self) -> Result<(), JoinError> {
        self.stop.cancel();
        while let Some(ended) = self.ended().await {
            ended?;
        }
        Ok(())
    }
}
