"""Exports opened by pandas and by DuckDB: their rows are those that the JSON routes answer, in every format."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import pandas as pd
import pytest

from .support import PATIENCE, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SYMBOL = "BTCUSDT"
HOUR = timedelta(hours=1)
HOURS = 12
Row = dict[str, Any]


class Market:
    """A server and some whole hours of its past, which no longer change."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=PATIENCE)
        newest = self.ask("/prices/klines", interval="1h", limit=1)["data"][0]["timestamp"]
        # The hour before the newest one is closed.
        self.end = datetime.fromisoformat(newest.replace("Z", "+00:00")) - HOUR
        self.start = self.end - HOURS * HOUR

    def ask(self, path: str, **parameters: object) -> Any:
        answer = self.http.get(
            path, params={"symbol": SYMBOL, **{key: str(value) for key, value in parameters.items()}}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def begin(self, what: str) -> datetime:
        """A grid of two hours has some ten thousand cells."""
        return self.end - 2 * HOUR if what == "grid" else self.start

    def export(self, folder: Path, what: str, form: str) -> Path:
        parameters = {"symbol": SYMBOL, "what": what, "format": form, "to": self.end.isoformat()}
        if what not in {"levels", "walls"}:
            parameters["from"] = self.begin(what).isoformat()
        if what == "bars":
            parameters["interval"] = "1h"
        answer = self.http.get("/v1/export", params=parameters)
        assert answer.status_code == 200, answer.text
        path = folder / f"{what}.{form}"
        path.write_bytes(answer.content)
        return path

    def bars(self) -> list[Row]:
        last = (self.end - HOUR).isoformat()
        candles = self.ask("/prices/klines", interval="1h", start_time=self.start.isoformat(), end_time=last)["data"]
        fields = ("open", "high", "low", "close", "volume")
        return [{"time": each["timestamp"], "venue": "sim", **{key: each[key] for key in fields}} for each in candles]

    def liquidations(self) -> list[Row]:
        last = (self.end - timedelta(milliseconds=1)).isoformat(timespec="milliseconds")
        stretch = {"start_time": self.start.isoformat(), "end_time": last}
        rows: list[Row] = []
        page: Row = {"next": None}
        while True:
            page = self.ask("/v1/liquidations", **stretch, **({"cursor": page["next"]} if page["next"] else {}))
            rows = page["data"] + rows
            if not page["next"]:
                break
        fields = ("venue", "side", "price", "quantity", "usd")
        return [{"time": each["timestamp"], **{key: each[key] for key in fields}} for each in rows]

    def levels(self) -> list[Row]:
        answer = self.ask("/liquidations/levels", at=self.end.isoformat())
        return [
            {
                "side": side,
                "price": each["price_level"],
                "leverage": each["leverage"].removesuffix("x"),
                "usd": each["volume"],
            }
            for side in ("long", "short")
            for each in answer[f"{side}_liquidations"]
        ]

    def walls(self) -> list[Row]:
        fields = ("side", "low", "high", "peak_price", "usd", "share", "distance_pct", "usd_on_the_way")
        walls = self.ask("/v1/walls", at=self.end.isoformat(), limit=1000)["walls"]
        return [{key: each[key] for key in fields} for each in walls]

    def grid(self) -> list[Row]:
        stretch = {"from": self.begin("grid").isoformat(), "to": self.end.isoformat()}
        grid = self.ask("/v1/heatmap/history", **stretch)
        times = [pd.Timestamp(grid["start"] + n * grid["column_ms"], unit="ms") for n in range(grid["columns"])]
        return [
            {
                "time": times[column],
                "price": grid["price_low"] + grid["bin"] * row,
                "long_usd": longs,
                "short_usd": shorts,
            }
            for column, (long, short) in enumerate(zip(grid["long"], grid["short"], strict=True))
            for row, (longs, shorts) in enumerate(zip(long, short, strict=True))
            if longs or shorts
        ]


@pytest.fixture(scope="module")
def market(server: Server) -> Iterator[Market]:
    market = Market(server.address)
    yield market
    market.http.close()


def by_pandas(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        # As text: how exactly pandas reads floating point numbers depends on its version.
        return pd.read_csv(path, dtype=str)
    return pd.read_json(path, precise_float=True)


def by_duckdb(path: Path) -> pd.DataFrame:
    with duckdb.connect() as connection:
        name = str(path)
        if path.suffix == ".parquet":
            return connection.read_parquet(name).df()
        return (connection.read_csv(name) if path.suffix == ".csv" else connection.read_json(name)).df()


def plain(rows: list[Row], columns: list[str]) -> list[tuple[Any, ...]]:
    """Rows whose numbers and times are written in one way, in a fixed order."""

    def values(column: str) -> list[Any]:
        cells = [row[column] for row in rows]
        if column == "time":
            return list(pd.to_datetime(pd.Series(cells), utc=True))
        if column in {"venue", "side"}:
            return cells
        return [None if cell is None or pd.isna(cell) else float(cell) for cell in cells]

    return sorted(zip(*(values(column) for column in columns), strict=True))


@pytest.mark.parametrize("what", ["bars", "liquidations", "levels", "walls", "grid"])
def test_exported_rows_are_those_of_the_routes(market: Market, tmp_path: Path, what: str) -> None:
    expected: list[Row] = getattr(market, what)()
    assert len(expected) > 3
    columns = list(expected[0])
    rows = plain(expected, columns)
    for form in ("parquet", "csv", "json"):
        path = market.export(tmp_path, what, form)
        for read in (by_pandas, by_duckdb):
            frame = read(path)
            found: list[Any] = frame.to_dict("records")
            assert plain(found, columns) == rows, (form, read.__name__)
