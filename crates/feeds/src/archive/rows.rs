//! From the fields of a line to a row of the market, family by family, with every rule a row must keep.

use liqheat_market::convert::split_i128;
use liqheat_market::{
    Funding, Instrument, Interval, Kline, KlineKind, Liquidation, OpenInterest, PriceKind, Qty, Side, Taker,
    Trade, UnixMs,
};

use super::columns::expected_count;
use super::fields::{self, Fields};
use super::name::Period;
use super::repeats::{IdRanges, Keys, Memory, fingerprint};
use super::report::RefusedRows;
use super::{Family, plan::Plan};
use crate::venues::{ForceOrders, OrderReport};

/// Rows of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// Aggregate trades.
    Trades(Vec<Trade>),
    /// Klines of either price.
    Klines(Vec<Kline>),
    /// Open interest.
    OpenInterest(Vec<OpenInterest>),
    /// Funding payments.
    Funding(Vec<Funding>),
    /// Realised liquidations.
    Liquidations(Vec<Liquidation>),
}

impl Rows {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Trades(rows) => rows.len(),
            Self::Klines(rows) => rows.len(),
            Self::OpenInterest(rows) => rows.len(),
            Self::Funding(rows) => rows.len(),
            Self::Liquidations(rows) => rows.len(),
        }
    }

    /// Whether there are none; a batch always has some.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Some rows of one instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowBatch {
    /// Whose.
    pub instrument: Instrument,
    /// The rows, in the order of the file.
    pub rows: Rows,
    /// Bytes of the file (as stored, compressed or not) read so far, for a progress bar.
    pub file_bytes_read: u64,
}

/// A row that can be read from the fields of a line.
pub(super) trait ArchiveRow: Sized + Copy {
    /// What remembers rows of this kind within a file.
    type Memory: Memory;

    /// The column that names the symbol, if the row has one.
    fn symbol_field<'a>(_fields: &Fields<'a>) -> Option<&'a [u8]> {
        None
    }

    /// Reads and checks a row. What is wrong with a field that the row can do without is added to `lost`.
    fn parse(fields: &Fields<'_>, plan: &Plan, lost: &mut Vec<RefusedRows>) -> Result<Self, RefusedRows>;

    /// What later rows of an instrument depend on.
    type State: Default;

    /// What is new in a row, after those before it; `None` when it says nothing new.
    fn settle(self, _fields: &Fields<'_>, _state: &mut Self::State) -> Option<Self> {
        Some(self)
    }

    /// What makes it one row and not another, and a fingerprint of the rest.
    fn identity(&self) -> (<Self::Memory as Memory>::Key, u64);

    /// A batch of them.
    fn wrap(rows: Vec<Self>) -> Rows;
}

fn expect_columns(fields: &Fields<'_>, counts: &[usize], family: Family) -> Result<(), RefusedRows> {
    let (found, expected) = (fields.count(), expected_count(family));
    if counts.contains(&found) { Ok(()) } else { Err(RefusedRows::ColumnCount { found, expected }) }
}

/// `5933014,61800.30,0.006,8154045700,8154045704,1723161256322,true`: id, price, quantity, first and last
/// trade id, time, whether the buyer was the maker. True means that the taker sold.
impl ArchiveRow for Trade {
    type Memory = IdRanges;
    type State = ();

    fn parse(fields: &Fields<'_>, plan: &Plan, _lost: &mut Vec<RefusedRows>) -> Result<Self, RefusedRows> {
        if fields.count() == 8 {
            return Err(RefusedRows::SpotTrade);
        }
        expect_columns(fields, &[7], plan.family)?;
        let qty = fields::qty(fields.at(2), "quantity")?;
        if !qty.is_positive() {
            return Err(RefusedRows::Zero("quantity"));
        }
        let is_buyer_maker = fields.at(6);
        let taker = if is_buyer_maker.eq_ignore_ascii_case(b"true") {
            Taker::Sell
        } else if is_buyer_maker.eq_ignore_ascii_case(b"false") {
            Taker::Buy
        } else {
            return Err(RefusedRows::NotABool("is_buyer_maker"));
        };
        Ok(Self {
            id: fields::count(fields.at(0), "agg_trade_id")?,
            time: fields::time(fields.at(5), "transact_time")?,
            price: fields::price(fields.at(1), "price")?,
            qty,
            taker,
        })
    }

    fn identity(&self) -> (i64, u64) {
        (self.id, 0)
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Trades(rows)
    }
}

/// `1752710400000,118590.70,118652.40,118582.30,118649.00,211.549,1752710699999,,,,,0`: open time, open,
/// high, low, close, volume, close time (the last millisecond), quote volume, count, taker buy volume, taker
/// buy quote volume, nothing. A mark price has no volume: the zeros in its files say nothing.
impl ArchiveRow for Kline {
    /// Interval in milliseconds, open time.
    type Memory = Keys<(i64, UnixMs)>;
    type State = ();

    fn parse(fields: &Fields<'_>, plan: &Plan, lost: &mut Vec<RefusedRows>) -> Result<Self, RefusedRows> {
        expect_columns(fields, &[12], plan.family)?;
        let open_time = fields::time(fields.at(0), "open_time")?;
        let open = fields::price(fields.at(1), "open")?;
        let high = fields::price(fields.at(2), "high")?;
        let low = fields::price(fields.at(3), "low")?;
        let close = fields::price(fields.at(4), "close")?;
        if low > open.min(close) || high < open.max(close) {
            return Err(RefusedRows::PriceOrder);
        }
        let length = fields::time(fields.at(6), "close_time").map(|end| end.plus(1).since(open_time));
        let interval = match (plan.interval, length) {
            // The name says as much.
            (Some(interval), Err(reason)) => {
                lost.push(reason);
                interval
            }
            (None, Err(reason)) => return Err(reason),
            (Some(interval), Ok(length_ms)) if interval.ms() != length_ms => {
                return Err(RefusedRows::CloseTime);
            }
            (Some(interval), Ok(_)) => interval,
            (None, Ok(length_ms)) => Interval::from_ms(length_ms).ok_or(RefusedRows::CloseTime)?,
        };
        if open_time.floor_to(interval.ms()) != open_time {
            return Err(RefusedRows::OffGrid);
        }
        let kline = |kind| Self {
            kind,
            interval,
            open_time,
            open,
            high,
            low,
            close,
            volume: None,
            taker_buy_volume: None,
            trades: None,
        };
        if plan.family == Family::MarkPriceKlines {
            return Ok(kline(KlineKind::Mark));
        }
        let mut known = |result: Result<Option<Qty>, RefusedRows>| {
            result.unwrap_or_else(|reason| {
                lost.push(reason);
                None
            })
        };
        let volume = known(fields::qty_or_unknown(fields.at(5), "volume"));
        let mut taker_buy_volume = known(fields::qty_or_unknown(fields.at(9), "taker_buy_volume"));
        if let (Some(all), Some(bought)) = (volume, taker_buy_volume)
            && bought > all
        {
            lost.push(RefusedRows::TakerAboveVolume);
            taker_buy_volume = None;
        }
        let trades = match fields.at(8) {
            [] => None,
            count => fields::count(count, "count").map_err(|reason| lost.push(reason)).ok(),
        };
        Ok(Self { volume, taker_buy_volume, trades, ..kline(KlineKind::Last) })
    }

    fn identity(&self) -> ((i64, UnixMs), u64) {
        const UNKNOWN: i64 = -1;
        let units = |qty: Option<Qty>| qty.map_or([UNKNOWN; 2], |qty| split_i128(qty.units()));
        let prices = [self.open, self.high, self.low, self.close].map(liqheat_market::Price::units);
        let amounts = [units(self.volume), units(self.taker_buy_volume)].concat();
        let rest = amounts.into_iter().chain([self.trades.unwrap_or(UNKNOWN)]);
        ((self.interval.ms(), self.open_time), fingerprint(prices.into_iter().chain(rest)))
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Klines(rows)
    }
}

/// `2025-07-17 00:05:00,BTCUSDT,89556.92200000,10625830282.68580055,,1.90321700,0.70203805,`: label, symbol,
/// open interest in coins; the value in USD is derived and the ratios are not used. Rows may be out of order
/// and a few seconds off the five-minute grid.
impl ArchiveRow for OpenInterest {
    type Memory = Keys<UnixMs>;
    type State = ();

    fn symbol_field<'a>(fields: &Fields<'a>) -> Option<&'a [u8]> {
        Some(fields.at(1))
    }

    fn parse(fields: &Fields<'_>, plan: &Plan, _lost: &mut Vec<RefusedRows>) -> Result<Self, RefusedRows> {
        expect_columns(fields, &[8], plan.family)?;
        let label = fields::time(fields.at(0), "create_time")?;
        let qty = fields::qty(fields.at(2), "sum_open_interest")?;
        if !qty.is_positive() {
            return Err(RefusedRows::OpenInterestUnknown);
        }
        Ok(Self { time: open_interest_time(label, plan.period)?, qty })
    }

    fn identity(&self) -> (UnixMs, u64) {
        (self.time, fingerprint(split_i128(self.qty.units())))
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::OpenInterest(rows)
    }
}

/// The moment at which the open interest labelled `label` was counted.
///
/// Until 2026-06-24 label T is the open interest at T: a day's file holds the labels 00:05 to 24:00 (some 00:00 to
/// 23:55). From the file of 2026-06-25 on it is that at T + 5 min, and files hold the labels 00:00 to
/// 23:55. So the label 2026-06-25 00:00 stands in two files and means two moments: in the file of the 24th
/// its midnight, in the file of the 25th five past. Only the file's date tells them apart. Without a date
/// (or with one that spans the change) every other label is still clear, and that one is refused.
fn open_interest_time(label: UnixMs, period: Option<Period>) -> Result<UnixMs, RefusedRows> {
    /// 2026-06-25 00:00 UTC.
    const MOVED: UnixMs = UnixMs(1_782_345_600_000);
    const STEP_MS: i64 = 300_000;
    if let Some(period) = period
        && !(period.start.plus(-STEP_MS)..=period.end.plus(STEP_MS)).contains(&label)
    {
        return Err(RefusedRows::OutsideFile);
    }
    match period {
        Some(period) if period.end <= MOVED => Ok(label),
        Some(period) if period.start >= MOVED => Ok(label.plus(STEP_MS)),
        _ if label < MOVED => Ok(label),
        _ if label >= MOVED.plus(STEP_MS) => Ok(label.plus(STEP_MS)),
        _ => Err(RefusedRows::AmbiguousLabel),
    }
}

/// `1735689600004,8,0.00010000` (monthly files) or `2024-12-31 08:00:00,8.514e-05` (time and rate).
impl ArchiveRow for Funding {
    type Memory = Keys<UnixMs>;
    type State = ();

    fn parse(fields: &Fields<'_>, plan: &Plan, lost: &mut Vec<RefusedRows>) -> Result<Self, RefusedRows> {
        expect_columns(fields, &[2, 3], plan.family)?;
        let time = fields::time(fields.at(0), "calc_time")?;
        let (interval_hours, rate) = if fields.count() == 2 {
            (None, fields::rate(fields.at(1), "funding_rate")?)
        } else {
            let hours = match fields.at(1) {
                [] => None,
                hours => {
                    let hours = fields::count(hours, "funding_interval_hours").and_then(|hours| {
                        let fits = (1..=24).contains(&hours);
                        if fits { Ok(hours) } else { Err(RefusedRows::Absurd("funding_interval_hours")) }
                    });
                    hours.map_err(|reason| lost.push(reason)).ok()
                }
            };
            (hours, fields::rate(fields.at(2), "last_funding_rate")?)
        };
        // More than the whole position in one payment.
        if rate.units().abs() > liqheat_market::UNIT_SCALE {
            return Err(RefusedRows::Absurd("funding rate"));
        }
        Ok(Self { time: whole_hour(time), rate, interval_hours })
    }

    fn identity(&self) -> (UnixMs, u64) {
        (self.time, fingerprint([self.rate.units()]))
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Funding(rows)
    }
}

/// Funding is due at whole hours. `calc_time` is some milliseconds late, other sources print the hour itself:
/// both must give one payment, not two.
pub(crate) fn whole_hour(time: UnixMs) -> UnixMs {
    const HOUR_MS: i64 = 3_600_000;
    const JITTER_MS_MAX: i64 = 60_000;
    let nearest = time.plus(HOUR_MS / 2).floor_to(HOUR_MS);
    if time.since(nearest).abs() <= JITTER_MS_MAX { nearest } else { time }
}

/// `1687656471926,BUY,LIMIT,IOC,7,30741.3,30631.6,FILLED,6,7`: time, (symbol,) side of the order, type, time
/// in force, ordered quantity, limit price, average price of the fill, status, last fill, filled in all. A
/// BUY closes a SHORT.
impl ArchiveRow for Liquidation {
    /// Time, side, quantity, price: there is no id. Every row of these files stands there twice.
    type Memory = Keys<(UnixMs, Side, Qty, liqheat_market::Price)>;
    type State = ForceOrders;

    /// Several rows may be of one order: the quantity is what it has filled so far.
    fn settle(self, fields: &Fields<'_>, orders: &mut ForceOrders) -> Option<Self> {
        let after_symbol = fields.count().saturating_sub(10);
        let at = |index: usize| fields.at(index + after_symbol);
        let size = fields::qty(at(4), "original_quantity");
        let (Ok(size), Ok(limit)) = (size, fields::price(at(5), "price")) else { return Some(self) };
        let is_open = at(7).eq_ignore_ascii_case(b"PARTIALLY_FILLED");
        let Self { time, side, qty: filled, price: average, .. } = self;
        let report = OrderReport { side, size, limit, filled, average, is_open, time };
        let qty = orders.filled_since(&report);
        qty.is_positive().then_some(Self { qty, ..self })
    }

    fn symbol_field<'a>(fields: &Fields<'a>) -> Option<&'a [u8]> {
        (fields.count() == 11).then(|| fields.at(1))
    }

    fn parse(fields: &Fields<'_>, plan: &Plan, _lost: &mut Vec<RefusedRows>) -> Result<Self, RefusedRows> {
        expect_columns(fields, &[10, 11], plan.family)?;
        let after_symbol = fields.count() - 10;
        let at = |index: usize| fields.at(index + after_symbol);
        let side = if at(1).eq_ignore_ascii_case(b"buy") {
            Side::Short
        } else if at(1).eq_ignore_ascii_case(b"sell") {
            Side::Long
        } else {
            return Err(RefusedRows::Side);
        };
        let qty = fields::qty(at(9), "accumulated_fill_quantity")?;
        if !qty.is_positive() {
            return Err(RefusedRows::NothingFilled);
        }
        Ok(Self {
            time: fields::time(fields.at(0), "time")?,
            side,
            qty,
            price: fields::price(at(6), "average_price")?,
            price_kind: PriceKind::Fill,
        })
    }

    fn identity(&self) -> ((UnixMs, Side, Qty, liqheat_market::Price), u64) {
        ((self.time, self.side, self.qty, self.price), 0)
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Liquidations(rows)
    }
}
