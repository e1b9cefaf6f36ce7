"""The public protocol: messages, their binary form, the state hash, the compact grid. No I/O and no clock."""
