"""Levels by leverage, and levels over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .._wire.fields import Fields, MalformedError
from .._wire.levels import levels_of
from ..dataframes import columns_of, rows_frame
from ._reading import time_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from .._wire.levels import Level


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


def read_timeseries(fields: Fields) -> Timeseries:
    meta = fields.object("meta")
    rows = tuple(
        TimeseriesRow(
            time=time_of(row, "timestamp"),
            levels=levels_of(row.items("levels")),
            positions_created=row.count("positions_created"),
            positions_consumed=row.count("positions_consumed"),
        )
        for row in fields.objects("data")
    )
    return Timeseries(
        symbol=meta.text("symbol"),
        interval=meta.text("interval"),
        start_time=time_of(meta, "start_time"),
        end_time=time_of(meta, "end_time"),
        rows=rows,
    )
