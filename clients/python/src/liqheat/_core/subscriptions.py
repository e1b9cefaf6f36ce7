"""What the application follows: a board per symbol, and the channels with the options they were asked for with.

It outlives connections, and turns itself into the messages that establish it again.

Messages of a subscription that was replaced may still be on their way when the next one is sent. On the wire each
subscription therefore has an id, which the server repeats: the application's own, or one made here where that would
not tell the two apart. A message with another id is of a subscription that is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from .._wire.channels import CHANNELS
from .._wire.requests import SubscribeRequest
from .board import Board

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._wire.channels import Channel, ChannelMessage
    from .._wire.frames import FeedState, FeedStatus, Snapshot
    from .._wire.levels import Position
    from .._wire.requests import Mismatch, SubscribeOptions

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
class Following:
    """One channel of one symbol."""

    options: SubscribeOptions
    wire_id: str | None = None
    """What messages of it carry on the present connection."""
    newest: ChannelMessage | None = None
    """The newest message; never one of the heatmap, whose states are in the board."""


@dataclass(slots=True)
class Subscription:
    """One symbol."""

    board: Board
    following: dict[Channel, Following] = field(default_factory=dict)
    feed: FeedState | None = None
    heard_at: float = 0.0
    via: Via = "socket"
    delivered_by: int = 0
    """The attempt whose socket brought the newest state."""
    is_snapshot_due: bool = False
    """A whole state was asked for on the socket, and has not arrived."""
    mismatches: int = 0
    """States in a row that did not match their hash."""

    @property
    def heatmap(self) -> Following | None:
        return self.following.get("heatmap")

    def application_id(self, wire_id: str | None) -> str | None:
        """The application's name for the subscription that has this id on the wire."""
        known = (each for each in self.following.values() if each.wire_id == wire_id)
        return next((each.options.id for each in known), None)


class Subscriptions:
    """All subscriptions by symbol."""

    __slots__ = ("_by_symbol", "_ids_made", "_sent")

    def __init__(self) -> None:
        self._by_symbol: dict[str, Subscription] = {}
        self._sent: set[tuple[str, Channel]] = set()
        """What was subscribed on the present connection, once or more often."""
        self._ids_made = 0

    def symbols(self) -> list[str]:
        return list(self._by_symbol)

    def get(self, symbol: str) -> Subscription | None:
        return self._by_symbol.get(symbol)

    def heatmaps(self) -> dict[str, Following]:
        """The symbols whose heatmap is followed."""
        return {symbol: each.heatmap for symbol, each in self._by_symbol.items() if each.heatmap is not None}

    def add(self, symbols: Iterable[str], channels: Iterable[Channel], options: SubscribeOptions) -> list[str]:
        """Adds channels or changes their options; returns symbols of which another part of the state is looked at."""
        moved = []
        channels = list(channels)
        for symbol in symbols:
            subscription = self._by_symbol.setdefault(symbol, Subscription(Board(symbol)))
            for channel in channels:
                known = subscription.following.get(channel)
                if known is None:
                    subscription.following[channel] = Following(options)
                    continue
                # Another bin, price range or view is another state: nothing of the old one may be built on.
                if channel == "heatmap" and not known.options.sees_same_levels(options):
                    subscription.board.forget()
                    moved.append(symbol)
                known.options = options
        return moved

    def remove(self, symbols: Iterable[str], channels: Sequence[Channel]) -> None:
        """Forgets channels of symbols; the whole symbols without any channel."""
        for symbol in symbols:
            subscription = self._by_symbol.get(symbol)
            if subscription is None:
                continue
            for channel in channels or CHANNELS:
                subscription.following.pop(channel, None)
            if not subscription.following:
                del self._by_symbol[symbol]
            elif subscription.heatmap is None:
                subscription.board.forget()

    def state(self, symbol: str) -> SymbolState | None:
        known = self._by_symbol.get(symbol)
        if known is None or known.board.state is None:
            return None
        return SymbolState(known.board.state, known.feed, known.heard_at, known.via)

    def newest(self, symbol: str, channel: Channel) -> ChannelMessage | None:
        """The newest message of a channel beside the heatmap."""
        known = self._by_symbol.get(symbol)
        following = None if known is None else known.following.get(channel)
        return None if following is None else following.newest

    def take_feed(self, frame: FeedStatus, unix: float) -> Subscription | None:
        known = self._by_symbol.get(frame.symbol)
        if known is not None:
            known.feed = frame.state
            known.heard_at = unix
        return known

    def take_message(self, message: ChannelMessage, unix: float) -> Following | None:
        """Notes a message of a channel; ``None`` when it is none that is followed, or one that was here before."""
        known = self._by_symbol.get(message.symbol)
        following = None if known is None else known.following.get(message.channel)
        if known is None or following is None or message.id != following.wire_id:
            return None
        known.heard_at = unix
        held = following.newest
        if held is not None and held.epoch == message.epoch and held.seq >= message.seq:
            return None
        following.newest = message
        return following

    def is_any_stale(self) -> bool:
        return any(each.feed == "stale" for each in self._by_symbol.values())

    def begin_connection(self) -> list[SubscribeRequest]:
        """The messages that establish everything on a new connection."""
        self._sent.clear()
        return self.requests(self.symbols(), CHANNELS)

    def requests(self, symbols: Iterable[str], channels: Iterable[Channel]) -> list[SubscribeRequest]:
        """The messages that subscribe these channels of these symbols: alike options together."""
        wanted = set(channels)
        alike: dict[SubscribeOptions, dict[str, list[Channel]]] = {}
        for symbol in symbols:
            known = self._by_symbol.get(symbol)
            for channel in CHANNELS:
                following = known.following.get(channel) if known is not None and channel in wanted else None
                if following is not None:
                    alike.setdefault(following.options, {}).setdefault(symbol, []).append(channel)
        messages = []
        for options, by_symbol in alike.items():
            same: dict[tuple[Channel, ...], list[str]] = {}
            for symbol, some in by_symbol.items():
                same.setdefault(tuple(some), []).append(symbol)
            for together, group in same.items():
                messages += [self._request(part, together, options) for part in in_messages(group)]
        return messages

    def repeat_heatmap(self, symbol: str, mismatch: Mapping[str, Mismatch]) -> list[SubscribeRequest]:
        """Asks for the state of a symbol again, under the subscription that it has."""
        known = self._by_symbol.get(symbol)
        if known is None or known.heatmap is None:
            return []
        positions = self._positions([symbol], ("heatmap",))
        heatmap = known.heatmap
        return [
            SubscribeRequest([symbol], heatmap.options, wire_id=heatmap.wire_id, resume=positions, mismatch=mismatch)
        ]

    def _request(self, symbols: list[str], channels: Sequence[Channel], options: SubscribeOptions) -> SubscribeRequest:
        keys = {(symbol, channel) for symbol in symbols for channel in channels}
        followings = [self._by_symbol[symbol].following[channel] for symbol, channel in keys]
        wire_id = options.id
        if not keys.isdisjoint(self._sent):
            known = {following.wire_id for following in followings}
            while wire_id == options.id or wire_id in known:
                self._ids_made += 1
                wire_id = f"#{self._ids_made}"
        self._sent |= keys
        for following in followings:
            following.wire_id = wire_id
        return SubscribeRequest(symbols, options, channels, wire_id, self._positions(symbols, channels))

    def _positions(self, symbols: Iterable[str], channels: Sequence[Channel]) -> dict[tuple[Channel, str], Position]:
        positions: dict[tuple[Channel, str], Position] = {}
        for symbol in symbols:
            known = self._by_symbol[symbol]
            for channel in channels:
                newest = known.following[channel].newest
                position = None if newest is None else newest.position
                if channel == "heatmap":
                    position = known.board.position
                    known.is_snapshot_due = position is None
                if position is not None:
                    positions[channel, symbol] = position
        return positions


def in_messages(symbols: Sequence[str]) -> list[list[str]]:
    """Symbols in groups as large as one message may name."""
    return [list(symbols[at : at + _SYMBOLS_PER_MESSAGE]) for at in range(0, len(symbols), _SYMBOLS_PER_MESSAGE)]
