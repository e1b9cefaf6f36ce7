"""What the application follows: a board per symbol and the options it was asked for with.

It outlives connections, and turns itself into the messages that establish it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from .._wire.frames import SubscribeRequest
from .board import Board

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._wire.frames import FeedState, FeedStatus, Mismatch, Position, Snapshot, SubscribeOptions

Via = Literal["socket", "polling"]
"""How a state arrived."""

_SYMBOLS_PER_MESSAGE: Final = 10


@dataclass(frozen=True, slots=True)
class SymbolState:
    """Everything known about a symbol."""

    snapshot: Snapshot
    """The newest whole state."""
    feed: FeedState | None
    """Health of the market data as last reported; ``None`` before the first report."""
    heard_at: float
    """When the newest message about this symbol arrived, in seconds since 1970."""
    via: Via


@dataclass(slots=True)
class Subscription:
    board: Board
    options: SubscribeOptions
    feed: FeedState | None = None
    heard_at: float = 0.0
    via: Via = "socket"
    delivered_by: int = 0
    """The attempt whose socket brought the newest state."""
    is_snapshot_due: bool = False
    """A whole state was asked for on the socket, and has not arrived."""
    mismatches: int = 0
    """States in a row that did not match their hash."""


class Subscriptions:
    """All subscriptions by symbol."""

    __slots__ = ("_by_symbol",)

    def __init__(self) -> None:
        self._by_symbol: dict[str, Subscription] = {}

    def symbols(self) -> list[str]:
        return list(self._by_symbol)

    def get(self, symbol: str) -> Subscription | None:
        return self._by_symbol.get(symbol)

    def add(self, symbols: Iterable[str], options: SubscribeOptions) -> list[str]:
        """Adds symbols or changes their options; returns those that look at another part of the state than before."""
        moved = []
        for symbol in symbols:
            known = self._by_symbol.get(symbol)
            if known is None:
                self._by_symbol[symbol] = Subscription(Board(symbol), options)
                continue
            # Another bin or price range is another state: nothing of the old one may be built on.
            if known.options.view != options.view:
                known.board.forget()
                moved.append(symbol)
            known.options = options
        return moved

    def remove(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._by_symbol.pop(symbol, None)

    def state(self, symbol: str) -> SymbolState | None:
        known = self._by_symbol.get(symbol)
        if known is None or known.board.state is None:
            return None
        return SymbolState(known.board.state, known.feed, known.heard_at, known.via)

    def take_feed(self, frame: FeedStatus, unix: float) -> None:
        known = self._by_symbol.get(frame.symbol)
        if known is not None:
            known.feed = frame.state
            known.heard_at = unix

    def is_any_stale(self) -> bool:
        return any(each.feed == "stale" for each in self._by_symbol.values())

    def requests(self, symbols: Iterable[str], mismatch: Mapping[str, Mismatch]) -> list[SubscribeRequest]:
        """The messages that subscribe these symbols: alike options together, each with where it was."""
        alike: dict[SubscribeOptions, list[str]] = {}
        for symbol in symbols:
            known = self._by_symbol.get(symbol)
            if known is not None:
                alike.setdefault(known.options, []).append(symbol)
        return [
            SubscribeRequest(some, options, self._positions(some), {s: mismatch[s] for s in some if s in mismatch})
            for options, group in alike.items()
            for some in in_messages(group)
        ]

    def _positions(self, symbols: Sequence[str]) -> dict[str, Position]:
        positions = {}
        for symbol in symbols:
            known = self._by_symbol[symbol]
            position = known.board.position
            known.is_snapshot_due = position is None
            if position is not None:
                positions[symbol] = position
        return positions


def in_messages(symbols: Sequence[str]) -> list[list[str]]:
    """Symbols in groups as large as one message may name."""
    return [list(symbols[at : at + _SYMBOLS_PER_MESSAGE]) for at in range(0, len(symbols), _SYMBOLS_PER_MESSAGE)]
