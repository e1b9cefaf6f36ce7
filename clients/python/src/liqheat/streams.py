"""Consumers of states and of channels: each takes what comes at its own pace, and nothing waits for it in a queue."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from ._wire.channels import AlertsMessage, ChannelMessage, LiquidationsMessage
from ._wire.frames import Snapshot
from .errors import ConnectionFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

    from ._core.status import StatusChange

ROWS_WAITING_MAX: Final = 1_000
"""Most liquidations or alerts of a symbol that wait for a consumer: as many as the server keeps."""

Item = TypeVar("Item", bound="Snapshot | ChannelMessage")


class Producer(Protocol):
    """Where states and messages come from."""

    @property
    def status(self) -> StatusChange: ...

    def is_running(self) -> bool:
        """Whether there may be another one."""

    def acknowledge(self, state: Snapshot) -> None:
        """A consumer has taken a state."""


class MessageStream(Generic[Item]):
    """Messages of a channel in the order of their arrival, the newest one of each symbol.

    It ends when the connection is closed, and raises :class:`ConnectionFailedError` when the server refuses it for
    good.
    """

    def __init__(self, producer: Producer, kind: type[Item], symbols: frozenset[str]) -> None:
        self._producer = producer
        self._kind = kind
        self._symbols = symbols
        self._waiting: dict[str, Item] = {}
        self._changed = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self.next()
        except EOFError:
            raise StopAsyncIteration from None

    async def next(self, timeout: float | None = None) -> Item:
        """The next one.

        Raises :class:`TimeoutError` after ``timeout`` seconds, :class:`EOFError` when the connection was closed, and
        :class:`ConnectionFailedError` when the server refused it for good.
        """
        if not self._waiting:
            try:
                await asyncio.wait_for(self._wait(), timeout)
            except asyncio.TimeoutError:
                # A class of its own in Python 3.10.
                raise TimeoutError(self._late(timeout)) from None
        return self._waiting.pop(next(iter(self._waiting)))

    def put(self, item: Snapshot | ChannelMessage) -> bool:
        """Keeps an item for the consumer; whether it wants it. For this package."""
        if not isinstance(item, self._kind) or (self._symbols and item.symbol not in self._symbols):
            return False
        waiting = self._waiting.get(item.symbol)
        self._waiting[item.symbol] = item if waiting is None else self._merge(waiting, item)
        self._changed.set()
        return True

    def wake(self) -> None:
        """The producer has stopped. For this package."""
        self._changed.set()

    def _merge(self, _waiting: Item, newer: Item) -> Item:
        """What takes the place of an item that was not taken yet."""
        return newer

    async def _wait(self) -> None:
        while not self._waiting:
            status = self._producer.status
            if status.status == "failed":
                raise ConnectionFailedError(status)
            if not self._producer.is_running():
                raise EOFError("the heatmap is not connected")
            self._changed.clear()
            await self._changed.wait()

    def _late(self, timeout: float | None) -> str:
        status = self._producer.status
        wanted = ", ".join(sorted(self._symbols)) or "any symbol"
        what = "state" if self._kind is Snapshot else "message"
        return f"no {what} of {wanted} within {timeout} s; {status.status}: {status.message}"


class LiquidationStream(MessageStream[LiquidationsMessage]):
    """Every liquidation once: what was not taken yet is gathered in one message, up to a thousand of a symbol.

    Those beyond are counted in ``missed``.
    """

    def _merge(self, waiting: LiquidationsMessage, newer: LiquidationsMessage) -> LiquidationsMessage:
        return waiting.followed_by(newer, ROWS_WAITING_MAX)


class AlertStream(MessageStream[AlertsMessage]):
    """Every alert once, gathered as liquidations are by :class:`LiquidationStream`."""

    def _merge(self, waiting: AlertsMessage, newer: AlertsMessage) -> AlertsMessage:
        return waiting.followed_by(newer, ROWS_WAITING_MAX)


class StateStream(MessageStream[Snapshot]):
    """States in the order of their arrival, the newest one of each symbol; made by :meth:`Heatmap.states`.

    It ends when the connection is closed, and raises :class:`ConnectionFailedError` when the server refuses it for
    good.
    """

    def __init__(self, producer: Producer, symbols: frozenset[str]) -> None:
        super().__init__(producer, Snapshot, symbols)
        self._given: Snapshot | None = None
        self._loop = asyncio.get_running_loop()

    async def next(self, timeout: float | None = None) -> Snapshot:
        """The next state.

        Raises :class:`TimeoutError` after ``timeout`` seconds, :class:`EOFError` when the connection was closed, and
        :class:`ConnectionFailedError` when the server refused it for good.
        """
        # Whoever asks for the next one is done with the one before.
        if self._given is not None:
            given, self._given = self._given, None
            self._producer.acknowledge(given)
        self._given = await super().next(timeout)
        return self._given

    def __del__(self) -> None:
        # A loop that was left must not leave the server waiting for acknowledgements. May run in any thread.
        states = [*self._waiting.values(), *([] if self._given is None else [self._given])]
        if states and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_acknowledge, self._producer, states)


def _acknowledge(producer: Producer, states: Iterable[Snapshot]) -> None:
    for state in states:
        producer.acknowledge(state)


class Streams:
    """The streams that are still in use; one that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[MessageStream[Any]] = weakref.WeakSet()

    def add(self, stream: MessageStream[Any]) -> None:
        self._streams.add(stream)

    def put(self, item: Snapshot | ChannelMessage) -> bool:
        """Gives an item to all who want it; whether there is one."""
        is_wanted = False
        for stream in list(self._streams):
            is_wanted = stream.put(item) or is_wanted
        return is_wanted

    def wake(self) -> None:
        """The producer has stopped, or failed."""
        for stream in list(self._streams):
            stream.wake()
