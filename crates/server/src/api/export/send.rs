//! An open file as the body of an answer, a piece at a time.

#![expect(clippy::disallowed_methods, reason = "the task that reads the file ends with the body")]

use std::fs::File;
use std::io::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::http::Refusal;

const PIECE_BYTES: usize = 128 * 1_024;
/// Pieces on their way.
const PIECES_MAX: usize = 2;
/// A client that takes no piece for this long has left, and others wait for the export's place.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// Length and body. The permit is given back when the body has been sent, or is dropped.
pub(super) fn body(file: File, running: OwnedSemaphorePermit) -> Result<(u64, Body), Refusal> {
    let length = file.metadata().map(|data| data.len());
    let length = length.map_err(|_| Refusal::unavailable("the export could not be read back"))?;
    let (pieces, waiting) = mpsc::channel(PIECES_MAX);
    tokio::spawn(async move {
        let mut file = tokio::fs::File::from_std(file);
        let (mut left, mut running) = (length, Some(running));
        while left > 0 {
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            let read = match file.read_buf(&mut piece).await {
                Ok(0) => break,
                Ok(bytes) => {
                    left = left.saturating_sub(u64::try_from(bytes).unwrap_or(left));
                    Ok(piece.freeze())
                }
                Err(error) => {
                    left = 0;
                    Err(error)
                }
            };
            if left == 0 {
                // Before the client has all of it and may ask for the next one.
                drop(running.take());
            }
            // A body that was dropped, or that nobody reads, ends short of its length, which clients notice.
            if !matches!(timeout(STALLED_AFTER, pieces.send(read)).await, Ok(Ok(()))) {
                break;
            }
        }
    });
    Ok((length, Body::new(Pieces(waiting))))
}

/// The pieces of a file.
struct Pieces(mpsc::Receiver<Result<Bytes, Error>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
