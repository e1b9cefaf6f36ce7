//! Why a request brought nothing.

use std::time::Duration;

use crate::http_client::HttpError;
use crate::venues::FrameError;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::live) enum FetchError {
    /// The venue has no such interface.
    #[error("the venue does not offer it")]
    NotOffered,
    /// Too many requests; the budget keeps the pause.
    #[error("status {status}: too many requests; paused for {} s", pause.as_secs())]
    Throttled {
        /// 429 or another that the venue uses for it.
        status: u16,
        /// Length of the pause.
        pause: Duration,
    },
    /// No answer, or a broken one.
    #[error(transparent)]
    NoAnswer(#[from] HttpError),
    /// The venue failed.
    #[error("status {status}: {body}")]
    Failed {
        /// Usually between 500 and 599.
        status: u16,
        /// Its words, cut.
        body: String,
    },
    /// The query begins before what the venue keeps.
    #[error("status {status}: {body}")]
    BeginsTooEarly {
        /// Usually 400.
        status: u16,
        /// Its words, cut.
        body: String,
    },
    /// The venue would refuse the same request again.
    #[error("status {status}: {body}")]
    Refused {
        /// Usually between 400 and 499.
        status: u16,
        /// Its words, cut.
        body: String,
    },
    /// An answer that was not understood.
    #[error("{0}")]
    Malformed(#[from] FrameError),
}

impl FetchError {
    /// Whether the same request may succeed later.
    pub(in crate::live) const fn is_temporary(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::NoAnswer(_) | Self::Failed { .. } | Self::Malformed(_))
    }
}
