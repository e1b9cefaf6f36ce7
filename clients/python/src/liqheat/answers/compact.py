"""The compact answers about a state: walls, the largest levels, the map by leverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

from .._wire.levels import Position
from ..dataframes import columns_of, rows_frame
from ._reading import counts_of, numbers_of, side_of, time_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from .._wire.fields import Fields


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
    expected_within: str | None
    """``1h`` or ``4h`` where dollars are what is expected to be liquidated within that time."""


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
    expected_usd_1h: int | None
    """Dollars likely to be liquidated in it within an hour; ``None`` for a state of the past, with ``view="expected"``,
    and while the volatility is not known."""
    freshness: float | None
    """Mean of 2^(-age / 8 h) over its dollars, 0 to 1; only where it was asked for."""


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

    range_pct: float
    """How far from the price levels were compared."""
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


def read_walls(fields: Fields) -> Walls:
    walls = tuple(
        Wall(
            side=side_of(row),
            low=row.number("low"),
            high=row.number("high"),
            peak_price=row.number("peak_price"),
            usd=row.count("usd"),
            share=row.number("share"),
            distance_pct=row.number("distance_pct"),
            usd_on_the_way=row.count("usd_on_the_way"),
            leverages={each.number("leverage"): each.count("usd") for each in row.objects("leverages")},
            expected_usd_1h=row.optional_count("expected_usd_1h"),
            freshness=row.optional_number("freshness"),
        )
        for row in fields.objects("walls")
    )
    return Walls(
        **_reference(fields),
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

    return MaxPain(
        **_reference(fields),
        range_pct=fields.number("range_pct"),
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
            long_by_leverage=counts_of(row, "long_by_leverage"),
            short_by_leverage=counts_of(row, "short_by_leverage"),
        )
        for row in fields.objects("levels")
    )
    return LiquidationMap(
        **_reference(fields),
        bin=fields.number("bin"),
        leverages=numbers_of(fields, "leverages"),
        long_usd=fields.count("long_usd"),
        short_usd=fields.count("short_usd"),
        levels=levels,
    )


class _State(TypedDict):
    """The fields of :class:`_StateAnswer`."""

    symbol: str
    as_of: datetime
    position: Position | None
    state: str
    current_price: float
    expected_within: str | None


def _reference(fields: Fields) -> _State:
    epoch, seq = fields.optional_text("epoch"), fields.optional_count("seq")
    return {
        "symbol": fields.text("symbol"),
        "as_of": time_of(fields, "as_of"),
        "position": None if epoch is None or seq is None else Position(epoch, seq),
        "state": fields.text("state"),
        "current_price": fields.number("current_price"),
        "expected_within": fields.optional_text("expected_within"),
    }
