"""Answers of the HTTP routes as values. Times are aware ``datetime`` in UTC, sums are USD unless named otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ._wire.fields import Fields, MalformedError, count_of, number_of
from ._wire.frames import Level, Position, levels_of
from ._wire.times import from_millis, parse_time
from .dataframes import columns_of, rows_frame

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """One symbol that is served."""

    symbol: str
    venue: str
    """``all`` where the symbol is the sum of several venues."""
    venues: tuple[str, ...]
    interval: str
    """Length of the bars that move the model."""
    first: datetime | None
    """Opening time of the first stored bar; ``None`` while nothing is stored."""
    last: datetime | None
    """Time of the newest event shown."""
    base_bin: float | None
    """Height of a level; ``None`` before the first state."""
    state: str
    simulated: bool
    seen_share: float
    """Share of the positions that the model has seen opening, 0 to 1."""
    leverages: tuple[float, ...]
    """The model's leverage classes, lowest first."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """``GET /v1/symbols``."""

    symbols: tuple[SymbolInfo, ...]
    simulated: bool
    speed: float
    """Market seconds per second; 1 for a live market."""

    def to_dataframe(self) -> pd.DataFrame:
        """One row per symbol; needs pandas."""
        return rows_frame(self.symbols, columns_of(SymbolInfo))


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle."""

    time: datetime
    """Opening time."""
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    """Coins; ``None`` when a part of it is unknown."""


@dataclass(frozen=True, slots=True)
class Klines:
    """``GET /prices/klines``: oldest first; the last candle may still grow."""

    symbol: str
    interval: str
    candles: tuple[Candle, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per candle; needs pandas."""
        return rows_frame(self.candles, columns_of(Candle))


@dataclass(frozen=True, slots=True)
class LeverageLevel:
    """The mass of one leverage class in one bin."""

    side: Literal["long", "short"]
    """Side of the positions."""
    price: float
    """Lower edge of the bin."""
    usd: int
    leverage: float
    distance_pct: float
    """From the current price to the middle of the bin, per cent, signed."""


@dataclass(frozen=True, slots=True)
class LevelsByLeverage:
    """``GET /liquidations/levels``: nearest to the price first, longs before shorts."""

    symbol: str
    model: str
    current_price: float
    levels: tuple[LeverageLevel, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per level; needs pandas."""
        return rows_frame(self.levels, columns_of(LeverageLevel))


@dataclass(frozen=True, slots=True, kw_only=True)
class _StateAnswer:
    symbol: str
    as_of: datetime
    """Time of the newest event in the state."""
    position: Position | None
    """Of the live state; ``None`` for a state of the past."""
    state: str
    """Health of the data now."""
    current_price: float


@dataclass(frozen=True, slots=True)
class Wall:
    """A stretch of price in which the levels of one side are denser than around it."""

    side: Literal["long", "short"]
    low: float
    high: float
    peak_price: float
    """Middle of its densest stretch."""
    usd: int
    share: float
    """Of all dollars of its side, 0 to 1."""
    distance_pct: float
    """From the price to its nearest edge, per cent; negative below the price, 0 inside."""
    usd_on_the_way: int
    """Dollars of the same side between the price and the wall."""
    leverages: dict[float, int]
    """Its dollars by leverage class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls(_StateAnswer):
    """``GET /v1/walls``: those with the most dollars first."""

    long_usd: int
    """All long levels, in walls or not."""
    short_usd: int
    walls: tuple[Wall, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per wall; needs pandas."""
        return rows_frame(self.walls, columns_of(Wall))


@dataclass(frozen=True, slots=True)
class PainLevel:
    """The largest level of a side."""

    price: float
    """Lower edge of the bin."""
    usd: int
    share: float
    """Of all dollars of its side, 0 to 1."""
    distance_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPain(_StateAnswer):
    """``GET /v1/max-pain``."""

    long: PainLevel | None
    short: PainLevel | None


@dataclass(frozen=True, slots=True)
class MapLevel:
    """One bin of the liquidation map, in dollars."""

    price: float
    """Lower edge of the bin."""
    long_usd: int
    short_usd: int
    long_cumulative_usd: int
    """What a fall of the price to the bin would liquidate."""
    short_cumulative_usd: int
    """What a rise to it would liquidate."""
    long_by_leverage: tuple[int, ...]
    """In the order of :attr:`LiquidationMap.leverages`."""
    short_by_leverage: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationMap(_StateAnswer):
    """``GET /v1/map``: ascending in price."""

    bin: float
    leverages: tuple[float, ...]
    long_usd: int
    """All long levels, shown or not."""
    short_usd: int
    levels: tuple[MapLevel, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per bin; needs pandas."""
        return rows_frame(self.levels, columns_of(MapLevel))


@dataclass(frozen=True, slots=True)
class LiquidationTotal:
    """Sums of realised liquidations."""

    venue: str | None
    """``None`` for all venues together."""
    long_usd: int
    short_usd: int
    long_count: int
    short_count: int


@dataclass(frozen=True, slots=True)
class LiquidationWindow:
    """What was liquidated within a time."""

    window: str
    """``1h``, ``4h``, ``12h`` or ``24h``."""
    start_time: datetime
    total: LiquidationTotal
    venues: tuple[LiquidationTotal, ...]


@dataclass(frozen=True, slots=True)
class LiquidationSummary:
    """``GET /v1/liquidations/summary``: shortest window first."""

    symbol: str
    end_time: datetime
    windows: tuple[LiquidationWindow, ...]


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One realised liquidation, or the sum of an interval."""

    time: datetime
    venue: str
    side: Literal["long", "short"]
    """Side of the position that was closed."""
    price: float
    """What the venue reported: the fill, or the bankruptcy price; volume-weighted in a sum."""
    quantity: float
    """Coins."""
    usd: int


@dataclass(frozen=True, slots=True)
class Liquidations:
    """``GET /v1/liquidations``: oldest first."""

    symbol: str
    liquidations: tuple[Liquidation, ...]
    next: str | None
    """``cursor`` of the request for the page before these; ``None`` when there is none."""

    def to_dataframe(self) -> pd.DataFrame:
        """One row per liquidation; needs pandas."""
        return rows_frame(self.liquidations, columns_of(Liquidation))


@dataclass(frozen=True, slots=True)
class TimeseriesRow:
    """The levels at the end of one interval."""

    time: datetime
    levels: tuple[Level, ...]
    positions_created: int
    """(side, leverage class, bin) triples that gained mass since the row before."""
    positions_consumed: int
    """The same for triples that the price reached."""


@dataclass(frozen=True, slots=True)
class Timeseries:
    """``GET /liquidations/heatmap-timeseries``: oldest first."""

    symbol: str
    interval: str
    start_time: datetime
    end_time: datetime
    rows: tuple[TimeseriesRow, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per time and level; needs pandas."""
        columns = ["time", "price", "long_density", "short_density"]
        flat = [_TimedLevel(row.time, *level) for row in self.rows for level in row.levels]
        return rows_frame(flat, columns)


@dataclass(frozen=True, slots=True)
class _TimedLevel:
    time: datetime
    price: float
    long_density: int
    short_density: int


@dataclass(frozen=True, slots=True)
class Health:
    """``GET /health``, ``/ready`` and ``/live``."""

    status: str
    """``ok`` or ``degraded``."""
    reasons: tuple[str, ...]
    """What is not well, in words."""
    version: str


# --- reading ---


def read_symbols(fields: Fields) -> Symbols:
    rows = tuple(
        SymbolInfo(
            symbol=row.text("symbol"),
            venue=row.text("venue"),
            venues=_texts(row, "venues"),
            interval=row.text("interval"),
            first=_millis(row, "first"),
            last=_millis(row, "last"),
            base_bin=row.optional_number("base_bin"),
            state=row.text("state"),
            simulated=row.flag("simulated"),
            seen_share=row.number("seen_share"),
            leverages=_numbers(row, "leverages"),
        )
        for row in fields.objects("symbols")
    )
    return Symbols(rows, fields.flag("simulated"), fields.number("speed"))


def read_klines(fields: Fields) -> Klines:
    candles = tuple(
        Candle(
            time=_time(row, "timestamp"),
            open=row.number("open"),
            high=row.number("high"),
            low=row.number("low"),
            close=row.number("close"),
            volume=row.optional_number("volume"),
        )
        for row in fields.objects("data")
    )
    return Klines(fields.text("symbol"), fields.text("interval"), candles)


def read_levels(fields: Fields) -> LevelsByLeverage:
    levels = [*_side(fields, "long"), *_side(fields, "short")]
    return LevelsByLeverage(fields.text("symbol"), fields.text("model"), fields.number("current_price"), tuple(levels))


def _side(fields: Fields, side: Literal["long", "short"]) -> list[LeverageLevel]:
    levels = []
    for row in fields.objects(f"{side}_liquidations"):
        text = row.text("leverage")
        try:
            leverage = float(text.removesuffix("x"))
        except ValueError:
            raise MalformedError(f"field 'leverage' is '{text[:20]}', not a number and an x") from None
        levels.append(
            LeverageLevel(side, row.number("price_level"), row.count("volume"), leverage, row.number("distance_pct"))
        )
    return levels


def read_liquidations(fields: Fields) -> Liquidations:
    rows = tuple(
        Liquidation(
            time=_time(row, "timestamp"),
            venue=row.text("venue"),
            side=_side_name(row),
            price=row.number("price"),
            quantity=row.number("quantity"),
            usd=row.count("usd"),
        )
        for row in fields.objects("data")
    )
    return Liquidations(fields.text("symbol"), rows, fields.optional_text("next"))


def read_walls(fields: Fields) -> Walls:
    walls = tuple(
        Wall(
            side=_side_name(row),
            low=row.number("low"),
            high=row.number("high"),
            peak_price=row.number("peak_price"),
            usd=row.count("usd"),
            share=row.number("share"),
            distance_pct=row.number("distance_pct"),
            usd_on_the_way=row.count("usd_on_the_way"),
            leverages={each.number("leverage"): each.count("usd") for each in row.objects("leverages")},
        )
        for row in fields.objects("walls")
    )
    reference = _reference(fields)
    return Walls(
        symbol=reference.symbol,
        as_of=reference.as_of,
        position=reference.position,
        state=reference.state,
        current_price=reference.current_price,
        long_usd=fields.count("long_usd"),
        short_usd=fields.count("short_usd"),
        walls=walls,
    )


def read_max_pain(fields: Fields) -> MaxPain:
    def level(name: str) -> PainLevel | None:
        if fields.get(name) is None:
            return None
        row = fields.object(name)
        return PainLevel(row.number("price"), row.count("usd"), row.number("share"), row.number("distance_pct"))

    reference = _reference(fields)
    return MaxPain(
        symbol=reference.symbol,
        as_of=reference.as_of,
        position=reference.position,
        state=reference.state,
        current_price=reference.current_price,
        long=level("long"),
        short=level("short"),
    )


def read_map(fields: Fields) -> LiquidationMap:
    levels = tuple(
        MapLevel(
            price=row.number("price"),
            long_usd=row.count("long_usd"),
            short_usd=row.count("short_usd"),
            long_cumulative_usd=row.count("long_cumulative_usd"),
            short_cumulative_usd=row.count("short_cumulative_usd"),
            long_by_leverage=_counts(row, "long_by_leverage"),
            short_by_leverage=_counts(row, "short_by_leverage"),
        )
        for row in fields.objects("levels")
    )
    reference = _reference(fields)
    return LiquidationMap(
        symbol=reference.symbol,
        as_of=reference.as_of,
        position=reference.position,
        state=reference.state,
        current_price=reference.current_price,
        bin=fields.number("bin"),
        leverages=_numbers(fields, "leverages"),
        long_usd=fields.count("long_usd"),
        short_usd=fields.count("short_usd"),
        levels=levels,
    )


def read_summary(fields: Fields) -> LiquidationSummary:
    windows = tuple(
        LiquidationWindow(
            window=row.text("window"),
            start_time=_time(row, "start_time"),
            total=_total(row, None),
            venues=tuple(_total(venue, venue.text("venue")) for venue in row.objects("venues")),
        )
        for row in fields.objects("windows")
    )
    return LiquidationSummary(fields.text("symbol"), _time(fields, "end_time"), windows)


def _total(row: Fields, venue: str | None) -> LiquidationTotal:
    return LiquidationTotal(
        venue=venue,
        long_usd=row.count("long_usd"),
        short_usd=row.count("short_usd"),
        long_count=row.count("long_count"),
        short_count=row.count("short_count"),
    )


def _reference(fields: Fields) -> _StateAnswer:
    epoch, seq = fields.optional_text("epoch"), fields.optional_count("seq")
    return _StateAnswer(
        symbol=fields.text("symbol"),
        as_of=_time(fields, "as_of"),
        position=None if epoch is None or seq is None else Position(epoch, seq),
        state=fields.text("state"),
        current_price=fields.number("current_price"),
    )


def read_timeseries(fields: Fields) -> Timeseries:
    meta = fields.object("meta")
    rows = tuple(
        TimeseriesRow(
            time=_time(row, "timestamp"),
            levels=levels_of(row.items("levels")),
            positions_created=row.count("positions_created"),
            positions_consumed=row.count("positions_consumed"),
        )
        for row in fields.objects("data")
    )
    return Timeseries(
        symbol=meta.text("symbol"),
        interval=meta.text("interval"),
        start_time=_time(meta, "start_time"),
        end_time=_time(meta, "end_time"),
        rows=rows,
    )


def read_health(fields: Fields) -> Health:
    return Health(fields.text("status"), _texts(fields, "reasons"), fields.text("version"))


def _side_name(row: Fields) -> Literal["long", "short"]:
    match row.text("side"):
        case "long":
            return "long"
        case "short":
            return "short"
        case other:
            raise MalformedError(f"field 'side' is '{other[:20]}', neither long nor short")


def _time(row: Fields, name: str) -> datetime:
    try:
        return parse_time(row.text(name))
    except MalformedError:
        raise
    except ValueError as error:
        raise MalformedError(f"field '{name}': {error}") from error


def _millis(row: Fields, name: str) -> datetime | None:
    millis = row.optional_count(name)
    try:
        return None if millis is None else from_millis(millis)
    except ValueError as error:
        raise MalformedError(f"field '{name}': {error}") from error


def _texts(row: Fields, name: str) -> tuple[str, ...]:
    items = row.items(name)
    texts = tuple(item for item in items if isinstance(item, str))
    if len(texts) != len(items):
        raise MalformedError(f"field '{name}' is not a list of strings")
    return texts


def _counts(row: Fields, name: str) -> tuple[int, ...]:
    counts = [count_of(item) for item in row.items(name)]
    known = tuple(count for count in counts if count is not None)
    if len(known) != len(counts):
        raise MalformedError(f"field '{name}' is not a list of whole numbers")
    return known


def _numbers(row: Fields, name: str) -> tuple[float, ...]:
    numbers = [number_of(item) for item in row.items(name)]
    known = tuple(number for number in numbers if number is not None)
    if len(known) != len(numbers):
        raise MalformedError(f"field '{name}' is not a list of numbers")
    return known
