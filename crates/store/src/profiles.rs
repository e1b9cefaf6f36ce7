//! Volume at price: how many coins were traded in each cell of price during each bar.

use liqheat_market::{Instrument, Interval, Price, Qty, UnixMs};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{of, read};

/// The volume of one bar by price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// When the bar opened.
    pub open_time: UnixMs,
    /// Lower edge of each cell with trades, lowest first, and the coins traded in it.
    pub volume: Vec<(Price, Qty)>,
}

/// Profiles of the bars wholly inside a time.
pub(crate) struct Profiles {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    pub(crate) cell: Price,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for Profiles {
    type Answer = Vec<Profile>;
    const NAME: &'static str = "profiles";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let interval = self.interval.ms();
        // A cell of less than the smallest unit means every price on its own.
        let cell = self.cell.units().max(1);
        // The first bar that opens at or after `from`, the end of the last one that closes at or before `to`.
        let first = self.from.max(UnixMs(0)).plus(interval - 1).floor_to(interval).0;
        let end = self.to.floor_to(interval).0;
        let sql = format!(
            "SELECT time - time % {interval} AS bar, price - price % {cell} AS cell, sum(qty) FROM trades
             WHERE {key} AND time >= {first} AND time < {end}
             GROUP BY bar, cell ORDER BY bar, cell",
            key = of(&self.instrument),
        );
        let rows = read(&database.connection, Self::NAME, &sql, |row| {
            Ok((row.time(0)?, (row.price(1)?, row.qty(2)?)))
        })?;
        let mut profiles: Vec<Profile> = Vec::new();
        for (open_time, cell) in rows {
            match profiles.last_mut() {
                Some(profile) if profile.open_time == open_time => profile.volume.push(cell),
                _ => profiles.push(Profile { open_time, volume: vec![cell] }),
            }
        }
        Ok(profiles)
    }
}
