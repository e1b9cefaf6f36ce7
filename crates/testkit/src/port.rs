//! Ports for programs that must be given one, and that may be started there again.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the ports that systems give to outgoing connections (32,768 and up on Linux, 49,152 by IANA), so that nobody
/// takes one between the look and the program's start, or while the program is down. The tests of the page have 16,000 to
/// 20,000, those of the Python package 26,000 to 30,000.
const FIRST: u16 = 10_000;
const BLOCKS: u16 = 60;
const PORTS_PER_BLOCK: u16 = 100;

/// A node of a Redis Cluster takes a second port, this far above its own, for the others.
const CLUSTER_BUS: u16 = 10_000;

/// Ports that no other test program on this machine takes while this one runs.
struct Block {
    /// Locked for as long as the program runs; its end unlocks it.
    _lock: File,
    ports: std::ops::Range<u16>,
}

/// The first block that no program holds.
fn take_block() -> Option<Block> {
    let folder = std::env::temp_dir().join("liqheat-test-ports");
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    (0..BLOCKS).find_map(|block| {
        let path = folder.join(block.to_string());
        let fail = |error: std::io::Error| -> ! { panic!("{} cannot be locked: {error}", path.display()) };
        let lock = File::create(&path).unwrap_or_else(|error| fail(error));
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return None,
            Err(TryLockError::Error(error)) => fail(error),
        }
        let first = FIRST + block * PORTS_PER_BLOCK;
        Some(Block { _lock: lock, ports: first..first + PORTS_PER_BLOCK })
    })
}

/// A port of 127.0.0.1 that is free now, as is the one a Redis Cluster would take with it; never given twice, also not to
/// another test program that runs at the same time.
///
/// # Panics
/// When all are taken.
#[must_use]
#[track_caller]
pub fn free_port() -> u16 {
    static HELD: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let left = held.last_mut().and_then(|block| block.ports.next());
        match left {
            Some(port) if is_free(port) && is_free(port + CLUSTER_BUS) => return port,
            Some(_) => {}
            None => held.push(take_block().expect("no free port between 10000 and 16000")),
        }
    }
}
