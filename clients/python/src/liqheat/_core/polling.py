"""When which symbol is asked for over HTTP: one request per symbol at a time, at the subscription's pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_INTERVAL: Final = 5.0
"""Seconds between two requests where the subscription names no interval."""


class PollSchedule:
    """Symbols with the time of their next request, and the requests that are under way."""

    __slots__ = ("_due", "_intervals", "_requests", "_under_way")

    def __init__(self) -> None:
        self._requests = 0
        self._intervals: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._under_way: dict[str, int] = {}

    def follow(self, intervals: Mapping[str, float], now: float) -> None:
        """Polls exactly these symbols from now on; new ones at once."""
        for symbol in [symbol for symbol in self._intervals if symbol not in intervals]:
            self.forget(symbol)
        for symbol in intervals:
            if symbol not in self._intervals:
                self._due[symbol] = now
        self._intervals = dict(intervals)

    def forget(self, symbol: str) -> None:
        """The answer that is under way for a symbol, if any, is no longer wanted."""
        self._intervals.pop(symbol, None)
        self._due.pop(symbol, None)
        self._under_way.pop(symbol, None)

    def stop(self) -> None:
        self._intervals.clear()
        self._due.clear()
        self._under_way.clear()

    def deadline(self) -> float | None:
        return min(self._due.values(), default=None)

    def take_due(self, now: float) -> list[tuple[str, int]]:
        """Symbols to ask for now, each with the number of its request; due again only after :meth:`take_answer`."""
        due = [symbol for symbol, at in self._due.items() if at <= now]
        for symbol in due:
            del self._due[symbol]
            self._requests += 1
            self._under_way[symbol] = self._requests
        return [(symbol, self._under_way[symbol]) for symbol in due]

    def take_answer(self, symbol: str, request: int, now: float) -> bool:
        """A request has ended; whether anybody still waits for it. The next one follows after the interval."""
        if self._under_way.get(symbol) != request:
            return False
        del self._under_way[symbol]
        self._due[symbol] = now + self._intervals[symbol]
        return True
