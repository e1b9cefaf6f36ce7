"""Ten thousand states over bad lines, compared level by level with what the server itself shows.

Clients follow the real program through a proxy that tears frames into small pieces, cuts connections in the middle of
them, and stalls; half of the clients take whole states, half differences. Beside them a plain WebSocket reads whole
JSON states straight from the server: the truth, by (view, symbol, epoch, seq). Halfway the server is killed and started
again.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from liqheat import ErrorEvent, Heatmap, Level, Snapshot

from .support import PATIENCE, Proxy, Server, free_port, run

if TYPE_CHECKING:
    import pytest

STATES = 10_000
TALL_BIN = 1_000
CLIENTS = 40
SYMBOLS = ("BTCUSDT", "BTCUSDT@sim")

Key = tuple[float | None, str, str, int]
"""Height of a level where it is not the base bin, symbol, epoch, seq."""
Seen = tuple[str | None, float | None, str, tuple[Level, ...]]
"""Hash, price, time and levels of a state."""


def start_server(port: int) -> Server:
    """A market that moves ten times a second, and no limit that sixty clients of one address would meet."""
    return Server(
        listen=f"127.0.0.1:{port}",
        arguments="--speed 1200",
        WS_UPDATE_INTERVAL="0.1",
        WS_MAX_CONNECTIONS_PER_ADDRESS="1000",
        WS_MAX_MESSAGES_PER_SECOND="1000",
    )


class Truth:
    """Every whole state that the server showed, and every state of a client, until both are known."""

    def __init__(self) -> None:
        self._shown: dict[Key, Seen] = {}
        self._unmatched: defaultdict[Key, list[Seen]] = defaultdict(list)
        self._changed = asyncio.Event()
        self.compared = 0
        self.differences: list[str] = []
        self.epochs: set[str] = set()

    def show(self, view: float | None, message: dict[str, Any]) -> None:
        key = (view, message["symbol"], message["epoch"], message["seq"])
        self.epochs.add(message["epoch"])
        data = message["data"]
        levels = tuple(Level(**level) for level in data["levels"])
        self._shown[key] = (message["hash"], data["current_price"], message["timestamp"], levels)
        for seen in self._unmatched.pop(key, ()):
            self._compare(key, seen)
        self._changed.set()

    def take(self, view: float | None, state: Snapshot) -> None:
        if state.epoch is None or state.seq is None:
            self.differences.append(f"a state without a position: {state.hash}")
            return
        key = (view, state.symbol, state.epoch, state.seq)
        seen = (state.hash, state.current_price, state.timestamp, state.levels)
        if key in self._shown:
            self._compare(key, seen)
        else:
            self._unmatched[key].append(seen)

    def _compare(self, key: Key, seen: Seen) -> None:
        if seen != self._shown[key]:
            self.differences.append(str(key))
        self.compared += 1

    @property
    def shown(self) -> int:
        return len(self._shown)

    async def until_shown(self, count: int) -> None:
        """Waits until the server has shown ``count`` states."""
        while self.shown < count:
            self._changed.clear()
            await self._changed.wait()

    async def until_compared(self, count: int) -> None:
        while self.compared < count:
            await self.until_shown(self.shown + 1)

    async def read(self, address: str) -> None:
        """Reads whole states from the server until it ends, in both views."""
        await asyncio.gather(self._read_view(address, None), self._read_view(address, TALL_BIN))

    async def _read_view(self, address: str, view: float | None) -> None:
        async with connect(f"{address.replace('http', 'ws')}/ws/heatmap", max_size=None) as socket:
            options = {} if view is None else {"bin": view}
            await socket.send(json.dumps({"action": "subscribe", "symbols": SYMBOLS, **options}))
            try:
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "snapshot":
                        self.show(view, message)
            except ConnectionClosed:
                # The server was killed.
                return


async def trouble(proxy: Proxy, truth: Truth) -> None:
    """Ends all connections at once, and stalls them, again and again, by what the server has shown meanwhile."""
    while True:
        await truth.until_shown(truth.shown + 40)
        proxy.cut_all()
        await truth.until_shown(truth.shown + 40)
        proxy.stall()
        await truth.until_shown(truth.shown + 6)
        proxy.resume()


def test_ten_thousand_states_equal_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that reconnecting does not take most of the time.
    monkeypatch.setattr("liqheat.heatmap.random.random", lambda: 0.05)
    port = free_port()
    with start_server(port) as first:
        run(follow(port, first), patience=10 * PATIENCE)


async def follow(port: int, first: Server) -> None:
    truth = Truth()
    errors: list[ErrorEvent] = []
    proxy = Proxy(port, seed=7)
    proxy.is_tearing = True
    proxy.bytes_before_cut = (2_000, 200_000)
    address = await proxy.start()
    heatmaps = []
    for number in range(CLIENTS):
        # The whole of this market has ten times as many levels to hash.
        view = None if number % 8 == 0 else TALL_BIN
        heatmap = Heatmap(address, on_state=partial(truth.take, view), on_error=errors.append, poll=False)
        heatmap.subscribe(SYMBOLS, mode="delta" if number % 2 else "snapshot", bin=view)
        heatmap.connect()
        heatmaps.append(heatmap)
    troubling = asyncio.create_task(trouble(proxy, truth))
    reading = asyncio.create_task(truth.read(first.address))
    await truth.until_compared(STATES // 2)
    await asyncio.to_thread(first.stop, signal.SIGKILL)
    await reading
    with await asyncio.to_thread(start_server, port) as second:
        reading = asyncio.create_task(truth.read(second.address))
        await truth.until_compared(STATES)
        troubling.cancel()
        await asyncio.gather(*(heatmap.close() for heatmap in heatmaps))
        await proxy.stop()
    await reading
    print(
        f"{truth.compared} states compared, {proxy.connections} connections, {proxy.cuts} cut within a frame, "
        f"{len(truth.epochs)} epochs"
    )
    assert truth.differences == []
    assert {error.code for error in errors} == {"SOCKET_ERROR"}, "of connections that were cut, and nothing else"
    assert proxy.cuts >= 20
    assert len(truth.epochs) == 2
