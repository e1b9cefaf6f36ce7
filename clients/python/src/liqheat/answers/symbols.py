"""What is served, and whether all is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dataframes import columns_of, rows_frame
from ._reading import millis_of, numbers_of, texts_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from .._wire.fields import Fields


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
    parameters: tuple[str, ...]
    """Fingerprints of the model's parameters, in the order of ``venues``; empty before servers told them."""
    measured: bool
    """Whether it is a layer of measured positions (``measured()``) and no estimate."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """``GET /v1/symbols``."""

    symbols: tuple[SymbolInfo, ...]
    simulated: bool
    speed: float
    """Market seconds per second; 1 for a live market."""
    websocket: bool
    """Whether there are sockets; without, use ``Heatmap(.., socket=False)``."""

    def to_dataframe(self) -> pd.DataFrame:
        """One row per symbol; needs pandas."""
        return rows_frame(self.symbols, columns_of(SymbolInfo))


@dataclass(frozen=True, slots=True)
class Health:
    """``GET /health``, ``/ready`` and ``/live``."""

    status: str
    """``ok`` or ``degraded``."""
    reasons: tuple[str, ...]
    """What is not well, in words."""
    version: str


def read_symbols(fields: Fields) -> Symbols:
    rows = tuple(
        SymbolInfo(
            symbol=row.text("symbol"),
            venue=row.text("venue"),
            venues=texts_of(row, "venues"),
            interval=row.text("interval"),
            first=millis_of(row, "first"),
            last=millis_of(row, "last"),
            base_bin=row.optional_number("base_bin"),
            state=row.text("state"),
            simulated=row.flag("simulated"),
            seen_share=row.number("seen_share"),
            leverages=numbers_of(row, "leverages"),
            parameters=texts_of(row, "parameters") if row.get("parameters") is not None else (),
            measured=row.get("measured") is True,
        )
        for row in fields.objects("symbols")
    )
    return Symbols(rows, fields.flag("simulated"), fields.number("speed"), fields.flag("websocket"))


def read_health(fields: Fields) -> Health:
    return Health(fields.text("status"), texts_of(fields, "reasons"), fields.text("version"))
