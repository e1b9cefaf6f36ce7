"""``Client`` and ``AsyncClient``: the HTTP routes of a liqheat server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeVar

import httpx

from . import _routes as routes
from ._addresses import http_address
from ._shell import detail_of, retry_after_of
from ._version import USER_AGENT
from ._wire.fields import MalformedError
from .errors import ApiError, BadAnswerError, UnreachableError
from .heatmap import DEFAULT_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from ._routes import Route
    from ._wire.frames import Delta, Snapshot
    from ._wire.grid import Grid
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
Interval = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]
Range = Literal["12h", "24h", "3d", "7d", "30d", "90d", "180d", "1y"]

_TIMEOUT: Final = 30.0


def _headers(token: str | None) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _read(route: Route[Answer], response: httpx.Response) -> Answer:
    if response.status_code not in route.accepted:
        detail = detail_of(response.content) or response.reason_phrase
        raise ApiError(response.status_code, detail, retry_after_of(response.headers.get("Retry-After")))
    try:
        return route.read(response.status_code, response.content)
    except MalformedError as error:
        raise BadAnswerError(f"{route.path}: {error}") from error


def _unreachable(route: Route[Answer], error: Exception) -> NoReturn:
    raise UnreachableError(f"{route.path}: {str(error) or type(error).__name__}") from error


class Client:
    """Blocking. Can be used as a context manager, and by several threads.

    Every method raises :class:`ApiError` when the server answers with an error, :class:`BadAnswerError` when the answer
    is not of the documented form, and :class:`UnreachableError` when there is none.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        timeout: float = _TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``timeout`` is in seconds; ``transport`` is one of httpx, for certificates or proxies of your own.

        Raises :class:`ValueError` when the address is not one.
        """
        self._http = httpx.Client(
            base_url=http_address(address), headers=_headers(token), timeout=timeout, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _get(self, route: Route[Answer]) -> Answer:
        try:
            response = self._http.get(route.path, params=route.parameters, headers={"Accept": route.accept})
        except httpx.HTTPError as error:
            _unreachable(route, error)
        return _read(route, response)

    def symbols(self) -> Symbols:
        """What is served."""
        return self._get(routes.symbols())

    def klines(self, symbol: str, *, interval: Interval | None = None, limit: int | None = None) -> Klines:
        """The newest candles, oldest first; 5 m and 500 of them by default."""
        return self._get(routes.klines(symbol, interval, limit))

    def levels(
        self, symbol: str, *, timeframe: Range | None = None, at: datetime | str | int | None = None
    ) -> LevelsByLeverage:
        """The levels by leverage: of this moment, of positions opened within ``timeframe``, or of the moment ``at``."""
        return self._get(routes.levels(symbol, timeframe, at))

    def walls(
        self,
        symbol: str,
        *,
        timeframe: Range | None = None,
        at: datetime | str | int | None = None,
        range_pct: float | None = None,
        min_usd: int | None = None,
        limit: int | None = None,
    ) -> Walls:
        """The largest walls, ten by default: stretches of price whose levels are denser than around them."""
        return self._get(routes.walls(symbol, timeframe, at, range_pct, min_usd, limit))

    def max_pain(
        self, symbol: str, *, timeframe: Range | None = None, at: datetime | str | int | None = None
    ) -> MaxPain:
        """The largest level of each side."""
        return self._get(routes.max_pain(symbol, timeframe, at))

    def map(
        self,
        symbol: str,
        *,
        timeframe: Range | None = None,
        at: datetime | str | int | None = None,
        range_pct: float | None = None,
        bin: float | None = None,  # noqa: A002 - the protocol's word
    ) -> LiquidationMap:
        """Both sides by price and leverage, with cumulative curves."""
        return self._get(routes.liquidation_map(symbol, timeframe, at, range_pct, bin))

    def liquidation_summary(self, symbol: str) -> LiquidationSummary:
        """What was liquidated within the last 1, 4, 12 and 24 hours, by venue and side."""
        return self._get(routes.liquidation_summary(symbol))

    def liquidations(
        self,
        symbol: str,
        *,
        start_time: datetime | str | int | None = None,
        end_time: datetime | str | int | None = None,
        limit: int | None = None,
        interval: Interval | None = None,
        min_usd: int | None = None,
        cursor: str | None = None,
    ) -> Liquidations:
        """The newest realised liquidations, of the last day by default; with ``interval``, their sums.

        ``cursor``: ``next`` of the page before, which leads further back.
        """
        return self._get(routes.liquidations(symbol, start_time, end_time, limit, interval, min_usd, cursor))

    def timeseries(
        self,
        symbol: str,
        *,
        start_time: datetime | str | int,
        end_time: datetime | str | int,
        interval: str | None = None,
        price_bin_size: float | None = None,
        leverage_weights: Mapping[float, float] | None = None,
    ) -> Timeseries:
        """The levels at the end of every interval."""
        return self._get(routes.timeseries(symbol, start_time, end_time, interval, price_bin_size, leverage_weights))

    def history(
        self,
        symbol: str,
        *,
        range: Range | None = None,  # noqa: A002 - the protocol's word
        bin: float | None = None,  # noqa: A002 - the protocol's word
        columns: int | None = None,
        by_leverage: bool = False,
    ) -> Grid:
        """The time x price grid of a chart, in its compact form; the last 24 hours by default."""
        return self._get(routes.history(symbol, range, bin, columns, by_leverage))

    def heatmap(
        self,
        symbol: str,
        *,
        since: Position | None = None,
        price_range: tuple[float, float] | None = None,
        bin: float | None = None,  # noqa: A002 - the protocol's word
    ) -> Snapshot | Delta | None:
        """The newest state, or what changed since a position; ``None`` when nothing did.

        The hash of a snapshot is checked. To keep a state up to date, use :class:`Heatmap`.
        """
        return self._get(routes.heatmap(symbol, since, price_range, bin))

    def health(self) -> Health:
        """Whether all is well, and what is not."""
        return self._get(routes.health())

    def ready(self) -> Health:
        """The same, ``degraded`` only when the server should get no traffic."""
        return self._get(routes.ready())


class AsyncClient:
    """The methods of :class:`Client` for asyncio."""

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        timeout: float = _TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``timeout`` is in seconds; ``transport`` is one of httpx, for certificates or proxies of your own.

        Raises :class:`ValueError` when the address is not one.
        """
        self._http = httpx.AsyncClient(
            base_url=http_address(address), headers=_headers(token), timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _get(self, route: Route[Answer]) -> Answer:
        try:
            response = await self._http.get(route.path, params=route.parameters, headers={"Accept": route.accept})
        except httpx.HTTPError as error:
            _unreachable(route, error)
        return _read(route, response)

    async def symbols(self) -> Symbols:
        """What is served."""
        return await self._get(routes.symbols())

    async def klines(self, symbol: str, *, interval: Interval | None = None, limit: int | None = None) -> Klines:
        """The newest candles, oldest first; 5 m and 500 of them by default."""
        return await self._get(routes.klines(symbol, interval, limit))

    async def levels(
        self, symbol: str, *, timeframe: Range | None = None, at: datetime | str | int | None = None
    ) -> LevelsByLeverage:
        """The levels by leverage: of this moment, of positions opened within ``timeframe``, or of the moment ``at``."""
        return await self._get(routes.levels(symbol, timeframe, at))

    async def walls(
        self,
        symbol: str,
        *,
        timeframe: Range | None = None,
        at: datetime | str | int | None = None,
        range_pct: float | None = None,
        min_usd: int | None = None,
        limit: int | None = None,
    ) -> Walls:
        """The largest walls, ten by default: stretches of price whose levels are denser than around them."""
        return await self._get(routes.walls(symbol, timeframe, at, range_pct, min_usd, limit))

    async def max_pain(
        self, symbol: str, *, timeframe: Range | None = None, at: datetime | str | int | None = None
    ) -> MaxPain:
        """The largest level of each side."""
        return await self._get(routes.max_pain(symbol, timeframe, at))

    async def map(
        self,
        symbol: str,
        *,
        timeframe: Range | None = None,
        at: datetime | str | int | None = None,
        range_pct: float | None = None,
        bin: float | None = None,  # noqa: A002 - the protocol's word
    ) -> LiquidationMap:
        """Both sides by price and leverage, with cumulative curves."""
        return await self._get(routes.liquidation_map(symbol, timeframe, at, range_pct, bin))

    async def liquidation_summary(self, symbol: str) -> LiquidationSummary:
        """What was liquidated within the last 1, 4, 12 and 24 hours, by venue and side."""
        return await self._get(routes.liquidation_summary(symbol))

    async def liquidations(
        self,
        symbol: str,
        *,
        start_time: datetime | str | int | None = None,
        end_time: datetime | str | int | None = None,
        limit: int | None = None,
        interval: Interval | None = None,
        min_usd: int | None = None,
        cursor: str | None = None,
    ) -> Liquidations:
        """The newest realised liquidations, of the last day by default; with ``interval``, their sums.

        ``cursor``: ``next`` of the page before, which leads further back.
        """
        return await self._get(routes.liquidations(symbol, start_time, end_time, limit, interval, min_usd, cursor))

    async def timeseries(
        self,
        symbol: str,
        *,
        start_time: datetime | str | int,
        end_time: datetime | str | int,
        interval: str | None = None,
        price_bin_size: float | None = None,
        leverage_weights: Mapping[float, float] | None = None,
    ) -> Timeseries:
        """The levels at the end of every interval."""
        return await self._get(
            routes.timeseries(symbol, start_time, end_time, interval, price_bin_size, leverage_weights)
        )

    async def history(
        self,
        symbol: str,
        *,
        range: Range | None = None,  # noqa: A002 - the protocol's word
        bin: float | None = None,  # noqa: A002 - the protocol's word
        columns: int | None = None,
        by_leverage: bool = False,
    ) -> Grid:
        """The time x price grid of a chart, in its compact form; the last 24 hours by default."""
        return await self._get(routes.history(symbol, range, bin, columns, by_leverage))

    async def heatmap(
        self,
        symbol: str,
        *,
        since: Position | None = None,
        price_range: tuple[float, float] | None = None,
        bin: float | None = None,  # noqa: A002 - the protocol's word
    ) -> Snapshot | Delta | None:
        """The newest state, or what changed since a position; ``None`` when nothing did.

        The hash of a snapshot is checked. To keep a state up to date, use :class:`Heatmap`.
        """
        return await self._get(routes.heatmap(symbol, since, price_range, bin))

    async def health(self) -> Health:
        """Whether all is well, and what is not."""
        return await self._get(routes.health())

    async def ready(self) -> Health:
        """The same, ``degraded`` only when the server should get no traffic."""
        return await self._get(routes.ready())
