"""How well the map said where positions would be liquidated."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .._wire.fields import MalformedError
from ..dataframes import records_frame
from ._reading import numbers_of, time_of

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from .._wire.fields import Fields


@dataclass(frozen=True, slots=True)
class PredictorAccuracy:
    """The figures of one predictor; ``None`` where one cannot be computed."""

    predictor: str
    """``map``, ``distance``, ``path``, ``yesterdays_map`` or ``candle_colour``."""
    title: str
    in_hour_partial: float | None
    """Rank correlation with the dollars liquidated after distance is removed, ranks taken inside each hour and side."""
    in_hour_partial_interval: tuple[float, float] | None
    """Its 95 % interval."""
    rank_correlation: float | None
    """Spearman's, all touched cells together."""
    top_tenth_lift: float | None
    """Dollars liquidated in the tenth of the cells with the highest predictions, over the mean cell."""
    area_under_curve: float | None
    """Chance that a cell with a liquidation has a higher prediction than one without."""


@dataclass(frozen=True, slots=True)
class AccuracyPeriod:
    """The score of a length of time."""

    days: int
    start: datetime | None
    """Beginning of the first graded hour; ``None`` when there is none."""
    hours: int
    """Hours graded."""
    hours_with_events: int
    hours_lost: int
    """Hours since the first graded one that could not be graded."""
    events: int
    """Liquidations in the graded hours."""
    events_needed: int
    """Fewest liquidations from which there are figures."""
    cells: int
    """Cells of ten basis points that the price crossed completely."""
    cells_hit: int
    """Of them, those in which something was liquidated."""
    interval_over: str
    """What the intervals are drawn from: ``days`` or ``hours``."""
    note: str | None
    """Why there are no figures; ``None`` when there are."""
    predictors: tuple[PredictorAccuracy, ...]
    """The map first, then what it is compared with; empty with too few liquidations."""


@dataclass(frozen=True, slots=True)
class VenueAccuracy:
    """The score at one venue."""

    venue: str
    feed: str
    """What its feed of liquidations tells."""
    is_throttled: bool
    """Whether the feed leaves out liquidations of busy moments."""
    parameters: str
    """Fingerprint of the graded model's parameters; others begin a new score."""
    periods: tuple[AccuracyPeriod, ...]
    """The last 1, 7 and 30 days."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """``GET /v1/accuracy``: each venue by itself."""

    symbol: str
    as_of: datetime
    window_s: int
    """Length of a graded window, seconds."""
    is_graded: bool
    """Whether this server grades its map; one that only serves stored data does not."""
    venues: tuple[VenueAccuracy, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per venue, period and predictor; needs pandas."""
        records = [
            {"venue": venue.venue, "days": period.days, **_without_title(predictor)}
            for venue in self.venues
            for period in venue.periods
            for predictor in period.predictors
        ]
        figures = ["in_hour_partial", "in_hour_partial_interval", "rank_correlation", "top_tenth_lift"]
        return records_frame(records, ["venue", "days", "predictor", *figures, "area_under_curve"])


def _without_title(predictor: PredictorAccuracy) -> dict[str, object]:
    return {name: value for name, value in asdict(predictor).items() if name != "title"}


def read_accuracy(fields: Fields) -> Accuracy:
    return Accuracy(
        symbol=fields.text("symbol"),
        as_of=time_of(fields, "as_of"),
        window_s=fields.count("window_s"),
        is_graded=fields.flag("is_graded"),
        venues=tuple(_venue(row) for row in fields.objects("venues")),
    )


def _venue(row: Fields) -> VenueAccuracy:
    return VenueAccuracy(
        venue=row.text("venue"),
        feed=row.text("feed"),
        is_throttled=row.flag("is_throttled"),
        parameters=row.text("parameters"),
        periods=tuple(_period(period) for period in row.objects("periods")),
    )


def _period(row: Fields) -> AccuracyPeriod:
    return AccuracyPeriod(
        days=row.count("days"),
        start=None if row.get("from") is None else time_of(row, "from"),
        hours=row.count("hours"),
        hours_with_events=row.count("hours_with_events"),
        hours_lost=row.count("hours_lost"),
        events=row.count("events"),
        events_needed=row.count("events_needed"),
        cells=row.count("cells"),
        cells_hit=row.count("cells_hit"),
        interval_over=row.text("interval_over"),
        note=row.optional_text("note"),
        predictors=tuple(_predictor(predictor) for predictor in row.objects("predictors")),
    )


def _predictor(row: Fields) -> PredictorAccuracy:
    return PredictorAccuracy(
        predictor=row.text("predictor"),
        title=row.text("title"),
        in_hour_partial=row.optional_number("in_hour_partial"),
        in_hour_partial_interval=_interval(row),
        rank_correlation=row.optional_number("rank_correlation"),
        top_tenth_lift=row.optional_number("top_tenth_lift"),
        area_under_curve=row.optional_number("area_under_curve"),
    )


def _interval(row: Fields) -> tuple[float, float] | None:
    if row.get("in_hour_partial_interval") is None:
        return None
    ends = numbers_of(row, "in_hour_partial_interval")
    if len(ends) != 2:
        raise MalformedError("field 'in_hour_partial_interval' is not a list of two numbers")
    return ends[0], ends[1]
