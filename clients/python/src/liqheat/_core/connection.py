"""The live client as a state machine: what arrives and what time it is, in; what to do, out.

Promises: a reported :class:`Snapshot` is always a whole state, in order, each state once; after any frame the state
equals the server's at that ``seq``, or an :class:`ErrorEvent` says so; subscriptions outlive every disconnect. What a
state is, is decided by ``Board``; what the application sees of the connection, by ``StatusMachine``. Sockets, HTTP,
tokens and clocks belong to the shell, which executes the commands that each method returns and calls :meth:`advance`
when :meth:`deadline` has come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from .._wire.channels import LiquidationsMessage, PriceMessage, WallsMessage
from .._wire.frames import Delta, ErrorEvent, FeedStatus, GoAway, Pong, ServerWarning, Snapshot, Unknown
from .._wire.requests import HEATMAP_ONLY, ack_message, ping_message, token_message, unsubscribe_message
from .acknowledgements import Acknowledgements
from .backoff import Backoff
from .board import Applied, Duplicate, Gap, HashMismatch
from .close_codes import ABNORMAL, after_close
from .commands import CancelPolls, CloseSocket, Command, Event, OpenSocket, Poll, Report, RequestToken, SendText
from .liveness import Liveness, Verdict
from .polling import DEFAULT_INTERVAL, PollSchedule
from .status import Reason, StatusChange, StatusMachine
from .subscriptions import Subscriptions, SymbolState, Via, in_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._wire.channels import Channel, ChannelMessage
    from .._wire.frames import Frame
    from .._wire.requests import Mismatch, SubscribeOptions, SubscribeRequest
    from .board import Outcome
    from .moment import Moment
    from .subscriptions import Subscription

_BACKOFF_GROWTH: Final = 16
_HANDSHAKE_LIMIT: Final = 10.0
_RETRY_AFTER_MAX: Final = 60.0
_SLOW_FOR: Final = 15.0
_FAILURES_BEFORE_POLLING: Final = 3
_MISMATCHES_BEFORE_SHOWING: Final = 3
_CLOSE_NORMAL: Final = 1000

_UNAUTHORIZED: Final = (401, 403)
_SERVICE_UNAVAILABLE: Final = 503
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_NO_SUCH_ROUTE: Final = (404, 405, 501)

Credentials = Literal["none", "fixed", "renewable"]
"""``renewable``: asked for again before every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRules:
    """How a connection is kept."""

    credentials: Credentials = "none"
    may_poll: bool = True
    """Whether states are asked for over HTTP while the socket does not work."""
    may_open_socket: bool = True
    """Without, states come by polling from the beginning."""
    max_attempts: int | None = None
    """Failed attempts in a row after which no further socket is tried."""
    reconnect_delay: float = 2.0
    """Seconds under which the first pause between attempts stays; the ceiling doubles up to sixteen times it."""

    def __post_init__(self) -> None:
        if not self.may_poll and not self.may_open_socket:
            raise ValueError("without socket and polling there is no way to get a state")


@dataclass(frozen=True, slots=True)
class HandshakeRefusal:
    """The HTTP answer to a handshake that was not accepted."""

    status: int
    detail: str
    retry_after: float | None
    """Seconds, from the header ``Retry-After``."""


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """The HTTP answer to a poll."""

    status: int
    frame: Frame | None = None
    """Body of a 200."""
    detail: str = ""
    """What the server says about any other status."""


class Connection:
    """One live client."""

    def __init__(self, address: str, rules: ConnectionRules, *, random: Callable[[], float]) -> None:
        self._address = address
        self._rules = rules
        self._commands: list[Command] = []
        self._status = StatusMachine(self._report)
        self._backoff = Backoff(rules.reconnect_delay, _BACKOFF_GROWTH * rules.reconnect_delay, random)
        self._subscriptions = Subscriptions()
        self._liveness = Liveness()
        self._acknowledgements = Acknowledgements()
        self._polls = PollSchedule()
        self._is_polling = False
        self._is_polling_offered = True
        self._is_wanted = False
        # Counts attempts and so names sockets: whatever arrives from another than the newest is of no interest.
        self._attempt = 0
        self._has_socket = False
        self._is_open = False
        self._handshake_until: float | None = None
        self._retry_monotonic: float | None = None
        self._retry_unix: float | None = None
        self._goaway: float | None = None
        self._slow_until = 0.0

    # --- what the application asks ---

    def connect(self, now: Moment) -> list[Command]:
        """Connects and keeps connecting until :meth:`disconnect`. Again while connected, it does nothing."""
        if not self._is_wanted:
            self._is_wanted = True
            self._is_polling_offered = True
            self._backoff.reset()
            self._start_attempt(now, "asked")
        return self._take_commands()

    def disconnect(self, reason: Literal["asked", "aborted"], message: str) -> list[Command]:
        """Closes and stays away; subscriptions are kept for a later :meth:`connect`."""
        if self._is_wanted or not self._status.is_in("disconnected"):
            self._is_wanted = False
            if self._has_socket:
                self._commands.append(CloseSocket(self._attempt, _CLOSE_NORMAL))
            self._release()
            self._status.move("disconnected", reason, message)
        return self._take_commands()

    def subscribe(
        self,
        now: Moment,
        symbols: Sequence[str],
        options: SubscribeOptions,
        channels: Sequence[Channel] = HEATMAP_ONLY,
    ) -> list[Command]:
        """Follows these channels of these symbols from now on, also over reconnects; again with other options changes
        them."""
        for symbol in self._subscriptions.add(symbols, channels, options):
            self._polls.forget(symbol)
        if "heatmap" in channels:
            self._acknowledgements.forget(symbols)
        if self._is_open:
            self._send_requests(self._subscriptions.requests(symbols, channels))
        if self._is_polling:
            self._follow_polls(now)
        return self._take_commands()

    def unsubscribe(self, now: Moment, symbols: Sequence[str], channels: Sequence[Channel] = ()) -> list[Command]:
        """Forgets these channels of these symbols, all without any, and what still arrives of them."""
        self._subscriptions.remove(symbols, channels)
        if not channels or "heatmap" in channels:
            self._acknowledgements.forget(symbols)
        if self._is_open:
            for some in in_messages(symbols):
                self._send(unsubscribe_message(some, channels))
        if self._is_polling:
            self._follow_polls(now)
        return self._take_commands()

    def renew_token(self, token: str) -> list[Command]:
        """Gives the server another token; one that is not asked for again is also that of later attempts."""
        if self._rules.credentials == "none":
            self._rules = replace(self._rules, credentials="fixed")
        if self._is_open:
            self._send(token_message(token))
        return self._take_commands()

    @property
    def is_open(self) -> bool:
        """Whether there is an open socket."""
        return self._is_open

    def taken(self, now: Moment, state: Snapshot) -> list[Command]:
        """The application has taken a state; acknowledged a moment later where the subscription asks for it."""
        known = self._subscriptions.get(state.symbol)
        if (
            known is not None
            and known.heatmap is not None
            and known.heatmap.options.ack
            and known.delivered_by == self._attempt
            and self._is_open
            and state.position is not None
        ):
            self._acknowledgements.taken(state.symbol, state.position, now.monotonic)
        return self._take_commands()

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
        if self._is_wanted and attempt == self._attempt and not self._has_socket:
            self._open_socket(now, token)
        return self._take_commands()

    def token_failed(self, now: Moment, attempt: int, why: str) -> list[Command]:
        if self._is_wanted and attempt == self._attempt and not self._has_socket:
            self._retry_in(now, self._backoff.next(), "no_token", f"no token: {why}")
        return self._take_commands()

    def opened(self, now: Moment, attempt: int) -> list[Command]:
        if self._is_current(attempt):
            self._is_open = True
            self._handshake_until = None
            self._stop_polling()
            self._slow_until = 0.0
            self._status.move("connected", "opened", "connected")
            self._send_requests(self._subscriptions.begin_connection())
            self._follow_verdicts(now, self._liveness.start(now))
        return self._take_commands()

    def received(self, now: Moment, attempt: int, frame: Frame) -> list[Command]:
        """A message has arrived on a socket."""
        if self._is_current(attempt):
            self._liveness.heard(now)
            self._backoff.reset()
            if self._status.is_in("stale") and self._status.current.reason == "silent":
                self._status.move("connected", "heard_again", "the server answers again")
            self._take_frame(now, frame, "socket")
        return self._take_commands()

    def address_refused(self, attempt: int, why: str) -> list[Command]:
        """The address is not one that a socket can be opened to."""
        if self._is_current(attempt):
            self._fail("bad_address", why)
            self._error("BAD_ADDRESS", why)
        return self._take_commands()

    def closed(
        self, now: Moment, attempt: int, code: int, why: str, refusal: HandshakeRefusal | None = None
    ) -> list[Command]:
        """A socket has ended, or was never opened."""
        if self._is_current(attempt):
            if code == ABNORMAL:
                self._error("SOCKET_ERROR", f"the socket to {self._address} failed: {why or 'the connection was lost'}")
            self._take_close(now, code, why, refusal)
        return self._take_commands()

    def polled(self, now: Moment, request: int, symbol: str, answer: PollAnswer) -> list[Command]:
        """A poll was answered."""
        if self._polls.take_answer(symbol, request, now.monotonic):
            if answer.status in (_OK, _NOT_MODIFIED):
                self._take_poll(now, symbol, answer.frame)
            elif answer.status in _NO_SUCH_ROUTE:
                self._is_polling_offered = False
                self._stop_polling()
                self._take_poll_failure("polling is not offered by this server")
            else:
                self._take_poll_failure(f"polling answered {answer.status}: {answer.detail}")
        return self._take_commands()

    def poll_failed(self, now: Moment, request: int, symbol: str, why: str) -> list[Command]:
        """A poll was not answered."""
        if self._polls.take_answer(symbol, request, now.monotonic):
            self._take_poll_failure(why)
        return self._take_commands()

    # --- time ---

    def deadline(self) -> float | None:
        """When :meth:`advance` is to be called next, on the monotonic clock."""
        due = (
            self._handshake_until,
            self._retry_monotonic,
            self._liveness.deadline(),
            self._polls.deadline(),
            self._acknowledgements.deadline(),
        )
        return min((at for at in due if at is not None), default=None)

    def advance(self, now: Moment) -> list[Command]:
        """Does everything that is due."""
        if self._handshake_until is not None and now.monotonic >= self._handshake_until:
            self._lose(now, "no_answer", "the server did not answer")
        if self._retry_monotonic is not None and now.monotonic >= self._retry_monotonic:
            self._start_attempt(now, "retry")
        if self._is_open:
            verdicts = self._liveness.advance(now)
            self._follow_verdicts(now, verdicts)
            if self._status.is_in("slow") and now.monotonic > self._slow_until:
                self._status.move("connected", "caught_up", "caught up again")
        for symbol, seq in self._acknowledgements.take_due(now.monotonic):
            self._send(ack_message(symbol, seq))
        for symbol, request in self._polls.take_due(now.monotonic):
            known = self._subscriptions.get(symbol)
            if known is not None and known.heatmap is not None:
                self._commands.append(Poll(request, symbol, known.board.position, known.heatmap.options))
        return self._take_commands()

    def _follow_verdicts(self, now: Moment, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            match verdict:
                case "ping":
                    self._send(ping_message())
                case "silent":
                    if not self._status.is_in("stale"):
                        self._status.move("stale", "silent", "the server has gone silent")
                case "dead":
                    self._lose(now, "no_answer", "no answer to a ping")

    # --- connecting and closing ---

    def _is_current(self, attempt: int) -> bool:
        return self._has_socket and attempt == self._attempt

    def _start_attempt(self, now: Moment, reason: Reason) -> None:
        self._clear_retry()
        if not self._rules.may_open_socket:
            self._status.move(
                "disconnected", "socket_off", "sockets are switched off; asking every few seconds instead"
            )
            self._start_polling(now)
            return
        if not self._status.is_in("polling"):
            self._status.move("connecting", reason, f"connecting to {self._address}")
        self._attempt += 1
        if self._rules.credentials == "none":
            self._open_socket(now, None)
        else:
            self._commands.append(RequestToken(self._attempt))

    def _open_socket(self, now: Moment, token: str | None) -> None:
        self._has_socket = True
        self._handshake_until = now.monotonic + _HANDSHAKE_LIMIT
        self._commands.append(OpenSocket(self._attempt, token))

    def _take_close(self, now: Moment, code: int, why: str, refusal: HandshakeRefusal | None) -> None:
        message = f"closed by the server ({code}: {why})" if why else f"closed by the server ({code})"
        next_step = after_close(code)
        if refusal is not None:
            message = f"refused by the server ({refusal.status}: {refusal.detail})"
            # A token that can be renewed may be accepted next time, a fixed one or none is refused again.
            if refusal.status in _UNAUTHORIZED and self._rules.credentials != "renewable":
                next_step = "stay_away"
        if next_step == "stay_away":
            self._drop()
            self._fail("refused", message)
            return
        goaway = self._goaway
        self._drop()
        if goaway is not None:
            self._retry_in(now, goaway, "goaway", message)
        elif next_step == "reconnect_now" and self._backoff.failures == 0:
            self._backoff.next()
            self._retry_in(now, 0.0, "closed", message)
        else:
            asked = refusal.retry_after if refusal is not None and refusal.retry_after is not None else 0.0
            self._retry_in(now, max(self._backoff.next(), min(asked, _RETRY_AFTER_MAX)), "closed", message)
        if refusal is not None and refusal.status == _SERVICE_UNAVAILABLE:
            self._start_polling(now)

    def _lose(self, now: Moment, reason: Reason, message: str) -> None:
        """The socket is still there but no good: leave it and try again."""
        self._commands.append(CloseSocket(self._attempt, _CLOSE_NORMAL))
        self._drop()
        self._retry_in(now, self._backoff.next(), reason, message)

    def _retry_in(self, now: Moment, delay: float, reason: Reason, message: str) -> None:
        attempts = self._rules.max_attempts
        if attempts is not None and self._backoff.failures > attempts:
            if not self._is_polling:
                self._fail("gave_up", f"gave up after {attempts} attempts: {message}")
            return
        self._retry_monotonic = now.monotonic + delay
        self._retry_unix = now.unix + delay
        if not self._status.is_in("polling"):
            self._status.move("disconnected", reason, message, self._retry_unix)
        if self._backoff.failures >= _FAILURES_BEFORE_POLLING:
            self._start_polling(now)

    def _clear_retry(self) -> None:
        self._retry_monotonic = None
        self._retry_unix = None

    def _drop(self) -> None:
        """Forgets the present socket and everything that was timed for it."""
        self._has_socket = False
        self._is_open = False
        self._goaway = None
        self._handshake_until = None
        self._liveness.stop()
        self._acknowledgements.clear()

    def _fail(self, reason: Reason, message: str) -> None:
        self._is_wanted = False
        self._release()
        self._status.move("failed", reason, message)

    def _release(self) -> None:
        self._drop()
        self._clear_retry()
        self._stop_polling()

    # --- what arrives ---

    def _take_frame(self, now: Moment, frame: Frame, via: Via) -> None:
        match frame:
            case Snapshot() | Delta():
                self._take_state(now, frame, via)
            case FeedStatus():
                self._take_feed(now, frame)
            case PriceMessage() | LiquidationsMessage() | WallsMessage():
                self._take_message(now, frame)
            case ServerWarning():
                self._take_warning(now, frame)
            case ErrorEvent():
                self._report(frame)
            case GoAway():
                self._goaway = frame.reconnect_in_ms / 1000
            case Pong():
                pass
            case Unknown():
                self._error("BAD_FRAME", frame.why)

    def _take_message(self, now: Moment, message: ChannelMessage) -> None:
        following = self._subscriptions.take_message(message, now.unix)
        if following is not None:
            self._report(replace(message, id=following.options.id))

    def _take_warning(self, now: Moment, warning: ServerWarning) -> None:
        if warning.code == "SLOW_CONSUMER":
            self._slow_until = now.monotonic + _SLOW_FOR
            if self._status.is_in("connected"):
                self._status.move("slow", "server_says_slow", warning.message)
        self._report(warning)

    def _take_state(self, now: Moment, frame: Snapshot | Delta, via: Via) -> None:
        known = self._subscriptions.get(frame.symbol)
        heatmap = None if known is None else known.heatmap
        if known is None or heatmap is None:
            return
        # A state without a position is of a server that knows neither positions nor ids.
        if via == "socket" and frame.epoch is not None and frame.id != heatmap.wire_id:
            return
        if frame.id != heatmap.options.id:
            frame = replace(frame, id=heatmap.options.id)
        known.heard_at = now.unix
        known.via = via
        if via == "socket":
            known.delivered_by = self._attempt
        board = known.board
        if isinstance(frame, Snapshot):
            known.is_snapshot_due = False
        outcome = board.apply_snapshot(frame) if isinstance(frame, Snapshot) else board.apply_delta(frame)
        state = self._accept(known, outcome)
        if state is None:
            return
        if isinstance(frame, Delta):
            self._report(frame)
        self._report(state)

    def _accept(self, known: Subscription, outcome: Outcome) -> Snapshot | None:
        """The state to show, if any; asks for a new one where it is not sound."""
        symbol = known.board.symbol
        match outcome:
            case Applied(state):
                known.mismatches = 0
                return state
            case Duplicate():
                return None
            case Gap() if known.is_snapshot_due:
                # It was on its way when the whole state was asked for, which follows.
                return None
            case Gap(_, from_seq):
                self._error("SEQUENCE_GAP", f"{symbol}: a delta from {from_seq} does not fit the state held here")
                known.board.forget()
                self._ask_again(symbol, None)
                return None
            case HashMismatch(report, announced, state):
                known.mismatches += 1
                self._error(
                    "HASH_MISMATCH", f"{symbol}: state {report.seq} has hash {report.hash}, announced was {announced}"
                )
                # Asking forever would show nothing forever: the error says so, and the state comes without a position.
                if known.mismatches >= _MISMATCHES_BEFORE_SHOWING:
                    return state
                self._ask_again(symbol, report)
                return None

    def _take_feed(self, now: Moment, frame: FeedStatus) -> None:
        known = self._subscriptions.take_feed(frame, now.unix)
        self._report(replace(frame, id=None if known is None else known.application_id(frame.id)))
        is_stale = self._subscriptions.is_any_stale()
        if is_stale and self._status.is_in("connected", "slow"):
            self._status.move("stale", "feed_stale", "connected, but the market data has stopped")
        elif not is_stale and self._status.is_in("stale") and self._status.current.reason == "feed_stale":
            self._status.move("connected", "feed_well", "market data is coming again")

    # --- asking ---

    def _send(self, text: str) -> None:
        self._commands.append(SendText(self._attempt, text))

    def _send_requests(self, requests: Sequence[SubscribeRequest]) -> None:
        for request in requests:
            self._send(request.message())

    def _ask_again(self, symbol: str, mismatch: Mismatch | None) -> None:
        self._acknowledgements.forget([symbol])
        # While polling, the next request goes without `since`, because the board has no position.
        if self._is_open:
            report = {} if mismatch is None else {symbol: mismatch}
            self._send_requests(self._subscriptions.repeat_heatmap(symbol, report))

    # --- polling ---

    def _start_polling(self, now: Moment) -> None:
        if self._rules.may_poll and self._is_polling_offered and not self._is_polling:
            self._is_polling = True
            self._follow_polls(now)

    def _follow_polls(self, now: Moment) -> None:
        intervals = {}
        for symbol, heatmap in self._subscriptions.heatmaps().items():
            interval = heatmap.options.update_interval
            intervals[symbol] = DEFAULT_INTERVAL if interval is None else interval
        self._polls.follow(intervals, now.monotonic)

    def _stop_polling(self) -> None:
        if self._is_polling:
            self._is_polling = False
            self._polls.stop()
            self._commands.append(CancelPolls())

    def _take_poll(self, now: Moment, symbol: str, frame: Frame | None) -> None:
        if self._status.is_in("connecting", "disconnected"):
            message = "the socket does not work; asking every few seconds instead"
            self._status.move("polling", "polling_answers", message)
        known = self._subscriptions.get(symbol)
        if known is not None:
            known.heard_at = now.unix
        if frame is not None:
            self._take_frame(now, frame, "polling")

    def _take_poll_failure(self, why: str) -> None:
        if self._status.is_in("polling"):
            self._status.move("disconnected", "polling_failed", why, self._retry_unix)

    # --- telling ---

    def _error(self, code: str, message: str) -> None:
        self._report(ErrorEvent(code, message))

    def _report(self, event: Event) -> None:
        self._commands.append(Report(event))

    def _take_commands(self) -> list[Command]:
        commands, self._commands = self._commands, []
        return commands
