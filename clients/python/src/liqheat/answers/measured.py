"""Positions of real accounts, and how much of the market they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dataframes import columns_of, rows_frame
from ._reading import Side, side_of, time_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from .._wire.fields import Fields


@dataclass(frozen=True, slots=True)
class MeasuredSide:
    """All measured positions of one side."""

    usd: int
    """At the mark price."""
    accounts: int
    share_without_level: float
    """Share of the size that no price liquidates, 0 to 1."""
    share_older_than_5m: float
    """Share of the size that was looked at more than 5 minutes ago, 0 to 1."""
    share_older_than_60m: float
    coverage: float | None
    """Of the open interest of the side, 0 to 1; ``None`` while that is unknown."""


@dataclass(frozen=True, slots=True)
class MeasuredLevel:
    """Positions that would be liquidated within one bin; dollars at their liquidation prices."""

    price: float
    """Lower edge of the bin."""
    long_usd: int
    short_usd: int
    long_accounts: int
    short_accounts: int
    age_s: int
    """Seconds since the oldest look at one of them."""


@dataclass(frozen=True, slots=True)
class MeasuredPosition:
    """One position."""

    side: Side
    liquidation_price: float
    distance_pct: float
    """From the mark price, per cent; negative below it."""
    usd: int
    """At the liquidation price."""
    age_s: int
    """Seconds since the look at the account."""
    address: str | None
    """The account; only where the server shows addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """``GET /v1/measured``: levels ascend in price."""

    symbol: str
    """Name of the layer, which :class:`Heatmap` follows as well."""
    as_of: datetime
    """Time of the marks it was computed with."""
    state: str
    """Health of the data now."""
    current_price: float
    """Mark price of the venue."""
    bin: float
    addresses: int
    """Known at the venue."""
    accounts_late: int
    """Whose next look is due and waits for the request budget."""
    long: MeasuredSide
    short: MeasuredSide
    levels: tuple[MeasuredLevel, ...]
    closest: tuple[MeasuredPosition, ...]
    """The positions nearest to their liquidation, nearest first."""

    def to_dataframe(self) -> pd.DataFrame:
        """One row per level; needs pandas."""
        return rows_frame(self.levels, columns_of(MeasuredLevel))


def read_measured(fields: Fields) -> Measured:
    levels = tuple(
        MeasuredLevel(
            price=row.number("price"),
            long_usd=row.count("long_usd"),
            short_usd=row.count("short_usd"),
            long_accounts=row.count("long_accounts"),
            short_accounts=row.count("short_accounts"),
            age_s=row.count("age_s"),
        )
        for row in fields.objects("levels")
    )
    closest = tuple(
        MeasuredPosition(
            side=side_of(row),
            liquidation_price=row.number("liquidation_price"),
            distance_pct=row.number("distance_pct"),
            usd=row.count("usd"),
            age_s=row.count("age_s"),
            address=row.optional_text("address"),
        )
        for row in fields.objects("closest")
    )
    return Measured(
        symbol=fields.text("symbol"),
        as_of=time_of(fields, "as_of"),
        state=fields.text("state"),
        current_price=fields.number("current_price"),
        bin=fields.number("bin"),
        addresses=fields.count("addresses"),
        accounts_late=fields.count("accounts_late"),
        long=_side(fields.object("long"), fields.optional_number("coverage_long")),
        short=_side(fields.object("short"), fields.optional_number("coverage_short")),
        levels=levels,
        closest=closest,
    )


def _side(row: Fields, coverage: float | None) -> MeasuredSide:
    return MeasuredSide(
        usd=row.count("usd"),
        accounts=row.count("accounts"),
        share_without_level=row.number("share_without_level"),
        share_older_than_5m=row.number("share_older_than_5m"),
        share_older_than_60m=row.number("share_older_than_60m"),
        coverage=coverage,
    )
