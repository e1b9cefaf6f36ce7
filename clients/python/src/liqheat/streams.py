"""Consumers of states: each takes them at its own pace and skips to the newest one of each symbol."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING, Protocol

from .errors import ConnectionFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

    from ._core.status import StatusChange
    from ._wire.frames import Snapshot


class Producer(Protocol):
    """Where states come from."""

    @property
    def status(self) -> StatusChange: ...

    def is_running(self) -> bool:
        """Whether there may be another state."""

    def acknowledge(self, state: Snapshot) -> None:
        """A consumer has taken a state."""


class StateStream:
    """States in the order of their arrival, the newest one of each symbol; made by :meth:`Heatmap.states`.

    It ends when the connection is closed, and raises :class:`ConnectionFailedError` when the server refuses it for
    good.
    """

    def __init__(self, producer: Producer, symbols: frozenset[str]) -> None:
        self._producer = producer
        self._symbols = symbols
        self._waiting: dict[str, Snapshot] = {}
        self._given: Snapshot | None = None
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Snapshot:
        try:
            return await self.next()
        except EOFError:
            raise StopAsyncIteration from None

    async def next(self, timeout: float | None = None) -> Snapshot:
        """The next state.

        Raises :class:`TimeoutError` after ``timeout`` seconds, :class:`EOFError` when the connection was closed, and
        :class:`ConnectionFailedError` when the server refused it for good.
        """
        # Whoever asks for the next one is done with the one before.
        if self._given is not None:
            given, self._given = self._given, None
            self._producer.acknowledge(given)
        if not self._waiting:
            try:
                await asyncio.wait_for(self._wait(), timeout)
            except asyncio.TimeoutError:
                # A class of its own in Python 3.10.
                raise TimeoutError(self._late(timeout)) from None
        symbol = next(iter(self._waiting))
        self._given = self._waiting.pop(symbol)
        return self._given

    def put(self, state: Snapshot) -> bool:
        """Keeps a state for the consumer; whether it wants this symbol. For this package."""
        if self._symbols and state.symbol not in self._symbols:
            return False
        self._waiting[state.symbol] = state
        self._changed.set()
        return True

    def wake(self) -> None:
        """The producer has stopped. For this package."""
        self._changed.set()

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
        return f"no state of {wanted} within {timeout} s; {status.status}: {status.message}"

    def __del__(self) -> None:
        # A loop that was left must not leave the server waiting for acknowledgements. May run in any thread.
        states = [*self._waiting.values(), *([] if self._given is None else [self._given])]
        if states and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_acknowledge, self._producer, states)


def _acknowledge(producer: Producer, states: Iterable[Snapshot]) -> None:
    for state in states:
        producer.acknowledge(state)


class StateStreams:
    """The streams that are still in use; one that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[StateStream] = weakref.WeakSet()

    def add(self, stream: StateStream) -> None:
        self._streams.add(stream)

    def put(self, state: Snapshot) -> bool:
        """Gives a state to all who want it; whether there is one."""
        is_wanted = False
        for stream in list(self._streams):
            is_wanted = stream.put(state) or is_wanted
        return is_wanted

    def wake(self) -> None:
        """The producer has stopped, or failed."""
        for stream in list(self._streams):
            stream.wake()
