"""The state of one symbol as this client holds it, and the only code that changes it.

Invariant: after :class:`Applied`, the levels are the server's at ``(epoch, seq)``, and if the frame carried a hash, the
hash of these levels equals it. :class:`Duplicate` and :class:`Gap` leave the board as it was. :class:`HashMismatch`
keeps the frame's levels but no position, so nothing can be built on them: the next delta is a gap, and only a snapshot
mends it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._wire.frames import Delta, Snapshot
from .._wire.levels import Level, Position
from .._wire.requests import Mismatch
from .._wire.state_hash import StateHash, mix_level, price_units


@dataclass(frozen=True, slots=True)
class Applied:
    """The board holds a new state."""

    state: Snapshot


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The state the board has already: the same frame came twice, or by another transport."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The delta starts from a state the board does not have."""

    held: Position | None
    from_seq: int


@dataclass(frozen=True, slots=True)
class HashMismatch:
    """The levels are not those the server announced."""

    report: Mismatch
    announced: str
    state: Snapshot
    """What the levels are all the same, without a position."""


Outcome = Applied | Duplicate | Gap | HashMismatch


class Board:
    """Levels of one symbol by price, with their hash and position."""

    __slots__ = ("_hash", "_levels", "_mixed", "_position", "_state", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self._levels: dict[float, Level] = {}
        # What each level adds to the hash, so that a changed level is mixed once and not twice.
        self._mixed: dict[float, int] = {}
        self._hash = StateHash()
        self._position: Position | None = None
        self._state: Snapshot | None = None

    @property
    def position(self) -> Position | None:
        """Where the state stands in the server's history; ``None`` while there is nothing to resume from."""
        return self._position

    @property
    def state(self) -> Snapshot | None:
        """The whole state; ``None`` before the first."""
        return self._state

    def apply_snapshot(self, frame: Snapshot) -> Outcome:
        """Replaces everything."""
        position = frame.position
        if position is not None and position == self._position:
            return Duplicate()
        # Most levels are those of the state before, and need not be hashed again.
        levels = {level.price: level for level in frame.levels}
        for price in [price for price in self._levels if price not in levels]:
            self._set(Level(price, 0, 0))
        for price, level in levels.items():
            if self._levels.get(price) != level:
                self._set(level)
        return self._settle(frame, position)

    def apply_delta(self, frame: Delta) -> Outcome:
        """Moves the state on, where the delta fits."""
        held = self._position
        if held is None or held.epoch != frame.epoch or held.seq < frame.from_seq:
            return Gap(held, frame.from_seq)
        # A delta from further back fits as well, because values are absolute; one that leads to nothing new is old.
        if held.seq >= frame.seq:
            return Duplicate()
        for level in frame.levels:
            self._set(level)
        return self._settle(frame, Position(frame.epoch, frame.seq))

    def forget(self) -> None:
        """Back to the time before the first snapshot."""
        self._levels.clear()
        self._mixed.clear()
        self._hash.reset()
        self._position = None
        self._state = None

    def _settle(self, frame: Snapshot | Delta, position: Position | None) -> Outcome:
        computed = self._hash.text()
        is_sound = frame.hash is None or frame.hash == computed
        self._position = position if is_sound else None
        self._state = Snapshot(
            symbol=self.symbol,
            timestamp=frame.timestamp,
            epoch=position.epoch if position is not None and is_sound else None,
            seq=position.seq if position is not None and is_sound else None,
            hash=computed,
            levels=tuple(self._levels[price] for price in sorted(self._levels)),
            current_price=frame.current_price,
            positions_created=frame.positions_created,
            positions_consumed=frame.positions_consumed,
            id=frame.id,
            expected_within=frame.expected_within,
        )
        if frame.hash is None or is_sound:
            return Applied(self._state)
        epoch, seq = position if position is not None else Position("", 0)
        return HashMismatch(Mismatch(epoch, seq, computed), frame.hash, self._state)

    def _set(self, level: Level) -> None:
        price, long_usd, short_usd = level
        old = self._mixed.pop(price, None)
        if old is not None:
            self._hash.remove(old)
        if long_usd == 0 and short_usd == 0:
            self._levels.pop(price, None)
            return
        mixed = mix_level(price_units(price), long_usd, short_usd)
        self._mixed[price] = mixed
        self._levels[price] = level
        self._hash.add(mixed)
