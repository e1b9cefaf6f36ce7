"""The hash of a board state, as every state frame carries it.

It is a sum over the levels, so it does not depend on their order, and a changed level costs one subtraction and one
addition. Two independent 32-bit lanes make 64 bits. The server and the JavaScript client compute the same numbers;
``crates/wire/golden/hash.json`` holds all three to it.
"""

from __future__ import annotations

from typing import Final

_MASK: Final = 0xFFFF_FFFF
_SEED_A: Final = 0x9747_B28C
_SEED_B: Final = 0x3C6E_F372
_MULTIPLIER_A: Final = 0x85EB_CA6B
_MULTIPLIER_B: Final = 0xCC9E_2D51
_FINAL_MULTIPLIER: Final = 0xC2B2_AE35

PRICE_UNITS: Final = 100_000_000
"""Prices are hashed and sent as whole multiples of 1e-8."""


def price_units(price: float) -> int:
    """A price in units of 1e-8, rounded half up as JavaScript's ``Math.round`` does."""
    return int(price * PRICE_UNITS + 0.5)


def mix_level(units: int, long_usd: int, short_usd: int) -> int:
    """What a level with mass adds to the hash: lane A in the upper 32 bits, lane B in the lower."""
    lane_a, lane_b = _SEED_A, _SEED_B
    for number in (units, long_usd, short_usd):
        for word in (number & _MASK, number >> 32):
            lane_a = ((lane_a ^ word) * _MULTIPLIER_A) & _MASK
            lane_a = ((lane_a << 13) | (lane_a >> 19)) & _MASK
            lane_b = ((lane_b ^ word) * _MULTIPLIER_B) & _MASK
            lane_b = ((lane_b << 13) | (lane_b >> 19)) & _MASK
    return (_finish(lane_a) << 32) | _finish(lane_b)


def _finish(lane: int) -> int:
    lane = ((lane ^ (lane >> 16)) * _FINAL_MULTIPLIER) & _MASK
    return lane ^ (lane >> 16)


class StateHash:
    """A running hash of a set of levels."""

    __slots__ = ("_lane_a", "_lane_b")

    def __init__(self) -> None:
        self._lane_a = 0
        self._lane_b = 0

    def add(self, mixed: int) -> None:
        """Adds a level, given as the result of :func:`mix_level`."""
        self._lane_a = (self._lane_a + (mixed >> 32)) & _MASK
        self._lane_b = (self._lane_b + mixed) & _MASK

    def remove(self, mixed: int) -> None:
        """Undoes :meth:`add`."""
        self._lane_a = (self._lane_a - (mixed >> 32)) & _MASK
        self._lane_b = (self._lane_b - mixed) & _MASK

    def reset(self) -> None:
        """Back to the hash of no levels."""
        self._lane_a = 0
        self._lane_b = 0

    def text(self) -> str:
        """Lane A and then lane B, eight small hex digits each."""
        return f"{self._lane_a:08x}{self._lane_b:08x}"
