"""The live client as a state machine: what arrives and what time it is, in; what to do, out.

Promises: a reported :class:`Snapshot` is always a whole state, in order, each state once; after any frame the state
equals the server's at that ``seq``, or an :class:`ErrorEvent` says so; subscriptions outlive every disconnect. Sockets,
HTTP, tokens and clocks belong to the shell, which executes the commands that each method returns and calls
:meth:`advance` when :meth:`deadline` has come.

This file decides what follows when a part reports something: ``Receiver`` (messages and states), ``CurrentSocket``,
``Reconnection`` (pauses between sockets), ``PollingFallback``, ``Liveness`` and ``StatusMachine`` (what the application
sees of the connection).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from .._wire.requests import HEATMAP_ONLY, ping_message, token_message, unsubscribe_message
from .close_codes import ABNORMAL
from .command_queue import CommandQueue
from .commands import RequestToken
from .current_socket import CurrentSocket
from .fallback import PollingFallback
from .liveness import Liveness, Verdict
from .receiver import Receiver
from .reconnection import Reconnection, Retry
from .status import Reason, StatusChange, StatusMachine
from .subscriptions import Subscriptions, SymbolState, in_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._wire.channels import Channel, ChannelMessage
    from .._wire.frames import Frame, Snapshot
    from .._wire.requests import SubscribeOptions
    from .commands import Command
    from .moment import Moment
    from .rules import ConnectionRules, HandshakeRefusal, PollAnswer

_FAILURES_BEFORE_POLLING = 3
_SERVICE_UNAVAILABLE = 503


class Connection:
    """One live client."""

    def __init__(self, address: str, rules: ConnectionRules, *, random: Callable[[], float]) -> None:
        self._address = address
        self._rules = rules
        self._is_wanted = False
        self._commands = commands = CommandQueue()
        self._status = status = StatusMachine(commands.report)
        self._subscriptions = subscriptions = Subscriptions()
        self._socket = CurrentSocket(commands)
        self._reconnection = reconnection = Reconnection(rules, random)
        self._liveness = Liveness()
        self._receiver = Receiver(commands, status, subscriptions, self._socket, reconnection)
        self._polling = PollingFallback(commands, status, subscriptions, reconnection, may_poll=rules.may_poll)

    # --- what the application asks ---

    def connect(self, now: Moment) -> list[Command]:
        """Connects and keeps connecting until :meth:`disconnect`. Again while connected, it does nothing."""
        if not self._is_wanted:
            self._is_wanted = True
            self._polling.connection_begins()
            self._reconnection.reset()
            self._start_attempt(now, "asked")
        return self._commands.take()

    def disconnect(self, reason: Literal["asked", "aborted"], message: str) -> list[Command]:
        """Closes and stays away; subscriptions are kept for a later :meth:`connect`."""
        if self._is_wanted or not self._status.is_in("disconnected"):
            self._end()
            self._status.move("disconnected", reason, message)
        return self._commands.take()

    def subscribe(
        self,
        now: Moment,
        symbols: Sequence[str],
        options: SubscribeOptions,
        channels: Sequence[Channel] = HEATMAP_ONLY,
    ) -> list[Command]:
        """Follows these channels of these symbols from now on, also over reconnects; again with other options changes
        them."""
        self._polling.forget(self._subscriptions.add(symbols, channels, options))
        self._receiver.subscription_changed(symbols, channels)
        if self._socket.is_open:
            self._socket.send_requests(self._subscriptions.requests(symbols, channels))
        self._polling.follow(now)
        return self._commands.take()

    def unsubscribe(self, now: Moment, symbols: Sequence[str], channels: Sequence[Channel] = ()) -> list[Command]:
        """Forgets these channels of these symbols, all without any, and what still arrives of them."""
        self._subscriptions.remove(symbols, channels)
        self._receiver.subscription_changed(symbols, channels)
        for some in in_messages(symbols):
            self._socket.send(unsubscribe_message(some, channels))
        self._polling.follow(now)
        return self._commands.take()

    def renew_token(self, token: str) -> list[Command]:
        """Gives the server another token; one that is not asked for again is also that of later attempts."""
        if self._rules.credentials == "none":
            self._rules = replace(self._rules, credentials="fixed")
        self._socket.send(token_message(token))
        return self._commands.take()

    def send(self, text: str) -> list[Command]:
        """A message of the application's own; nothing while there is no open socket."""
        self._socket.send(text)
        return self._commands.take()

    def taken(self, now: Moment, state: Snapshot) -> list[Command]:
        """The application has taken a state; acknowledged a moment later where the subscription asks for it."""
        self._receiver.taken(now, state)
        return self._commands.take()

    @property
    def is_open(self) -> bool:
        """Whether there is an open socket."""
        return self._socket.is_open

    @property
    def status(self) -> StatusChange:
        return self._status.current

    def symbols(self) -> list[str]:
        return self._subscriptions.symbols()

    def state(self, symbol: str) -> SymbolState | None:
        """The newest state of a symbol; ``None`` before the first."""
        return self._subscriptions.state(symbol)

    def newest(self, symbol: str, channel: Channel) -> ChannelMessage | None:
        """The newest message of a channel beside the heatmap; ``None`` before the first."""
        return self._subscriptions.newest(symbol, channel)

    # --- what the shell reports ---

    def token_ready(self, now: Moment, attempt: int, token: str) -> list[Command]:
        if self._is_wanted and self._socket.awaits_token(attempt):
            self._socket.open(now, token)
        return self._commands.take()

    def token_failed(self, now: Moment, attempt: int, why: str) -> list[Command]:
        if self._is_wanted and self._socket.awaits_token(attempt):
            self._retry(now, self._reconnection.after_failure("no_token"), f"no token: {why}")
        return self._commands.take()

    def opened(self, now: Moment, attempt: int) -> list[Command]:
        if self._socket.is_current(attempt):
            self._socket.opened()
            self._polling.stop()
            self._receiver.socket_opened()
            self._status.move("connected", "opened", "connected")
            self._socket.send_requests(self._subscriptions.begin_connection())
            self._follow_verdicts(now, self._liveness.start(now))
        return self._commands.take()

    def received(self, now: Moment, attempt: int, frame: Frame) -> list[Command]:
        """A message has arrived on a socket."""
        if self._socket.is_current(attempt):
            self._liveness.heard(now)
            self._reconnection.reset()
            if self._status.is_in("stale") and self._status.current.reason == "silent":
                self._status.move("connected", "heard_again", "the server answers again")
            self._receiver.take(now, frame, "socket")
        return self._commands.take()

    def address_refused(self, attempt: int, why: str) -> list[Command]:
        """The address is not one that a socket can be opened to."""
        if self._socket.is_current(attempt):
            self._fail("bad_address", why)
            self._commands.error("BAD_ADDRESS", why)
        return self._commands.take()

    def closed(
        self, now: Moment, attempt: int, code: int, why: str, refusal: HandshakeRefusal | None = None
    ) -> list[Command]:
        """A socket has ended, or was never opened."""
        if self._socket.is_current(attempt):
            if code == ABNORMAL:
                lost = why or "the connection was lost"
                self._commands.error("SOCKET_ERROR", f"the socket to {self._address} failed: {lost}")
            self._take_close(now, code, why, refusal)
        return self._commands.take()

    def polled(self, now: Moment, request: int, symbol: str, answer: PollAnswer) -> list[Command]:
        """A poll was answered."""
        frame = self._polling.answered(now, request, symbol, answer)
        if frame is not None:
            self._receiver.take(now, frame, "polling")
        return self._commands.take()

    def poll_failed(self, now: Moment, request: int, symbol: str, why: str) -> list[Command]:
        """A poll was not answered."""
        self._polling.not_answered(now, request, symbol, why)
        return self._commands.take()

    # --- time ---

    def deadline(self) -> float | None:
        """When :meth:`advance` is to be called next, on the monotonic clock."""
        parts = (self._socket, self._reconnection, self._liveness, self._receiver, self._polling)
        return min((at for part in parts if (at := part.deadline()) is not None), default=None)

    def advance(self, now: Moment) -> list[Command]:
        """Does everything that is due."""
        if self._socket.is_overdue(now):
            self._lose(now, "the server did not answer")
        if self._reconnection.is_due(now):
            self._start_attempt(now, "retry")
        if self._socket.is_open:
            self._follow_verdicts(now, self._liveness.advance(now))
        self._receiver.advance(now)
        self._polling.advance(now)
        return self._commands.take()

    def _follow_verdicts(self, now: Moment, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            match verdict:
                case "ping":
                    self._socket.send(ping_message())
                case "silent":
                    if not self._status.is_in("stale"):
                        self._status.move("stale", "silent", "the server has gone silent")
                case "dead":
                    self._lose(now, "no answer to a ping")

    # --- connecting and closing ---

    def _start_attempt(self, now: Moment, reason: Reason) -> None:
        self._reconnection.cancel()
        if not self._rules.may_open_socket:
            self._status.move(
                "disconnected", "socket_off", "sockets are switched off; asking every few seconds instead"
            )
            self._polling.start(now)
            return
        if not self._status.is_in("polling"):
            self._status.move("connecting", reason, f"connecting to {self._address}")
        attempt = self._socket.begin_attempt()
        if self._rules.credentials == "none":
            self._socket.open(now, None)
        else:
            self._commands.add(RequestToken(attempt))

    def _take_close(self, now: Moment, code: int, why: str, refusal: HandshakeRefusal | None) -> None:
        message = f"closed by the server ({code}: {why})" if why else f"closed by the server ({code})"
        if refusal is not None:
            message = f"refused by the server ({refusal.status}: {refusal.detail})"
        is_token_renewable = self._rules.credentials == "renewable"
        retry = self._reconnection.after_close(code, refusal, is_token_renewable=is_token_renewable)
        self._forget_socket()
        if retry is None:
            self._fail("refused", message)
            return
        self._retry(now, retry, message)
        if refusal is not None and refusal.status == _SERVICE_UNAVAILABLE:
            self._polling.start(now)

    def _lose(self, now: Moment, message: str) -> None:
        """The socket is still there but no good: leave it and try again."""
        self._socket.close()
        self._forget_socket()
        self._retry(now, self._reconnection.after_failure("no_answer"), message)

    def _retry(self, now: Moment, retry: Retry, message: str) -> None:
        if self._reconnection.is_exhausted:
            if not self._polling.is_running:
                self._fail("gave_up", f"gave up after {self._rules.max_attempts} attempts: {message}")
            return
        self._reconnection.wait(now, retry.delay)
        if not self._status.is_in("polling"):
            self._status.move("disconnected", retry.reason, message, self._reconnection.at)
        if self._reconnection.failures >= _FAILURES_BEFORE_POLLING:
            self._polling.start(now)

    def _fail(self, reason: Reason, message: str) -> None:
        # The shell has no socket any more: what failed is the address, or was closed by the server.
        self._socket.forget()
        self._end()
        self._status.move("failed", reason, message)

    def _end(self) -> None:
        """Leaves nothing behind that would go on by itself."""
        self._is_wanted = False
        self._socket.close()
        self._forget_socket()
        self._reconnection.cancel()
        self._polling.stop()

    def _forget_socket(self) -> None:
        """Forgets the present socket and everything that was timed for it."""
        self._socket.forget()
        self._reconnection.socket_ended()
        self._receiver.socket_ended()
        self._liveness.stop()
