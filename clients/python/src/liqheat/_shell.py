"""Executes the commands of the connection machine: sockets, HTTP requests, tokens and the timer of one event loop.

It decides nothing. Everything it learns goes back into the machine with the present time, and so does the machine's own
deadline when it has come.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from ._core.close_codes import ABNORMAL
from ._core.commands import CancelPolls, CloseSocket, Command, OpenSocket, Poll, Report, RequestToken, SendText
from ._core.moment import Moment
from ._core.rules import HandshakeRefusal, PollAnswer
from ._routes import view_parameters
from ._version import USER_AGENT
from ._wire.binary import BINARY_PROTOCOL, JSON_PROTOCOL, STATE_CONTENT_TYPE, parse_binary
from ._wire.fields import MalformedError, parse_json
from ._wire.frames import parse_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ._core.commands import Event
    from ._core.connection import Connection
    from ._wire.frames import Frame

logger: Final = logging.getLogger("liqheat")


_PROTOCOLS: Final = [Subprotocol(BINARY_PROTOCOL), Subprotocol(JSON_PROTOCOL)]
_MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
_CLOSE_TIMEOUT: Final = 2.0
_CLOSE_INTERNAL_ERROR: Final = 1011
_POLL_TIMEOUT: Final = 10.0
_DETAIL_CHARACTERS_MAX: Final = 300


class Shell:
    """Runs one :class:`Connection` on the running event loop."""

    def __init__(
        self,
        machine: Connection,
        socket_url: str,
        poll_url: str,
        token: str | Callable[[], str | Awaitable[str]] | None,
        deliver: Callable[[Event], None],
    ) -> None:
        self._machine = machine
        self._socket_url = socket_url
        self._poll_url = poll_url
        self._token = token
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Command] = deque()
        self._is_performing = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._polls: set[asyncio.Task[None]] = set()
        self._tokens: set[asyncio.Task[None]] = set()
        self._sockets: dict[int, _Socket] = {}
        self._http: httpx.AsyncClient | None = None

    def set_token(self, token: str) -> None:
        """Takes the place of the one before in attempts and polls to come."""
        self._token = token

    def now(self) -> Moment:
        return Moment(self._loop.time(), time.time())

    def perform(self, commands: list[Command]) -> None:
        """Executes commands in order. What the application asks for from within a callback is done afterwards."""
        self._queue.extend(commands)
        if self._is_performing:
            return
        self._is_performing = True
        try:
            while self._queue:
                self._perform_one(self._queue.popleft())
        finally:
            self._is_performing = False
        self._schedule()

    async def close(self) -> None:
        """Waits until nothing of this shell runs any more. The machine was disconnected before."""
        if self._timer is not None:
            self._timer.cancel()
        # The application's function may wait for a person to sign in.
        for task in self._tokens:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._http is not None:
            await self._http.aclose()

    def _perform_one(self, command: Command) -> None:
        match command:
            case Report(event):
                self._deliver(event)
            case SendText(attempt, text):
                socket = self._sockets.get(attempt)
                if socket is not None:
                    socket.outgoing.put_nowait(text)
            case RequestToken(attempt):
                self._spawn(self._get_token(attempt), self._tokens)
            case OpenSocket(attempt, token):
                self._open(attempt, token)
            case CloseSocket(attempt, code):
                self._close_socket(attempt, code)
            case Poll():
                self._spawn(self._poll(command), self._polls)
            case CancelPolls():
                self._cancel_polls()

    def _open(self, attempt: int, token: str | None) -> None:
        socket = _Socket()
        self._sockets[attempt] = socket
        socket.reader = self._spawn(self._run_socket(attempt, socket, token))

    def _close_socket(self, attempt: int, code: int) -> None:
        socket = self._sockets.pop(attempt, None)
        if socket is not None:
            self._spawn(socket.close(code))

    def _cancel_polls(self) -> None:
        for task in self._polls:
            task.cancel()

    def _spawn(
        self, work: Coroutine[Any, Any, None], group: set[asyncio.Task[None]] | None = None
    ) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        for tasks in (self._tasks, group):
            if tasks is not None:
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        return task

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._machine.deadline()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._advance)

    def _advance(self) -> None:
        self.perform(self._machine.advance(self.now()))

    # --- sockets ---

    async def _run_socket(self, attempt: int, socket: _Socket, token: str | None) -> None:
        machine = self._machine
        try:
            await self._connect(socket, token)
        except (InvalidURI, ValueError) as error:
            self.perform(machine.address_refused(attempt, str(error)))
        except InvalidStatus as error:
            refusal = _refusal(error)
            self.perform(machine.closed(self.now(), attempt, ABNORMAL, str(error), refusal))
        except (OSError, InvalidHandshake, ConnectionClosed, EOFError) as error:
            self.perform(machine.closed(self.now(), attempt, ABNORMAL, str(error)))
        else:
            await self._read_guarded(attempt, socket)
        finally:
            self._sockets.pop(attempt, None)

    async def _read_guarded(self, attempt: int, socket: _Socket) -> None:
        """A bug in this package must not leave the application with a connection that nobody reads."""
        try:
            await self._read(attempt, socket)
        except Exception as error:
            logger.exception("error in the client; the connection is opened again")
            self._spawn(socket.close(_CLOSE_INTERNAL_ERROR))
            self.perform(self._machine.closed(self.now(), attempt, ABNORMAL, f"error in the client: {error}"))

    async def _connect(self, socket: _Socket, token: str | None) -> None:
        socket.connection = await connect(
            self._socket_url,
            subprotocols=_PROTOCOLS,
            additional_headers={} if token is None else {"Authorization": f"Bearer {token}"},
            user_agent_header=USER_AGENT,
            # The machine has its own limit for the handshake, its own pings, and its own judgement of silence.
            open_timeout=None,
            ping_interval=None,
            close_timeout=_CLOSE_TIMEOUT,
            max_size=_MESSAGE_BYTES_MAX,
        )

    async def _read(self, attempt: int, socket: _Socket) -> None:
        machine, connection = self._machine, socket.connection
        if connection is None:
            return
        writer = self._spawn(socket.write())
        try:
            self.perform(machine.opened(self.now(), attempt))
            async for message in connection:
                frame = parse_frame(message) if isinstance(message, str) else parse_binary(message)
                self.perform(machine.received(self.now(), attempt, frame))
                # A backlog is read without waiting; whoever consumes the states is to run between two of them.
                await asyncio.sleep(0)
        except ConnectionClosed:
            # How it ended is read from the connection below.
            pass
        finally:
            writer.cancel()
        code = connection.close_code or ABNORMAL
        self.perform(machine.closed(self.now(), attempt, code, connection.close_reason or ""))

    # --- tokens ---

    async def _get_token(self, attempt: int) -> None:
        try:
            token = await self._ask_token()
        except Exception as error:  # noqa: BLE001 - the application's function may fail in any way; it is called later once more
            why = str(error) or type(error).__name__
            self.perform(self._machine.token_failed(self.now(), attempt, why))
        else:
            self.perform(self._machine.token_ready(self.now(), attempt, token))

    async def _ask_token(self) -> str:
        token = self._token() if callable(self._token) else self._token
        if inspect.isawaitable(token):
            token = await token
        return checked_token(token)

    # --- polling ---

    async def _poll(self, command: Poll) -> None:
        machine, symbol = self._machine, command.symbol
        try:
            answer = await self._get_state(command)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = f"polling failed: {str(error) or type(error).__name__}"
            self.perform(machine.poll_failed(self.now(), command.request, symbol, why))
        except Exception as error:  # noqa: BLE001 - the application's token function may fail in any way
            self.perform(machine.poll_failed(self.now(), command.request, symbol, f"no token: {error}"))
        else:
            self.perform(machine.polled(self.now(), command.request, symbol, answer))

    async def _get_state(self, command: Poll) -> PollAnswer:
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=_POLL_TIMEOUT, headers={"User-Agent": USER_AGENT})
        # No If-None-Match: the tag stands for the levels alone, and a price that moved without them would be hidden.
        headers = {"Accept": f"{STATE_CONTENT_TYPE}, application/json;q=0.5"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {await self._ask_token()}"
        response = await self._http.get(self._poll_url, params=_poll_parameters(command), headers=headers)
        if response.status_code == httpx.codes.OK:
            return PollAnswer(response.status_code, _state_of(response))
        return PollAnswer(response.status_code, detail=detail_of(response.content))


def checked_token(token: object) -> str:
    """Raises :class:`ValueError` for what cannot stand in a header."""
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("a token must be a text of visible ASCII characters")
    return token


class _Socket:
    """One socket: being opened, open, or closing."""

    __slots__ = ("connection", "outgoing", "reader")

    def __init__(self) -> None:
        self.connection: ClientConnection | None = None
        self.reader: asyncio.Task[None] | None = None
        # Bounded by what the machine sends (subscriptions, a ping every 30 s, an ack of a symbol every 50 ms) and by
        # messages of the application's own.
        self.outgoing: asyncio.Queue[str] = asyncio.Queue()

    async def write(self) -> None:
        if self.connection is None:
            return
        try:
            while True:
                await self.connection.send(await self.outgoing.get())
        except ConnectionClosed:
            # The reader reports it.
            return

    async def close(self, code: int) -> None:
        if self.connection is not None:
            # What was asked for before, such as an unsubscription, need not arrive: the server forgets a closed client.
            await self.connection.close(code)
        elif self.reader is not None:
            self.reader.cancel()


def _poll_parameters(command: Poll) -> dict[str, str]:
    parameters = {"symbol": command.symbol}
    if command.since is not None:
        parameters["since"] = str(command.since)
    parameters.update(view_parameters(command.options.price_range, command.options.bin))
    if command.options.view is not None:
        parameters["view"] = command.options.view
    if command.options.horizon is not None:
        parameters["horizon"] = command.options.horizon
    return parameters


def _state_of(response: httpx.Response) -> Frame:
    if response.headers.get("Content-Type", "").startswith(STATE_CONTENT_TYPE):
        return parse_binary(response.content)
    return parse_frame(response.text)


def detail_of(body: bytes) -> str:
    """What an error answer says: ``detail`` of its JSON body, or the beginning of whatever it is."""
    try:
        value = parse_json(body)
    except MalformedError:
        return body.decode("utf-8", "replace").strip()[:_DETAIL_CHARACTERS_MAX]
    detail = value.get("detail") if isinstance(value, dict) else None
    return detail if isinstance(detail, str) else ""


def retry_after_of(value: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header; a date, which our server never sends, counts as absent."""
    return float(value) if value is not None and value.isascii() and value.isdigit() else None


def _refusal(error: InvalidStatus) -> HandshakeRefusal:
    response = error.response
    detail = detail_of(bytes(response.body)) if response.body else response.reason_phrase
    return HandshakeRefusal(response.status_code, detail, retry_after_of(response.headers.get("Retry-After")))
