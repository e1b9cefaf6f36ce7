"""``Heatmap``: keeps the newest heatmap of the subscribed symbols, however the data gets here. For asyncio."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from ._addresses import http_address, socket_address
from ._core.connection import Connection, ConnectionRules
from ._core.moment import Moment
from ._core.status import StatusChange
from ._shell import Shell, logger
from ._wire.frames import Delta, ErrorEvent, FeedStatus, ServerWarning, Snapshot, SubscribeOptions
from .streams import StateStream, StateStreams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    import pandas as pd
    from typing_extensions import Self

    from ._core.commands import Command, Event
    from ._core.connection import Credentials
    from ._core.subscriptions import SymbolState

_Event = TypeVar("_Event")

DEFAULT_ADDRESS: Final = "http://127.0.0.1:8000"


class Heatmap:
    """A live connection to a liqheat server.

    Callbacks run on the event loop, in the order of what they report; one that raises is logged and does no further
    harm. Without ``on_error`` and ``on_warning``, errors and warnings are logged by the logger ``liqheat``.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        on_state: Callable[[Snapshot], object] | None = None,
        on_delta: Callable[[Delta], object] | None = None,
        on_status: Callable[[StatusChange], object] | None = None,
        on_feed: Callable[[FeedStatus], object] | None = None,
        on_warning: Callable[[ServerWarning], object] | None = None,
        on_error: Callable[[ErrorEvent], object] | None = None,
        token: str | Callable[[], str | Awaitable[str]] | None = None,
        poll: bool | str = True,
        socket: bool = True,
        max_reconnect_attempts: int | None = None,
        reconnect_delay: float = 2.0,
    ) -> None:
        """``address`` is that of the server (``http://127.0.0.1:8000``) or of its socket (``ws://../ws/heatmap``).

        ``token`` is a bearer token, or a function (plain or asynchronous) that is asked for one before every attempt.
        ``poll``: whether the state is asked for over HTTP while the socket does not work, or the address of another
        server to ask. With ``socket=False`` no socket is opened, and states come by polling alone.
        ``max_reconnect_attempts``: failed attempts in a row after which the status becomes ``failed``; no limit by
        default. ``reconnect_delay``: seconds under which the first pause stays; later ones stay under up to sixteen
        times it.

        Raises :class:`ValueError` when an address is not one, or an option is out of range.
        """
        self._on_state = on_state
        self._on_delta = on_delta
        self._on_status = on_status
        self._on_feed = on_feed
        self._on_warning = on_warning
        self._on_error = on_error
        self._token = token
        self._socket_url = socket_address(address)
        self._poll_url = f"{http_address(poll if isinstance(poll, str) else address)}/v1/heatmap"
        credentials: Credentials = "none" if token is None else "renewable" if callable(token) else "fixed"
        rules = ConnectionRules(
            credentials=credentials,
            may_poll=poll is not False,
            may_open_socket=socket,
            max_attempts=max_reconnect_attempts,
            reconnect_delay=reconnect_delay,
        )
        self._machine = Connection(self._socket_url, rules, random=random.random)
        self._shell: Shell | None = None
        self._streams = StateStreams()

    async def __aenter__(self) -> Self:
        self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._perform(self._machine.disconnect("aborted", f"left by {kind.__name__}"))
        await self.close()

    def connect(self) -> None:
        """Connects and keeps connecting until :meth:`close`. Again while connected, it does nothing.

        To be called with a running event loop.
        """
        if self._shell is None:
            self._shell = Shell(self._machine, self._socket_url, self._poll_url, self._token, self._deliver)
        self._shell.perform(self._machine.connect(self._shell.now()))

    async def close(self) -> None:
        """Closes the connection and waits until it is closed; subscriptions are kept for a later :meth:`connect`."""
        shell, self._shell = self._shell, None
        if shell is None:
            return
        shell.perform(self._machine.disconnect("asked", "disconnected on request"))
        self._streams.wake()
        await shell.close()

    def subscribe(
        self,
        symbols: str | Iterable[str],
        *,
        update_interval: float | None = None,
        mode: Literal["snapshot", "delta"] = "delta",
        price_range: tuple[float, float] | None = None,
        bin: float | None = None,  # noqa: A002 - the protocol's word
        ack: bool = False,
    ) -> None:
        """Follows these symbols from now on, also over reconnects; again with other options changes them.

        ``update_interval``: seconds between states, 1 to 60 (from 0.25 in delta mode); the server's own by default.
        ``mode``: what travels; you get whole states either way. ``price_range``, ``bin``: a part of the state, levels
        summed into larger bins. ``ack``: the server sends at most two states beyond the newest one you have taken.
        """
        options = SubscribeOptions(
            update_interval=update_interval, mode=mode, price_range=price_range, bin=bin, ack=ack
        )
        self._perform(self._machine.subscribe(self._now(), _names(symbols), options))

    def unsubscribe(self, symbols: str | Iterable[str]) -> None:
        """Forgets these symbols and what still arrives of them."""
        self._perform(self._machine.unsubscribe(self._now(), _names(symbols)))

    @property
    def status(self) -> StatusChange:
        """The connection's status with its reason."""
        return self._machine.status

    def state(self, symbol: str) -> SymbolState | None:
        """The newest state of a symbol, with the health of its data; ``None`` before the first."""
        return self._machine.state(symbol)

    def states(self, *symbols: str) -> StateStream:
        """Whole states as they come, of these symbols or of all subscribed ones, beginning with those that are here.

        A consumer that is slower than the states skips to the newest one of each symbol.
        """
        stream = StateStream(self, frozenset(symbols))
        self._streams.add(stream)
        for symbol in symbols or self._machine.symbols():
            known = self._machine.state(symbol)
            if known is not None:
                stream.put(known.snapshot)
        return stream

    async def wait_for_state(self, symbol: str, *, timeout: float | None = None) -> Snapshot:
        """The newest state of a symbol, as soon as there is one.

        Raises :class:`TimeoutError` after ``timeout`` seconds, and :class:`ConnectionFailedError` when the server
        refuses the connection for good.
        """
        known = self._machine.state(symbol)
        return known.snapshot if known is not None else await self.states(symbol).next(timeout)

    def to_dataframe(self) -> pd.DataFrame:
        """The newest states of all subscribed symbols: one row per level with ``symbol``, ``time``, ``price``,
        ``long_density``, ``short_density``. Needs pandas."""
        from .dataframes import states_frame

        known = (self._machine.state(symbol) for symbol in self._machine.symbols())
        return states_frame([state.snapshot for state in known if state is not None])

    def is_running(self) -> bool:
        """Whether it is connected or keeps trying to be: from :meth:`connect` to :meth:`close`."""
        return self._shell is not None

    def acknowledge(self, state: Snapshot) -> None:
        """Tells the server that a state was taken, where the subscription has ``ack``. Streams and callbacks do so."""
        self._perform(self._machine.taken(state))

    def _now(self) -> Moment:
        # Without a shell nothing is timed; the machine only takes note of what it is to follow.
        return Moment(0.0, 0.0) if self._shell is None else self._shell.now()

    def _perform(self, commands: list[Command]) -> None:
        if self._shell is not None:
            self._shell.perform(commands)

    # --- what the machine reports ---

    def _deliver(self, event: Event) -> None:
        match event:
            case Snapshot():
                self._deliver_state(event)
            case Delta():
                _call(self._on_delta, event)
            case StatusChange():
                logger.debug("%s -> %s: %s", event.previous, event.status, event.message)
                _call(self._on_status, event)
                if event.status == "failed":
                    self._streams.wake()
            case FeedStatus():
                _call(self._on_feed, event)
            case ServerWarning():
                _call(self._on_warning or _log, event)
            case ErrorEvent():
                _call(self._on_error or _log, event)

    def _deliver_state(self, state: Snapshot) -> None:
        _call(self._on_state, state)
        if not self._streams.put(state):
            self.acknowledge(state)


def _names(symbols: str | Iterable[str]) -> list[str]:
    return [symbols] if isinstance(symbols, str) else list(symbols)


def _log(event: ServerWarning | ErrorEvent) -> None:
    logger.warning("%s: %s", event.code, event.message)


def _call(callback: Callable[[_Event], Any] | None, event: _Event) -> None:
    if callback is None:
        return
    try:
        callback(event)
    except Exception:  # noqa: BLE001 - the application's code may fail in any way, and is not ours to stop for
        logger.exception("the callback for %s failed", type(event).__name__)
