"""Which states the server has yet to hear of: of each symbol the newest that was taken, at most once in 50 ms.

After a stall of the process many states are taken at once. An acknowledgement stands for all states before it, so the
newest one says everything, and the others would only use up the message budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._wire.levels import Position

PAUSE: Final = 0.05
"""Seconds during which acknowledgements are gathered. The server's shortest interval between states is 0.25 s."""


class Acknowledgements:
    """Those of one connection."""

    __slots__ = ("_due", "_newest", "_waiting")

    def __init__(self) -> None:
        self._newest: dict[str, Position] = {}
        """Of each symbol the newest state that was taken; consumers of one symbol may take them in any order."""
        self._waiting: dict[str, int] = {}
        self._due: float | None = None

    def taken(self, symbol: str, position: Position, now: float) -> None:
        """A state was taken. One that is older than another one taken, or the same again, is nothing new."""
        newest = self._newest.get(symbol)
        if newest is not None and newest.epoch == position.epoch and newest.seq >= position.seq:
            return
        self._newest[symbol] = position
        self._waiting[symbol] = position.seq
        if self._due is None:
            self._due = now + PAUSE

    def forget(self, symbols: Iterable[str]) -> None:
        """The subscription is another one, or none: the server does not wait for its states any more."""
        for symbol in symbols:
            self._newest.pop(symbol, None)
            self._waiting.pop(symbol, None)

    def clear(self) -> None:
        """The connection has ended."""
        self._newest.clear()
        self._waiting.clear()
        self._due = None

    def deadline(self) -> float | None:
        return self._due

    def take_due(self, now: float) -> list[tuple[str, int]]:
        """Symbols and sequence numbers to acknowledge now."""
        if self._due is None or now < self._due:
            return []
        self._due = None
        due = list(self._waiting.items())
        self._waiting.clear()
        return due
