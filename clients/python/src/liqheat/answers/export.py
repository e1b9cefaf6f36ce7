"""Files of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..dataframes import file_frame

if TYPE_CHECKING:
    import os

    import pandas as pd

ExportKind = Literal["bars", "levels", "walls", "liquidations", "grid", "measured"]
"""Which rows a file has; ``docs/other_formats.md`` names their columns."""

ExportFormat = Literal["csv", "json", "parquet"]


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """``GET /v1/export``: the whole file, in memory."""

    what: ExportKind
    symbol: str
    format: ExportFormat
    content: bytes = field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the file, in place of one that is there; returns its path."""
        target = Path(path)
        target.write_bytes(self.content)
        return target

    def to_dataframe(self) -> pd.DataFrame:
        """One row per row, with aware times; needs pandas, and for Parquet also ``pyarrow`` or ``fastparquet``."""
        return file_frame(self.content, self.format)
