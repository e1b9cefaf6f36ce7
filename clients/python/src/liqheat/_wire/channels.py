"""Messages of the channels beside the heatmap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, get_args

from ..answers.compact import read_walls
from ..answers.market import Candle, Liquidation, liquidations_frame, read_candle, read_liquidation
from .levels import Position
from .times import parse_time

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from ..answers.compact import Walls
    from .fields import Fields

Channel = Literal["heatmap", "price", "liquidations", "walls"]
"""What can be followed of a symbol."""

CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChannelMessage:
    symbol: str
    timestamp: str
    """Market time of the newest event in it, RFC 3339."""
    epoch: str
    seq: int
    """Counts the changes of this channel of this symbol within ``epoch``."""
    id: str | None
    """The id of the subscription, where it was given one."""

    @property
    def time(self) -> datetime:
        """``timestamp`` as an aware ``datetime`` in UTC."""
        return parse_time(self.timestamp)

    @property
    def position(self) -> Position:
        """The place of the message in the server's history."""
        return Position(self.epoch, self.seq)


@dataclass(frozen=True, slots=True)
class OpenCandle(Candle):
    """The candle that has not closed yet."""

    interval: str
    """Its length: that of the symbol's bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceMessage(_ChannelMessage):
    """Channel ``price``."""

    channel: ClassVar[Literal["price"]] = "price"

    venue: str
    """Whose prices they are."""
    last: float | None
    """Newest traded price; ``None`` before the first."""
    mark: float | None
    """Newest mark price; ``None`` before the first."""
    candle: OpenCandle | None
    """Made of trades; ``None`` while there are none in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationsMessage(_ChannelMessage):
    """Channel ``liquidations``: those since the message before, oldest first.

    ``seq`` counts all liquidations of the symbol, also those below ``min_usd``.
    """

    channel: ClassVar[Literal["liquidations"]] = "liquidations"

    liquidations: tuple[Liquidation, ...]
    """Empty in the first message of a subscription, which names the position from which they follow."""
    missed: int
    """Liquidations since the message before that can no longer be had; ``GET /v1/liquidations`` has them."""
    reset: bool
    """The server has started anew: liquidations may be missing or repeated."""

    def to_dataframe(self) -> pd.DataFrame:
        """One row per liquidation; needs pandas."""
        return liquidations_frame(self.liquidations)


@dataclass(frozen=True, slots=True, kw_only=True)
class WallsMessage(_ChannelMessage):
    """Channel ``walls``."""

    channel: ClassVar[Literal["walls"]] = "walls"

    walls: Walls
    """As :meth:`Client.walls` answers without parameters."""


ChannelMessage = PriceMessage | LiquidationsMessage | WallsMessage


def read_channel(kind: Literal["price", "liquidations", "walls"], fields: Fields) -> ChannelMessage:
    """Raises :class:`MalformedError`."""
    symbol, timestamp = fields.text("symbol"), fields.text("timestamp")
    epoch, seq, name = fields.text("epoch"), fields.count("seq"), fields.optional_text("id")
    match kind:
        case "price":
            data = fields.object("data")
            return PriceMessage(
                symbol=symbol,
                timestamp=timestamp,
                epoch=epoch,
                seq=seq,
                id=name,
                venue=data.text("venue"),
                last=data.optional_number("last"),
                mark=data.optional_number("mark"),
                candle=None if data.get("candle") is None else _open_candle(data.object("candle")),
            )
        case "liquidations":
            return LiquidationsMessage(
                symbol=symbol,
                timestamp=timestamp,
                epoch=epoch,
                seq=seq,
                id=name,
                liquidations=tuple(read_liquidation(row) for row in fields.objects("data")),
                missed=fields.optional_count("missed") or 0,
                reset=fields.get("reset") is True,
            )
        case "walls":
            return WallsMessage(
                symbol=symbol,
                timestamp=timestamp,
                epoch=epoch,
                seq=seq,
                id=name,
                walls=read_walls(fields.object("data")),
            )


def _open_candle(row: Fields) -> OpenCandle:
    candle = read_candle(row)
    return OpenCandle(
        candle.time, candle.open, candle.high, candle.low, candle.close, candle.volume, row.text("interval")
    )
