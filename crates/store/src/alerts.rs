//! Alerts that were raised, the deliveries that are outstanding (the outbox), and rules that came through the API.
//!
//! An alert and its deliveries are stored in one transaction, and a delivery is deleted when it is done. So after a kill at
//! any moment every delivery that was not done is still there; one that was done and not yet deleted is made again.
//! What an alert and a rule are is nothing to the store: it keeps their JSON.

use duckdb::params;
use liqheat_market::UnixMs;

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::read;

/// Most alerts that are kept; the oldest without outstanding deliveries are deleted.
const ALERTS_KEPT: usize = 10_000;

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlert {
    /// Unique.
    pub id: String,
    /// Market time at which it was raised.
    pub time: UnixMs,
    /// JSON.
    pub body: String,
}

/// An alert that has not been delivered to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutstandingDelivery {
    /// The target's name.
    pub target: String,
    /// Wall clock time at which it was put into the outbox.
    pub queued: UnixMs,
    /// The alert.
    pub alert: StoredAlert,
}

/// Stores an alert and what is to be delivered.
pub(crate) struct PutAlert {
    pub(crate) alert: StoredAlert,
    pub(crate) targets: Vec<String>,
    pub(crate) queued: UnixMs,
}

impl Command for PutAlert {
    type Answer = bool;
    const NAME: &'static str = "put alert";

    fn run(self, database: &Database) -> Result<bool, CommandError> {
        let StoredAlert { id, time, body } = self.alert;
        let transaction = database.connection.unchecked_transaction()?;
        let known: i64 =
            transaction.query_row("SELECT count(*) FROM alerts WHERE id = ?", [&id], |row| row.get(0))?;
        if known > 0 {
            return Ok(false);
        }
        transaction.execute("INSERT INTO alerts VALUES (?, ?, ?)", params![id, time.0, body])?;
        for target in &self.targets {
            transaction.execute(
                "INSERT INTO alert_deliveries VALUES (?, ?, ?)",
                params![id, target, self.queued.0],
            )?;
        }
        let prune = format!(
            "DELETE FROM alerts WHERE id NOT IN (SELECT id FROM alerts ORDER BY time DESC, id LIMIT {ALERTS_KEPT})
             AND id NOT IN (SELECT alert FROM alert_deliveries)"
        );
        transaction.execute_batch(&prune)?;
        transaction.commit()?;
        Ok(true)
    }
}

/// Deletes deliveries that are done or given up.
pub(crate) struct FinishDeliveries {
    pub(crate) target: String,
    pub(crate) alerts: Vec<String>,
}

impl Command for FinishDeliveries {
    type Answer = ();
    const NAME: &'static str = "finish deliveries";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        let transaction = database.connection.unchecked_transaction()?;
        for alert in &self.alerts {
            transaction.execute(
                "DELETE FROM alert_deliveries WHERE alert = ? AND target = ?",
                params![alert, self.target],
            )?;
        }
        Ok(transaction.commit()?)
    }
}

/// The outbox, oldest first.
pub(crate) struct OutstandingDeliveries;

impl Command for OutstandingDeliveries {
    type Answer = Vec<OutstandingDelivery>;
    const NAME: &'static str = "outstanding deliveries";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = "SELECT target, queued, id, time, body FROM alert_deliveries JOIN alerts ON alert = id
                   ORDER BY queued, time, id, target";
        read(&database.connection, Self::NAME, sql, |row| {
            Ok(OutstandingDelivery {
                target: row.text(0)?.to_owned(),
                queued: row.time(1)?,
                alert: StoredAlert {
                    id: row.text(2)?.to_owned(),
                    time: row.time(3)?,
                    body: row.text(4)?.to_owned(),
                },
            })
        })
    }
}

/// The newest alerts, oldest first.
pub(crate) struct RecentAlerts {
    pub(crate) limit: usize,
}

impl Command for RecentAlerts {
    type Answer = Vec<StoredAlert>;
    const NAME: &'static str = "recent alerts";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT * FROM (SELECT id, time, body FROM alerts ORDER BY time DESC, id DESC LIMIT {}) ORDER BY time, id",
            self.limit.min(ALERTS_KEPT)
        );
        read(&database.connection, Self::NAME, &sql, |row| {
            Ok(StoredAlert { id: row.text(0)?.to_owned(), time: row.time(1)?, body: row.text(2)?.to_owned() })
        })
    }
}

/// Stores a rule, replacing one of the same name.
pub(crate) struct PutAlertRule {
    pub(crate) name: String,
    pub(crate) fields: String,
}

impl Command for PutAlertRule {
    type Answer = ();
    const NAME: &'static str = "put alert rule";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        let transaction = database.connection.unchecked_transaction()?;
        transaction.execute("DELETE FROM alert_rules WHERE name = ?", [&self.name])?;
        transaction.execute("INSERT INTO alert_rules VALUES (?, ?)", params![self.name, self.fields])?;
        Ok(transaction.commit()?)
    }
}

/// Deletes a rule.
pub(crate) struct DeleteAlertRule {
    pub(crate) name: String,
}

impl Command for DeleteAlertRule {
    type Answer = bool;
    const NAME: &'static str = "delete alert rule";

    fn run(self, database: &Database) -> Result<bool, CommandError> {
        Ok(database.connection.execute("DELETE FROM alert_rules WHERE name = ?", [&self.name])? > 0)
    }
}

/// The JSON of all rules, by name.
pub(crate) struct AlertRules;

impl Command for AlertRules {
    type Answer = Vec<String>;
    const NAME: &'static str = "alert rules";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = "SELECT fields FROM alert_rules ORDER BY name";
        read(&database.connection, Self::NAME, sql, |row| Ok(row.text(0)?.to_owned()))
    }
}
