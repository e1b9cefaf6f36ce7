//! Why a text is no host, origin or authority.

/// Text that is no host, origin or authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebOriginError {
    /// A host.
    #[error("'{0}' is not a host: a name (heat.example), an IPv4 address, or an IPv6 address in brackets")]
    Host(String),
    /// A name with characters outside ASCII.
    #[error("'{0}': write the name in its ASCII form (xn--..), as browsers send it")]
    NotAscii(String),
    /// A port.
    #[error("'{0}' does not end with a port of 1 to 65535")]
    Port(String),
    /// An origin.
    #[error(
        "'{0}' is not an origin: scheme and host without a path, such as https://heat.example or http://10.0.0.5:8080"
    )]
    Origin(String),
    /// An origin that no page can have.
    #[error(
        "'{0}' cannot be the origin of a page: write https:// or http:// (or the scheme of a browser extension or app, such as chrome-extension://)"
    )]
    Scheme(String),
}

/// Text from outside, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
