"""How long to wait before another attempt: full jitter under a ceiling that doubles.

Full jitter (anywhere between nothing and the ceiling) spreads the clients of a restarted server over the whole window
instead of bringing them back in step. Only a frame that really arrived resets it: a server that accepts connections and
then drops them must not be hammered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DOUBLINGS_MAX = 63


class Backoff:
    """Pauses in seconds; ``random`` gives numbers from 0 to 1."""

    __slots__ = ("_failures", "_first", "_last", "_random")

    def __init__(self, first: float, last: float, random: Callable[[], float]) -> None:
        if not 0 < first <= last:
            raise ValueError(f"backoff must have 0 < first <= last, got {first} and {last} s")
        self._first = first
        self._last = last
        self._random = random
        self._failures = 0

    @property
    def failures(self) -> int:
        """Failures in a row since data last arrived."""
        return self._failures

    def next(self) -> float:
        """Counts a failure; returns the seconds to wait after it."""
        ceiling = min(self._last, self._first * 2.0 ** min(self._failures, _DOUBLINGS_MAX))
        self._failures += 1
        return self._random() * ceiling

    def reset(self) -> None:
        """Data arrived."""
        self._failures = 0
