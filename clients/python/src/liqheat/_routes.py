"""The HTTP routes: what each asks for, and how its answer is read. No I/O.

The functions without an underscore are the methods of both HTTP clients, which take their arguments and documentation
from here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from ._core.board import Applied, Board
from ._wire.binary import STATE_CONTENT_TYPE, parse_binary
from ._wire.fields import Fields, MalformedError, parse_json
from ._wire.frames import Delta, Snapshot, Unknown
from ._wire.grid import GRID_ACCEPT, Grid, parse_grid
from ._wire.times import time_parameter
from .answers.accuracy import read_accuracy
from .answers.alerts import read_alerts, read_deleted_rule, read_rule
from .answers.compact import read_map, read_max_pain, read_walls
from .answers.export import ExportedFile
from .answers.levels import read_levels, read_timeseries
from .answers.margin import read_liquidation_price, read_tiers
from .answers.market import read_klines, read_liquidations, read_summary
from .answers.measured import read_measured
from .answers.series import read_series
from .answers.symbols import read_health, read_symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from ._wire.channels import Channel
    from ._wire.event_stream import StreamEvent
    from ._wire.levels import Position
    from .answers import (
        Accuracy,
        AlertRule,
        Alerts,
        ExportFormat,
        ExportKind,
        Health,
        Klines,
        LevelsByLeverage,
        LiquidationMap,
        LiquidationPrice,
        Liquidations,
        LiquidationSummary,
        MaxPain,
        Measured,
        Series,
        Symbols,
        Tiers,
        Timeseries,
        Walls,
    )

    Time = datetime | str | int
    """An aware ``datetime``, RFC 3339 text, or milliseconds since 1970."""

Answer = TypeVar("Answer")
Interval = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]
SeriesInterval = Literal["1m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d"]
Range = Literal["12h", "24h", "3d", "7d", "30d", "90d", "180d", "1y"]
TimeWindow = Literal["1h", "4h", "12h", "1d", "48h", "3d", "7d", "14d", "30d", "60d", "90d", "180d", "1y"]
View = Literal["open", "expected"]
Horizon = Literal["1h", "4h"]

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
    method: Literal["GET", "POST", "DELETE"] = "GET"
    body: str | None = None
    """JSON."""


def _json_route(
    path: str, read: Callable[[Fields], Answer], parameters: Mapping[str, object | None] | None = None
) -> Route[Answer]:
    def parse(_: int, body: bytes) -> Answer:
        return read(Fields(parse_json(body), "the answer"))

    return Route(path, _given(parameters or {}), _JSON, parse)


def _given(parameters: Mapping[str, object | None]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items() if value is not None}


def _time(time: Time | None) -> str | None:
    return None if time is None else time_parameter(time)


def _price(price: float | None) -> str | None:
    """A plain decimal with at most eight decimals, as the server reads prices."""
    return None if price is None else f"{price:.8f}".rstrip("0").rstrip(".")


def view_parameters(price_range: tuple[float, float] | None, bin_height: float | None) -> dict[str, str]:
    """Query parameters for a part of the state."""
    low, high = (None, None) if price_range is None else price_range
    return _given({"price_low": _price(low), "price_high": _price(high), "bin": _price(bin_height)})


def _selection(
    symbol: str, timeframe: Range | int | None, at: Time | None, view: View | None, horizon: Horizon | None
) -> dict[str, object | None]:
    """The parameters that name a state by leverage."""
    return {"symbol": symbol, "timeframe": timeframe, "at": _time(at), "view": view, "horizon": horizon}


# --- what is served ---


def symbols() -> Route[Symbols]:
    """What is served."""
    return _json_route("/v1/symbols", read_symbols)


def health() -> Route[Health]:
    """Whether all is well, and what is not."""
    return _json_route("/health", read_health)


def ready() -> Route[Health]:
    """The same, ``degraded`` only when the server should get no traffic."""
    # 503 has the same body, with the reasons.
    return replace(_json_route("/ready", read_health), accepted=(_OK, _SERVICE_UNAVAILABLE))


# --- what was traded and liquidated ---


def klines(
    symbol: str,
    *,
    interval: Interval | None = None,
    limit: int | None = None,
    start_time: Time | None = None,
    end_time: Time | None = None,
) -> Route[Klines]:
    """The newest candles that open up to ``end_time``, oldest first; 5 m and 500 of them by default.

    With ``start_time``, every candle that opens from there on, at most 5,000.
    """
    parameters = {
        "symbol": symbol,
        "interval": interval,
        "limit": limit,
        "start_time": _time(start_time),
        "end_time": _time(end_time),
    }
    return _json_route("/prices/klines", read_klines, parameters)


def series(
    symbol: str,
    *,
    interval: Interval | None = None,
    start_time: Time | None = None,
    end_time: Time | None = None,
) -> Route[Series]:
    """Volume, open interest and funding by interval; the newest 500 by default, 5,000 at most."""
    parameters = {
        "symbol": symbol,
        "interval": interval,
        "start_time": _time(start_time),
        "end_time": _time(end_time),
    }
    return _json_route("/v1/series", read_series, parameters)


def liquidations(
    symbol: str,
    *,
    start_time: Time | None = None,
    end_time: Time | None = None,
    limit: int | None = None,
    interval: Interval | None = None,
    min_usd: int | None = None,
    cursor: str | None = None,
) -> Route[Liquidations]:
    """The newest realised liquidations, of the last day by default; with ``interval``, their sums.

    ``cursor``: ``next`` of the page before, which leads further back.
    """
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


def liquidation_summary(symbol: str) -> Route[LiquidationSummary]:
    """What was liquidated within the last 1, 4, 12 and 24 hours, by venue and side."""
    return _json_route("/v1/liquidations/summary", read_summary, {"symbol": symbol})


# --- as it happens ---


def stream(
    symbols: str | Iterable[str],
    *,
    channels: Iterable[Channel] | None = None,
    mode: Literal["snapshot", "delta"] | None = None,
    update_interval: float | None = None,
    price_range: tuple[float, float] | None = None,
    bin: float | None = None,  # noqa: A002 - the protocol's word
    min_usd: int | None = None,
    view: View | None = None,
    horizon: Horizon | None = None,
    last_event_id: str | None = None,
) -> Route[StreamEvent]:
    """The messages of these symbols as server-sent events, until the server or the loop ends the stream.

    ``channels``: only the heatmap by default. ``last_event_id``: the ``id`` of the last event of a stream with the same
    other arguments, to go on after it.
    ``view`` and ``horizon`` as for ``levels``. It neither reconnects nor checks hashes; :class:`Heatmap` does both.
    """
    parameters = {
        "symbols": symbols if isinstance(symbols, str) else ",".join(symbols),
        "channels": None if channels is None else ",".join(channels),
        "mode": mode,
        "update_interval": update_interval,
        "min_usd": min_usd,
        "view": view,
        "horizon": horizon,
        "last_event_id": last_event_id,
    }
    query = {**_given(parameters), **view_parameters(price_range, bin)}
    return Route("/v1/stream", query, "*/*", _no_answer)


def _no_answer(_: int, body: bytes) -> StreamEvent:
    raise MalformedError(f"a stream of events, not an answer of {len(body)} bytes")


# --- what would be liquidated ---


def heatmap(
    symbol: str,
    *,
    since: Position | None = None,
    price_range: tuple[float, float] | None = None,
    bin: float | None = None,  # noqa: A002 - the protocol's word
    view: View | None = None,
    horizon: Horizon | None = None,
) -> Route[Snapshot | Delta | None]:
    """The newest state, or what changed since a position; ``None`` when nothing did.

    ``view`` and ``horizon`` as for ``levels``. The hash of a snapshot is checked.
    To keep a state up to date, use :class:`Heatmap`.
    """
    parameters = {"symbol": symbol, **view_parameters(price_range, bin), **_given({"view": view, "horizon": horizon})}
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


def levels(
    symbol: str,
    *,
    timeframe: Range | int | None = None,
    at: Time | None = None,
    view: View | None = None,
    horizon: Horizon | None = None,
) -> Route[LevelsByLeverage]:
    """The levels by leverage: of this moment, of positions opened within ``timeframe``, or of the moment ``at``.

    ``timeframe`` may also be a number of days. With ``view="expected"``, dollars are what is likely to be liquidated
    within ``horizon``, an hour by default.
    """
    return _json_route("/liquidations/levels", read_levels, _selection(symbol, timeframe, at, view, horizon))


def walls(
    symbol: str,
    *,
    timeframe: Range | int | None = None,
    at: Time | None = None,
    view: View | None = None,
    horizon: Horizon | None = None,
    range_pct: float | None = None,
    min_usd: int | None = None,
    limit: int | None = None,
    freshness: bool = False,
) -> Route[Walls]:
    """The largest walls, ten by default: stretches of price whose levels are denser than around them.

    ``timeframe``, ``at``, ``view`` and ``horizon`` as for ``levels``. ``range_pct``: only walls within this distance of
    the price. ``freshness``: also how fresh each wall is, which takes the server longer.
    """
    more = {
        "range_pct": range_pct,
        "min_usd": min_usd,
        "limit": limit,
        "freshness": "true" if freshness else None,
    }
    return _json_route("/v1/walls", read_walls, {**_selection(symbol, timeframe, at, view, horizon), **more})


def max_pain(
    symbol: str,
    *,
    timeframe: Range | int | None = None,
    at: Time | None = None,
    view: View | None = None,
    horizon: Horizon | None = None,
    range_pct: float | None = None,
) -> Route[MaxPain]:
    """The largest level of each side within ``range_pct`` of the price, 10 % by default.

    ``timeframe``, ``at``, ``view`` and ``horizon`` as for ``levels``.
    """
    parameters = {**_selection(symbol, timeframe, at, view, horizon), "range_pct": range_pct}
    return _json_route("/v1/max-pain", read_max_pain, parameters)


def map(  # noqa: A001 - the route's word
    symbol: str,
    *,
    timeframe: Range | int | None = None,
    at: Time | None = None,
    view: View | None = None,
    horizon: Horizon | None = None,
    range_pct: float | None = None,
    bin: float | None = None,  # noqa: A002 - the protocol's word
) -> Route[LiquidationMap]:
    """Both sides by price and leverage, with cumulative curves.

    ``timeframe``, ``at``, ``view`` and ``horizon`` as for ``levels``.
    """
    more = {"range_pct": range_pct, "bin": _price(bin)}
    return _json_route("/v1/map", read_map, {**_selection(symbol, timeframe, at, view, horizon), **more})


def timeseries(
    symbol: str,
    *,
    start_time: Time | None = None,
    end_time: Time | None = None,
    time_window: TimeWindow | None = None,
    interval: SeriesInterval | None = None,
    price_bin_size: float | None = None,
    leverage_weights: Mapping[float, float] | None = None,
    exchanges: Iterable[str] | None = None,
) -> Route[Timeseries]:
    """The levels at the end of every interval, of the last 7 days by default.

    ``time_window``: a length of time, with an interval that suits it. ``exchanges``: the venues to sum.
    """
    weights = None
    if leverage_weights is not None:
        weights = ",".join(f"{leverage:g}:{weight:g}" for leverage, weight in leverage_weights.items())
    parameters = {
        "symbol": symbol,
        "start_time": _time(start_time),
        "end_time": _time(end_time),
        "time_window": time_window,
        "interval": interval,
        "price_bin_size": _price(price_bin_size),
        "leverage_weights": weights,
        "exchanges": None if exchanges is None else ",".join(exchanges),
    }
    return _json_route("/liquidations/heatmap-timeseries", read_timeseries, parameters)


def history(
    symbol: str,
    *,
    range: Range | None = None,  # noqa: A002 - the protocol's word
    start_time: Time | None = None,
    end_time: Time | None = None,
    price_range: tuple[float, float] | None = None,
    bin: float | None = None,  # noqa: A002 - the protocol's word
    columns: int | None = None,
    by_leverage: bool = False,
) -> Route[Grid]:
    """The time x price grid of a chart, in its compact form; the last 24 hours by default.

    ``start_time`` and ``end_time`` instead of ``range``: any stretch of at most ten years. ``price_range``: where the
    rows begin and end. Of a layer of measured positions (``BTCUSDT@hyperliquid:measured``) the grid has ``coverage``.
    """
    parameters = {
        "symbol": symbol,
        "range": range,
        "from": _time(start_time),
        "to": _time(end_time),
        "columns": columns,
        "by": "leverage" if by_leverage else None,
    }
    query = {**_given(parameters), **view_parameters(price_range, bin)}
    return Route("/v1/heatmap/history", query, GRID_ACCEPT, lambda _, body: parse_grid(body))


def measured(symbol: str, *, limit: int | None = None, at: Time | None = None) -> Route[Measured]:
    """Where positions of real accounts would be liquidated, on a server that looks at accounts of Hyperliquid.

    ``limit``: most positions in ``closest``, 20 by default. ``at``: a moment of the past, to five minutes and without
    ``closest``; :func:`history` of the layer's name is the whole past. :class:`ApiError` 400 on a server that looks at
    none, and where nothing is stored of the moment.
    """
    return _json_route("/v1/measured", read_measured, {"symbol": symbol, "limit": limit, "at": _time(at)})


# --- files ---

_FILE_TYPES: Final = {"csv": "text/csv", "json": _JSON, "parquet": "application/vnd.apache.parquet"}


def export(
    what: ExportKind,
    symbol: str,
    *,
    start_time: Time | None = None,
    end_time: Time | None = None,
    interval: Interval | None = None,
    format: ExportFormat = "csv",  # noqa: A002 - the route's word
) -> Route[ExportedFile]:
    """A file of up to 5,000,000 rows, held in memory; ``save`` and ``to_dataframe`` take it from there.

    Of the last day by default, or of that before ``end_time``; ``levels`` and ``walls`` are those of the moment
    ``end_time``. ``interval``: length of ``bars``. :class:`ApiError` 503 has ``retry_after`` while another export runs.
    """
    parameters = {
        "what": what,
        "symbol": symbol,
        "from": _time(start_time),
        "to": _time(end_time),
        "interval": interval,
        "format": format,
    }
    return Route(
        "/v1/export", _given(parameters), _FILE_TYPES[format], lambda _, body: ExportedFile(what, symbol, format, body)
    )


# --- how good it is, and what to be told ---


def accuracy(symbol: str) -> Route[Accuracy]:
    """How well the map of each hour said where positions were liquidated in it, over 1, 7 and 30 days."""
    return _json_route("/v1/accuracy", read_accuracy, {"symbol": symbol})


def alerts() -> Route[Alerts]:
    """Rules of alerts, the targets they go to, and the newest alerts."""
    return _json_route("/v1/alerts", read_alerts)


def add_alert(rule: AlertRule) -> Route[AlertRule]:
    """Puts a rule in force, in place of one of the same name that came this way; it is kept in the server's database.

    Without tokens only the server's own machine may do so. :class:`ApiError` 422 says what is wrong with a rule.
    """
    body = json.dumps(rule.body(), allow_nan=False)
    return replace(_json_route("/v1/alerts", read_rule), method="POST", body=body)


def delete_alert(name: str) -> Route[str]:
    """Removes a rule that was added through HTTP; returns its name. :class:`ApiError` 404 when there is none."""
    return replace(_json_route("/v1/alerts", read_deleted_rule, {"name": name}), method="DELETE")


# --- margin ---


def tiers(symbol: str) -> Route[Tiers]:
    """The maintenance margin tiers in use, by venue."""
    return _json_route("/v1/tiers", read_tiers, {"symbol": symbol})


def liquidation_price(
    symbol: str,
    *,
    side: Literal["long", "short"],
    entry_price: float,
    leverage: float,
    notional_usd: float | None = None,
) -> Route[LiquidationPrice]:
    """Where an isolated position would be liquidated, by venue; in the first tier without ``notional_usd``."""
    parameters = {
        "symbol": symbol,
        "side": side,
        "entry_price": _price(entry_price),
        "leverage": f"{leverage:g}",
        "notional_usd": _price(notional_usd),
    }
    return _json_route("/v1/liquidation-price", read_liquidation_price, parameters)
