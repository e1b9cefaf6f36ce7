"""What was traded and what was liquidated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..dataframes import columns_of, rows_frame
from ._reading import side_of, time_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from .._wire.fields import Fields


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
        return liquidations_frame(self.liquidations)


def read_klines(fields: Fields) -> Klines:
    candles = tuple(read_candle(row) for row in fields.objects("data"))
    return Klines(fields.text("symbol"), fields.text("interval"), candles)


def read_candle(row: Fields) -> Candle:
    return Candle(
        time=time_of(row, "timestamp"),
        open=row.number("open"),
        high=row.number("high"),
        low=row.number("low"),
        close=row.number("close"),
        volume=row.optional_number("volume"),
    )


def read_liquidations(fields: Fields) -> Liquidations:
    rows = tuple(read_liquidation(row) for row in fields.objects("data"))
    return Liquidations(fields.text("symbol"), rows, fields.optional_text("next"))


def read_liquidation(row: Fields) -> Liquidation:
    return Liquidation(
        time=time_of(row, "timestamp"),
        venue=row.text("venue"),
        side=side_of(row),
        price=row.number("price"),
        quantity=row.number("quantity"),
        usd=row.count("usd"),
    )


def liquidations_frame(liquidations: Sequence[Liquidation]) -> pd.DataFrame:
    """One row per liquidation; needs pandas."""
    return rows_frame(liquidations, columns_of(Liquidation))


def read_summary(fields: Fields) -> LiquidationSummary:
    windows = tuple(
        LiquidationWindow(
            window=row.text("window"),
            start_time=time_of(row, "start_time"),
            total=_total(row, None),
            venues=tuple(_total(venue, venue.text("venue")) for venue in row.objects("venues")),
        )
        for row in fields.objects("windows")
    )
    return LiquidationSummary(fields.text("symbol"), time_of(fields, "end_time"), windows)


def _total(row: Fields, venue: str | None) -> LiquidationTotal:
    return LiquidationTotal(
        venue=venue,
        long_usd=row.count("long_usd"),
        short_usd=row.count("short_usd"),
        long_count=row.count("long_count"),
        short_count=row.count("short_count"),
    )
