"""``BlockingHeatmap``: the same client for programs without asyncio. Its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from .heatmap import DEFAULT_ADDRESS, Heatmap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
    from types import TracebackType

    import pandas as pd
    from typing_extensions import Self

    from ._core.status import StatusChange
    from ._core.subscriptions import SymbolState
    from ._wire.frames import Delta, ErrorEvent, FeedStatus, ServerWarning, Snapshot

_Result = TypeVar("_Result")


class BlockingHeatmap:
    """A live connection to a liqheat server. Takes the arguments of :class:`Heatmap`.

    Callbacks run in the connection's own thread. All methods can be called from any thread but that one.
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
        """Raises :class:`ValueError` when an address is not one, or an option is out of range."""
        self._heatmap = Heatmap(
            address,
            on_state=on_state,
            on_delta=on_delta,
            on_status=on_status,
            on_feed=on_feed,
            on_warning=on_warning,
            on_error=on_error,
            token=token,
            poll=poll,
            socket=socket,
            max_reconnect_attempts=max_reconnect_attempts,
            reconnect_delay=reconnect_delay,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Connects and keeps connecting until :meth:`close`. Again while connected, it does nothing."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_run, args=(self._loop,), name="liqheat", daemon=True)
            self._thread.start()
        self._run(self._call(self._heatmap.connect))

    def close(self) -> None:
        """Closes the connection and ends its thread; subscriptions are kept for a later :meth:`connect`."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._run(self._heatmap.close())
        self._loop = self._thread = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

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
        """As :meth:`Heatmap.subscribe`."""
        self._run(
            self._call(
                lambda: self._heatmap.subscribe(
                    symbols, update_interval=update_interval, mode=mode, price_range=price_range, bin=bin, ack=ack
                )
            )
        )

    def unsubscribe(self, symbols: str | Iterable[str]) -> None:
        """Forgets these symbols and what still arrives of them."""
        self._run(self._call(lambda: self._heatmap.unsubscribe(symbols)))

    @property
    def status(self) -> StatusChange:
        """The connection's status with its reason."""
        return self._heatmap.status

    def state(self, symbol: str) -> SymbolState | None:
        """The newest state of a symbol, with the health of its data; ``None`` before the first."""
        return self._run(self._call(lambda: self._heatmap.state(symbol)))

    def states(self, *symbols: str, timeout: float | None = None) -> Iterator[Snapshot]:
        """Whole states as they come, of these symbols or of all that are subscribed.

        A loop that is slower than the states skips to the newest one of each symbol. ``timeout``: seconds without a
        state after which :class:`TimeoutError` is raised.
        """
        stream = self._run(self._call(lambda: self._heatmap.states(*symbols)))
        while True:
            try:
                yield self._run(stream.next(timeout))
            except EOFError:
                return

    def wait_for_state(self, symbol: str, *, timeout: float | None = None) -> Snapshot:
        """As :meth:`Heatmap.wait_for_state`."""
        return self._run(self._heatmap.wait_for_state(symbol, timeout=timeout))

    def to_dataframe(self) -> pd.DataFrame:
        """As :meth:`Heatmap.to_dataframe`."""
        return self._run(self._call(self._heatmap.to_dataframe))

    async def _call(self, work: Callable[[], _Result]) -> _Result:
        return work()

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of work on the connection's loop; on a loop of its own while there is none."""
        if self._loop is None:
            return asyncio.run(work)
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a callback runs in the connection's thread; use Heatmap, or another thread")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
