"""Client for liqheat: live liquidation heatmaps of crypto perpetual futures.

- :class:`Heatmap` (asyncio) and :class:`BlockingHeatmap` keep the newest state of the subscribed symbols.
- :class:`Client` and :class:`AsyncClient` ask the HTTP routes: candles, history, levels, liquidations.
"""

from ._core.status import Reason, Status, StatusChange
from ._core.subscriptions import SymbolState
from ._version import __version__
from ._wire.channels import Channel, LiquidationsMessage, OpenCandle, PriceMessage, WallsMessage
from ._wire.frames import Delta, ErrorEvent, FeedState, FeedStatus, ServerWarning, Snapshot, SourceStatus
from ._wire.grid import Grid
from ._wire.levels import Level, Position
from .answers import (
    Candle,
    Health,
    Klines,
    LevelsByLeverage,
    LeverageLevel,
    Liquidation,
    LiquidationMap,
    Liquidations,
    LiquidationSummary,
    LiquidationTotal,
    LiquidationWindow,
    MapLevel,
    MaxPain,
    PainLevel,
    SymbolInfo,
    Symbols,
    Timeseries,
    TimeseriesRow,
    Wall,
    Walls,
)
from .blocking import BlockingHeatmap
from .errors import ApiError, BadAnswerError, ConnectionFailedError, LiqheatError, UnreachableError
from .heatmap import Heatmap
from .http import AsyncClient, Client
from .streams import LiquidationStream, MessageStream, StateStream

__all__ = [
    "ApiError",
    "AsyncClient",
    "BadAnswerError",
    "BlockingHeatmap",
    "Candle",
    "Channel",
    "Client",
    "ConnectionFailedError",
    "Delta",
    "ErrorEvent",
    "FeedState",
    "FeedStatus",
    "Grid",
    "Health",
    "Heatmap",
    "Klines",
    "Level",
    "LevelsByLeverage",
    "LeverageLevel",
    "LiqheatError",
    "Liquidation",
    "LiquidationMap",
    "LiquidationStream",
    "LiquidationSummary",
    "LiquidationTotal",
    "LiquidationWindow",
    "Liquidations",
    "LiquidationsMessage",
    "MapLevel",
    "MaxPain",
    "MessageStream",
    "OpenCandle",
    "PainLevel",
    "Position",
    "PriceMessage",
    "Reason",
    "ServerWarning",
    "Snapshot",
    "SourceStatus",
    "StateStream",
    "Status",
    "StatusChange",
    "SymbolInfo",
    "SymbolState",
    "Symbols",
    "Timeseries",
    "TimeseriesRow",
    "UnreachableError",
    "Wall",
    "Walls",
    "WallsMessage",
    "__version__",
]
