"""Whether the other side is still there: pings, notices silence, and after a sleep of the machine asks at once.

A socket can be dead for minutes before the system says so. The rules: a ping every 30 s; nothing heard for 40 s (the
server's heartbeat comes every 15 s) is silence; a tick that comes late, or a wall clock that jumped ahead, means that
the process or the machine slept; silence and sleep are answered by a probe, and a probe by anything heard within 5 s,
or the connection is given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from .moment import Moment

_TICK: Final = 5.0
_PING_INTERVAL: Final = 30.0
_SILENCE: Final = 40.0
_TIME_JUMP: Final = 15.0
_PROBE_LIMIT: Final = 5.0

Verdict = Literal["ping", "silent", "dead"]


class Liveness:
    """One connection's liveness; not running until :meth:`start`."""

    __slots__ = ("_heard_at", "_pinged_at", "_probe_until", "_tick_at", "_ticked")

    def __init__(self) -> None:
        self._heard_at = 0.0
        self._pinged_at = 0.0
        self._ticked: Moment | None = None
        self._tick_at: float | None = None
        self._probe_until: float | None = None

    def start(self, now: Moment) -> list[Verdict]:
        """A connection has opened. It is pinged at once, so that one that opens and says nothing is noticed."""
        self._heard_at = now.monotonic
        self._ticked = now
        self._tick_at = now.monotonic + _TICK
        self._probe_until = None
        return self._ping(now)

    def stop(self) -> None:
        """The connection has ended."""
        self._tick_at = None
        self._probe_until = None

    def heard(self, now: Moment) -> None:
        """Anything at all arrived."""
        self._heard_at = now.monotonic
        self._probe_until = None

    def deadline(self) -> float | None:
        """When :meth:`advance` is to be called next, on the monotonic clock."""
        return min((at for at in (self._tick_at, self._probe_until) if at is not None), default=None)

    def advance(self, now: Moment) -> list[Verdict]:
        """What time alone has brought about."""
        if self._probe_until is not None and now.monotonic >= self._probe_until:
            self._probe_until = None
            return ["dead"]
        if self._tick_at is None or self._ticked is None or now.monotonic < self._tick_at:
            return []
        passed = now.monotonic - self._ticked.monotonic
        slept = max(passed, now.unix - self._ticked.unix) > _TIME_JUMP
        self._ticked = now
        self._tick_at = now.monotonic + _TICK
        if slept:
            return self._probe(now)
        if now.monotonic - self._heard_at > _SILENCE:
            return ["silent", *self._probe(now)]
        if now.monotonic - self._pinged_at >= _PING_INTERVAL:
            return self._ping(now)
        return []

    def _probe(self, now: Moment) -> list[Verdict]:
        if self._probe_until is not None:
            return []
        self._probe_until = now.monotonic + _PROBE_LIMIT
        return self._ping(now)

    def _ping(self, now: Moment) -> list[Verdict]:
        self._pinged_at = now.monotonic
        return ["ping"]
