"""The compact grid (``LQG1``, ``LQG2``, ``LQG3``) of ``GET /v1/heatmap/history``; ``docs/protocol.md``, section 6."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

from ..dataframes import grid_frame
from .fields import Fields, MalformedError, number_of, parse_json
from .times import from_millis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pandas as pd

_GRID_TYPE: Final = "application/vnd.liqheat.grid"
GRID_ACCEPT: Final = f"{_GRID_TYPE}; version=3, {_GRID_TYPE}; version=2, {_GRID_TYPE}"
"""All layouts are read; a server answers in the newest that it knows, which is the smallest."""

_COLUMN_MAJOR: Final = b"LQG1"
_PRICE_MAJOR: Final = b"LQG2"
_PREDICTED: Final = b"LQG3"
_LEVEL_UNIT: Final = 32
"""Levels and drifts of ``LQG3`` count this part of a step."""
_HEAD_BYTES: Final = 8
_STEPS: Final = 254

Side = Literal["long", "short"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """USD by time and price. A column shows the state at its end; row 0 is the lowest price.

    Cells are quantised to 255 steps on one logarithmic scale and at most one step from the server's amount, which is
    4.7 % (2.3 % from servers that know no ``LQG3``).
    """

    symbol: str
    venue: str
    epoch: str
    """Epoch of the state that the last column belongs to."""
    as_of: datetime
    """Newest event in the last column, which may still grow."""
    start: datetime
    """Beginning of the first column."""
    column_ms: int
    columns: int
    rows: int
    price_low: float
    """Lower edge of row 0."""
    bin: float
    """Height of a row."""
    usd_min: float
    usd_max: float
    state: str
    seen_share: float
    """Share of the positions that the model has seen opening, 0 to 1."""
    leverages: tuple[float, ...]
    """The classes of :attr:`leverage_planes`, lowest first; empty unless asked for."""
    coverage_long: tuple[float | None, ...]
    """Of measured positions: share of the longs' open interest that each column shows, ``None`` where nothing was
    measured. Empty of an estimate."""
    coverage_short: tuple[float | None, ...]
    long_plane: bytes = field(repr=False)
    """One byte per cell, index ``column * rows + row``; 0 is less than half a dollar."""
    short_plane: bytes = field(repr=False)
    leverage_planes: tuple[bytes, ...] = field(repr=False)
    """Both sides of each leverage class, in the form of the other planes."""

    def scale(self) -> list[float]:
        """USD of each byte value from 0 to 255."""
        ratio = self.usd_max / self.usd_min
        return [0.0] + [self.usd_min * ratio ** (step / _STEPS) for step in range(_STEPS + 1)]

    def column(self, index: int, side: Side) -> list[float]:
        """USD of one column by row, lowest price first."""
        if not 0 <= index < self.columns:
            raise IndexError(f"column {index} of a grid with {self.columns}")
        plane = self.long_plane if side == "long" else self.short_plane
        scale = self.scale()
        return [scale[byte] for byte in plane[index * self.rows : (index + 1) * self.rows]]

    def column_start(self, index: int) -> datetime:
        """When a column begins."""
        return from_millis(round(self.start.timestamp() * 1000) + index * self.column_ms)

    def row_price(self, row: int) -> float:
        """Lower edge of a row, to the eight decimals that prices have."""
        return round(self.price_low + row * self.bin, 8)

    def to_dataframe(self, side: Side) -> pd.DataFrame:
        """USD with one row per time (``DatetimeIndex`` in UTC) and one column per price; needs pandas."""
        times = [self.column_start(index) for index in range(self.columns)]
        prices = [self.row_price(row) for row in range(self.rows)]
        return grid_frame(times, prices, [self.column(index, side) for index in range(self.columns)])


def parse_grid(data: bytes) -> Grid:
    """Reads a compact grid.

    Raises :class:`MalformedError` when the bytes are not exactly one.
    """
    layout = data[:4]
    if layout not in (_COLUMN_MAJOR, _PRICE_MAJOR, _PREDICTED):
        raise MalformedError("grid: does not begin with LQG1, LQG2 or LQG3")
    if len(data) < _HEAD_BYTES:
        raise MalformedError("grid: ends too early")
    body = _HEAD_BYTES + int.from_bytes(data[4:_HEAD_BYTES], "little")
    if body > len(data):
        raise MalformedError("grid: ends too early")
    header = Fields(parse_json(data[_HEAD_BYTES:body]), "grid header")
    leverages = _leverages(header)
    columns, rows = header.count("columns"), header.count("rows")
    size = columns * (rows + 1 if layout == _PREDICTED else rows)
    if len(data) - body != size * (2 + len(leverages)):
        raise MalformedError(f"grid: {len(data) - body} bytes of cells for {columns} columns and {rows} rows")
    usd_min, usd_max = header.number("usd_min"), header.number("usd_max")
    if not 0 < usd_min <= usd_max:
        raise MalformedError("grid header: 'usd_min' must be above zero and at most 'usd_max'")
    planes = [data[begin : begin + size] for begin in (body + size * n for n in range(2 + len(leverages)))]
    if layout == _PREDICTED:
        planes = [_predicted(plane, columns, rows) for plane in planes]
    elif layout == _PRICE_MAJOR:
        planes = [_summed(plane, columns, rows) for plane in planes]
    try:
        as_of, start = from_millis(header.count("as_of")), from_millis(header.count("start"))
    except ValueError as error:
        raise MalformedError(f"grid header: {error}") from error
    return Grid(
        symbol=header.text("symbol"),
        venue=header.text("venue"),
        epoch=header.text("epoch"),
        as_of=as_of,
        start=start,
        column_ms=header.count("column_ms"),
        columns=columns,
        rows=rows,
        price_low=header.number("price_low"),
        bin=header.number("bin"),
        usd_min=usd_min,
        usd_max=usd_max,
        state=header.text("state"),
        seen_share=header.number("seen_share"),
        leverages=leverages,
        coverage_long=_coverage(header, "coverage_long", columns),
        coverage_short=_coverage(header, "coverage_short", columns),
        long_plane=planes[0],
        short_plane=planes[1],
        leverage_planes=tuple(planes[2:]),
    )


def _summed(differences: bytes, columns: int, rows: int) -> bytes:
    """A plane by columns out of the differences along its rows."""
    plane = bytearray(columns * rows)
    for row in range(rows):
        along = differences[row * columns : (row + 1) * columns]
        sums: Iterator[int] = accumulate(along, _add)
        plane[row::rows] = bytes(sums)
    return bytes(plane)


def _predicted(written: bytes, columns: int, rows: int) -> bytes:
    """A plane by columns out of the drift of each column and the differences to what it predicts."""
    plane = bytearray()
    levels = [0] * rows
    most = 255 * _LEVEL_UNIT
    for column, byte in enumerate(written[:columns]):
        drift = byte - 256 if byte > 127 else byte
        begin = columns + column * rows
        for row, difference in enumerate(written[begin : begin + rows]):
            level = levels[row]
            if level:
                level = min(most, max(_LEVEL_UNIT, level + drift))
            cell = (level + _LEVEL_UNIT // 2) // _LEVEL_UNIT
            if difference:
                cell = (cell + difference) & 0xFF
                level = cell * _LEVEL_UNIT
            levels[row] = level
            plane.append(cell)
    return bytes(plane)


def _add(one: int, other: int) -> int:
    """Modulo 256."""
    return (one + other) & 0xFF


def _leverages(header: Fields) -> tuple[float, ...]:
    if header.get("leverages") is None:
        return ()
    numbers = [number_of(item) for item in header.items("leverages")]
    known = tuple(number for number in numbers if number is not None)
    if len(known) != len(numbers):
        raise MalformedError("grid header: 'leverages' is not a list of numbers")
    return known


def _coverage(header: Fields, name: str, columns: int) -> tuple[float | None, ...]:
    if header.get(name) is None:
        return ()
    shares = tuple(number_of(item) for item in header.items(name))
    if len(shares) != columns:
        raise MalformedError(f"grid header: {name!r} has {len(shares)} shares for {columns} columns")
    return shares
