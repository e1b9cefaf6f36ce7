"""Messages of the protocol, and the one function that turns text from outside into one of them.

What does not have the form of a known message becomes :class:`Unknown` with the reason, and never a guess: a newer
server may send kinds this client does not know, and those must not end the connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from ..dataframes import levels_frame
from .channels import ChannelMessage, read_channel
from .fields import Fields, MalformedError, count_of, number_of, parse_json
from .levels import Level, Position, levels_of
from .times import parse_time

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


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
    id: str | None = None
    """The id of the subscription, where it was given one."""
    expected_within: str | None = None
    """``1h`` or ``4h`` where levels hold USD expected to be liquidated within that time, ``None`` otherwise."""

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

SourceState = Literal["connecting", "live", "lagging", "stale", "down", "unlisted"]
"""Health of one venue behind a symbol; ``unlisted``: without the contract, so not part of the sum."""

SOURCE_STATES: Final[tuple[SourceState, ...]] = get_args(SourceState)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One venue behind a symbol."""

    venue: str
    state: SourceState
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
    id: str | None = None
    """The id of the subscription, where it was given one."""


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
    ``BAD_ADDRESS``, ``SOCKET_ERROR``."""

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


Frame = Snapshot | Delta | FeedStatus | ChannelMessage | ServerWarning | ErrorEvent | Pong | GoAway | Unknown


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
        case "price" | "liquidations" | "walls" | "alerts":
            return read_channel(kind, fields)
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
    name, horizon = fields.optional_text("id"), fields.optional_text("expected_within")
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
            id=name,
            expected_within=horizon,
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
        id=name,
        expected_within=horizon,
    )


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
        id=fields.optional_text("id"),
    )


def _sources(items: list[object]) -> tuple[SourceStatus, ...]:
    sources = []
    for item in items:
        if not isinstance(item, dict):
            continue
        venue, word, as_of = item.get("venue"), item.get("state"), item.get("as_of")
        if isinstance(venue, str) and isinstance(word, str):
            # A word of a newer server: the data is not known to be well.
            state: SourceState = word if word in SOURCE_STATES else "stale"
            sources.append(SourceStatus(venue, state, as_of if isinstance(as_of, str) else None))
    return tuple(sources)
