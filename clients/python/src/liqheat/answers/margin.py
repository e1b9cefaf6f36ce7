"""Maintenance margin, and the liquidation price of a position under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dataframes import columns_of, records_frame, rows_frame
from ._reading import Side, side_of, time_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from .._wire.fields import Fields


@dataclass(frozen=True, slots=True)
class MarginTier:
    """One maintenance margin tier."""

    floor_usd: float
    """Notional from which it holds."""
    maintenance_rate: float
    """Fraction of notional."""
    cumulative_usd: float
    """Cumulative amount."""
    leverage_max: float


@dataclass(frozen=True, slots=True)
class VenueTiers:
    """The tiers of one venue, lowest notional first."""

    venue: str
    as_of: datetime
    """Date of the table."""
    tiers: tuple[MarginTier, ...]


@dataclass(frozen=True, slots=True)
class Tiers:
    """``GET /v1/tiers``."""

    symbol: str
    venues: tuple[VenueTiers, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per venue and tier; needs pandas."""
        columns = columns_of(MarginTier)
        records = [
            {"venue": venue.venue, **{column: getattr(tier, column) for column in columns}}
            for venue in self.venues
            for tier in venue.tiers
        ]
        return records_frame(records, ["venue", *columns])


@dataclass(frozen=True, slots=True)
class VenueLiquidationPrice:
    """Where a position is liquidated at one venue."""

    venue: str
    liquidation_price: float | None
    """``None`` where there is none; ``reason`` says why."""
    bankruptcy_price: float
    """The price at which the margin is gone."""
    maintenance_rate: float
    """Of the tier that holds at the liquidation price."""
    distance_pct: float | None
    """From the entry, per cent, signed."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class LiquidationPrice:
    """``GET /v1/liquidation-price``."""

    symbol: str
    side: Side
    entry_price: float
    leverage: float
    notional_usd: float
    """0 when none was given, which is the first tier."""
    venues: tuple[VenueLiquidationPrice, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per venue; needs pandas."""
        return rows_frame(self.venues, columns_of(VenueLiquidationPrice))


def read_tiers(fields: Fields) -> Tiers:
    venues = tuple(
        VenueTiers(row.text("venue"), time_of(row, "as_of"), tuple(_tier(tier) for tier in row.objects("tiers")))
        for row in fields.objects("venues")
    )
    return Tiers(fields.text("symbol"), venues)


def _tier(row: Fields) -> MarginTier:
    return MarginTier(
        row.number("floor_usd"),
        row.number("maintenance_rate"),
        row.number("cumulative_usd"),
        row.number("leverage_max"),
    )


def read_liquidation_price(fields: Fields) -> LiquidationPrice:
    venues = tuple(
        VenueLiquidationPrice(
            venue=row.text("venue"),
            liquidation_price=row.optional_number("liquidation_price"),
            bankruptcy_price=row.number("bankruptcy_price"),
            maintenance_rate=row.number("maintenance_rate"),
            distance_pct=row.optional_number("distance_pct"),
            reason=row.optional_text("reason"),
        )
        for row in fields.objects("data")
    )
    return LiquidationPrice(
        symbol=fields.text("symbol"),
        side=side_of(fields),
        entry_price=fields.number("entry_price"),
        leverage=fields.number("leverage"),
        notional_usd=fields.number("notional_usd"),
        venues=venues,
    )
