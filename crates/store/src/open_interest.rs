//! Reading open interest and funding payments.

use liqheat_market::{Funding, Instrument, OpenInterest, Rate, UnixMs};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{Row, of, read};

/// Samples of open interest in a time.
pub(crate) struct OpenInterests {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for OpenInterests {
    type Answer = Vec<OpenInterest>;
    const NAME: &'static str = "open interest";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT time, qty FROM open_interest WHERE {} AND time BETWEEN {} AND {} ORDER BY time",
            of(&self.instrument),
            self.from.0,
            self.to.0,
        );
        read(&database.connection, Self::NAME, &sql, sample_of)
    }
}

/// The last sample of open interest within each interval of a time: what an interval ends with.
pub(crate) struct OpenInterestCloses {
    pub(crate) instrument: Instrument,
    pub(crate) interval_ms: i64,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for OpenInterestCloses {
    type Answer = Vec<OpenInterest>;
    const NAME: &'static str = "open interest by interval";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT max(time), arg_max(qty, time) FROM open_interest WHERE {} AND time > {} AND time <= {}
             GROUP BY (time - 1) // {} ORDER BY 1",
            of(&self.instrument),
            self.from.0,
            self.to.0,
            self.interval_ms.max(1),
        );
        read(&database.connection, Self::NAME, &sql, sample_of)
    }
}

/// Funding payments of a time.
pub(crate) struct FundingPayments {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for FundingPayments {
    type Answer = Vec<Funding>;
    const NAME: &'static str = "funding";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT time, rate, interval_hours FROM funding WHERE {} AND time BETWEEN {} AND {} ORDER BY time",
            of(&self.instrument),
            self.from.0,
            self.to.0,
        );
        read(&database.connection, Self::NAME, &sql, |row| {
            let rate = Rate::from_units(row.whole(1)?);
            Ok(Funding { time: row.time(0)?, rate, interval_hours: row.maybe(2)? })
        })
    }
}

/// Reads (time, qty).
fn sample_of(row: &Row<'_>) -> Result<OpenInterest, CommandError> {
    Ok(OpenInterest { time: row.time(0)?, qty: row.qty(1)? })
}
