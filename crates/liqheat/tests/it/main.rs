//! The built program from the outside: files in, HTTP, frames, exit codes and logs out.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod access;
mod accuracy;
mod agreed;
mod alerts;
mod amounts;
mod backtest;
mod channels;
mod coinglass;
mod compact;
mod contract;
mod damage;
mod deploy;
mod documents;
mod events;
mod expected;
mod export;
mod http;
mod ingest;
mod ingest_server;
mod live;
mod logs;
mod market;
mod mcp;
mod measured;
mod model;
mod process;
mod reads;
mod reload;
mod replay;
mod restart;
mod settings;
mod several;
mod socket;
mod support;
mod telemetry;
mod tiles;
mod trouble;
mod udf;
mod venues;
