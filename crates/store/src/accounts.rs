//! Addresses of accounts whose positions are looked at, so that a restart knows them.

use std::fmt::Write as _;

use liqheat_market::{UnixMs, Venue};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{Row, bad_row, read};

const TABLE: &str = "account_addresses";
/// Rows of one statement.
const ROWS_AT_ONCE: usize = 500;

/// An address, and what is known of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountAddress {
    /// As the venue writes it: letters and digits only.
    pub address: String,
    /// When it was found.
    pub found: UnixMs,
    /// Its newest trade that was seen.
    pub traded: Option<UnixMs>,
    /// The last look that found a position.
    pub held: Option<UnixMs>,
    /// The last look.
    pub looked: Option<UnixMs>,
    /// Time to the next look, ms.
    pub interval_ms: i64,
}

/// Stores new and changed addresses of a venue and deletes others, all or none.
pub(crate) struct PutAccountAddresses {
    pub(crate) venue: Venue,
    pub(crate) changed: Vec<AccountAddress>,
    pub(crate) dropped: Vec<String>,
}

impl Command for PutAccountAddresses {
    type Answer = ();
    const NAME: &'static str = "put addresses of accounts";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        let names: Vec<&str> = self
            .changed
            .iter()
            .map(|one| one.address.as_str())
            .chain(self.dropped.iter().map(String::as_str))
            .collect();
        // They are written into the text of statements.
        let is_plain =
            |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some(bad) = names.iter().find(|name| !is_plain(name)) {
            return Err(bad_row(TABLE, bad, "an address of letters and digits"));
        }
        let venue = self.venue.name();
        let transaction = database.connection.unchecked_transaction()?;
        for names in names.chunks(ROWS_AT_ONCE) {
            let list = names.join("','");
            transaction.execute_batch(&format!(
                "DELETE FROM {TABLE} WHERE venue = '{venue}' AND address IN ('{list}')"
            ))?;
        }
        for rows in self.changed.chunks(ROWS_AT_ONCE) {
            let mut sql = format!("INSERT INTO {TABLE} VALUES ");
            for (index, row) in rows.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let moment = |time: Option<UnixMs>| time.map_or("NULL".to_owned(), |time| time.0.to_string());
                // Writing into a string cannot fail.
                let _ = write!(
                    sql,
                    "{comma}('{venue}','{}',{},{},{},{},{})",
                    row.address,
                    row.found.0,
                    moment(row.traded),
                    moment(row.held),
                    moment(row.looked),
                    row.interval_ms
                );
            }
            transaction.execute_batch(&sql)?;
        }
        Ok(transaction.commit()?)
    }
}

/// All addresses of a venue, in order.
pub(crate) struct AccountAddresses {
    pub(crate) venue: Venue,
}

impl Command for AccountAddresses {
    type Answer = Vec<AccountAddress>;
    const NAME: &'static str = "addresses of accounts";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT address, found, traded, held, looked, interval_ms FROM {TABLE} WHERE venue = '{}' ORDER BY address",
            self.venue.name()
        );
        read(&database.connection, Self::NAME, &sql, |row: &Row<'_>| {
            let moment = |column| row.maybe(column).map(|ms| ms.map(UnixMs));
            Ok(AccountAddress {
                address: row.text(0)?.to_owned(),
                found: row.time(1)?,
                traded: moment(2)?,
                held: moment(3)?,
                looked: moment(4)?,
                interval_ms: row.whole(5)?,
            })
        })
    }
}
