"""What the tests share: golden files, the machine with a clock of its own, the real server, a proxy that misbehaves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from liqheat import Heatmap
from liqheat._core.commands import (
    CancelPolls,
    CloseSocket,
    Command,
    Event,
    OpenSocket,
    Poll,
    Report,
    RequestToken,
    SendText,
)
from liqheat._core.connection import Connection
from liqheat._core.moment import Moment
from liqheat._core.rules import ConnectionRules, PollAnswer
from liqheat._core.status import StatusChange
from liqheat._wire.channels import AlertsMessage, ChannelMessage, LiquidationsMessage, PriceMessage, WallsMessage
from liqheat._wire.frames import Delta, ErrorEvent, Frame, Snapshot
from liqheat._wire.requests import HEATMAP_ONLY, SubscribeOptions
from liqheat._wire.state_hash import StateHash, mix_level, price_units

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from liqheat._wire.channels import Channel
    from liqheat._wire.levels import Level

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0
"""Most seconds anything may take; never waited for when all is well."""

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")


def golden(name: str) -> Any:
    """A file that the tests of the server and of the JavaScript client read as well."""
    return json.loads((ROOT / "crates" / "wire" / "golden" / name).read_text())


def run(work: Coroutine[Any, Any, _Result], patience: float = PATIENCE) -> _Result:
    """Runs a test on an event loop, for at most ``patience`` seconds."""

    async def bounded() -> _Result:
        return await asyncio.wait_for(work, patience)

    return asyncio.run(bounded())


def hash_of(levels: Iterable[Level]) -> str:
    digest = StateHash()
    for price, long_usd, short_usd in levels:
        if long_usd or short_usd:
            digest.add(mix_level(price_units(price), long_usd, short_usd))
    return digest.text()


def snapshot(
    seq: int | None, levels: Iterable[Level], *, epoch: str | None = "e", digest: str | None = "", symbol: str = "S"
) -> Snapshot:
    """A whole state; with the hash of its levels, unless another is given."""
    levels = tuple(levels)
    return Snapshot(
        symbol=symbol,
        timestamp="2025-12-28T14:30:00Z",
        epoch=epoch,
        seq=seq,
        hash=hash_of(levels) if digest == "" else digest,
        levels=levels,
        current_price=98_450,
        positions_created=1,
        positions_consumed=2,
    )


def delta(
    from_seq: int, seq: int, levels: Iterable[Level], digest: str, *, epoch: str = "e", symbol: str = "S"
) -> Delta:
    return Delta(
        symbol=symbol,
        timestamp="2025-12-28T14:30:00Z",
        epoch=epoch,
        from_seq=from_seq,
        seq=seq,
        hash=digest,
        levels=tuple(levels),
        current_price=98_450,
        positions_created=1,
        positions_consumed=2,
    )


class World:
    """The connection machine with a shell made by hand: time moves when told to, and so does the server."""

    def __init__(self, rules: ConnectionRules | None = None) -> None:
        self.chance = 1.0
        rules = rules or ConnectionRules()
        self.machine = Connection("ws://server/ws/heatmap", rules, random=lambda: self.chance)
        self.now = Moment(1_000.0, 1_000_000.0)
        self.sockets: list[OpenSocket] = []
        self.sent: list[tuple[int, dict[str, Any]]] = []
        self.closed: list[CloseSocket] = []
        self.polls: list[Poll] = []
        self.token_requests: list[int] = []
        self.events: list[Event] = []
        self.answer: Callable[[Poll], PollAnswer | str] = lambda _: "connection refused"

    # --- what the application does ---

    def connect(self) -> None:
        self.do(self.machine.connect(self.now))

    def disconnect(self) -> None:
        self.do(self.machine.disconnect("asked", "disconnected on request"))

    def subscribe(
        self, *symbols: str, options: SubscribeOptions | None = None, channels: Sequence[Channel] = HEATMAP_ONLY
    ) -> None:
        self.do(self.machine.subscribe(self.now, symbols, options or SubscribeOptions(mode="snapshot"), channels))

    def unsubscribe(self, *symbols: str, channels: Sequence[Channel] = ()) -> None:
        self.do(self.machine.unsubscribe(self.now, symbols, channels))

    # --- what the server and time do ---

    def open(self) -> None:
        self.do(self.machine.opened(self.now, self.attempt))

    def say(self, frame: Frame) -> None:
        """The server sends a message of the newest subscription."""
        match frame:
            case Snapshot() | Delta():
                frame = replace(frame, id=self.wire_id(frame.symbol, "heatmap"))
            case PriceMessage() | LiquidationsMessage() | WallsMessage() | AlertsMessage():
                frame = replace(frame, id=self.wire_id(frame.symbol, frame.channel))
        self.say_late(frame)

    def say_late(self, frame: Frame) -> None:
        """A message arrives just as it is: of a subscription that has been replaced, if its id says so."""
        self.do(self.machine.received(self.now, self.attempt, frame))

    def wire_id(self, symbol: str, channel: Channel) -> str | None:
        """The id that the server repeats in this channel's messages."""
        for message in reversed(self.messages("subscribe")):
            if symbol in message["symbols"] and channel in message.get("channels", HEATMAP_ONLY):
                name: str | None = message.get("id")
                return name
        return None

    def end(self, code: int = 1006, why: str = "") -> None:
        self.do(self.machine.closed(self.now, self.attempt, code, why))

    def pass_time(self, seconds: float) -> None:
        """Time passes, and the machine is woken at each of its deadlines."""
        end = self.now.monotonic + seconds
        self.do([])
        while (due := self.machine.deadline()) is not None and due <= end:
            self._move(max(due - self.now.monotonic, 0.0))
            self.do(self.machine.advance(self.now))
        self._move(end - self.now.monotonic)

    def sleep(self, seconds: float) -> None:
        """The machine is suspended: only the wall clock moves on."""
        self.now = Moment(self.now.monotonic, self.now.unix + seconds)

    def _move(self, seconds: float) -> None:
        self.now = Moment(self.now.monotonic + seconds, self.now.unix + seconds)

    # --- what was seen ---

    @property
    def attempt(self) -> int:
        return self.sockets[-1].attempt

    @property
    def status(self) -> StatusChange:
        return self.machine.status

    @property
    def wait(self) -> float:
        """Seconds until the next attempt."""
        assert self.status.retry_at is not None
        return self.status.retry_at - self.now.unix

    def statuses(self) -> list[str]:
        return [event.status for event in self.events if isinstance(event, StatusChange)]

    def channel_messages(self) -> list[ChannelMessage]:
        kinds = (PriceMessage, LiquidationsMessage, WallsMessage, AlertsMessage)
        return [event for event in self.events if isinstance(event, kinds)]

    def states(self) -> list[Snapshot]:
        return [event for event in self.events if isinstance(event, Snapshot)]

    def errors(self) -> list[str]:
        return [event.code for event in self.events if isinstance(event, ErrorEvent)]

    def messages(self, action: str, attempt: int | None = None) -> list[dict[str, Any]]:
        """What was sent on the newest socket, or on another."""
        wanted = self.attempt if attempt is None else attempt
        return [message for at, message in self.sent if at == wanted and message["action"] == action]

    def last_move(self) -> str:
        status = self.status
        return f"{status.previous} -> {status.status}: {status.reason}"

    def do(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case OpenSocket():
                    self.sockets.append(command)
                case SendText(attempt, text):
                    self.sent.append((attempt, json.loads(text)))
                case CloseSocket():
                    self.closed.append(command)
                case RequestToken(attempt):
                    self.token_requests.append(attempt)
                case Poll():
                    self.polls.append(command)
                    answer = self.answer(command)
                    if isinstance(answer, str):
                        self.do(self.machine.poll_failed(self.now, command.request, command.symbol, answer))
                    else:
                        self.do(self.machine.polled(self.now, command.request, command.symbol, answer))
                case CancelPolls():
                    pass
                case Report(event):
                    self.events.append(event)


def connected_world(rules: ConnectionRules | None = None) -> World:
    """A world whose first socket is open and follows ``S``."""
    world = World(rules)
    world.subscribe("S")
    world.connect()
    world.open()
    return world


class Server:
    """The real program over its simulated market."""

    def __init__(self, *, listen: str = "127.0.0.1:0", arguments: str = "", **environment: str) -> None:
        program = os.environ.get("LIQHEAT_BIN", str(ROOT / "target" / "debug" / "liqheat"))
        if not Path(program).exists():
            raise FileNotFoundError(f"{program} is missing: cargo build -p liqheat, or set LIQHEAT_BIN")
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("LIQHEAT_", "WS_", "REDIS_"))
        }
        command = [program, "demo", "--days", "1", "--log", "error", "--listen", listen, *arguments.split()]
        self._process = subprocess.Popen(
            command,
            env={**inherited, "WS_MAX_NEW_CONNECTIONS_PER_MINUTE": "100000", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.address = self._address()
        # Whatever else it prints must not fill the pipe.
        self._drain = threading.Thread(target=self._output.read, daemon=True)
        self._drain.start()

    @property
    def _output(self) -> Any:
        assert self._process.stdout is not None
        return self._process.stdout

    def _address(self) -> str:
        printed = []
        for line in self._output:
            printed.append(line)
            match = re.fullmatch(r"liqheat: (http://\S+)/\n", line)
            if match is not None:
                return match[1]
        raise AssertionError(f"the server did not start; it printed: {''.join(printed)}")

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Asks it to end, or kills it, and waits until it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
        self._drain.join()
        self._output.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL)


class Watch:
    """What a heatmap reports, and a way to wait for it."""

    def __init__(self) -> None:
        self.states: list[Snapshot] = []
        self.moves: list[StatusChange] = []
        self.errors: list[str] = []
        self._changed = asyncio.Event()

    def heatmap(self, address: str, *, poll: bool | str = True, token: str | None = None) -> Heatmap:
        return Heatmap(
            address,
            on_state=lambda state: self.note(self.states, state),
            on_status=lambda change: self.note(self.moves, change),
            on_error=lambda error: self.note(self.errors, error.code),
            poll=poll,
            token=token,
        )

    def note(self, log: list[_Item], item: _Item) -> None:
        log.append(item)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not condition():
                self._changed.clear()
                await self._changed.wait()

        await asyncio.wait_for(wait(), PATIENCE)

    async def until_status(self, status: str) -> None:
        await self.until(lambda: bool(self.moves) and self.moves[-1].status == status)

    async def until_more_states(self, count: int) -> None:
        wanted = len(self.states) + count
        await self.until(lambda: len(self.states) >= wanted)


def signed_token(secret: str, **claims: object) -> str:
    """A token that runs out in a minute, made after RFC 7519."""

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = encode(json.dumps({"exp": int(time.time()) + 60, **claims}).encode())
    signature = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{encode(signature)}"


def free_port() -> int:
    """A port below those of outgoing connections: nobody takes it while a server is started there again."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(26_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port between 26000 and 30000")


Fault = Literal["none", "tear", "stall", "cut", "refuse"]


class Proxy:
    """A TCP proxy that delivers bytes torn into small pieces, stalls, and cuts connections in the middle of a frame."""

    def __init__(self, target_port: int, seed: int = 1) -> None:
        self._target_port = target_port
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self.is_refusing = False
        """New connections are closed at once."""
        self.is_stalled = False
        """Nothing is passed on, but connections stay open."""
        self._resumed = asyncio.Event()
        self.is_tearing = False
        self.bytes_before_cut: tuple[int, int] | None = None
        """Each connection is cut after a random number of bytes from this span."""
        self.cuts = 0
        self.connections = 0

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut_all()
        if self._links:
            await asyncio.wait(self._links)
        # An aborted transport is closed in the next turn of the loop.
        await asyncio.sleep(0)

    def cut_all(self) -> None:
        """Ends every connection, whatever it is in the middle of."""
        for link in self._links:
            link.cancel()

    def stall(self) -> None:
        self.is_stalled = True
        self._resumed.clear()

    def resume(self) -> None:
        self.is_stalled = False
        self._resumed.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_refusing:
            writer.transport.abort()
            return
        self.connections += 1
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        try:
            await self._link(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._links.discard(link)
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        budget = None if self.bytes_before_cut is None else self._random.randint(*self.bytes_before_cut)
        pumps = [
            asyncio.create_task(self._pump(reader, upstream_writer, None)),
            asyncio.create_task(self._pump(upstream_reader, writer, budget)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # At once, because a second cut may end the wait for the pumps.
            upstream_writer.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: int | None) -> None:
        while data := await reader.read(16_384):
            if self.is_stalled:
                await self._resumed.wait()
            if budget is not None:
                data, budget = data[:budget], budget - len(data)
            for piece in self._pieces(data):
                writer.write(piece)
                await writer.drain()
            if budget is not None and budget <= 0:
                self.cuts += 1
                return

    def _pieces(self, data: bytes) -> list[bytes]:
        """The data, or the data torn at up to three places, so that frames and their headers arrive in parts."""
        if not self.is_tearing:
            return [data]
        places = sorted(self._random.randrange(len(data) + 1) for _ in range(3))
        return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True) if begin < end]
