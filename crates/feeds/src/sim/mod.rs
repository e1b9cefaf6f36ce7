//! The simulated market of the demo: a seeded, deterministic population of leveraged traders on a mark price
//! with calm, trending and crashing regimes.
//!
//! It is not a model of bitcoin. It is a market whose positions are known, which looks enough like one to
//! show what a heatmap shows and to test the estimate against the truth: traders open where the price is,
//! levels build up in bands, a cascade sweeps them and is driven on by the orders it forces.
//!
//! - `regime` says what mood holds, `path` moves the mark price;
//! - `flow` draws who trades with what leverage, `crowd` settles it and keeps longs, shorts and open interest
//!   equal, `margin` says where a position is liquidated;
//! - `tape` writes trades and klines, and [`Sim`] runs it all by the clock.
//!
//! Simplifications, all on purpose: margin is isolated and funding does not touch it; a liquidation closes
//! the whole position; its fill is the price of the venue's own order; nobody is deleveraged automatically.

mod config;
mod crowd;
mod dice;
mod flow;
mod margin;
mod market;
mod path;
mod regime;
mod tape;

pub use config::{SimConfig, SimConfigError};
pub use crowd::TrueLevel;
pub use market::Sim;

#[cfg(test)]
mod tests;
