//! The store on real DuckDB files, as one test binary.

mod appending;
mod library;
mod reading;
mod trouble;
mod upkeep;
mod world;
