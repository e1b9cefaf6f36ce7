//! Several servers, one state: what the producer publishes reaches the boards of all servers.
//!
//! The updater hands new states to the [`Backplane`] and knows nothing else of the cluster. Without Redis they go onto
//! the boards of this server. With Redis one server at a time, the *producer*, holds the lease, gives every state its
//! epoch and `seq`, and publishes each change once, whatever the number of servers and clients. All other servers are
//! *replicas*: they apply the messages to boards of their own and serve their own clients from those. Replicas
//! hold the same epoch, seq and hash (`stream/board/remote.rs`), so a client may change servers and resume.
//!
//! Decisions are state machines without sockets and clocks, `(event, time) -> requests`:
//!
//! | module | decides |
//! |---|---|
//! | `link` | when to connect to Redis, and how long to wait after a failure |
//! | `election` | when to ask for the lease |
//! | `producer` | what to publish under which epoch and `seq`; `epoch_run` how a run passes from server to server |
//! | `replica` | which messages to apply, when to fetch a whole state, when a symbol counts as silent |
//! | `edge_symbols` | which symbols an edge serves |
//! | `issues` | what `/ready` says, and what is logged once instead of every second |
//! | `node` | the order of requests: at most one is in flight |
//!
//! `driver` is the shell: it sends the node's requests to Redis (`redis`) and passes on what happens. `simulation` runs
//! nodes against a Redis in memory that loses, delays, repeats and reorders.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files"))]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]

mod backplane;
mod channel_message;
mod driver;
mod edge_symbols;
mod election;
mod epoch_run;
mod group;
mod issues;
mod link;
mod message;
mod metrics;
mod node;
mod producer;
mod redis;
mod replica;
mod request;
mod server_host;
mod settings;
#[cfg(test)]
mod simulation;

pub use backplane::{Backplane, Production};
pub use driver::Driver;
pub use election::LeaseTimes;
pub use group::{DataKind, Group};
pub use message::{MESSAGE_BYTES_MAX, Message, MessageError};
pub use redis::{Probe, probe};
pub use server_host::SymbolList;
pub use settings::{
    ClusterTimes, RedisAddress, RedisCertificates, RedisSettings, RedisSettingsError, Role, check_prefix,
};
