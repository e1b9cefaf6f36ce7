//! A question to the store and the way of its answer.

use std::pin::Pin;

use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span};

use crate::StoreError;
use crate::command::{Job, Message, ReadMessage};

/// A question to the store, not yet asked: `.await` it, or call [`PendingReply::blocking`].
///
/// Waits while the queue is full. Dropping the future before it got into the queue means the question was never
/// asked; dropping it later means the command is carried out and its answer thrown away. Appending is safe to
/// repeat either way.
#[must_use = "nothing is asked until this is awaited or `blocking` is called"]
pub struct PendingReply<T> {
    pub(crate) queue: Queue,
    pub(crate) job: Box<dyn Job>,
    pub(crate) answered: oneshot::Receiver<Result<T, StoreError>>,
    /// From the question to its answer.
    pub(crate) span: Span,
}

/// Who answers.
pub(crate) enum Queue {
    Owner(mpsc::Sender<Message>),
    Readers(mpsc::Sender<ReadMessage>),
}

impl Queue {
    async fn send(self, job: Box<dyn Job>) -> Result<(), StoreError> {
        match self {
            Self::Owner(queue) => queue.send(Message::Run(job)).await.map_err(|_| StoreError::Closed),
            Self::Readers(queue) => queue.send(ReadMessage(job)).await.map_err(|_| StoreError::Closed),
        }
    }

    fn blocking_send(self, job: Box<dyn Job>) -> Result<(), StoreError> {
        match self {
            Self::Owner(queue) => queue.blocking_send(Message::Run(job)).map_err(|_| StoreError::Closed),
            Self::Readers(queue) => queue.blocking_send(ReadMessage(job)).map_err(|_| StoreError::Closed),
        }
    }
}

impl<T> PendingReply<T> {
    /// Asks and waits on this thread.
    ///
    /// # Errors
    /// What the command says, or that the store is closed.
    ///
    /// # Panics
    /// Inside an async task: `.await` there instead.
    pub fn blocking(self) -> Result<T, StoreError> {
        let _waiting = self.span.entered();
        self.queue.blocking_send(self.job)?;
        self.answered.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }
}

impl<T: Send + 'static> IntoFuture for PendingReply<T> {
    type Output = Result<T, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let answer = async move {
            self.queue.send(self.job).await?;
            self.answered.await.unwrap_or(Err(StoreError::Closed))
        };
        Box::pin(answer.instrument(self.span))
    }
}
