//! The volume of bars by the price it was traded at.

use liqheat_market::{Price, Qty, UnixMs};

/// Where the volume of each bar was traded.
pub trait VolumeAtPrice {
    /// Of the bar that opened at a time; empty when unknown.
    fn of_bar(&self, open_time: UnixMs) -> &[(Price, Qty)];
}

/// Without trades, no volume at price is known.
#[derive(Debug, Clone, Copy)]
pub struct NoVolumeAtPrice;

impl VolumeAtPrice for NoVolumeAtPrice {
    fn of_bar(&self, _: UnixMs) -> &[(Price, Qty)] {
        &[]
    }
}
