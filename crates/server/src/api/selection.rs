//! Which state a compact answer is about: the live one, only its newer positions, or one of the past.

use std::sync::Arc;

use liqheat_market::convert::approx_f64;
use liqheat_market::{Price, Side, UnixMs};
use liqheat_model::{Ledger, LeverageLevel};
use liqheat_score::Horizon;
use liqheat_store::{StoredLayer, StoredLayerLevel};
use liqheat_wire::{Cell, StateReference, format_time};

use super::measured::past;
use super::parts::{ModelState, NamedLayer, no_state};
use super::reading::Reading;
use crate::catalog::ServedSymbol;
use crate::compact::{AGES_H, Outlook, SideMass, UNCLASSED, expected, fresh_levels, leverages_of};
use crate::engine::LedgerRun;
use crate::expected::{horizon_of, volatility_of};
use crate::history::{ChartRange, HistoryError, HistoryTurn, PastState};
use crate::http::{Query, Refusal};
use crate::published::{LedgerSum, LiveState, sum_by_leverage};
use crate::reads::ReadKind;

/// The state that a request names.
#[derive(Debug, Clone, Copy)]
pub(super) enum StateSelector {
    Live,
    /// Only positions opened within this time, ms.
    OpenedWithin(i64),
    /// The state at a moment.
    At(UnixMs),
}

/// A state by leverage, with what it is.
#[derive(Debug, Clone)]
pub(super) struct SelectedState {
    pub(super) reference: StateReference,
    pub(super) price: Price,
    pub(super) base_bin: Price,
    /// In bins of `base_bin`.
    pub(super) levels: Vec<LeverageLevel>,
    /// The model's leverage classes in it, lowest first.
    pub(super) leverages: Vec<f64>,
    /// Where the levels hold what is expected within a horizon in place of their size.
    pub(super) horizon: Option<Horizon>,
    /// Positions of real accounts: their leverage is not known, and no model says how old or how likely they are.
    pub(super) is_measured: bool,
}

impl SelectedState {
    /// As [`SelectedState::of`], and a state of a layer of measured positions under its name.
    ///
    /// # Errors
    /// As [`SelectedState::of`]; refused when a layer is asked for what only a model knows.
    pub(super) async fn of_any(model: &ModelState, reading: Reading, query: &Query) -> Result<Self, Refusal> {
        let name = query.required("symbol")?;
        let symbols = &model.rows.symbols;
        if !symbols.is_layer(name) {
            return Self::of(model, reading, query).await;
        }
        let wanted = wanted(query)?;
        if horizon(query, wanted)?.is_some() || matches!(wanted, StateSelector::OpenedWithin(_)) {
            return Err(Refusal::bad(format!(
                "{name} is a layer of measured positions, known by size only: leave out 'timeframe' and 'view'"
            )));
        }
        if let StateSelector::At(at) = wanted
            && let Some(NamedLayer { symbol, .. }) = symbols.layer(name)?
        {
            return Ok(Self::measured_at(
                model,
                &symbol.name,
                &past(&model.rows, reading, symbol, at).await?,
            ));
        }
        Self::measured(model, name).ok_or_else(|| {
            Refusal::unavailable(format!("no measured positions of {name} yet: they need the marks of the venue and a state of its estimate"))
        })
    }

    /// A layer of the past.
    fn measured_at(model: &ModelState, name: &str, layer: &StoredLayer) -> Self {
        let level = |level: &StoredLayerLevel| LeverageLevel {
            leverage: UNCLASSED,
            price: level.price,
            long_usd: approx_f64(level.long_usd),
            short_usd: approx_f64(level.short_usd),
        };
        let levels = layer.levels.iter().map(level).collect();
        let reference = reference(model, name, layer.time, layer.mark);
        let selected = Self::new(reference, layer.mark, layer.bin, levels);
        Self { leverages: vec![UNCLASSED], is_measured: true, ..selected }
    }

    /// The board of a layer; `None` before its first state.
    fn measured(model: &ModelState, name: &str) -> Option<Self> {
        let (live, cells) = model.present.published.board_state(name)?;
        let level = |cell: Cell| LeverageLevel {
            leverage: UNCLASSED,
            price: cell.price,
            long_usd: approx_f64(cell.long_usd),
            short_usd: approx_f64(cell.short_usd),
        };
        let by_leverage = cells.into_iter().map(level).collect();
        let selected = Self::live(model, name, LiveState { by_leverage, ..live });
        Some(Self { leverages: vec![UNCLASSED], is_measured: true, ..selected })
    }

    /// The state that `at` and `timeframe` name.
    ///
    /// # Errors
    /// Refused when a parameter is wrong, both are given, or there is no such state.
    pub(super) async fn of(model: &ModelState, reading: Reading, query: &Query) -> Result<Self, Refusal> {
        let symbol = model.rows.symbols.of(query)?;
        let wanted = wanted(query)?;
        let horizon = horizon(query, wanted)?;
        Self::select(model, reading, symbol, wanted, horizon).await
    }

    /// A state of a symbol. A horizon replaces the size of the live levels by what is expected within it.
    ///
    /// # Errors
    /// Refused when there is no such state.
    pub(super) async fn select(
        model: &ModelState,
        reading: Reading,
        symbol: &ServedSymbol,
        wanted: StateSelector,
        horizon: Option<Horizon>,
    ) -> Result<Self, Refusal> {
        let sum = model.present.local_sum(symbol).await?;
        let live = model.present.published.live(&symbol.name).ok_or_else(|| no_state(symbol))?;
        match wanted {
            StateSelector::Live => {
                let mut selected = Self::live(model, &symbol.name, live);
                if let Some(horizon) = horizon {
                    let outlook = selected.outlook(model, reading, &sum, horizon).await?;
                    let outlook = outlook.ok_or_else(|| no_volatility(symbol))?;
                    selected.levels = expected(&selected.levels, &outlook, &model.expected);
                    selected.horizon = Some(horizon);
                    selected.reference.expected_within = Some(horizon.name());
                }
                Ok(selected)
            }
            StateSelector::OpenedWithin(timeframe_ms) => {
                let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
                let by_leverage = opened_within(&turn, &sum, timeframe_ms).await?;
                // The local ledgers' bins; on a follower the board's may be others.
                let by_leverage = sum_by_leverage(&by_leverage, live.base_bin);
                Ok(Self::live(model, &symbol.name, LiveState { by_leverage, ..live }))
            }
            StateSelector::At(at) => {
                let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
                let past = turn.state_at(symbol, at, model.rows.clock.now()).await?;
                let past = past.ok_or_else(|| no_state_at(symbol, at))?;
                Ok(Self::past(model, symbol, past))
            }
        }
    }

    fn live(model: &ModelState, name: &str, live: LiveState) -> Self {
        let reference = StateReference {
            epoch: Some(live.epoch.to_string()),
            seq: Some(live.seq),
            ..reference(model, name, live.as_of, live.price)
        };
        Self::new(reference, live.price, live.base_bin, live.by_leverage)
    }

    fn past(model: &ModelState, symbol: &ServedSymbol, past: PastState) -> Self {
        let reference = reference(model, &symbol.name, past.as_of, past.price);
        Self::new(reference, past.price, past.base_bin, past.by_leverage)
    }

    fn new(reference: StateReference, price: Price, base_bin: Price, levels: Vec<LeverageLevel>) -> Self {
        let leverages = leverages_of(&levels);
        Self { reference, price, base_bin, levels, leverages, horizon: None, is_measured: false }
    }

    /// What the expected view of this moment depends on; `None` while the volatility is not known.
    pub(super) async fn outlook(
        &self,
        model: &ModelState,
        reading: Reading,
        sum: &LedgerSum,
        horizon: Horizon,
    ) -> Result<Option<Outlook>, Refusal> {
        let turn = reading.turn(&model.rows, ReadKind::Query).await?;
        let hourly_volatility = volatility_of(turn.store(), sum).await?;
        Ok(hourly_volatility.map(|hourly_volatility| Outlook {
            horizon,
            price: self.price,
            bin: self.base_bin,
            hourly_volatility,
            open_interest_usd: sum.open_interest_usd(),
        }))
    }

    /// The levels of a live state with what is expected of them within an hour; `None` for any other state, and while the
    /// volatility is not known.
    pub(super) async fn within_an_hour(
        &self,
        model: &ModelState,
        reading: Reading,
    ) -> Result<Option<Vec<LeverageLevel>>, Refusal> {
        if self.reference.epoch.is_none() || self.horizon.is_some() {
            return Ok(None);
        }
        let Some(sum) = model.present.published.local_sum(&self.reference.symbol) else { return Ok(None) };
        let outlook = self.outlook(model, reading, &sum, Horizon::Hour).await?;
        Ok(outlook.map(|outlook| expected(&self.levels, &outlook, &model.expected)))
    }

    /// The levels of a live state with their dollars times their freshness, unsummed; `None` for any other state.
    pub(super) async fn fresh(
        &self,
        model: &ModelState,
        reading: Reading,
    ) -> Result<Option<Vec<LeverageLevel>>, Refusal> {
        const HOUR_MS: i64 = 3_600_000;
        if self.reference.epoch.is_none() || self.horizon.is_some() {
            return Ok(None);
        }
        let Some(sum) = model.present.published.local_sum(&self.reference.symbol) else { return Ok(None) };
        let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
        let mut opened = Vec::with_capacity(AGES_H.len());
        for hours in AGES_H {
            opened.push(opened_within(&turn, &sum, hours * HOUR_MS).await?);
        }
        Ok(Some(fresh_levels(&opened)))
    }

    /// One side of it.
    pub(super) fn side(&self, side: Side) -> SideMass {
        SideMass::new(side, &self.levels, self.base_bin, &self.leverages)
    }
}

fn wanted(query: &Query) -> Result<StateSelector, Refusal> {
    let timeframe_ms = query.get("timeframe").map(timeframe_ms).transpose()?;
    match (timeframe_ms, query.optional_time("at")?) {
        (None, None) => Ok(StateSelector::Live),
        (Some(timeframe_ms), None) => Ok(StateSelector::OpenedWithin(timeframe_ms)),
        (None, Some(at)) => Ok(StateSelector::At(at)),
        (Some(_), Some(_)) => Err(Refusal::bad(
            "'timeframe' and 'at' cannot be combined: the age of positions is known for this moment only",
        )),
    }
}

/// Which horizon the expected view is requested for; `None` for the size of levels.
fn horizon(query: &Query, wanted: StateSelector) -> Result<Option<Horizon>, Refusal> {
    let within = query.expected_within()?;
    if within.is_some() && !matches!(wanted, StateSelector::Live) {
        return Err(Refusal::bad(
            "view=expected is about this moment; it cannot be combined with 'timeframe' or 'at'",
        ));
    }
    Ok(within.map(horizon_of))
}

/// The length of a timeframe: a name, or whole days.
fn timeframe_ms(text: &str) -> Result<i64, Refusal> {
    const DAYS_MAX: i64 = 365;
    const DAY_MS: i64 = 86_400_000;
    if let Some(range) = ChartRange::from_name(text) {
        return Ok(range.ms());
    }
    let days = text.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
    days.map(|days: i64| days * DAY_MS).ok_or_else(|| {
        let (text, names): (String, _) = (text.chars().take(40).collect(), ChartRange::names());
        Refusal::malformed(format!(
            "parameter 'timeframe': '{text}' must be one of {names}, or whole days from 1 to {DAYS_MAX}"
        ))
    })
}

fn reference(model: &ModelState, name: &str, as_of: UnixMs, price: Price) -> StateReference {
    StateReference {
        symbol: name.to_owned(),
        as_of: format_time(as_of),
        epoch: None,
        seq: None,
        state: model.present.published.feed_state(name),
        current_price: price.into(),
        expected_within: None,
    }
}

/// Why a symbol has no expected view yet.
pub(super) fn no_volatility(symbol: &ServedSymbol) -> Refusal {
    let name = &symbol.name;
    Refusal::unavailable(format!("no volatility of {name} yet: the expected view needs two hours of klines"))
}

fn no_state_at(symbol: &ServedSymbol, at: UnixMs) -> Refusal {
    let known = symbol
        .first_bar()
        .map_or_else(String::new, |first| format!("; its bars begin at {}", format_time(first)));
    Refusal::bad(format!("parameter 'at': no state of {} at {}{known}", symbol.name, format_time(at)))
}

/// Only positions that were opened within the last stretch of time: a ledger that has seen nothing else.
async fn opened_within(
    turn: &HistoryTurn<'_>,
    sum: &Arc<LedgerSum>,
    timeframe_ms: i64,
) -> Result<Vec<LeverageLevel>, HistoryError> {
    let mut levels = Vec::new();
    for (ledger, view) in &sum.ledgers {
        let empty = Ledger::new(ledger.spec.params.clone(), ledger.tiers());
        let back = view.cursor.plus(-timeframe_ms);
        let from = back.max(ledger.first_bar().unwrap_or(back));
        let (moved, ()) = turn.run(ledger, LedgerRun::new(empty, ()), from, view.cursor).await?;
        levels.extend(moved.seen_levels_by_leverage(view.base_bin, view.tip));
    }
    Ok(sum_by_leverage(&levels, sum.base_bin))
}

/// A distance from the price in per cent, or the default.
///
/// # Errors
/// Refused when it is not a number above zero.
pub(super) fn range_pct(query: &Query, default: f64) -> Result<f64, Refusal> {
    let Some(text) = query.get("range_pct") else { return Ok(default) };
    text.parse().ok().filter(|pct: &f64| *pct > 0.0 && pct.is_finite()).ok_or_else(|| {
        Refusal::malformed(format!(
            "parameter 'range_pct': '{text}' must be a number of per cent above zero, such as 5"
        ))
    })
}
