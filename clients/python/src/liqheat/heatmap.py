"""``Heatmap``: keeps the newest heatmap of the subscribed symbols, however the data gets here. For asyncio."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from ._addresses import http_address, socket_address
from ._core.connection import Connection
from ._core.moment import Moment
from ._core.rules import ConnectionRules
from ._core.status import StatusChange
from ._shell import Shell, checked_token, logger
from ._wire.channels import CHANNELS, AlertsMessage, LiquidationsMessage, PriceMessage, WallsMessage
from ._wire.frames import Delta, ErrorEvent, FeedStatus, ServerWarning, Snapshot
from ._wire.requests import HEATMAP_ONLY, SubscribeOptions, own_message
from .dataframes import states_frame
from .streams import AlertStream, LiquidationStream, MessageStream, StateStream, Streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from types import TracebackType

    import pandas as pd
    from typing_extensions import Self

    from ._core.commands import Command, Event
    from ._core.rules import Credentials
    from ._core.subscriptions import SymbolState
    from ._wire.channels import Channel, ChannelMessage

_Event = TypeVar("_Event")
_Latest = TypeVar("_Latest", PriceMessage, WallsMessage)

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
        on_price: Callable[[PriceMessage], object] | None = None,
        on_liquidations: Callable[[LiquidationsMessage], object] | None = None,
        on_walls: Callable[[WallsMessage], object] | None = None,
        on_alerts: Callable[[AlertsMessage], object] | None = None,
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
        self._on_price = on_price
        self._on_liquidations = on_liquidations
        self._on_walls = on_walls
        self._on_alerts = on_alerts
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
        self._streams = Streams()

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
        channels: Iterable[Channel] = HEATMAP_ONLY,
        update_interval: float | None = None,
        mode: Literal["snapshot", "delta"] = "delta",
        view: Literal["open", "expected"] | None = None,
        horizon: Literal["1h", "4h"] | None = None,
        price_range: tuple[float, float] | None = None,
        bin: float | None = None,  # noqa: A002 - the protocol's word
        ack: bool = False,
        min_usd: int | None = None,
        id: str | None = None,  # noqa: A002 - the protocol's word
    ) -> None:
        """Follows these symbols from now on, also over reconnects.

        Channels add up: those that are named again get the new options, others stay as they are.

        ``channels``: ``heatmap``, ``price``, ``liquidations``, ``walls``, ``alerts``; only the first by default. Those
        beside the heatmap come through the socket only: while the heatmap is polled, they pause. ``min_usd``: smallest
        liquidation or alert to send. ``id``: your name for the subscription, repeated in all of its messages.

        For the heatmap, ``update_interval``: seconds between states, 1 to 60 (from 0.25 in delta mode); the server's
        own by default. ``mode``: what travels; you get whole states either way. ``view``: ``expected`` for USD that is
        expected to be liquidated within ``horizon``, an hour by default. ``price_range``, ``bin``: a part of the state,
        levels summed into larger bins. ``ack``: the server sends at most two states beyond the newest one you have
        taken.

        Raises :class:`ValueError` for a channel that does not exist and for an ``id`` of more than 64 bytes.
        """
        options = SubscribeOptions(
            id=id,
            update_interval=update_interval,
            mode=mode,
            view=view,
            horizon=horizon,
            price_range=price_range,
            bin=bin,
            ack=ack,
            min_usd=min_usd,
        )
        wanted = _channels(channels) or HEATMAP_ONLY
        self._perform(self._machine.subscribe(self._now(), _names(symbols), options, wanted))

    def unsubscribe(self, symbols: str | Iterable[str], *, channels: Iterable[Channel] = ()) -> None:
        """Forgets these symbols, or only these channels of them, and what still arrives of them."""
        self._perform(self._machine.unsubscribe(self._now(), _names(symbols), _channels(channels)))

    def renew_token(self, token: str) -> bool:
        """Gives the server another token in place of the one that is about to expire, without a new connection.

        A function for ``token`` is still asked before every attempt; without one, this token is used from now on.
        Whether there was an open socket to send it through. One that is not accepted is reported to ``on_error`` with
        the code ``INVALID_TOKEN``, and the one before stays valid.

        Raises :class:`ValueError` for a text that cannot be a token.
        """
        checked_token(token)
        if not callable(self._token):
            self._token = token
            if self._shell is not None:
                self._shell.set_token(token)
        self._perform(self._machine.renew_token(token))
        return self._machine.is_open

    def send(self, message: str | Mapping[str, object]) -> bool:
        """Sends a message of your own: text as it is, or the fields of an object that becomes JSON.

        Whether there was an open socket to send it through; nothing is kept for later. What the server says against it
        reaches ``on_error``. Subscribe with :meth:`subscribe`: a subscription made here is unknown to this class.

        Raises :class:`ValueError` for what is not Unicode or has no form in JSON (NaN), and :class:`TypeError` for an
        object that JSON does not know.
        """
        self._perform(self._machine.send(own_message(message)))
        return self._machine.is_open

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

    def prices(self, *symbols: str) -> MessageStream[PriceMessage]:
        """Messages of the channel ``price``, of these symbols or of all, beginning with those that are here.

        A consumer that is slower skips to the newest one of each symbol.
        """
        return self._messages(PriceMessage, symbols)

    def walls(self, *symbols: str) -> MessageStream[WallsMessage]:
        """Messages of the channel ``walls``; otherwise as :meth:`prices`."""
        return self._messages(WallsMessage, symbols)

    def liquidations(self, *symbols: str) -> LiquidationStream:
        """Messages of the channel ``liquidations`` from now on, of these symbols or of all.

        A consumer that is slower gets what it has not taken in one message: up to 1,000 of a symbol, others are counted
        in ``missed``.
        """
        stream = LiquidationStream(self, LiquidationsMessage, frozenset(symbols))
        self._streams.add(stream)
        return stream

    def alerts(self, *symbols: str) -> AlertStream:
        """Messages of the channel ``alerts`` from now on; otherwise as :meth:`liquidations`."""
        stream = AlertStream(self, AlertsMessage, frozenset(symbols))
        self._streams.add(stream)
        return stream

    def _messages(self, kind: type[_Latest], symbols: tuple[str, ...]) -> MessageStream[_Latest]:
        stream = MessageStream(self, kind, frozenset(symbols))
        self._streams.add(stream)
        for symbol in symbols or self._machine.symbols():
            newest = self._machine.newest(symbol, kind.channel)
            if newest is not None:
                stream.put(newest)
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
        known = (self._machine.state(symbol) for symbol in self._machine.symbols())
        snapshots = [state.snapshot for state in known if state is not None]
        return states_frame((snapshot.symbol, snapshot.time, snapshot.levels) for snapshot in snapshots)

    def is_running(self) -> bool:
        """Whether it is connected or keeps trying to be: from :meth:`connect` to :meth:`close`."""
        return self._shell is not None

    def acknowledge(self, state: Snapshot) -> None:
        """Tells the server that a state was taken, where the subscription has ``ack``. Streams and callbacks do so."""
        self._perform(self._machine.taken(self._now(), state))

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
            case PriceMessage() | LiquidationsMessage() | WallsMessage() | AlertsMessage():
                self._deliver_message(event)
            case ServerWarning():
                _call(self._on_warning or _log, event)
            case ErrorEvent():
                _call(self._on_error or _log, event)

    def _deliver_state(self, state: Snapshot) -> None:
        _call(self._on_state, state)
        if not self._streams.put(state):
            self.acknowledge(state)

    def _deliver_message(self, message: ChannelMessage) -> None:
        match message:
            case PriceMessage():
                _call(self._on_price, message)
            case LiquidationsMessage():
                _call(self._on_liquidations, message)
            case WallsMessage():
                _call(self._on_walls, message)
            case AlertsMessage():
                _call(self._on_alerts, message)
        self._streams.put(message)


def _channels(channels: Iterable[Channel]) -> list[Channel]:
    wanted = list(dict.fromkeys(channels))
    for channel in wanted:
        if channel not in CHANNELS:
            raise ValueError(f"'{channel}' is not a channel; there are {', '.join(CHANNELS)}")
    return wanted


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
