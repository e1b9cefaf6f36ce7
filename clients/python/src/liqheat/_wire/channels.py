"""Messages of the channels beside the heatmap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypedDict, TypeVar, get_args

from ..answers.alerts import Alert, alerts_frame, read_raised
from ..answers.compact import read_walls
from ..answers.market import Candle, Liquidation, liquidations_frame, read_candle, read_liquidation
from .levels import Position
from .times import parse_time

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from ..answers.compact import Walls
    from .fields import Fields

Channel = Literal["heatmap", "price", "liquidations", "walls", "alerts"]
"""What can be followed of a symbol."""

CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)

_Row = TypeVar("_Row")


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
class _RowsMessage(_ChannelMessage):
    missed: int
    """Rows since the message before that can no longer be had."""
    reset: bool
    """The server has started anew: rows may be missing or repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationsMessage(_RowsMessage):
    """Channel ``liquidations``: those since the message before, oldest first.

    ``seq`` counts all liquidations of the symbol, also those below ``min_usd``. ``GET /v1/liquidations`` has those that
    were ``missed``.
    """

    channel: ClassVar[Literal["liquidations"]] = "liquidations"

    liquidations: tuple[Liquidation, ...]
    """Empty in the first message of a subscription, which names the position from which they follow."""

    def followed_by(self, newer: LiquidationsMessage, most: int) -> LiquidationsMessage:
        """Both in one message with the newest ``most`` rows; older ones are counted in ``missed``. For this package."""
        rows, surplus = _newest(self.liquidations + newer.liquidations, most)
        missed = self.missed + newer.missed + surplus
        return replace(newer, liquidations=rows, missed=missed, reset=self.reset or newer.reset)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per liquidation; needs pandas."""
        return liquidations_frame(self.liquidations)


@dataclass(frozen=True, slots=True, kw_only=True)
class WallsMessage(_ChannelMessage):
    """Channel ``walls``."""

    channel: ClassVar[Literal["walls"]] = "walls"

    walls: Walls
    """As :meth:`Client.walls` answers without parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsMessage(_RowsMessage):
    """Channel ``alerts``: those since the message before, oldest first.

    ``seq`` counts all alerts about the symbol, also those below ``min_usd``. ``GET /v1/alerts`` has the newest 500 of
    all symbols.
    """

    channel: ClassVar[Literal["alerts"]] = "alerts"

    alerts: tuple[Alert, ...]
    """With ``text``. Empty in the first message of a subscription, which names the position from which they follow."""

    def followed_by(self, newer: AlertsMessage, most: int) -> AlertsMessage:
        """Both in one message with the newest ``most`` rows; older ones are counted in ``missed``. For this package."""
        rows, surplus = _newest(self.alerts + newer.alerts, most)
        missed = self.missed + newer.missed + surplus
        return replace(newer, alerts=rows, missed=missed, reset=self.reset or newer.reset)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per alert; needs pandas."""
        return alerts_frame(self.alerts)


def _newest(rows: tuple[_Row, ...], most: int) -> tuple[tuple[_Row, ...], int]:
    surplus = max(len(rows) - most, 0)
    return rows[surplus:], surplus


ChannelMessage = PriceMessage | LiquidationsMessage | WallsMessage | AlertsMessage


class _Envelope(TypedDict):
    """What the messages of all channels have."""

    symbol: str
    timestamp: str
    epoch: str
    seq: int
    id: str | None


def read_channel(kind: Literal["price", "liquidations", "walls", "alerts"], fields: Fields) -> ChannelMessage:
    """Raises :class:`MalformedError`."""
    envelope = _Envelope(
        symbol=fields.text("symbol"),
        timestamp=fields.text("timestamp"),
        epoch=fields.text("epoch"),
        seq=fields.count("seq"),
        id=fields.optional_text("id"),
    )
    match kind:
        case "price":
            data = fields.object("data")
            return PriceMessage(
                **envelope,
                venue=data.text("venue"),
                last=data.optional_number("last"),
                mark=data.optional_number("mark"),
                candle=None if data.get("candle") is None else _open_candle(data.object("candle")),
            )
        case "liquidations":
            return LiquidationsMessage(
                **envelope,
                liquidations=tuple(read_liquidation(row) for row in fields.objects("data")),
                missed=fields.optional_count("missed") or 0,
                reset=fields.get("reset") is True,
            )
        case "walls":
            return WallsMessage(**envelope, walls=read_walls(fields.object("data")))
        case "alerts":
            return AlertsMessage(
                **envelope,
                alerts=tuple(read_raised(row) for row in fields.objects("data")),
                missed=fields.optional_count("missed") or 0,
                reset=fields.get("reset") is True,
            )


def _open_candle(row: Fields) -> OpenCandle:
    candle = read_candle(row)
    return OpenCandle(
        candle.time, candle.open, candle.high, candle.low, candle.close, candle.volume, row.text("interval")
    )
