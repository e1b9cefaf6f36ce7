"""Rules of alerts, the targets they go to, and what they reported."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING, Final, Literal

from ..dataframes import records_frame
from ._reading import Side, side_of, texts_of, time_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from .._wire.fields import Fields

RuleKind = Literal["near_wall", "wall_swept", "liquidation", "cascade", "wall_formed", "wall_vanished", "feed_stale"]
"""What a rule looks for; ``docs/price_alerts.md`` says when each is met, and which fields it has."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A time of every day in which alerts are recorded and sent to no target."""

    start: str
    """``22:00``."""
    end: str
    """``07:00``; before ``start`` it is on the next day."""
    utc_offset: str | None = None
    """``+01:00``; UTC by default. Daylight saving time is not followed."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """What an alert is raised for. A field that is ``None`` has the server's default."""

    name: str
    """Up to 64 letters, digits, ``-``, ``_`` and ``.``; unique."""
    kind: RuleKind | str
    """One of :data:`RuleKind`, or a kind of a newer server."""
    symbols: tuple[str, ...] = ()
    """As :meth:`Client.symbols` names them; every listed symbol without any."""
    min_usd: int | None = None
    """Required but for ``feed_stale``."""
    side: Side | None = None
    """Only walls and liquidations of this side."""
    within_pct: float | None = None
    """Distance to the nearest edge of the wall, per cent of the price; required for ``near_wall``."""
    clear_pct: float | None = None
    """``near_wall``: a wall is reported again after the price was farther away than this."""
    window_s: int | None = None
    """``cascade``: seconds over which liquidations are summed."""
    after_s: int | None = None
    """``feed_stale``: seconds without a market event."""
    cooldown_s: int | None = None
    """Least seconds between two alerts of the rule about one symbol."""
    quiet_hours: QuietHours | None = None
    targets: tuple[str, ...] = ()
    """Names of targets; every target without any."""
    paused: bool = False
    """Listed, and raises nothing."""
    source: str | None = None
    """``file`` or ``api``: where the rule came from; only those of the API can be deleted. Not sent."""

    def body(self) -> dict[str, object]:
        """As it is sent: fields that were not given are absent."""
        plain = {each.name: getattr(self, each.name) for each in fields_of(self) if each.name != "source"}
        given = {
            name: value for name, value in plain.items() if value is not None and value is not False and value != ()
        }
        if self.quiet_hours is not None:
            hours = self.quiet_hours
            offset = {} if hours.utc_offset is None else {"utc_offset": hours.utc_offset}
            given["quiet_hours"] = {"from": hours.start, "to": hours.end, **offset}
        return given


@dataclass(frozen=True, slots=True)
class AlertTarget:
    """Where alerts go, and how it is doing."""

    name: str
    kind: str
    """``webhook``, ``telegram``, ``discord``, ``slack`` or ``ntfy``."""
    waiting: int
    """Alerts that wait."""
    failures: int
    """Failures since the last success."""
    reason: str
    """Why the last attempt failed; empty after a success."""
    is_dead: bool
    """Whether it failed five times or more in a row."""


@dataclass(frozen=True, slots=True)
class WallSpan:
    """A wall as an alert shows it."""

    side: Side
    low: float
    high: float
    """Exclusive."""
    peak: float
    """Where it is densest."""
    usd: int


@dataclass(frozen=True, slots=True)
class LiquidatedSum:
    """Liquidations that happened."""

    count: int
    usd: int


@dataclass(frozen=True, slots=True)
class WallEvent:
    """The price came near a wall, or one formed or vanished."""

    kind: Literal["near_wall", "wall_formed", "wall_vanished"]
    wall: WallSpan
    distance_pct: float
    """To its nearest edge, per cent; negative below the price."""


@dataclass(frozen=True, slots=True)
class WallSwept:
    """The price went through a whole wall."""

    kind: Literal["wall_swept"]
    wall: WallSpan
    touched: datetime
    """When the price reached it."""
    liquidated: LiquidatedSum | None
    """What was really liquidated there; ``None`` where no liquidations of the market are known."""


@dataclass(frozen=True, slots=True)
class LargeLiquidation:
    """One realised liquidation."""

    kind: Literal["liquidation"]
    venue: str
    side: Side
    price: float
    usd: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Cascade:
    """Many liquidations within a short time."""

    kind: Literal["cascade"]
    window_s: int
    long: LiquidatedSum
    short: LiquidatedSum


@dataclass(frozen=True, slots=True)
class FeedSilence:
    """Nothing new has come for a while."""

    kind: Literal["feed_stale"]
    as_of: datetime
    """Time of the newest market event."""


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event of a newer server."""

    kind: str


AlertSubject = WallEvent | WallSwept | LargeLiquidation | Cascade | FeedSilence | OtherEvent
"""What an alert is about; ``kind`` tells them apart."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What a rule reported."""

    id: str
    """Names it for ever: an alert that has been seen can be ignored."""
    rule: str
    symbol: str
    time: datetime
    """Market time at which it was raised."""
    price: float
    quiet: bool
    """Whether it fell into quiet hours and was sent to no target."""
    subject: AlertSubject
    """The largest where there is more than one."""
    count: int
    """How often it happened since the rule's last alert about the symbol."""
    total_usd: int
    """Dollars of all of them; 0 where it is about no amount."""
    text: str | None = None
    """The alert in words; only in messages of the channel ``alerts``."""


@dataclass(frozen=True, slots=True)
class Alerts:
    """``GET /v1/alerts``."""

    rules: tuple[AlertRule, ...]
    targets: tuple[AlertTarget, ...]
    alerts: tuple[Alert, ...]
    """The newest ones, at most 500, oldest first."""

    def to_dataframe(self) -> pd.DataFrame:
        """One row per alert; needs pandas."""
        return alerts_frame(self.alerts)


def alerts_frame(alerts: Sequence[Alert]) -> pd.DataFrame:
    return records_frame([_record(alert) for alert in alerts], _COLUMNS)


_COLUMNS: Final = ["time", "symbol", "rule", "kind", "price", "count", "total_usd", "quiet", "id"]


def _record(alert: Alert) -> dict[str, object]:
    known = {name: value for name, value in asdict(alert).items() if name in _COLUMNS}
    return {**known, "kind": alert.subject.kind}


def read_alerts(fields: Fields) -> Alerts:
    targets = tuple(
        AlertTarget(
            name=row.text("name"),
            kind=row.text("kind"),
            waiting=row.count("waiting"),
            failures=row.count("failures"),
            reason=row.text("reason"),
            is_dead=row.flag("dead"),
        )
        for row in fields.objects("targets")
    )
    return Alerts(
        rules=tuple(read_rule(row) for row in fields.objects("rules")),
        targets=targets,
        alerts=tuple(read_alert(row) for row in fields.objects("alerts")),
    )


def read_rule(row: Fields) -> AlertRule:
    hours = None
    if row.get("quiet_hours") is not None:
        given = row.object("quiet_hours")
        hours = QuietHours(given.text("from"), given.text("to"), given.optional_text("utc_offset"))
    return AlertRule(
        name=row.text("name"),
        kind=row.text("kind"),
        symbols=() if row.get("symbols") is None else texts_of(row, "symbols"),
        min_usd=row.optional_count("min_usd"),
        side=None if row.get("side") is None else side_of(row),
        within_pct=row.optional_number("within_pct"),
        clear_pct=row.optional_number("clear_pct"),
        window_s=row.optional_count("window_s"),
        after_s=row.optional_count("after_s"),
        cooldown_s=row.optional_count("cooldown_s"),
        quiet_hours=hours,
        targets=() if row.get("targets") is None else texts_of(row, "targets"),
        paused=row.get("paused") is True,
        source=row.optional_text("source"),
    )


def read_deleted_rule(fields: Fields) -> str:
    return fields.text("deleted")


def read_alert(row: Fields) -> Alert:
    return _alert(row, row.count("total_usd"), None)


def read_raised(row: Fields) -> Alert:
    """An alert of the channel ``alerts``."""
    return _alert(row, row.count("usd"), row.text("text"))


def _alert(row: Fields, total_usd: int, text: str | None) -> Alert:
    return Alert(
        id=row.text("id"),
        rule=row.text("rule"),
        symbol=row.text("symbol"),
        time=time_of(row, "time"),
        price=row.number("price"),
        quiet=row.flag("quiet"),
        subject=_subject(row.object("subject")),
        count=row.count("count"),
        total_usd=total_usd,
        text=text,
    )


def _subject(row: Fields) -> AlertSubject:
    match row.text("kind"):
        case ("near_wall" | "wall_formed" | "wall_vanished") as kind:
            return WallEvent(kind, _wall(row.object("wall")), row.number("distance_pct"))
        case "wall_swept" as kind:
            liquidated = None if row.get("liquidated") is None else _sum(row.object("liquidated"))
            return WallSwept(kind, _wall(row.object("wall")), time_of(row, "touched"), liquidated)
        case "liquidation" as kind:
            return LargeLiquidation(
                kind, row.text("venue"), side_of(row), row.number("price"), row.count("usd"), time_of(row, "time")
            )
        case "cascade" as kind:
            return Cascade(kind, row.count("window_s"), _sum(row.object("long")), _sum(row.object("short")))
        case "feed_stale" as kind:
            return FeedSilence(kind, time_of(row, "as_of"))
        case other:
            return OtherEvent(other)


def _wall(row: Fields) -> WallSpan:
    return WallSpan(side_of(row), row.number("low"), row.number("high"), row.number("peak"), row.count("usd"))


def _sum(row: Fields) -> LiquidatedSum:
    return LiquidatedSum(row.count("count"), row.count("usd"))
