"""Volume, open interest and funding by interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dataframes import columns_of, rows_frame
from ._reading import texts_of, time_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from .._wire.fields import Fields


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """What was traded, held and paid in one interval."""

    time: datetime
    """Its beginning."""
    volume: float | None
    """Coins traded, all venues; ``None`` when a part is unknown."""
    taker_buy_volume: float | None
    """Coins that takers bought, all venues."""
    open_interest: float | None
    """Coins at the end of the interval, of the venues that counted them then."""
    open_interest_venues: int
    """How many those are."""
    funding_rate: float | None
    """Charged in the interval at the venue whose price is shown; paid by longs when positive."""


@dataclass(frozen=True, slots=True)
class Series:
    """``GET /v1/series``: oldest first."""

    symbol: str
    interval: str
    missing: tuple[str, ...]
    """Fields that no row has, because nothing of them is stored for this time."""
    rows: tuple[SeriesRow, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per interval; needs pandas."""
        return rows_frame(self.rows, columns_of(SeriesRow))


def read_series(fields: Fields) -> Series:
    rows = tuple(
        SeriesRow(
            time=time_of(row, "timestamp"),
            volume=row.optional_number("volume"),
            taker_buy_volume=row.optional_number("taker_buy_volume"),
            open_interest=row.optional_number("open_interest"),
            open_interest_venues=row.count("open_interest_venues"),
            funding_rate=row.optional_number("funding_rate"),
        )
        for row in fields.objects("data")
    )
    return Series(fields.text("symbol"), fields.text("interval"), texts_of(fields, "missing"), rows)
