//! Ports for programs that must be given one, and that may be started there again.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to outgoing connections (32,768 and up on Linux, 49,152 by IANA), so that nobody
/// takes one between the look and the program's start, or while the program is down.
const FIRST: u16 = 10_000;
const COUNT: u16 = 12_000;

/// A node of a Redis Cluster takes a second port, this far above its own, for the others.
const CLUSTER_BUS: u16 = 10_000;

/// A port of 127.0.0.1 that is free now, as is the one a Redis Cluster would take with it; never the same twice in a process.
///
/// # Panics
/// When all are taken.
#[must_use]
#[track_caller]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Where test programs that run at once begin is as far apart as their process numbers, in steps.
    let start = u16::try_from(std::process::id() % 60).unwrap_or_default() * (COUNT / 60);
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|&port| is_free(port) && is_free(port + CLUSTER_BUS))
        .expect("no free port between 10000 and 22000")
}
