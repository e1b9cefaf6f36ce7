"""Levels of a state, and positions in the server's history."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .fields import PRICE_MAX, Fields, MalformedError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Level(NamedTuple):
    """One price bin."""

    price: float
    """Lower edge of the bin."""
    long_density: int
    """USD of long positions that would be liquidated in the bin, whole dollars."""
    short_density: int
    """USD of short positions, whole dollars. In a delta, 0 and 0 means that the level is gone."""


class Position(NamedTuple):
    """The place of a state, or of a message of a channel, in the server's history."""

    epoch: str
    """Names one unbroken run of ``seq``; to be compared, not read."""
    seq: int
    """Grows by one with each change of the state."""

    def __str__(self) -> str:
        """``epoch:seq``, the form of the query parameter ``since``."""
        return f"{self.epoch}:{self.seq}"


def levels_of(items: Sequence[object]) -> tuple[Level, ...]:
    """Levels as they stand in JSON; a price or sum that is negative or too large is refused."""
    levels = []
    for item in items:
        level = Fields(item, "level")
        price = level.number("price")
        if not 0 <= price <= PRICE_MAX:
            raise MalformedError("level: field 'price' is out of range")
        levels.append(Level(price, level.count("long_density"), level.count("short_density")))
    return tuple(levels)
