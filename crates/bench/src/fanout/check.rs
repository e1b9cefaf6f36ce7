//! Whether what clients were told is true: every frame leads every client from the state it has to one whose
//! hash the frame names.
//!
//! A thousand clients get the same frames, so the work is shared: a client's state is a pointer to a
//! state that was checked, and a frame that another client in the same state was sent before, byte for byte,
//! leads to the same place. Each distinct step is decoded, applied and hashed once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use flate2::{Decompress, FlushDecompress};
use liqheat_market::convert::{approx_f64, trunc_i64};
use liqheat_market::{Price, UNIT_SCALE};
use liqheat_wire::{Cell, StateHash, decode_state};
use serde::Deserialize;

use super::frames::{Kind, Message};

/// A state some client has.
#[derive(Debug)]
pub(super) struct State {
    /// Its own, so that steps from it can be found again.
    id: u64,
    pub(super) symbol: String,
    pub(super) epoch: String,
    pub(super) seq: u64,
    cells: BTreeMap<Price, (u64, u64)>,
}

/// What was wrong with what clients were told. All zero is the promise of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Faults {
    /// The state is not the one the frame's hash names.
    pub(super) mismatches: u64,
    /// A difference from a state the client does not have: an update was lost and nobody said so.
    pub(super) gaps: u64,
    /// An older state than the one before.
    pub(super) backwards: u64,
    /// Not a message of the protocol.
    pub(super) malformed: u64,
    /// The server said `error`.
    pub(super) errors: u64,
}

impl Faults {
    pub(super) const fn sum(&self) -> u64 {
        self.mismatches + self.gaps + self.backwards + self.malformed + self.errors
    }

    pub(super) fn add(&mut self, other: Self) {
        self.mismatches += other.mismatches;
        self.gaps += other.gaps;
        self.backwards += other.backwards;
        self.malformed += other.malformed;
        self.errors += other.errors;
    }
}

/// Result of checking a message.
#[derive(Debug, Clone)]
pub(super) struct CheckedMessage {
    /// The state the client has now, if the message was one.
    pub(super) state: Option<Rc<State>>,
    /// Whether that came as a difference.
    pub(super) is_delta: bool,
    /// The server warned of something.
    pub(super) warning: bool,
    /// Delay, in milliseconds, after which a stopping server asks the client to come back.
    pub(super) goaway_ms: Option<u64>,
    pub(super) faults: Faults,
}

impl CheckedMessage {
    const fn nothing(faults: Faults) -> Self {
        Self { state: None, is_delta: false, warning: false, goaway_ms: None, faults }
    }
}

/// A step that was checked: the payload, and where it leads.
type Step = (Box<[u8]>, CheckedMessage);
/// From which state, and in which form the payload is.
type StepKey = (Option<u64>, PayloadForm);
/// (binary, deflated)
type PayloadForm = (bool, bool);

/// Checks messages; shared by all clients.
#[derive(Debug)]
pub(super) struct Checker {
    steps: HashMap<StepKey, Vec<Step>>,
    /// Keys of steps, oldest first.
    order: VecDeque<StepKey>,
    next_id: u64,
    inflate: Decompress,
    /// The first fault in words, for whoever has to find it.
    pub(super) first_fault: Option<String>,
}

impl Default for Checker {
    fn default() -> Self {
        Self {
            steps: HashMap::new(),
            order: VecDeque::new(),
            next_id: 0,
            inflate: Decompress::new(false),
            first_fault: None,
        }
    }
}

/// A state or a difference as the server sent it.
struct StateContent {
    symbol: String,
    epoch: String,
    from: Option<u64>,
    seq: u64,
    hash: u64,
    cells: Vec<Cell>,
}

impl Checker {
    /// Steps that are remembered; a frame for a client further behind is checked again.
    const STEPS_KEPT: usize = 4_096;

    /// What a message means to a client with this state.
    pub(super) fn check(&mut self, before: Option<&Rc<State>>, message: Message<'_>) -> CheckedMessage {
        let key = (before.map(|state| state.id), (message.kind == Kind::Binary, message.deflated));
        let known = self.steps.get(&key).into_iter().flatten();
        if let Some((_, checked)) = known.rev().find(|(payload, _)| **payload == *message.payload) {
            return checked.clone();
        }
        let checked = self.step(before, message).unwrap_or_else(|fault| {
            self.note(fault);
            CheckedMessage::nothing(Faults { malformed: 1, ..Faults::default() })
        });
        if self.order.len() == Self::STEPS_KEPT
            && let Some(oldest) = self.order.pop_front()
            && let Some(steps) = self.steps.get_mut(&oldest)
        {
            steps.remove(0);
            if steps.is_empty() {
                self.steps.remove(&oldest);
            }
        }
        self.steps.entry(key).or_default().push((message.payload.into(), checked.clone()));
        self.order.push_back(key);
        checked
    }

    fn note(&mut self, fault: String) {
        self.first_fault.get_or_insert(fault);
    }

    fn step(&mut self, before: Option<&Rc<State>>, message: Message<'_>) -> Result<CheckedMessage, String> {
        let inflated;
        let payload = if message.deflated {
            inflated = self.inflated(message.payload)?;
            inflated.as_slice()
        } else {
            message.payload
        };
        let content = match message.kind {
            Kind::Binary => parse_binary(payload)?,
            _ => match parse_json(payload)? {
                ParsedMessage::State(content) => content,
                ParsedMessage::Nothing => return Ok(CheckedMessage::nothing(Faults::default())),
                ParsedMessage::Warning => {
                    return Ok(CheckedMessage {
                        warning: true,
                        ..CheckedMessage::nothing(Faults::default())
                    });
                }
                ParsedMessage::Goaway(ms) => {
                    return Ok(CheckedMessage {
                        goaway_ms: Some(ms),
                        ..CheckedMessage::nothing(Faults::default())
                    });
                }
                ParsedMessage::Error(text) => {
                    self.note(format!("the server said {text}"));
                    return Ok(CheckedMessage::nothing(Faults { errors: 1, ..Faults::default() }));
                }
            },
        };
        Ok(self.apply(before, content))
    }

    fn apply(&mut self, before: Option<&Rc<State>>, content: StateContent) -> CheckedMessage {
        let mut faults = Faults::default();
        let same_run =
            before.filter(|before| before.symbol == content.symbol && before.epoch == content.epoch);
        if let Some(before) = before.filter(|before| before.symbol != content.symbol) {
            faults.malformed += 1;
            self.note(format!("a state of {} for a client of {}", content.symbol, before.symbol));
        }
        if let Some(before) = same_run.filter(|before| content.seq < before.seq) {
            faults.backwards += 1;
            self.note(format!("seq {} after {}", content.seq, before.seq));
        }
        let mut cells = match (content.from, same_run) {
            (None, _) => BTreeMap::new(),
            (Some(from), Some(before)) if from == before.seq => before.cells.clone(),
            (Some(from), _) => {
                faults.gaps += 1;
                self.note(format!("a difference from {from} for a client at {:?}", before.map(|b| b.seq)));
                before.map(|before| before.cells.clone()).unwrap_or_default()
            }
        };
        for cell in &content.cells {
            if cell.is_empty() {
                cells.remove(&cell.price);
            } else {
                cells.insert(cell.price, (cell.long_usd, cell.short_usd));
            }
        }
        let mut hash = StateHash::default();
        for (price, (long_usd, short_usd)) in &cells {
            hash.add(&Cell { price: *price, long_usd: *long_usd, short_usd: *short_usd });
        }
        if hash.as_u64() != content.hash {
            faults.mismatches += 1;
            self.note(format!("seq {} is {hash}, the server says {:016x}", content.seq, content.hash));
        }
        self.next_id += 1;
        let (id, symbol, epoch, seq) = (self.next_id, content.symbol, content.epoch, content.seq);
        let state = Some(Rc::new(State { id, symbol, epoch, seq, cells }));
        CheckedMessage { state, is_delta: content.from.is_some(), ..CheckedMessage::nothing(faults) }
    }

    /// RFC 7692 section 7.2.2: each message by itself, with the end of a sync flush put back.
    fn inflated(&mut self, payload: &[u8]) -> Result<Vec<u8>, String> {
        const BYTES_MAX: usize = 16 << 20;
        let whole: Vec<u8> = payload.iter().chain(&[0x00, 0x00, 0xFF, 0xFF]).copied().collect();
        self.inflate.reset(false);
        let mut out = Vec::with_capacity(payload.len() * 8 + 1_024);
        loop {
            let taken = usize::try_from(self.inflate.total_in()).unwrap_or(usize::MAX);
            self.inflate
                .decompress_vec(&whole[taken..], &mut out, FlushDecompress::Sync)
                .map_err(|error| format!("not a compressed message: {error}"))?;
            // Room left over means that there is nothing more to come.
            if out.len() < out.capacity() {
                return Ok(out);
            }
            if out.len() > BYTES_MAX {
                return Err("a compressed message beyond all measure".to_owned());
            }
            out.reserve(out.len());
        }
    }
}

enum ParsedMessage {
    State(StateContent),
    /// Something that needs no check.
    Nothing,
    Warning,
    Goaway(u64),
    Error(String),
}

#[derive(Deserialize)]
struct MessageJson {
    r#type: String,
    symbol: Option<String>,
    epoch: Option<String>,
    from: Option<u64>,
    seq: Option<u64>,
    hash: Option<String>,
    data: Option<DataJson>,
    reconnect_in_ms: Option<u64>,
}

#[derive(Deserialize)]
struct DataJson {
    levels: Vec<LevelJson>,
}

#[derive(Deserialize)]
struct LevelJson {
    price: f64,
    long_density: u64,
    short_density: u64,
}

fn parse_binary(payload: &[u8]) -> Result<StateContent, String> {
    let state = decode_state(payload).map_err(|error| format!("not a state: {error}"))?;
    Ok(StateContent {
        symbol: state.symbol,
        epoch: state.epoch,
        from: state.from,
        seq: state.seq,
        hash: state.hash.as_u64(),
        cells: state.cells,
    })
}

fn parse_json(payload: &[u8]) -> Result<ParsedMessage, String> {
    let message: MessageJson =
        serde_json::from_slice(payload).map_err(|error| format!("not JSON: {error}"))?;
    match message.r#type.as_str() {
        "snapshot" | "delta" => {}
        "error" => return Ok(ParsedMessage::Error(String::from_utf8_lossy(payload).into_owned())),
        "warning" => return Ok(ParsedMessage::Warning),
        "goaway" => {
            let delay = message.reconnect_in_ms.ok_or("a goaway without a delay")?;
            return Ok(ParsedMessage::Goaway(delay));
        }
        _ => return Ok(ParsedMessage::Nothing),
    }
    let is_delta = message.r#type == "delta";
    let (Some(symbol), Some(epoch), Some(seq), Some(hash), Some(data)) =
        (message.symbol, message.epoch, message.seq, message.hash, message.data)
    else {
        return Err(format!("a {} without all its fields", message.r#type));
    };
    if is_delta != message.from.is_some() {
        return Err(format!("a {} with from {:?}", message.r#type, message.from));
    }
    let hash = u64::from_str_radix(&hash, 16).map_err(|_| format!("'{hash}' is no hash"))?;
    let cell = |level: &LevelJson| Cell {
        price: Price::from_units(trunc_i64((level.price * approx_f64(UNIT_SCALE)).round())),
        long_usd: level.long_density,
        short_usd: level.short_density,
    };
    let cells = data.levels.iter().map(cell).collect();
    Ok(ParsedMessage::State(StateContent { symbol, epoch, from: message.from, seq, hash, cells }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(price: i64, long_usd: u64) -> Cell {
        Cell { price: Price::from_units(price * UNIT_SCALE), long_usd, short_usd: 0 }
    }

    fn json(kind: &str, from: Option<u64>, seq: u64, content: &[Cell], whole: &[Cell]) -> String {
        let levels: Vec<_> = content
            .iter()
            .map(|c| serde_json::json!({"price": c.price.units() / UNIT_SCALE, "long_density": c.long_usd, "short_density": c.short_usd}))
            .collect();
        let mut message = serde_json::json!({
            "type": kind, "symbol": "A", "timestamp": "t", "epoch": "e", "seq": seq,
            "hash": StateHash::of(whole).to_string(),
            "data": {"levels": levels, "current_price": 1, "positions_created": 0, "positions_consumed": 0},
        });
        if let Some(from) = from {
            message["from"] = from.into();
        }
        message.to_string()
    }

    fn text(payload: &str) -> Message<'_> {
        Message { kind: Kind::Text, deflated: false, payload: payload.as_bytes() }
    }

    #[test]
    fn a_true_stream_has_no_faults_and_is_worked_out_once() {
        let mut checker = Checker::default();
        let (one, two) = ([cell(1, 5), cell(2, 5)], [cell(2, 7)]);
        let frames = [
            json("snapshot", None, 1, &one, &one),
            json("delta", Some(1), 2, &[cell(1, 0), cell(2, 7)], &two),
        ];
        let mut ends = Vec::new();
        for _ in 0..3 {
            let mut state = None;
            for frame in &frames {
                let checked = checker.check(state.as_ref(), text(frame));
                assert_eq!(checked.faults, Faults::default(), "{:?}", checker.first_fault);
                state = checked.state;
            }
            ends.push(state.unwrap());
        }
        assert_eq!(ends[0].cells, BTreeMap::from([(Price::from_units(2 * UNIT_SCALE), (7, 0))]));
        assert!(Rc::ptr_eq(&ends[0], &ends[2]), "shared");
        assert_eq!(checker.order.len(), 2);
    }

    #[test]
    fn corrupted_streams_are_found() {
        let (one, two) = ([cell(1, 5)], [cell(1, 6)]);
        let first = json("snapshot", None, 5, &one, &one);
        let cases = [
            (json("delta", Some(5), 6, &two, &one), Faults { mismatches: 1, ..Faults::default() }),
            (json("snapshot", None, 6, &two, &one), Faults { mismatches: 1, ..Faults::default() }),
            (json("delta", Some(6), 7, &two, &two), Faults { gaps: 1, ..Faults::default() }),
            (json("snapshot", None, 4, &two, &two), Faults { backwards: 1, ..Faults::default() }),
            (json("delta", None, 6, &two, &two), Faults { malformed: 1, ..Faults::default() }),
            ("{\"type\":\"snapshot\"}".to_owned(), Faults { malformed: 1, ..Faults::default() }),
            ("nonsense".to_owned(), Faults { malformed: 1, ..Faults::default() }),
            ("{\"type\":\"error\",\"code\":\"X\"}".to_owned(), Faults { errors: 1, ..Faults::default() }),
            ("{\"type\":\"status\",\"seq\":5}".to_owned(), Faults::default()),
            (json("snapshot", None, 9, &two, &two), Faults::default()),
        ];
        for (second, expected) in cases {
            let mut checker = Checker::default();
            let state = checker.check(None, text(&first)).state;
            for again in 0..2 {
                let checked = checker.check(state.as_ref(), text(&second));
                assert_eq!(checked.faults, expected, "{again}: {second}");
            }
            assert_eq!(checker.first_fault.is_some(), expected.sum() > 0);
        }
        let orphan = json("delta", Some(1), 2, &two, &two);
        assert_eq!(Checker::default().check(None, text(&orphan)).faults.gaps, 1);
    }

    #[test]
    fn compressed_messages_are_read() {
        let cells: Vec<Cell> = (1..2_000).map(|n| cell(n, 1_000)).collect();
        let plain = json("snapshot", None, 1, &cells, &cells);
        let mut deflate = flate2::Compress::new(flate2::Compression::new(6), false);
        let mut packed = Vec::with_capacity(plain.len());
        deflate.compress_vec(plain.as_bytes(), &mut packed, flate2::FlushCompress::Sync).unwrap();
        packed.truncate(packed.len() - 4);
        let mut checker = Checker::default();
        for _ in 0..2 {
            let message = Message { kind: Kind::Text, deflated: true, payload: &packed };
            let checked = checker.check(None, message);
            assert_eq!(checked.faults, Faults::default(), "{:?}", checker.first_fault);
            assert_eq!(checked.state.unwrap().cells.len(), 1_999);
        }
        let broken = Message { kind: Kind::Text, deflated: true, payload: &[0xFF; 30] };
        assert_eq!(checker.check(None, broken).faults.malformed, 1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut checker = Checker::default();
        for n in 0..Checker::STEPS_KEPT as u64 + 100 {
            let cells = [cell(1, n + 1)];
            checker.check(None, text(&json("snapshot", None, n + 1, &cells, &cells)));
        }
        assert_eq!(checker.order.len(), Checker::STEPS_KEPT);
        assert_eq!(checker.steps.values().map(Vec::len).sum::<usize>(), Checker::STEPS_KEPT);
    }
}
