"""Answers of the HTTP routes as values. Times are aware ``datetime`` in UTC, sums are USD unless named otherwise."""

from .compact import LiquidationMap, MapLevel, MaxPain, PainLevel, Wall, Walls
from .levels import LevelsByLeverage, LeverageLevel, Timeseries, TimeseriesRow
from .market import (
    Candle,
    Klines,
    Liquidation,
    Liquidations,
    LiquidationSummary,
    LiquidationTotal,
    LiquidationWindow,
)
from .symbols import Health, SymbolInfo, Symbols

__all__ = [
    "Candle",
    "Health",
    "Klines",
    "LevelsByLeverage",
    "LeverageLevel",
    "Liquidation",
    "LiquidationMap",
    "LiquidationSummary",
    "LiquidationTotal",
    "LiquidationWindow",
    "Liquidations",
    "MapLevel",
    "MaxPain",
    "PainLevel",
    "SymbolInfo",
    "Symbols",
    "Timeseries",
    "TimeseriesRow",
    "Wall",
    "Walls",
]
