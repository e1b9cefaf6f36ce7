"""What arrives: states go to their boards, and on to the application when they are sound; others are requested anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .._wire.channels import AlertsMessage, LiquidationsMessage, PriceMessage, WallsMessage
from .._wire.frames import Delta, ErrorEvent, FeedStatus, GoAway, Pong, ServerWarning, Snapshot, Unknown
from .._wire.requests import ack_message
from .acknowledgements import Acknowledgements
from .board import Applied, Duplicate, Gap, HashMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._wire.channels import Channel, ChannelMessage
    from .._wire.frames import Frame
    from .._wire.requests import Mismatch
    from .board import Outcome
    from .command_queue import CommandQueue
    from .current_socket import CurrentSocket
    from .moment import Moment
    from .reconnection import Reconnection
    from .status import StatusMachine
    from .subscriptions import Subscription, Subscriptions, Via

_SLOW_FOR: Final = 15.0
_MISMATCHES_BEFORE_SHOWING: Final = 3


class Receiver:
    """Takes the messages of one connection, by whatever way they come."""

    __slots__ = (
        "_acknowledgements",
        "_commands",
        "_reconnection",
        "_slow_until",
        "_socket",
        "_status",
        "_subscriptions",
    )

    def __init__(
        self,
        commands: CommandQueue,
        status: StatusMachine,
        subscriptions: Subscriptions,
        socket: CurrentSocket,
        reconnection: Reconnection,
    ) -> None:
        self._commands = commands
        self._status = status
        self._subscriptions = subscriptions
        self._socket = socket
        self._reconnection = reconnection
        self._acknowledgements = Acknowledgements()
        self._slow_until = 0.0

    # --- messages ---

    def take(self, now: Moment, frame: Frame, via: Via) -> None:
        match frame:
            case Snapshot() | Delta():
                self._take_state(now, frame, via)
            case FeedStatus():
                self._take_feed(now, frame)
            case PriceMessage() | LiquidationsMessage() | WallsMessage() | AlertsMessage():
                self._take_message(now, frame)
            case ServerWarning():
                self._take_warning(now, frame)
            case ErrorEvent():
                self._commands.report(frame)
            case GoAway():
                self._reconnection.goaway(frame.reconnect_in_ms / 1000)
            case Pong():
                pass
            case Unknown():
                self._commands.error("BAD_FRAME", frame.why)

    def _take_message(self, now: Moment, message: ChannelMessage) -> None:
        following = self._subscriptions.take_message(message, now.unix)
        if following is not None:
            self._commands.report(replace(message, id=following.options.id))

    def _take_warning(self, now: Moment, warning: ServerWarning) -> None:
        if warning.code == "SLOW_CONSUMER":
            self._slow_until = now.monotonic + _SLOW_FOR
            if self._status.is_in("connected"):
                self._status.move("slow", "server_says_slow", warning.message)
        self._commands.report(warning)

    def _take_feed(self, now: Moment, frame: FeedStatus) -> None:
        known = self._subscriptions.take_feed(frame, now.unix)
        self._commands.report(replace(frame, id=None if known is None else known.application_id(frame.id)))
        is_stale = self._subscriptions.is_any_stale()
        if is_stale and self._status.is_in("connected", "slow"):
            self._status.move("stale", "feed_stale", "connected, but the market data has stopped")
        elif not is_stale and self._status.is_in("stale") and self._status.current.reason == "feed_stale":
            self._status.move("connected", "feed_well", "market data is coming again")

    # --- states ---

    def _take_state(self, now: Moment, frame: Snapshot | Delta, via: Via) -> None:
        known = self._subscriptions.get(frame.symbol)
        heatmap = None if known is None else known.heatmap
        if known is None or heatmap is None:
            return
        # A state without a position is of a server that knows neither positions nor ids.
        if via == "socket" and frame.epoch is not None and frame.id != heatmap.wire_id:
            return
        options = heatmap.options
        # The binary form does not name the horizon.
        if (frame.id, frame.expected_within) != (options.id, options.expected_within):
            frame = replace(frame, id=options.id, expected_within=options.expected_within)
        known.heard_at = now.unix
        known.via = via
        if via == "socket":
            known.delivered_by = self._socket.attempt
        board = known.board
        if isinstance(frame, Snapshot):
            known.is_snapshot_due = False
        outcome = board.apply_snapshot(frame) if isinstance(frame, Snapshot) else board.apply_delta(frame)
        state = self._accept(known, outcome)
        if state is None:
            return
        if isinstance(frame, Delta):
            self._commands.report(frame)
        self._commands.report(state)

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
                self._commands.error(
                    "SEQUENCE_GAP", f"{symbol}: a delta from {from_seq} does not fit the state held here"
                )
                known.board.forget()
                self._ask_again(symbol, None)
                return None
            case HashMismatch(report, announced, state):
                known.mismatches += 1
                self._commands.error(
                    "HASH_MISMATCH", f"{symbol}: state {report.seq} has hash {report.hash}, announced was {announced}"
                )
                # Asking forever would show nothing forever: the error says so, and the state comes without a position.
                if known.mismatches >= _MISMATCHES_BEFORE_SHOWING:
                    return state
                self._ask_again(symbol, report)
                return None

    def _ask_again(self, symbol: str, mismatch: Mismatch | None) -> None:
        self._acknowledgements.forget([symbol])
        # While polling, the next request goes without `since`, because the board has no position.
        if self._socket.is_open:
            report = {} if mismatch is None else {symbol: mismatch}
            self._socket.send_requests(self._subscriptions.repeat_heatmap(symbol, report))

    # --- acknowledging ---

    def taken(self, now: Moment, state: Snapshot) -> None:
        """The application has taken a state; acknowledged a moment later where the subscription asks for it."""
        known = self._subscriptions.get(state.symbol)
        if (
            known is not None
            and known.heatmap is not None
            and known.heatmap.options.ack
            and known.delivered_by == self._socket.attempt
            and self._socket.is_open
            and state.position is not None
        ):
            self._acknowledgements.taken(state.symbol, state.position, now.monotonic)

    def subscription_changed(self, symbols: Sequence[str], channels: Sequence[Channel]) -> None:
        """These channels of these symbols have other options, or are followed no longer; all of them without any."""
        if not channels or "heatmap" in channels:
            self._acknowledgements.forget(symbols)

    # --- the connection and time ---

    def socket_opened(self) -> None:
        self._slow_until = 0.0

    def socket_ended(self) -> None:
        self._acknowledgements.clear()

    def deadline(self) -> float | None:
        """When :meth:`advance` is to be called next, on the monotonic clock."""
        return self._acknowledgements.deadline()

    def advance(self, now: Moment) -> None:
        for symbol, seq in self._acknowledgements.take_due(now.monotonic):
            self._socket.send(ack_message(symbol, seq))
        if self._socket.is_open and self._status.is_in("slow") and now.monotonic > self._slow_until:
            self._status.move("connected", "caught_up", "caught up again")
