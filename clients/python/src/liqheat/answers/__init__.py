"""Answers of the HTTP routes as values. Times are aware ``datetime`` in UTC, sums are USD unless named otherwise."""

from .accuracy import Accuracy, AccuracyPeriod, PredictorAccuracy, VenueAccuracy
from .alerts import (
    Alert,
    AlertRule,
    Alerts,
    AlertSubject,
    AlertTarget,
    Cascade,
    FeedSilence,
    LargeLiquidation,
    LiquidatedSum,
    OtherEvent,
    QuietHours,
    RuleKind,
    WallEvent,
    WallSpan,
    WallSwept,
)
from .compact import LiquidationMap, MapLevel, MaxPain, PainLevel, Wall, Walls
from .export import ExportedFile, ExportFormat, ExportKind
from .levels import LevelsByLeverage, LeverageLevel, Timeseries, TimeseriesRow
from .margin import LiquidationPrice, MarginTier, Tiers, VenueLiquidationPrice, VenueTiers
from .market import Candle, Klines, Liquidation, Liquidations, LiquidationSummary, LiquidationTotal, LiquidationWindow
from .measured import Measured, MeasuredLevel, MeasuredPosition, MeasuredSide
from .series import Series, SeriesRow
from .symbols import Health, SymbolInfo, Symbols

__all__ = [
    "Accuracy",
    "AccuracyPeriod",
    "Alert",
    "AlertRule",
    "AlertSubject",
    "AlertTarget",
    "Alerts",
    "Candle",
    "Cascade",
    "ExportFormat",
    "ExportKind",
    "ExportedFile",
    "FeedSilence",
    "Health",
    "Klines",
    "LargeLiquidation",
    "LevelsByLeverage",
    "LeverageLevel",
    "LiquidatedSum",
    "Liquidation",
    "LiquidationMap",
    "LiquidationPrice",
    "LiquidationSummary",
    "LiquidationTotal",
    "LiquidationWindow",
    "Liquidations",
    "MapLevel",
    "MarginTier",
    "MaxPain",
    "Measured",
    "MeasuredLevel",
    "MeasuredPosition",
    "MeasuredSide",
    "OtherEvent",
    "PainLevel",
    "PredictorAccuracy",
    "QuietHours",
    "RuleKind",
    "Series",
    "SeriesRow",
    "SymbolInfo",
    "Symbols",
    "Tiers",
    "Timeseries",
    "TimeseriesRow",
    "VenueAccuracy",
    "VenueLiquidationPrice",
    "VenueTiers",
    "Wall",
    "WallEvent",
    "WallSpan",
    "WallSwept",
    "Walls",
]
