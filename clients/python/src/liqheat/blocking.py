"""``BlockingHeatmap``: the same client for programs without asyncio. Its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from ._signatures import takes_arguments_of
from .heatmap import Heatmap

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import TracebackType

    import pandas as pd
    from typing_extensions import Self

    from ._core.status import StatusChange
    from ._core.subscriptions import SymbolState
    from ._wire.channels import AlertsMessage, LiquidationsMessage, PriceMessage, WallsMessage
    from ._wire.frames import Snapshot
    from .streams import Item, MessageStream

_Result = TypeVar("_Result")


class BlockingHeatmap:
    """A live connection to a liqheat server. Takes the arguments of :class:`Heatmap`.

    Callbacks run in the connection's own thread. All methods can be called from any thread but that one.
    """

    @takes_arguments_of(Heatmap.__init__)
    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._heatmap = Heatmap(*arguments, **options)
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

    @takes_arguments_of(Heatmap.subscribe)
    def subscribe(self, *arguments: Any, **options: Any) -> None:
        self._run(self._call(lambda: self._heatmap.subscribe(*arguments, **options)))

    @takes_arguments_of(Heatmap.unsubscribe)
    def unsubscribe(self, *arguments: Any, **options: Any) -> None:
        self._run(self._call(lambda: self._heatmap.unsubscribe(*arguments, **options)))

    @takes_arguments_of(Heatmap.renew_token)
    def renew_token(self, *arguments: Any, **options: Any) -> bool:
        return self._run(self._call(lambda: self._heatmap.renew_token(*arguments, **options)))

    @takes_arguments_of(Heatmap.send)
    def send(self, *arguments: Any, **options: Any) -> bool:
        return self._run(self._call(lambda: self._heatmap.send(*arguments, **options)))

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
        return self._items(self._run(self._call(lambda: self._heatmap.states(*symbols))), timeout)

    def prices(self, *symbols: str, timeout: float | None = None) -> Iterator[PriceMessage]:
        """As :meth:`Heatmap.prices`; ``timeout`` as for :meth:`states`."""
        return self._items(self._run(self._call(lambda: self._heatmap.prices(*symbols))), timeout)

    def walls(self, *symbols: str, timeout: float | None = None) -> Iterator[WallsMessage]:
        """As :meth:`Heatmap.walls`; ``timeout`` as for :meth:`states`."""
        return self._items(self._run(self._call(lambda: self._heatmap.walls(*symbols))), timeout)

    def liquidations(self, *symbols: str, timeout: float | None = None) -> Iterator[LiquidationsMessage]:
        """As :meth:`Heatmap.liquidations`; ``timeout`` as for :meth:`states`."""
        return self._items(self._run(self._call(lambda: self._heatmap.liquidations(*symbols))), timeout)

    def alerts(self, *symbols: str, timeout: float | None = None) -> Iterator[AlertsMessage]:
        """As :meth:`Heatmap.alerts`; ``timeout`` as for :meth:`states`."""
        return self._items(self._run(self._call(lambda: self._heatmap.alerts(*symbols))), timeout)

    @takes_arguments_of(Heatmap.wait_for_state)
    def wait_for_state(self, *arguments: Any, **options: Any) -> Snapshot:
        return self._run(self._heatmap.wait_for_state(*arguments, **options))

    def to_dataframe(self) -> pd.DataFrame:
        """As :meth:`Heatmap.to_dataframe`."""
        return self._run(self._call(self._heatmap.to_dataframe))

    def _items(self, stream: MessageStream[Item], timeout: float | None) -> Iterator[Item]:
        """What a stream that exists already has and gets, so that nothing is missed before the loop begins."""
        while True:
            try:
                yield self._run(stream.next(timeout))
            except EOFError:
                return

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
