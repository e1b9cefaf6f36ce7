//! A file as the body of a request, a piece at a time.

#![expect(clippy::disallowed_methods, reason = "the task that reads the file ends with the request")]

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use indicatif::ProgressBar;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// Bytes read at once, and pieces on their way.
const PIECE_BYTES: usize = 128 << 10;
const PIECES_MAX: usize = 2;

/// A file as the body of a request, a piece at a time.
pub(super) struct FileBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    /// Bytes to come.
    rest: u64,
}

impl FileBody {
    pub(super) async fn open(path: &Path, progress: ProgressBar) -> io::Result<Self> {
        let mut file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        tokio::spawn(async move {
            let mut rest = length;
            while rest > 0 {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                // A file that grows meanwhile is sent as long as it was.
                let read = (&mut file).take(rest.min(PIECE_BYTES as u64)).read_to_end(&mut piece).await;
                let piece = match read {
                    Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                    Ok(bytes) => {
                        rest -= bytes as u64;
                        progress.inc(bytes as u64);
                        Ok(Bytes::from(piece))
                    }
                    Err(error) => Err(error),
                };
                let is_last = piece.is_err();
                if sender.send(piece).await.is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Self { pieces, rest: length })
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = std::task::ready!(self.pieces.poll_recv(context));
        if let Some(Ok(bytes)) = &piece {
            self.rest = self.rest.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest)
    }
}
