"""Messages that this client sends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .channels import Channel
    from .levels import Position

HEATMAP_ONLY: Final[tuple[Channel, ...]] = ("heatmap",)
_ID_BYTES_MAX: Final = 64


class Mismatch(NamedTuple):
    """A state whose hash was not the announced one; sent to the server, which counts them."""

    epoch: str
    seq: int
    hash: str
    """What this client computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeOptions:
    """What a subscription asks for besides its symbols and channels.

    Raises :class:`ValueError` for an id that the server would refuse.
    """

    id: str | None = None
    """The application's name for it, 1 to 64 bytes; every message of it carries the name."""
    update_interval: float | None = None
    """Seconds between states, 1 to 60 (0.25 to 60 in delta mode); the server clamps it and has its own default."""
    mode: Literal["snapshot", "delta"] = "delta"
    """What travels: whole states or differences. The application gets whole states either way."""
    view: Literal["open", "expected"] | None = None
    """What levels hold: USD of open positions, or USD expected to be liquidated within ``horizon``."""
    horizon: Literal["1h", "4h"] | None = None
    """Of the expected view; an hour by default."""
    price_range: tuple[float, float] | None = None
    """Only levels whose bin touches this span, both ends included."""
    bin: float | None = None
    """Height of a level, a multiple of the symbol's base bin; levels are summed into it."""
    ack: bool = False
    """Acknowledge states after the application has taken them, so that the server never has more than two in flight."""
    min_usd: int | None = None
    """Smallest liquidation or alert to send, whole dollars."""

    def __post_init__(self) -> None:
        if self.id is not None and not 1 <= len(self.id.encode()) <= _ID_BYTES_MAX:
            raise ValueError(f"id must have 1 to {_ID_BYTES_MAX} bytes, not {len(self.id.encode())}")

    @property
    def expected_within(self) -> str | None:
        """The horizon of the expected view; ``None`` for open positions."""
        return (self.horizon or "1h") if self.view == "expected" else None

    def sees_same_levels(self, other: SubscribeOptions) -> bool:
        """Whether a state of one subscription can be built on for the other."""
        return (self.price_range, self.bin, self.expected_within) == (
            other.price_range,
            other.bin,
            other.expected_within,
        )


@dataclass(slots=True)
class SubscribeRequest:
    """One ``subscribe`` message."""

    symbols: list[str]
    options: SubscribeOptions
    channels: Sequence[Channel] = HEATMAP_ONLY
    wire_id: str | None = None
    """What the server repeats in every message of the subscription."""
    resume: Mapping[tuple[Channel, str], Position] = field(default_factory=dict)
    """By channel and symbol."""
    mismatch: Mapping[str, Mismatch] = field(default_factory=dict)

    def message(self) -> str:
        """The message as text; fields that were not asked for are absent."""
        options = self.options
        fields: dict[str, object] = {"action": "subscribe", "symbols": self.symbols}
        if self.wire_id is not None:
            fields["id"] = self.wire_id
        if "heatmap" in self.channels:
            fields.update(_heatmap_fields(options))
        if tuple(self.channels) != HEATMAP_ONLY:
            fields["channels"] = list(self.channels)
        if options.min_usd is not None and not {"liquidations", "alerts"}.isdisjoint(self.channels):
            fields["min_usd"] = options.min_usd
        if self.resume:
            fields["resume"] = {_resume_key(*key): at._asdict() for key, at in self.resume.items()}
        if self.mismatch:
            fields["mismatch"] = {symbol: report._asdict() for symbol, report in self.mismatch.items()}
        return _json(fields)


def _heatmap_fields(options: SubscribeOptions) -> dict[str, object]:
    fields: dict[str, object] = {}
    if options.update_interval is not None:
        fields["update_interval"] = options.update_interval
    if options.mode != "snapshot":
        fields["mode"] = options.mode
    if options.price_range is not None:
        fields["price_range"] = [_plain(price) for price in options.price_range]
    if options.view is not None:
        fields["view"] = options.view
    if options.horizon is not None:
        fields["horizon"] = options.horizon
    if options.bin is not None:
        fields["bin"] = _plain(options.bin)
    return fields


def _resume_key(channel: Channel, symbol: str) -> str:
    return symbol if channel == "heatmap" else f"{channel}:{symbol}"


def _plain(number: float) -> float:
    """A whole number without a point, as the protocol writes it."""
    return int(number) if number == int(number) else number


def _json(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def unsubscribe_message(symbols: Sequence[str], channels: Sequence[Channel] = ()) -> str:
    """Ends these channels of the symbols; all of them without any."""
    fields: dict[str, object] = {"action": "unsubscribe", "symbols": list(symbols)}
    if channels:
        fields["channels"] = list(channels)
    return _json(fields)


def token_message(token: str) -> str:
    return _json({"action": "token", "token": token})


def own_message(message: str | Mapping[str, object]) -> str:
    """A message of the application's own. Raises :class:`ValueError` for text that cannot be sent."""
    if not isinstance(message, str):
        return _json(dict(message))
    # A lone surrogate has no form in UTF-8, which the socket would find out too late.
    message.encode()
    return message


def ping_message() -> str:
    return '{"action":"ping"}'


def ack_message(symbol: str, seq: int) -> str:
    return _json({"action": "ack", "symbol": symbol, "seq": seq})
