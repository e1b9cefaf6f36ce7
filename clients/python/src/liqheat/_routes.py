"""The HTTP routes as values: what to ask for, and how to read the answer. No I/O; both HTTP clients share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from ._core.board import Applied, Board
from ._wire.binary import STATE_CONTENT_TYPE, parse_binary
from ._wire.fields import Fields, MalformedError, parse_json
from ._wire.frames import Delta, Snapshot, Unknown
from ._wire.grid import GRID_CONTENT_TYPE, Grid, parse_grid
from ._wire.times import time_parameter
from .answers.compact import read_map, read_max_pain, read_walls
from .answers.levels import read_levels, read_timeseries
from .answers.market import read_klines, read_liquidations, read_summary
from .answers.symbols import read_health, read_symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ._wire.levels import Position
    from .answers import (
        Health,
        Klines,
        LevelsByLeverage,
        LiquidationMap,
        Liquidations,
        LiquidationSummary,
        MaxPain,
        Symbols,
        Timeseries,
        Walls,
    )

Answer = TypeVar("Answer")

_JSON: Final = "application/json"
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_SERVICE_UNAVAILABLE: Final = 503


@dataclass(frozen=True)
class Route(Generic[Answer]):
    """One request."""

    path: str
    parameters: Mapping[str, str]
    accept: str
    read: Callable[[int, bytes], Answer]
    """From the status and body of an answer. Raises :class:`MalformedError`."""
    accepted: tuple[int, ...] = (_OK,)
    """Statuses that are an answer and not an error."""


def _json_route(path: str, read: Callable[[Fields], Answer], parameters: Mapping[str, object | None]) -> Route[Answer]:
    def parse(_: int, body: bytes) -> Answer:
        return read(Fields(parse_json(body), "the answer"))

    return Route(path, _given(parameters), _JSON, parse)


def _given(parameters: Mapping[str, object | None]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items() if value is not None}


def _time(time: datetime | str | int | None) -> str | None:
    return None if time is None else time_parameter(time)


def price_text(price: float | None) -> str | None:
    """A plain decimal with at most eight decimals, as the server reads prices."""
    return None if price is None else f"{price:.8f}".rstrip("0").rstrip(".")


def view_parameters(price_range: tuple[float, float] | None, bin_height: float | None) -> dict[str, str]:
    """Query parameters for a part of the state."""
    low, high = (None, None) if price_range is None else price_range
    return _given({"price_low": price_text(low), "price_high": price_text(high), "bin": price_text(bin_height)})


def symbols() -> Route[Symbols]:
    return _json_route("/v1/symbols", read_symbols, {})


def klines(
    symbol: str,
    interval: str | None,
    limit: int | None,
) -> Route[Klines]:
    return _json_route("/prices/klines", read_klines, {"symbol": symbol, "interval": interval, "limit": limit})


def _selection(symbol: str, timeframe: str | None, at: datetime | str | int | None) -> dict[str, object | None]:
    """The parameters that name a state by leverage."""
    return {"symbol": symbol, "timeframe": timeframe, "at": _time(at)}


def levels(symbol: str, timeframe: str | None, at: datetime | str | int | None) -> Route[LevelsByLeverage]:
    return _json_route("/liquidations/levels", read_levels, _selection(symbol, timeframe, at))


def walls(
    symbol: str,
    timeframe: str | None,
    at: datetime | str | int | None,
    range_pct: float | None,
    min_usd: int | None,
    limit: int | None,
) -> Route[Walls]:
    more = {"range_pct": range_pct, "min_usd": min_usd, "limit": limit}
    return _json_route("/v1/walls", read_walls, {**_selection(symbol, timeframe, at), **more})


def max_pain(symbol: str, timeframe: str | None, at: datetime | str | int | None) -> Route[MaxPain]:
    return _json_route("/v1/max-pain", read_max_pain, _selection(symbol, timeframe, at))


def liquidation_map(
    symbol: str,
    timeframe: str | None,
    at: datetime | str | int | None,
    range_pct: float | None,
    bin_height: float | None,
) -> Route[LiquidationMap]:
    more = {"range_pct": range_pct, "bin": price_text(bin_height)}
    return _json_route("/v1/map", read_map, {**_selection(symbol, timeframe, at), **more})


def liquidation_summary(symbol: str) -> Route[LiquidationSummary]:
    return _json_route("/v1/liquidations/summary", read_summary, {"symbol": symbol})


def liquidations(
    symbol: str,
    start_time: datetime | str | int | None,
    end_time: datetime | str | int | None,
    limit: int | None,
    interval: str | None,
    min_usd: int | None,
    cursor: str | None,
) -> Route[Liquidations]:
    parameters = {
        "symbol": symbol,
        "start_time": _time(start_time),
        "end_time": _time(end_time),
        "limit": limit,
        "interval": interval,
        "min_usd": min_usd,
        "cursor": cursor,
    }
    return _json_route("/v1/liquidations", read_liquidations, parameters)


def timeseries(
    symbol: str,
    start_time: datetime | str | int,
    end_time: datetime | str | int,
    interval: str | None,
    price_bin_size: float | None,
    leverage_weights: Mapping[float, float] | None,
) -> Route[Timeseries]:
    weights = None
    if leverage_weights is not None:
        weights = ",".join(f"{leverage:g}:{weight:g}" for leverage, weight in leverage_weights.items())
    parameters = {
        "symbol": symbol,
        "start_time": _time(start_time),
        "end_time": _time(end_time),
        "interval": interval,
        "price_bin_size": price_text(price_bin_size),
        "leverage_weights": weights,
    }
    return _json_route("/liquidations/heatmap-timeseries", read_timeseries, parameters)


def history(
    symbol: str, chart_range: str | None, bin_height: float | None, columns: int | None, by_leverage: bool
) -> Route[Grid]:
    parameters = {
        "symbol": symbol,
        "range": chart_range,
        "bin": price_text(bin_height),
        "columns": columns,
        "by": "leverage" if by_leverage else None,
    }
    return Route("/v1/heatmap/history", _given(parameters), GRID_CONTENT_TYPE, lambda _, body: parse_grid(body))


def heatmap(
    symbol: str,
    since: Position | None,
    price_range: tuple[float, float] | None,
    bin_height: float | None,
) -> Route[Snapshot | Delta | None]:
    parameters = {"symbol": symbol, **view_parameters(price_range, bin_height)}
    if since is not None:
        parameters["since"] = str(since)
    return Route("/v1/heatmap", parameters, STATE_CONTENT_TYPE, _read_state, (_OK, _NOT_MODIFIED))


def _read_state(status: int, body: bytes) -> Snapshot | Delta | None:
    if status == _NOT_MODIFIED:
        return None
    frame = parse_binary(body)
    match frame:
        case Snapshot():
            # The hash of a whole state can be checked without knowing any other.
            if not isinstance(Board(frame.symbol).apply_snapshot(frame), Applied):
                raise MalformedError("the state does not match its hash")
            return frame
        case Delta():
            return frame
        case Unknown(why):
            raise MalformedError(why)
        case _:
            raise MalformedError("the answer is not a state")


def health() -> Route[Health]:
    return _json_route("/health", read_health, {})


def ready() -> Route[Health]:
    route = _json_route("/ready", read_health, {})
    # 503 has the same body, with the reasons.
    return Route(route.path, route.parameters, route.accept, route.read, (_OK, _SERVICE_UNAVAILABLE))
