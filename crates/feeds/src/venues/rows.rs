//! Lists whose elements are read one by one: what is wrong with one is reported of it, and the others are taken.

use std::collections::BTreeMap;

use liqheat_market::{Event, Qty, UnixMs};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{Decimal, json};
use super::{
    ContractTable, FrameError, ListedContract, Page, RejectedRow, RejectedSignal, RestQuery, RowSubject,
    Signal, StreamKind,
};

/// Elements of a list as they came.
pub(super) type RawRows<'a> = Vec<&'a RawValue>;

/// What an element is.
#[derive(Debug, PartialEq)]
pub(super) enum RowOutcome {
    /// Nothing to take: still moving, of another contract.
    Nothing,
    /// An event.
    Whole(Event),
    /// An event without a field that cannot be used.
    Partial(Event, FrameError),
}

impl From<Event> for RowOutcome {
    fn from(event: Event) -> Self {
        Self::Whole(event)
    }
}

impl RowOutcome {
    /// An event, and what was wrong with a field that it can do without.
    pub(super) fn of(event: Event, fault: Option<FrameError>) -> Self {
        match fault {
            Some(fault) => Self::Partial(event, fault),
            None => Self::Whole(event),
        }
    }
}

/// Events made of the rows of an answer, and the rows that were rejected.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RowEvents {
    pub(super) events: Vec<Event>,
    pub(super) rejected: Vec<RejectedRow>,
}

/// Where the time of an element stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum TimeAt {
    /// At the beginning of an array.
    First,
    /// Under this key of an object.
    Key(&'static str),
}

/// Reads each element by itself. `subject` says what an element is about from its time, `read` what it is.
pub(super) fn accept<'a, T: Deserialize<'a>>(
    rows: &[&'a RawValue],
    at: TimeAt,
    subject: impl Fn(UnixMs) -> RestQuery,
    mut read: impl FnMut(T) -> Result<RowOutcome, FrameError>,
) -> RowEvents {
    let mut accepted = RowEvents { events: Vec::with_capacity(rows.len()), rejected: Vec::new() };
    for row in rows {
        let text = row.get();
        let about = || match time_of(text, at) {
            Some(time) => RowSubject::Data(subject(time)),
            None => RowSubject::Unknown,
        };
        match json::<T>(text.as_bytes()).and_then(&mut read) {
            Ok(RowOutcome::Nothing) => {}
            Ok(RowOutcome::Whole(event)) => accepted.events.push(event),
            Ok(RowOutcome::Partial(event, error)) => {
                accepted.events.push(event);
                accepted.rejected.push(RejectedRow::partial(about(), error, text));
            }
            Err(error) => accepted.rejected.push(RejectedRow::new(about(), error, text)),
        }
    }
    accepted
}

/// Reads each row of a venue's list of contracts by itself. `name` is the key of the contract's name; `read` gives `None` for
/// a contract that cannot be traded, or is settled in coins.
pub(super) fn read_contracts<'a, T: Deserialize<'a>>(
    rows: &[&'a RawValue],
    name: &'static str,
    mut read: impl FnMut(T) -> Result<Option<ListedContract>, FrameError>,
) -> Page {
    let mut page = Page::default();
    for row in rows {
        let text = row.get();
        match json::<T>(text.as_bytes()).and_then(&mut read) {
            Ok(contract) => page.contracts.extend(contract),
            Err(error) => {
                let name = field_of(text, TimeAt::Key(name));
                let contract = name.map(|name| RowSubject::Contract(name.text().to_owned()));
                let subject = contract.unwrap_or(RowSubject::Unknown);
                page.rejected.push(RejectedRow::new(subject, error, text));
            }
        }
    }
    page
}

/// Where rows of a frame name their contract and their time.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameKeys {
    pub(super) stream: StreamKind,
    pub(super) name: &'static str,
    pub(super) time: &'static str,
}

/// Reads each row of a frame by itself and appends what it says; one that cannot be read is reported, unless it is of a
/// contract that is not followed.
pub(super) fn read_frame_rows<'a, T: Deserialize<'a>>(
    rows: &[&'a RawValue],
    table: &ContractTable,
    keys: FrameKeys,
    out: &mut Vec<Signal>,
    mut read: impl FnMut(T) -> Result<Option<Signal>, FrameError>,
) {
    for row in rows {
        let text = row.get();
        match json::<T>(text.as_bytes()).and_then(&mut read) {
            Ok(signal) => out.extend(signal),
            Err(error) => {
                let name = field_of(text, TimeAt::Key(keys.name));
                let contract = name.and_then(|name| table.find(name.text()));
                if name.is_some() && contract.is_none() {
                    continue;
                }
                let time = time_of(text, TimeAt::Key(keys.time));
                let stream = keys.stream;
                out.push(Signal::Rejected(RejectedSignal {
                    contract,
                    stream,
                    time,
                    is_partial: false,
                    error,
                }));
            }
        }
    }
}

/// The time of an element of which nothing else may be readable.
pub(super) fn time_of(row: &str, at: TimeAt) -> Option<UnixMs> {
    field_of(row, at)?.time("time").ok()
}

/// One field of an element of which nothing else may be readable.
pub(super) fn field_of(row: &str, at: TimeAt) -> Option<Decimal<'_>> {
    let raw: &RawValue = match at {
        TimeAt::First => serde_json::from_str::<RawRows<'_>>(row).ok()?.first().copied()?,
        TimeAt::Key(key) => serde_json::from_str::<BTreeMap<&str, &RawValue>>(row).ok()?.get(key).copied()?,
    };
    serde_json::from_str(raw.get()).ok()
}

/// A number that the rest of a row can do without: `None`, and remembered as a fault, when it cannot be held.
pub(super) fn optional(result: Result<Qty, FrameError>, fault: &mut Option<FrameError>) -> Option<Qty> {
    match result {
        Ok(qty) => Some(qty),
        Err(error) => {
            fault.get_or_insert(error);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scale::Scale;
    use super::*;
    use liqheat_market::{MarkPrice, Price};

    #[derive(Deserialize)]
    struct Plain<'a> {
        t: i64,
        #[serde(borrow)]
        p: Decimal<'a>,
    }

    #[test]
    fn an_element_costs_itself() {
        let list = r#"[{"t":1700000000001,"p":"1"},{"t":1700000000002,"p":"x"},{"t":1700000000003},{"p":"1"},7,
            {"t":1700000000004,"p":"2"}]"#;
        let rows: RawRows<'_> = serde_json::from_str(list).unwrap();
        let subject = |from: UnixMs| RestQuery::Funding { from, to: from.plus(1) };
        let accepted = accept(&rows, TimeAt::Key("t"), subject, |row: Plain<'_>| {
            let price = Scale::ONE.price(row.p, "p")?;
            Ok(Event::MarkPrice(MarkPrice { time: UnixMs(row.t), price }).into())
        });
        let mark =
            |ms, price| Event::MarkPrice(MarkPrice { time: UnixMs(ms), price: Price::parse(price).unwrap() });
        assert_eq!(accepted.events, [mark(1_700_000_000_001, "1"), mark(1_700_000_000_004, "2")]);
        let about: Vec<RowSubject> = accepted.rejected.iter().map(|row| row.subject.clone()).collect();
        let of = |ms| RowSubject::Data(subject(UnixMs(ms)));
        assert_eq!(
            about,
            [of(1_700_000_000_002), of(1_700_000_000_003), RowSubject::Unknown, RowSubject::Unknown]
        );
        assert_eq!(accepted.rejected[0].error.to_string(), "field p: 'x' is not a decimal number");
        assert_eq!(accepted.rejected[3].text, "7");
    }
}
