//! Why a session ends.

use std::io;

use liqheat_wire::CloseCode;

use crate::reader::ReadError;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// We close, with this code.
    Closed(CloseCode),
    /// The connection broke.
    Gone(io::ErrorKind),
}

impl End {
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Closed(code) => code.reason().to_owned(),
            Self::Gone(kind) => kind.to_string(),
        }
    }

    pub(crate) const fn code(self) -> Option<CloseCode> {
        match self {
            Self::Closed(code) => Some(code),
            Self::Gone(_) => None,
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Gone(error.kind())
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        Self::Closed(match error {
            ReadError::Protocol(_) => CloseCode::ProtocolError,
            ReadError::TooBig => CloseCode::TooBig,
            ReadError::Unsupported => CloseCode::Unsupported,
            ReadError::BadPayload => CloseCode::InvalidPayload,
        })
    }
}
