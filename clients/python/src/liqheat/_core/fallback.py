"""Polling while the socket does not work: whether it runs, what it asks for, and what its answers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .commands import CancelPolls, Poll
from .polling import DEFAULT_INTERVAL, PollSchedule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._wire.frames import Frame
    from .command_queue import CommandQueue
    from .moment import Moment
    from .reconnection import Reconnection
    from .rules import PollAnswer
    from .status import StatusMachine
    from .subscriptions import Subscriptions

_OK: Final = 200
_NOT_MODIFIED: Final = 304
_NO_SUCH_ROUTE: Final = (404, 405, 501)


class PollingFallback:
    """Polls of one connection."""

    __slots__ = (
        "_commands",
        "_is_offered",
        "_is_running",
        "_may_poll",
        "_reconnection",
        "_schedule",
        "_status",
        "_subscriptions",
    )

    def __init__(
        self,
        commands: CommandQueue,
        status: StatusMachine,
        subscriptions: Subscriptions,
        reconnection: Reconnection,
        *,
        may_poll: bool,
    ) -> None:
        self._commands = commands
        self._status = status
        self._subscriptions = subscriptions
        self._reconnection = reconnection
        self._may_poll = may_poll
        self._schedule = PollSchedule()
        self._is_offered = True
        self._is_running = False

    @property
    def is_running(self) -> bool:
        return self._is_running

    def connection_begins(self) -> None:
        """The application connects: the server may offer by now what it did not before."""
        self._is_offered = True

    def start(self, now: Moment) -> None:
        if self._may_poll and self._is_offered and not self._is_running:
            self._is_running = True
            self.follow(now)

    def stop(self) -> None:
        if self._is_running:
            self._is_running = False
            self._schedule.stop()
            self._commands.add(CancelPolls())

    def forget(self, symbols: Iterable[str]) -> None:
        """Answers that are under way for these symbols are no longer wanted."""
        for symbol in symbols:
            self._schedule.forget(symbol)

    def follow(self, now: Moment) -> None:
        """Polls what is subscribed now, if it is running."""
        if not self._is_running:
            return
        intervals = {}
        for symbol, heatmap in self._subscriptions.heatmaps().items():
            interval = heatmap.options.update_interval
            intervals[symbol] = DEFAULT_INTERVAL if interval is None else interval
        self._schedule.follow(intervals, now.monotonic)

    def deadline(self) -> float | None:
        """When :meth:`advance` is to be called next, on the monotonic clock."""
        return self._schedule.deadline()

    def advance(self, now: Moment) -> None:
        for symbol, request in self._schedule.take_due(now.monotonic):
            known = self._subscriptions.get(symbol)
            if known is not None and known.heatmap is not None:
                self._commands.add(Poll(request, symbol, known.board.position, known.heatmap.options))

    def answered(self, now: Moment, request: int, symbol: str, answer: PollAnswer) -> Frame | None:
        """A poll was answered; the state in it, if there is a new one."""
        if not self._schedule.take_answer(symbol, request, now.monotonic):
            return None
        if answer.status in (_OK, _NOT_MODIFIED):
            if self._status.is_in("connecting", "disconnected"):
                message = "the socket does not work; asking every few seconds instead"
                self._status.move("polling", "polling_answers", message)
            known = self._subscriptions.get(symbol)
            if known is not None:
                known.heard_at = now.unix
            return answer.frame
        if answer.status in _NO_SUCH_ROUTE:
            self._is_offered = False
            self.stop()
            self._failed("polling is not offered by this server")
        else:
            self._failed(f"polling answered {answer.status}: {answer.detail}")
        return None

    def not_answered(self, now: Moment, request: int, symbol: str, why: str) -> None:
        if self._schedule.take_answer(symbol, request, now.monotonic):
            self._failed(why)

    def _failed(self, why: str) -> None:
        if self._status.is_in("polling"):
            self._status.move("disconnected", "polling_failed", why, self._reconnection.at)
