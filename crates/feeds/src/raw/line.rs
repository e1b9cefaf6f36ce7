//! One record as a line, both ways.

use std::borrow::Cow;

use liqheat_market::{Qty, Symbol, Tier, TierTable, UnixMs, Venue};

use crate::live::RawKind;
use crate::tiers::TierOrigin;
use crate::venues::Contract;

/// The first line of every file.
pub(super) const MAGIC: &str = "# liqheat raw 1";

/// A record: what came, when, from where.
#[derive(Debug, Clone, PartialEq)]
pub struct RawRecord {
    /// When it was received, by the clock of the one who recorded it.
    pub received: UnixMs,
    /// From where.
    pub venue: Venue,
    /// What it is.
    pub kind: RawKind,
    /// The frame or answer as it came; empty for what is no such thing.
    pub bytes: Vec<u8>,
}

/// Why a line is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RawRecordError {
    /// Too few columns, or a kind of record that is not known.
    #[error("'{0}' is not a record")]
    Form(String),
    /// A column that does not say what it should.
    #[error("{column}: '{found}' is wrong")]
    Column {
        /// Which one.
        column: &'static str,
        /// What was found.
        found: String,
    },
}

impl RawRecord {
    /// Appends the record as a line.
    pub(super) fn write(received: UnixMs, venue: Venue, kind: &RawKind, bytes: &[u8], out: &mut Vec<u8>) {
        let head = match kind {
            RawKind::Opened { connection, contracts } => {
                let contract = |one: &Contract| format!("{}={}*{}", one.symbol, one.name, one.size);
                let contracts: Vec<String> = contracts.iter().map(contract).collect();
                format!("open\t{connection}\t{}", contracts.join(","))
            }
            RawKind::Frame { connection } => format!("frame\t{connection}\t"),
            RawKind::Answer { symbol, query } => format!("answer\t{symbol}\t{query}\t"),
            RawKind::Tiers { symbol, origin, table } => {
                // The shortest digits that give the same bits again.
                let tier = |tier: &Tier| format!("{}:{}:{}", tier.floor_usd, tier.rate, tier.leverage_max);
                let tiers: Vec<String> = table.tiers().iter().map(tier).collect();
                format!("tiers\t{symbol}\t{}\t{}\t{}", origin.name(), table.as_of().0, tiers.join(","))
            }
        };
        out.extend_from_slice(format!("{}\t{}\t{head}", received.0, venue.name()).as_bytes());
        if matches!(kind, RawKind::Frame { .. } | RawKind::Answer { .. }) {
            escape(&String::from_utf8_lossy(bytes), out);
        }
        out.push(b'\n');
    }

    /// Reads a line, without its line break.
    ///
    /// # Errors
    /// When it is not one that was written here.
    pub fn parse(line: &str) -> Result<Self, RawRecordError> {
        let cut = |text: &str| text.chars().take(60).collect::<String>();
        let form = || RawRecordError::Form(cut(line));
        let mut columns = line.splitn(4, '\t');
        let mut next = || columns.next().ok_or_else(form);
        let (received, venue, kind, rest) = (next()?, next()?, next()?, next()?);
        let wrong = |column, found: &str| RawRecordError::Column { column, found: cut(found) };
        let received = UnixMs(received.parse().map_err(|_| wrong("time", received))?);
        let venue = Venue::from_name(venue).map_err(|_| wrong("venue", venue))?;
        let symbol = |text: &str| Symbol::new(text).map_err(|_| wrong("symbol", text));
        let (head, payload) = rest.split_once('\t').ok_or_else(form)?;
        let number = || head.parse().map_err(|_| wrong("connection", head));
        let (kind, bytes) = match kind {
            "open" => {
                let contract = |one: &str| {
                    let (symbol_text, named) = one.split_once('=').ok_or_else(|| wrong("contract", one))?;
                    let (name, size) = named.rsplit_once('*').ok_or_else(|| wrong("contract", one))?;
                    let size = Qty::parse(size).map_err(|_| wrong("size", size))?;
                    Ok(Contract { symbol: symbol(symbol_text)?, name: name.to_owned(), size })
                };
                let contracts = payload.split(',').filter(|one| !one.is_empty()).map(contract);
                let contracts = contracts.collect::<Result<_, _>>()?;
                (RawKind::Opened { connection: number()?, contracts }, Vec::new())
            }
            "frame" => (RawKind::Frame { connection: number()? }, unescape(payload)),
            "answer" => {
                let (query, payload) = payload.split_once('\t').ok_or_else(form)?;
                let query = query.parse().map_err(|_| wrong("question", query))?;
                (RawKind::Answer { symbol: symbol(head)?, query }, unescape(payload))
            }
            "tiers" => {
                let (origin, rest) = payload.split_once('\t').ok_or_else(form)?;
                let (as_of, tiers) = rest.split_once('\t').ok_or_else(form)?;
                let origin = TierOrigin::from_name(origin).ok_or_else(|| wrong("origin", origin))?;
                let as_of = UnixMs(as_of.parse().map_err(|_| wrong("day", as_of))?);
                let table = table(as_of, tiers).ok_or_else(|| wrong("tiers", tiers))?;
                (RawKind::Tiers { symbol: symbol(head)?, origin, table }, Vec::new())
            }
            _ => return Err(form()),
        };
        Ok(Self { received, venue, kind, bytes })
    }
}

/// Tiers as they are written in a line.
fn table(as_of: UnixMs, text: &str) -> Option<TierTable> {
    let number = |text: Option<&str>| text?.parse().ok().filter(|number: &f64| number.is_finite());
    let row = |tier: &str| {
        let mut numbers = tier.split(':');
        let row = (number(numbers.next())?, number(numbers.next())?, number(numbers.next())?);
        numbers.next().is_none().then_some(row)
    };
    let rows: Vec<(f64, f64, f64)> = text.split(',').map(row).collect::<Option<_>>()?;
    TierTable::new(as_of, &rows).ok()
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            other => out.push(other),
        }
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let text: Cow<'_, str> = if text.contains('\\') {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            match (char, char == '\\') {
                (_, true) => match rest.next() {
                    Some('n') => plain.push('\n'),
                    Some('r') => plain.push('\r'),
                    Some('t') => plain.push('\t'),
                    Some(other) => plain.push(other),
                    None => {}
                },
                (other, false) => plain.push(other),
            }
        }
        plain.into()
    } else {
        text.into()
    };
    text.into_owned().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues::RestQuery;
    use proptest::prelude::*;

    fn kinds() -> impl Strategy<Value = RawKind> {
        let contract = ("[A-Z0-9]{2,12}", "[a-zA-Z0-9:*_-]{1,20}", 0..i64::MAX);
        let contracts = prop::collection::vec(contract, 0..4);
        let symbol = |text: String| Symbol::new(&text).unwrap();
        let made =
            move |(text, name, units)| Contract { symbol: symbol(text), name, size: Qty::from_units(units) };
        prop_oneof![
            (any::<u64>(), contracts).prop_map(move |(connection, contracts)| RawKind::Opened {
                connection,
                contracts: contracts.into_iter().map(made).collect(),
            }),
            any::<u64>().prop_map(|connection| RawKind::Frame { connection }),
            ("[A-Z0-9]{2,12}", any::<i64>(), any::<i64>()).prop_map(move |(name, first, last)| {
                RawKind::Answer { symbol: symbol(name), query: RestQuery::Trades { first, last } }
            }),
            ("[A-Z0-9]{2,12}", any::<i64>(), tables(), 0_usize..TierOrigin::ALL.len()).prop_map(
                move |(name, as_of, rows, origin)| RawKind::Tiers {
                    symbol: symbol(name),
                    origin: TierOrigin::ALL[origin],
                    table: TierTable::new(UnixMs(as_of), &rows).unwrap(),
                }
            ),
        ]
    }

    /// Rates such as a half of a third, which have no end in decimal.
    fn tables() -> impl Strategy<Value = Vec<(f64, f64, f64)>> {
        prop::collection::vec((1_u32..1_000_000, 2_u32..400), 1..6).prop_map(|steps| {
            let mut leverages: Vec<f64> = steps.iter().map(|step| f64::from(step.1)).collect();
            leverages.sort_by(|a, b| b.total_cmp(a));
            let mut floor = 0.0;
            let mut rows = Vec::new();
            for ((width, _), leverage) in steps.iter().zip(leverages) {
                rows.push((floor, 0.5 / leverage, leverage / 3.0));
                floor += f64::from(*width) * 1_000.1;
            }
            rows
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(received: i64, kind in kinds(), text in any::<String>()) {
            let has_text = matches!(kind, RawKind::Frame { .. } | RawKind::Answer { .. });
            let bytes = if has_text { text.into_bytes() } else { Vec::new() };
            let mut line = Vec::new();
            RawRecord::write(UnixMs(received), Venue::Okx, &kind, &bytes, &mut line);
            let text = String::from_utf8(line).unwrap();
            prop_assert_eq!(text.matches('\n').count(), 1, "one line a record");
            let record = RawRecord::parse(text.strip_suffix('\n').unwrap()).unwrap();
            prop_assert_eq!(record, RawRecord { received: UnixMs(received), venue: Venue::Okx, kind, bytes });
        }

        #[test]
        fn no_line_is_too_odd_to_be_read(line in "\\PC*") {
            let _ = RawRecord::parse(&line);
        }
    }

    #[test]
    fn mistakes_name_what_is_wrong() {
        for (line, part) in [
            ("", "not a record"),
            ("1\tbinance\tframe", "not a record"),
            ("1\tbinance\tnews\t1\t{}", "not a record"),
            ("x\tbinance\tframe\t1\t{}", "time"),
            ("1\tmtgox\tframe\t1\t{}", "venue"),
            ("1\tokx\tframe\tone\t{}", "connection"),
            ("1\tokx\topen\t1\tBTCUSDT", "contract"),
            ("1\tokx\topen\t1\tBTCUSDT=BTC-USDT-SWAP", "contract"),
            ("1\tokx\topen\t1\tBTCUSDT=BTC-USDT-SWAP*much", "size"),
            ("1\tokx\tanswer\tBTCUSDT\tnews\t{}", "question"),
            ("1\tokx\ttiers\tBTCUSDT\tvenue\t0", "not a record"),
            ("1\tokx\ttiers\tBTCUSDT\tguessed\t0\t0:0.01:100", "origin"),
            ("1\tokx\ttiers\tBTCUSDT\tvenue\ttoday\t0:0.01:100", "day"),
            ("1\tokx\ttiers\tBTCUSDT\tvenue\t0\t0:0.01", "tiers"),
            ("1\tokx\ttiers\tBTCUSDT\tvenue\t0\t0:NaN:100", "tiers"),
            ("1\tokx\ttiers\tBTCUSDT\tvenue\t0\t5:0.01:100", "tiers"),
        ] {
            let error = RawRecord::parse(line).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn earlier_recordings_name_a_venue_as_the_origin_of_tiers_by_another_word() {
        let record = |origin: &str| {
            RawRecord::parse(&format!("1\tokx\ttiers\tBTCUSDT\t{origin}\t0\t0:0.01:100")).unwrap()
        };
        let RawKind::Tiers { origin, .. } = &record("told").kind else { panic!("not tiers") };
        assert_eq!(*origin, TierOrigin::Venue);
        assert_eq!(record("told"), record("venue"));
    }
}
