"""Messages of the protocol, and the one function that turns text from outside into one of them.

What does not have the form of a known message becomes :class:`Unknown` with the reason, and never a guess: a newer
server may send kinds this client does not know, and those must not end the connection.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from .fields import PRICE_MAX, Fields, MalformedError, count_of, number_of, parse_json
from .times import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd


class Level(NamedTuple):
    """One price bin."""

    price: float
    """Lower edge of the bin."""
    long_density: int
    """USD of long positions that would be liquidated in the bin, whole dollars."""
    short_density: int
    """USD of short positions, whole dollars. In a delta, 0 and 0 means that the level is gone."""


class Position(NamedTuple):
    """The place of a state in the server's history."""

    epoch: str
    """Names one unbroken run of ``seq``; to be compared, not read."""
    seq: int
    """Grows by one with each change of the state."""

    def __str__(self) -> str:
        """``epoch:seq``, the form of the query parameter ``since``."""
        return f"{self.epoch}:{self.seq}"


class Mismatch(NamedTuple):
    """A state whose hash was not the announced one; sent to the server, which counts them."""

    epoch: str
    seq: int
    hash: str
    """What this client computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _StateFrame:
    symbol: str
    timestamp: str
    """Time of the newest market event in the state, RFC 3339."""
    hash: str | None
    """Hash of all levels of the state; ``None`` from servers that do not send one."""
    levels: tuple[Level, ...]
    current_price: float | None
    positions_created: int
    """(side, leverage class, bin) triples that gained mass since the state the client had."""
    positions_consumed: int
    """The same for triples that the price reached."""

    @property
    def time(self) -> datetime:
        """``timestamp`` as an aware ``datetime`` in UTC."""
        return parse_time(self.timestamp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(_StateFrame):
    """A whole state. ``levels`` ascend in price and hold only levels with mass."""

    epoch: str | None
    """``None`` when the state has no position: a server without versions, or a state that failed its hash check."""
    seq: int | None

    @property
    def position(self) -> Position | None:
        """Where this state stands in the server's history, when it has such a place."""
        return None if self.epoch is None or self.seq is None else Position(self.epoch, self.seq)

    @property
    def long_usd(self) -> int:
        """Sum of all long levels, whole dollars."""
        return sum(level.long_density for level in self.levels)

    @property
    def short_usd(self) -> int:
        """Sum of all short levels, whole dollars."""
        return sum(level.short_density for level in self.levels)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per level with the columns ``price``, ``long_density``, ``short_density``; needs pandas."""
        from ..dataframes import levels_frame

        return levels_frame(self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta(_StateFrame):
    """What changed since an older state: changed levels with their new absolute values."""

    epoch: str
    from_seq: int
    """``from`` on the wire: the ``seq`` this delta applies to."""
    seq: int


FeedState = Literal["live", "lagging", "stale", "replay", "degraded", "warming_up"]
"""Health of the market data behind a symbol."""

FEED_STATES: Final[tuple[FeedState, ...]] = get_args(FeedState)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One venue behind a symbol."""

    venue: str
    state: str
    """``connecting``, ``live``, ``lagging``, ``stale``, ``down``, or ``unlisted``: not part of the sum."""
    as_of: str | None
    """Time of its newest event, RFC 3339; ``None`` before the first."""


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """Health of the market data behind a symbol, and the heartbeat of a quiet market."""

    symbol: str
    state: FeedState
    as_of: str | None
    seq: int | None
    sources: tuple[SourceStatus, ...] = ()
    """The venues, where markets are followed live."""


@dataclass(frozen=True, slots=True)
class ServerWarning:
    """``SLOW_CONSUMER`` or ``CONNECTION_UNSTABLE``."""

    code: str
    message: str
    dropped_messages: int
    """States that were skipped because this client did not read."""


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """An error of the server, or one of this package: ``HASH_MISMATCH``, ``SEQUENCE_GAP``, ``BAD_FRAME``,
    ``BAD_ADDRESS``."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Pong:
    timestamp: str


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server is about to close; the delay differs for every client."""

    reason: str
    reconnect_in_ms: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that this package does not understand."""

    why: str


Frame = Snapshot | Delta | FeedStatus | ServerWarning | ErrorEvent | Pong | GoAway | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeOptions:
    """What a subscription asks for besides its symbols."""

    update_interval: float | None = None
    """Seconds between states, 1 to 60 (0.25 to 60 in delta mode); the server clamps it and has its own default."""
    mode: Literal["snapshot", "delta"] = "delta"
    """What travels: whole states or differences. The application gets whole states either way."""
    price_range: tuple[float, float] | None = None
    """Only levels whose bin touches this span, both ends included."""
    bin: float | None = None
    """Height of a level, a multiple of the symbol's base bin; levels are summed into it."""
    ack: bool = False
    """Acknowledge states after the application has taken them, so that the server never has more than two in flight."""

    @property
    def view(self) -> tuple[tuple[float, float] | None, float | None]:
        """The part of the state that is looked at; subscriptions with the same view see the same levels."""
        return (self.price_range, self.bin)


# --- reading ---


def parse_frame(text: str) -> Frame:
    """Reads one text message; never raises."""
    try:
        return _frame(Fields(parse_json(text), "the message"))
    except MalformedError as error:
        return Unknown(str(error))


def _frame(fields: Fields) -> Frame:
    kind = fields.get("type")
    match kind:
        case "snapshot" | "delta":
            return _state_frame(fields, kind)
        case "status":
            return _status(fields)
        case "warning":
            dropped = count_of(fields.get("dropped_messages")) or 0
            return ServerWarning(_text(fields, "code"), _text(fields, "message"), dropped)
        case "error":
            return ErrorEvent(_text(fields, "code"), _text(fields, "message"))
        case "pong":
            return Pong(_text(fields, "timestamp"))
        case "goaway":
            return GoAway(_text(fields, "reason"), count_of(fields.get("reconnect_in_ms")) or 0)
        case _:
            return Unknown(f"unknown type {str(kind)[:60]}")


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _state_frame(fields: Fields, kind: str) -> Snapshot | Delta:
    symbol = fields.text("symbol")
    data = fields.object("data")
    levels = levels_of(data.items("levels"))
    price = number_of(data.get("current_price"))
    epoch, seq = fields.optional_text("epoch"), fields.optional_count("seq")
    timestamp, digest = _text(fields, "timestamp"), fields.optional_text("hash")
    created = count_of(data.get("positions_created")) or 0
    consumed = count_of(data.get("positions_consumed")) or 0
    if kind == "snapshot":
        return Snapshot(
            symbol=symbol,
            timestamp=timestamp,
            epoch=epoch,
            seq=seq,
            hash=digest,
            levels=levels,
            current_price=price,
            positions_created=created,
            positions_consumed=consumed,
        )
    if epoch is None or seq is None or fields.get("from") is None:
        raise MalformedError("delta without epoch, seq or from")
    return Delta(
        symbol=symbol,
        timestamp=timestamp,
        epoch=epoch,
        from_seq=fields.count("from"),
        seq=seq,
        hash=digest,
        levels=levels,
        current_price=price,
        positions_created=created,
        positions_consumed=consumed,
    )


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


def _status(fields: Fields) -> FeedStatus:
    word = fields.get("state")
    # A word of a newer server: the data is not known to be well.
    state: FeedState = word if word in FEED_STATES else "degraded"
    as_of = fields.get("as_of")
    sources = fields.get("sources")
    return FeedStatus(
        symbol=_text(fields, "symbol"),
        state=state,
        as_of=as_of if isinstance(as_of, str) else None,
        seq=count_of(fields.get("seq")),
        sources=_sources(sources) if isinstance(sources, list) else (),
    )


def _sources(items: list[object]) -> tuple[SourceStatus, ...]:
    sources = []
    for item in items:
        if not isinstance(item, dict):
            continue
        venue, state, as_of = item.get("venue"), item.get("state"), item.get("as_of")
        if isinstance(venue, str) and isinstance(state, str):
            sources.append(SourceStatus(venue, state, as_of if isinstance(as_of, str) else None))
    return tuple(sources)


# --- writing ---


@dataclass(slots=True)
class SubscribeRequest:
    """One ``subscribe`` message."""

    symbols: list[str]
    options: SubscribeOptions
    resume: Mapping[str, Position] = field(default_factory=dict)
    mismatch: Mapping[str, Mismatch] = field(default_factory=dict)

    def message(self) -> str:
        """The message as text; fields that were not asked for are absent."""
        options = self.options
        fields: dict[str, object] = {"action": "subscribe", "symbols": self.symbols}
        if options.update_interval is not None:
            fields["update_interval"] = options.update_interval
        if options.mode != "snapshot":
            fields["mode"] = options.mode
        if options.price_range is not None:
            fields["price_range"] = [_plain(price) for price in options.price_range]
        if options.bin is not None:
            fields["bin"] = _plain(options.bin)
        if self.resume:
            fields["resume"] = {symbol: at._asdict() for symbol, at in self.resume.items()}
        if self.mismatch:
            fields["mismatch"] = {symbol: report._asdict() for symbol, report in self.mismatch.items()}
        return _json(fields)


def _plain(number: float) -> float:
    """A whole number without a point, as the protocol writes it."""
    return int(number) if number == int(number) else number


def _json(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def unsubscribe_message(symbols: Sequence[str]) -> str:
    return _json({"action": "unsubscribe", "symbols": list(symbols)})


def ping_message() -> str:
    return '{"action":"ping"}'


def ack_message(symbol: str, seq: int) -> str:
    return _json({"action": "ack", "symbol": symbol, "seq": seq})
