"""The status of the connection as the application sees it, and the one place that changes it.

The table of moves is the whole machine: a move that is not in it is a bug in this package, and is refused. Statuses and
reasons are those of the JavaScript client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Status = Literal["connecting", "connected", "slow", "stale", "polling", "disconnected", "failed"]

Reason = Literal[
    "created",
    "asked",
    "opened",
    "server_says_slow",
    "caught_up",
    "silent",
    "feed_stale",
    "feed_well",
    "heard_again",
    "closed",
    "no_answer",
    "goaway",
    "retry",
    "polling_answers",
    "polling_failed",
    "refused",
    "bad_address",
    "no_token",
    "gave_up",
    "socket_off",
    "aborted",
]


@dataclass(frozen=True, slots=True)
class StatusChange:
    """The connection's status and how it came to it."""

    status: Status
    previous: Status
    reason: Reason
    message: str
    """One sentence for a person."""
    retry_at: float | None = None
    """When the next attempt is due, in seconds since 1970, where one is."""


_MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    "disconnected": frozenset({"connecting", "polling", "disconnected", "failed"}),
    "connecting": frozenset({"connected", "polling", "disconnected", "failed"}),
    "connected": frozenset({"slow", "stale", "disconnected", "failed"}),
    "slow": frozenset({"connected", "stale", "disconnected", "failed"}),
    "stale": frozenset({"connected", "slow", "disconnected", "failed"}),
    "polling": frozenset({"connected", "disconnected", "failed"}),
    "failed": frozenset({"connecting", "disconnected", "failed"}),
}


class StatusMachine:
    """Holds the status and reports every change of it."""

    __slots__ = ("_current", "_report")

    def __init__(self, report: Callable[[StatusChange], None]) -> None:
        self._current = StatusChange("disconnected", "disconnected", "created", "not connected yet")
        self._report = report

    @property
    def current(self) -> StatusChange:
        return self._current

    def is_in(self, *statuses: Status) -> bool:
        return self._current.status in statuses

    def move(self, status: Status, reason: Reason, message: str, retry_at: float | None = None) -> None:
        """Raises :class:`AssertionError` for a move that is not in the table, and stays where it was."""
        previous = self._current.status
        if status not in _MOVES[previous]:
            raise AssertionError(f"invariant: no move from {previous} to {status} ({reason})")
        self._current = StatusChange(status, previous, reason, message, retry_at)
        self._report(self._current)
