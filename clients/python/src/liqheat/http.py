"""``Client`` and ``AsyncClient``: the HTTP routes of a liqheat server."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Concatenate, Final, NoReturn, ParamSpec, TypeVar

import httpx

from . import _routes as routes
from ._addresses import http_address
from ._shell import detail_of, retry_after_of
from ._signatures import describe
from ._version import USER_AGENT
from ._wire.event_stream import EventReader
from ._wire.fields import MalformedError
from .errors import ApiError, BadAnswerError, UnreachableError
from .heatmap import DEFAULT_ADDRESS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ._routes import Route
    from ._wire.event_stream import StreamEvent

_Answer = TypeVar("_Answer")
_Arguments = ParamSpec("_Arguments")

_TIMEOUT: Final = 30.0
_STREAM_SILENCE: Final = 60.0


def _headers(token: str | None) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _request(http: httpx.Client | httpx.AsyncClient, route: Route[_Answer]) -> httpx.Request:
    headers = {"Accept": route.accept}
    if route.body is not None:
        headers["Content-Type"] = "application/json"
    return http.build_request(route.method, route.path, params=route.parameters, headers=headers, content=route.body)


def _stream_request(http: httpx.Client | httpx.AsyncClient, route: Route[StreamEvent]) -> httpx.Request:
    request = _request(http, route)
    # A comment comes every 20 s.
    request.extensions["timeout"] = {**request.extensions["timeout"], "read": _STREAM_SILENCE}
    return request


def _read(route: Route[_Answer], response: httpx.Response) -> _Answer:
    if response.status_code not in route.accepted:
        detail = detail_of(response.content) or response.reason_phrase
        raise ApiError(response.status_code, detail, retry_after_of(response.headers.get("Retry-After")))
    try:
        return route.read(response.status_code, response.content)
    except MalformedError as error:
        raise BadAnswerError(f"{route.path}: {error}") from error


def _unreachable(route: Route[_Answer], error: Exception) -> NoReturn:
    raise UnreachableError(f"{route.path}: {str(error) or type(error).__name__}") from error


def _blocking(
    route: Callable[_Arguments, Route[_Answer]],
) -> Callable[Concatenate[Client, _Arguments], _Answer]:
    """The method of :class:`Client` for a route."""

    def method(client: Client, /, *arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Answer:
        return client.get(route(*arguments, **options))

    _describe(method, route)
    return method


def _asynchronous(
    route: Callable[_Arguments, Route[_Answer]],
) -> Callable[Concatenate[AsyncClient, _Arguments], Coroutine[Any, Any, _Answer]]:
    """The method of :class:`AsyncClient` for a route."""

    async def method(client: AsyncClient, /, *arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Answer:
        return await client.get(route(*arguments, **options))

    _describe(method, route)
    return method


def _blocking_stream(
    route: Callable[_Arguments, Route[StreamEvent]],
) -> Callable[Concatenate[Client, _Arguments], Iterator[StreamEvent]]:
    """The method of :class:`Client` for a stream of events."""

    def method(client: Client, /, *arguments: _Arguments.args, **options: _Arguments.kwargs) -> Iterator[StreamEvent]:
        return client.events(route(*arguments, **options))

    _describe(method, route)
    return method


def _asynchronous_stream(
    route: Callable[_Arguments, Route[StreamEvent]],
) -> Callable[Concatenate[AsyncClient, _Arguments], AsyncIterator[StreamEvent]]:
    """The method of :class:`AsyncClient` for a stream of events."""

    def method(
        client: AsyncClient, /, *arguments: _Arguments.args, **options: _Arguments.kwargs
    ) -> AsyncIterator[StreamEvent]:
        return client.events(route(*arguments, **options))

    _describe(method, route)
    return method


def _describe(method: Any, route: Callable[..., Any]) -> None:
    signature = inspect.signature(route)
    answer = str(signature.return_annotation).removeprefix("Route[").removesuffix("]")
    client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [client, *signature.parameters.values()]
    describe(method, route, signature.replace(parameters=parameters, return_annotation=answer))
    method.__name__ = route.__name__


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

    def get(self, route: Route[_Answer]) -> _Answer:
        """The answer of a route. For this package."""
        try:
            response = self._http.send(_request(self._http, route))
        except httpx.HTTPError as error:
            _unreachable(route, error)
        return _read(route, response)

    def events(self, route: Route[StreamEvent]) -> Iterator[StreamEvent]:
        """The events of a route. For this package."""
        try:
            response = self._http.send(_stream_request(self._http, route), stream=True)
            try:
                if response.status_code not in route.accepted:
                    response.read()
                    _read(route, response)
                reader = EventReader()
                for line in response.iter_lines():
                    event = reader.take(line)
                    if event is not None:
                        yield event
            finally:
                response.close()
        except httpx.HTTPError as error:
            _unreachable(route, error)

    stream = _blocking_stream(routes.stream)
    symbols = _blocking(routes.symbols)
    health = _blocking(routes.health)
    ready = _blocking(routes.ready)
    klines = _blocking(routes.klines)
    series = _blocking(routes.series)
    liquidations = _blocking(routes.liquidations)
    liquidation_summary = _blocking(routes.liquidation_summary)
    heatmap = _blocking(routes.heatmap)
    levels = _blocking(routes.levels)
    walls = _blocking(routes.walls)
    max_pain = _blocking(routes.max_pain)
    map = _blocking(routes.map)
    timeseries = _blocking(routes.timeseries)
    history = _blocking(routes.history)
    measured = _blocking(routes.measured)
    export = _blocking(routes.export)
    accuracy = _blocking(routes.accuracy)
    alerts = _blocking(routes.alerts)
    add_alert = _blocking(routes.add_alert)
    delete_alert = _blocking(routes.delete_alert)
    tiers = _blocking(routes.tiers)
    liquidation_price = _blocking(routes.liquidation_price)


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

    async def get(self, route: Route[_Answer]) -> _Answer:
        """The answer of a route. For this package."""
        try:
            response = await self._http.send(_request(self._http, route))
        except httpx.HTTPError as error:
            _unreachable(route, error)
        return _read(route, response)

    async def events(self, route: Route[StreamEvent]) -> AsyncIterator[StreamEvent]:
        """The events of a route. For this package."""
        try:
            response = await self._http.send(_stream_request(self._http, route), stream=True)
            try:
                if response.status_code not in route.accepted:
                    await response.aread()
                    _read(route, response)
                reader = EventReader()
                async for line in response.aiter_lines():
                    event = reader.take(line)
                    if event is not None:
                        yield event
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            _unreachable(route, error)

    stream = _asynchronous_stream(routes.stream)
    symbols = _asynchronous(routes.symbols)
    health = _asynchronous(routes.health)
    ready = _asynchronous(routes.ready)
    klines = _asynchronous(routes.klines)
    series = _asynchronous(routes.series)
    liquidations = _asynchronous(routes.liquidations)
    liquidation_summary = _asynchronous(routes.liquidation_summary)
    heatmap = _asynchronous(routes.heatmap)
    levels = _asynchronous(routes.levels)
    walls = _asynchronous(routes.walls)
    max_pain = _asynchronous(routes.max_pain)
    map = _asynchronous(routes.map)
    timeseries = _asynchronous(routes.timeseries)
    history = _asynchronous(routes.history)
    measured = _asynchronous(routes.measured)
    export = _asynchronous(routes.export)
    accuracy = _asynchronous(routes.accuracy)
    alerts = _asynchronous(routes.alerts)
    add_alert = _asynchronous(routes.add_alert)
    delete_alert = _asynchronous(routes.delete_alert)
    tiers = _asynchronous(routes.tiers)
    liquidation_price = _asynchronous(routes.liquidation_price)
