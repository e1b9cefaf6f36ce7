//! Alerts: rules over what is observed of a symbol, and the messages that they send.
//!
//! Everything here decides and nothing here does I/O: a [`SymbolWatch`] is `fn(observation, now) -> Vec<Alert>`, a
//! [`TargetQueue`] is `fn(event, now) -> what to send next`, a [`Target`] turns an alert into an HTTP request. The server
//! feeds them and executes what they say.
//!
//! Promises of a watch, kept by property tests:
//! - **None twice:** an observation that is repeated raises nothing, and no two alerts have the same id.
//! - **Cooldown:** two alerts of a rule about a symbol are at least its cooldown apart. What happens meanwhile is
//!   counted in the next alert.
//! - **Hysteresis:** a condition that was reported is reported again only after it has clearly ended.

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]

mod address;
mod alert;
mod conditions;
mod config;
mod log;
mod message;
mod queue;
mod rule;
mod serial;
mod span;
mod watch;

pub use address::is_public;
pub use alert::{Alert, LiquidatedSum, Subject};
pub use config::{AlertsFile, AlertsFileError, SecretSource, TargetFields, TargetKind};
pub use log::ReportedLiquidation;
pub use message::{OutgoingRequest, Target, TargetError, test_alert};
pub use queue::{Attempt, SendResult, TargetQueue, TargetState};
pub use rule::{QuietHours, QuietHoursFields, Rule, RuleError, RuleFields, RuleKind};
pub use span::WallSpan;
pub use watch::{Observation, SymbolWatch};
