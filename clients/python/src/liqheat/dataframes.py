"""Rows and columns as pandas DataFrames. The only module that knows pandas, which is optional."""

from __future__ import annotations

from dataclasses import fields
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ._wire.fields import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import pandas as pd

    LevelRow = tuple[float, int, int]


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError("DataFrames need pandas: pip install 'liqheat[pandas]'") from error
    return pandas


_LEVEL_COLUMNS = ["price", "long_density", "short_density"]


def levels_frame(levels: Sequence[LevelRow]) -> pd.DataFrame:
    """One row per level."""
    pandas = _pandas()
    frame: pd.DataFrame = pandas.DataFrame.from_records(list(levels), columns=_LEVEL_COLUMNS)
    typed: pd.DataFrame = frame.astype({"price": "float64", "long_density": "int64", "short_density": "int64"})
    return typed


def states_frame(states: Iterable[tuple[str, datetime, Sequence[LevelRow]]]) -> pd.DataFrame:
    """One row per level of all states, with the symbol and the time of its state in front."""
    pandas = _pandas()
    parts = []
    for symbol, time, levels in states:
        part = levels_frame(levels)
        part.insert(0, "time", pandas.Timestamp(time))
        part.insert(0, "symbol", symbol)
        parts.append(part)
    if not parts:
        return rows_frame([], ["symbol", "time", *_LEVEL_COLUMNS])
    frame: pd.DataFrame = pandas.concat(parts, ignore_index=True)
    return frame


def grid_frame(times: Sequence[datetime], prices: Sequence[float], columns: Sequence[Sequence[float]]) -> pd.DataFrame:
    """Times down, prices across; ``columns`` holds the values of each time."""
    pandas = _pandas()
    frame: pd.DataFrame = pandas.DataFrame(
        columns,
        index=pandas.DatetimeIndex(times, name="time"),
        columns=pandas.Index(prices, name="price"),
    )
    return frame


def rows_frame(rows: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    """One row per item, a column per field."""
    pandas = _pandas()
    records = [tuple(getattr(row, column) for column in columns) for row in rows]
    frame: pd.DataFrame = pandas.DataFrame.from_records(records, columns=list(columns))
    return frame


def columns_of(row_type: Any) -> list[str]:
    """Names of the fields of a row's dataclass, in order."""
    return [each.name for each in fields(row_type)]


def records_frame(records: Sequence[dict[str, object]], columns: Sequence[str]) -> pd.DataFrame:
    """One row per record; fields that are no column are left away."""
    frame: pd.DataFrame = _pandas().DataFrame.from_records(list(records), columns=list(columns))
    return frame


def file_frame(content: bytes, file_format: str) -> pd.DataFrame:
    """The rows of a file of ``/v1/export``; its times have no zone and are UTC."""
    pandas = _pandas()
    frame: pd.DataFrame
    match file_format:
        case "csv":
            frame = pandas.read_csv(BytesIO(content))
        case "json":
            frame = pandas.DataFrame(parse_json(content))
        case _:
            frame = pandas.read_parquet(BytesIO(content))
    if "time" in frame.columns:
        frame["time"] = pandas.to_datetime(frame["time"], utc=True, format="ISO8601")
    return frame
