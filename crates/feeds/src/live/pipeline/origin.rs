//! Where an event comes from.

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A connection, by its number.
    Socket(u64),
    /// An answer of the REST interface.
    Answer,
}
