"""The present, as the state machines are given it."""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """Both clocks, in seconds. Deadlines are on the monotonic clock, which an adjustment of the time does not move."""

    monotonic: float
    unix: float
    """Since 1970. A jump against the monotonic clock means that the machine slept."""
