//! The body of a request, into a temporary file: the shell of an upload.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tracing::{error, info};

use super::BYTES_MAX;
use crate::http::Refusal;

/// A client that sends no byte of the body for this long has left, and others wait for the place.
const STALLED_AFTER: Duration = Duration::from_secs(30);

pub(super) fn too_large() -> Refusal {
    Refusal::body_too_large(format!(
        "a file may have {} MiB at most; load a larger one into the database while the server is stopped (`liqheat ingest --db`), or the daily files of the same time",
        BYTES_MAX >> 20
    ))
}

/// Keeps the body in a temporary file.
#[expect(clippy::disallowed_methods, reason = "writes the file that is uploaded")]
pub(super) async fn receive(mut body: Body) -> Result<TempPath, Refusal> {
    let (file, path) = tempfile::Builder::new()
        .prefix("liqheat-ingest-")
        .tempfile()
        .map(NamedTempFile::into_parts)
        .map_err(|error| no_room(&error))?;
    let mut file = tokio::fs::File::from_std(file);
    let mut received = 0;
    while let Some(piece) = next_piece(&mut body, received).await? {
        received += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if received > BYTES_MAX {
            return Err(too_large());
        }
        file.write_all(&piece).await.map_err(|error| no_room(&error))?;
    }
    file.flush().await.map_err(|error| no_room(&error))?;
    Ok(path)
}

async fn next_piece(body: &mut Body, received: u64) -> Result<Option<Bytes>, Refusal> {
    loop {
        let frame = timeout(STALLED_AFTER, body.frame()).await.map_err(|_| {
            Refusal::request_timeout(format!(
                "no byte of the file came for {} s, after {received} bytes; nothing of it was loaded",
                STALLED_AFTER.as_secs()
            ))
        })?;
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers are no part of a file.
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
            Some(Err(error)) => {
                info!(%error, received, "file not loaded: its upload broke off");
                return Err(Refusal::bad(format!(
                    "the file broke off after {received} bytes; nothing of it was loaded"
                )));
            }
        }
    }
}

fn no_room(error: &io::Error) -> Refusal {
    error!(folder = %std::env::temp_dir().display(), %error, "a file cannot be kept while it is loaded");
    Refusal::unavailable("the server cannot keep the file in its temporary folder; its log says why")
}
