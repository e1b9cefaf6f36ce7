//! Commands, and how one travels to the thread that runs it and its answer back.

use std::any::Any;
use std::sync::Arc;

use duckdb::Connection;
use tokio::sync::oneshot;
use tracing::{Span, trace_span};

use crate::counters::Tally;
use crate::error::CommandError;
use crate::{Location, StoreError};

/// Something the owner can be asked to do.
pub(crate) trait Command: Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;
    /// Its name in errors and logs.
    const NAME: &'static str;
    /// Whether it may run on a read connection.
    const IS_READ: bool = false;
    /// Does it. Dropping an open transaction rolls it back, so a command may leave with `?` anywhere.
    fn run(self, database: &Database) -> Result<Self::Answer, CommandError>;
}

/// The open database, as commands see it.
pub(crate) struct Database {
    pub(crate) connection: Connection,
    pub(crate) location: Location,
    pub(crate) tally: Arc<Tally>,
}

/// What travels through the queue.
pub(crate) enum Message {
    /// Run this.
    Run(Box<dyn Job>),
    /// A reader lost its connection: give it another one.
    Reconnect,
    /// A reader found the database unusable: close it and open it again.
    Reopen,
    /// Write everything down, close the file, end the thread.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// A query on its way to a reader.
pub(crate) struct ReadMessage(pub(crate) Box<dyn Job>);

/// A command without its types: fills in its answer when it is run.
pub(crate) type ErasedCommand<'a> = &'a mut dyn FnMut(&Database) -> Result<(), CommandError>;

/// A thread that has a connection to the database.
pub(crate) trait Executor {
    /// Runs a command, counts it and logs its failure; a panic becomes an error.
    fn execute(&mut self, name: &'static str, command: ErasedCommand<'_>) -> Result<(), StoreError>;
}

/// A command together with the sender of its answer, with its types erased.
pub(crate) trait Job: Send {
    /// Whether somebody still waits for the answer.
    fn is_awaited(&self) -> bool;
    /// Runs the command and sends the answer.
    fn serve(self: Box<Self>, executor: &mut dyn Executor);
}

/// A command and the slot for its answer.
pub(crate) struct PostedCommand<C: Command> {
    pub(crate) command: C,
    pub(crate) answer: oneshot::Sender<Result<C::Answer, StoreError>>,
    /// From the question to its answer.
    pub(crate) span: Span,
}

impl<C: Command> Job for PostedCommand<C> {
    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn serve(self: Box<Self>, executor: &mut dyn Executor) {
        let Self { command, answer, span } = *self;
        let (mut command, mut value) = (Some(command), None);
        let mut run = |database: &Database| {
            if let Some(command) = command.take() {
                value = Some(command.run(database)?);
            }
            Ok(())
        };
        let result = execution::<C>(&span).in_scope(|| executor.execute(C::NAME, &mut run));
        // Nobody waiting any more is fine: the command is done all the same.
        let _ = answer.send(result.and_then(|()| value.ok_or(StoreError::Closed)));
    }
}

/// The part of a question's time in which its command runs; the rest it waits.
fn execution<C: Command>(question: &Span) -> Span {
    trace_span!(parent: question, "store.execute", db.operation.name = C::NAME)
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
