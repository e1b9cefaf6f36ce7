//! File descriptors: a connection takes one in the client and one in the server.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Taken by everything that is not a connection.
const OTHER_DESCRIPTORS: u64 = 100;

/// Raises this process's limit as far as it may and gives the connections it allows.
pub(super) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it may not be raised, the old limit is the answer.
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(OTHER_DESCRIPTORS)
}

/// One source address has about 28,000 ports to connect from.
pub(super) const PORTS: u64 = 28_000;

/// Refuses more clients than this machine lets one process have.
///
/// # Errors
/// With what to do about it.
pub(crate) fn check_clients(clients: usize) -> anyhow::Result<()> {
    let (descriptors, wanted) = (raise_descriptors(), clients as u64);
    anyhow::ensure!(
        wanted <= descriptors,
        "{clients} clients need more file descriptors than this process may open ({descriptors} connections); \
         raise the hard limit (ulimit -Hn) or ask for fewer with --clients"
    );
    anyhow::ensure!(
        wanted <= PORTS,
        "{clients} clients need more ports than one address has ({PORTS}); ask for fewer with --clients"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_machine_has_is_refused_with_a_way_out() {
        assert!(check_clients(10).is_ok());
        let error = check_clients(10_000_000).unwrap_err().to_string();
        assert!(error.contains("--clients"), "{error}");
    }
}
