//! The built program from the outside: files in, HTTP, frames, exit codes and logs out.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod http;
mod ingest;
mod market;
mod socket;
mod support;
