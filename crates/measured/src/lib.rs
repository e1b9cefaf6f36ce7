//! Positions of real accounts, where a venue publishes them: a layer of liquidation prices beside the estimate.
//!
//! [`AccountTracker`] is the state machine: addresses, answers of the venue and the time go in; the next address to look at and
//! the layer of a coin come out. It does no I/O, and time is a parameter.
//!
//! - [`AddressBook`]: which addresses are known, and for how long they are kept;
//! - [`LookSchedule`]: which of them is looked at next;
//! - [`AccountState`]: the positions of an account, and where its positions would be liquidated under other marks;
//! - [`Layer`]: the levels of all of them, and how much of the market they are;
//! - [`LayerSchedule`]: when the venue is asked, changes are stored and layers are published;
//! - [`LayerCadence`]: which layers are stored for the past.

mod account;
mod address;
mod address_book;
mod cadence;
mod layer;
mod layer_schedule;
mod look_schedule;
mod tracker;

pub use account::{AccountPosition, AccountState, PositionLevel, PositionMargin, liquidation_price};
pub use address::{Address, AddressError};
pub use address_book::{AddressBook, AddressChanges, KnownAddress};
pub use cadence::{LAYER_EVERY_MS, LAYER_HELD_MS, LayerCadence};
pub use layer::{ClosestPosition, Layer, LayerLevel, LayerRequest, MeasuredSide};
pub use layer_schedule::{LayerCommand, LayerEvent, LayerSchedule, ScheduledRequest};
pub use look_schedule::{LookInterval, LookSchedule};
pub use tracker::{AccountTracker, CoinMarket};
