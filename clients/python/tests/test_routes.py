"""Alerts, accuracy, margin, series and views over HTTP, and that every route of the server is there."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
import pytest

import liqheat
from liqheat import AlertRule, ApiError, AsyncClient, BlockingHeatmap, Client, Heatmap, QuietHours, RuleKind
from liqheat import _routes as routes
from liqheat._wire.fields import Fields, MalformedError
from liqheat.answers.accuracy import read_accuracy
from liqheat.answers.alerts import OtherEvent, read_alert, read_alerts
from liqheat.answers.measured import read_measured

from .support import PATIENCE, ROOT, Server, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SYMBOL = "BTCUSDT"
DESCRIPTION = json.loads((ROOT / "docs" / "openapi.json").read_text())


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


# --- completeness ---

NOT_WRAPPED = {
    "/": "the page",
    "/docs": "for people",
    "/openapi.json": "for generators",
    "/asyncapi.json": "for generators",
    "/metrics": "for Prometheus",
    "/ws/stats": "for operators",
    "/live": "for supervisors; health() says more",
    "/ws/heatmap": "Heatmap",
    "/symbols": "older form of symbols()",
    "/exchanges": "older form of symbols()",
    "/data/date-range": "older form of symbols()",
    "/liquidations/history": "older form of liquidations()",
    "/api/margin/tiers/{symbol}": "older form of tiers()",
    "/v1/ingest": "liqheat ingest --server sends files",
    "/mcp": "for agents",
    "/apps.json": "for OpenBB",
    "/widgets.json": "for OpenBB",
}

OTHER_SERVICES = ("/api/futures/", "/udf/")
"""Routes in other services' formats are for their clients."""

RENAMED = {
    "from": "start_time",
    "to": "end_time",
    "by": "by_leverage",
    "price_low": "price_range",
    "price_high": "price_range",
}
"""Parameters whose argument has another name than the query."""


def built_routes() -> dict[tuple[str, str], set[str]]:
    """Method and path of every route of this package, with the arguments that it takes."""
    samples: dict[str, Any] = {
        "symbol": SYMBOL,
        "symbols": SYMBOL,
        "what": "bars",
        "rule": AlertRule("r", "feed_stale"),
        "name": "r",
        "side": "long",
        "entry_price": 1.0,
        "leverage": 10.0,
    }
    built = {}
    for name in dir(Client):
        function = getattr(routes, name, None)
        if name.startswith("_") or function is None:
            continue
        parameters = inspect.signature(function).parameters.values()
        required = [each.name for each in parameters if each.default is inspect.Parameter.empty]
        route = function(**{argument: samples[argument] for argument in required})
        built[route.method, route.path] = {each.name for each in parameters}
    return built


def test_every_route_and_parameter_is_wrapped_or_excluded_with_a_reason() -> None:
    built = built_routes()
    described = {
        (method.upper(), path): {RENAMED.get(each["name"], each["name"]) for each in operation.get("parameters", ())}
        for path, operations in DESCRIPTION["paths"].items()
        if not path.startswith(OTHER_SERVICES)
        for method, operation in operations.items()
    }
    assert {path for _, path in described} - {path for _, path in built} == set(NOT_WRAPPED)
    for key, arguments in built.items():
        assert described[key] == arguments - {"rule"}, key


def test_both_clients_show_the_signature_and_documentation_of_the_routes() -> None:
    for name in ("walls", "add_alert", "history"):
        for kind in (Client, AsyncClient):
            method = getattr(kind, name)
            signature = inspect.signature(method)
            assert list(signature.parameters) == ["self", *inspect.signature(getattr(routes, name)).parameters]
            assert method.__doc__ == getattr(routes, name).__doc__
            assert method.__name__ == name
    assert inspect.signature(Client.walls).return_annotation == "Walls"
    for name in ("__init__", "subscribe", "unsubscribe", "renew_token", "send", "wait_for_state"):
        signature = inspect.signature(getattr(BlockingHeatmap, name))
        assert signature == inspect.signature(getattr(Heatmap, name)), name
        assert getattr(BlockingHeatmap, name).__doc__
    with pytest.raises(TypeError, match="rnage_pct"):
        Client("http://127.0.0.1:1").walls(SYMBOL, rnage_pct=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="on_stat"):
        BlockingHeatmap(on_stat=print)  # type: ignore[call-arg]


def test_everything_that_is_exported_exists_and_is_named_once() -> None:
    assert len(set(liqheat.__all__)) == len(liqheat.__all__)
    assert all(hasattr(liqheat, name) for name in liqheat.__all__)


# --- alerts ---

RULE = AlertRule(
    "near-walls",
    "near_wall",
    symbols=(SYMBOL,),
    min_usd=1,
    within_pct=90.0,
    side="long",
    quiet_hours=QuietHours("22:00", "07:00", "+01:00"),
)


def test_a_rule_is_added_raises_an_alert_and_is_deleted() -> None:
    with Server(WS_UPDATE_INTERVAL="0.25") as server, Client(server.address) as client:
        added = client.add_alert(replace(RULE, quiet_hours=None))
        assert added.source == "api"
        assert (added.name, added.kind, added.symbols, added.within_pct) == ("near-walls", "near_wall", (SYMBOL,), 90)
        assert [rule.name for rule in client.alerts().rules] == ["near-walls"]
        # Prices are observed once an update interval, so every state brings a look at the walls.
        known = client.alerts()
        with BlockingHeatmap(server.address) as heatmap:
            heatmap.subscribe(SYMBOL)
            states = heatmap.states(timeout=PATIENCE)
            while not known.alerts:
                next(states)
                known = client.alerts()
        alert = known.alerts[0]
        assert (alert.rule, alert.symbol, alert.subject.kind) == ("near-walls", SYMBOL, "near_wall")
        assert isinstance(alert.subject, liqheat.WallEvent)
        assert alert.subject.wall.side == "long"
        assert alert.subject.wall.low < alert.subject.wall.high
        frame = known.to_dataframe()
        assert frame.loc[0, "kind"] == "near_wall"
        assert isinstance(frame.loc[0, "time"], pd.Timestamp)
        assert client.delete_alert("near-walls") == "near-walls"
        assert client.alerts().rules == ()
        with pytest.raises(ApiError, match="404: there is no rule 'near-walls'"):
            client.delete_alert("near-walls")


def test_every_field_of_a_rule_arrives_and_a_wrong_one_is_named(client: Client, server: Server) -> None:
    added = client.add_alert(RULE)
    assert replace(added, source=None, targets=()) == RULE
    with pytest.raises(ApiError, match=r"^4\d\d: .*min_usd"):
        client.add_alert(AlertRule("no-size", "liquidation"))
    with pytest.raises(ApiError, match="dance"):
        client.add_alert(AlertRule("dancing", "dance"))

    async def remove() -> None:
        async with AsyncClient(server.address) as other:
            assert RULE.name in {rule.name for rule in (await other.alerts()).rules}
            assert await other.delete_alert(RULE.name) == RULE.name

    run(remove())


def test_every_kind_of_alert_is_read_and_one_of_a_newer_server_is_kept() -> None:
    time = "2025-12-28T14:30:00Z"
    wall = {"side": "long", "low": 97_500, "high": 97_900, "peak": 97_650, "usd": 8_125_000}
    some = {"count": 3, "usd": 120_000}
    subjects: list[dict[str, Any]] = [
        {"kind": "near_wall", "wall": wall, "distance_pct": -0.5},
        {"kind": "wall_formed", "wall": wall, "distance_pct": -0.5},
        {"kind": "wall_vanished", "wall": wall, "distance_pct": -0.5},
        {"kind": "wall_swept", "wall": wall, "touched": time, "liquidated": some},
        {"kind": "liquidation", "venue": "okx", "side": "short", "price": 98_000.5, "usd": 70_000, "time": time},
        {"kind": "cascade", "window_s": 300, "long": some, "short": {"count": 0, "usd": 0}},
        {"kind": "feed_stale", "as_of": time},
    ]
    described = DESCRIPTION["components"]["schemas"]["AlertSubject"]["oneOf"]
    by_kind = {each["properties"]["kind"]["const"]: set(each["properties"]) for each in described}
    assert {subject["kind"]: set(subject) for subject in subjects} == by_kind
    kinds = {const["const"] for const in DESCRIPTION["components"]["schemas"]["RuleKind"]["oneOf"]}
    assert kinds == set(get_args(RuleKind)) == set(by_kind)

    def read(subject: dict[str, Any]) -> liqheat.AlertSubject:
        alert = {"id": "a", "rule": "r", "symbol": SYMBOL, "time": time, "price": 1, "quiet": False, "subject": subject}
        return read_alert(Fields({**alert, "count": 1, "total_usd": 0}, "alert")).subject

    for subject in subjects:
        assert not isinstance(read(subject), OtherEvent)
        assert read(subject).kind == subject["kind"]
    swept = read({**subjects[3], "liquidated": None})
    assert isinstance(swept, liqheat.WallSwept)
    assert swept.liquidated is None
    assert read({"kind": "dance"}) == OtherEvent("dance")
    with pytest.raises(MalformedError, match="wall"):
        read({"kind": "near_wall", "distance_pct": 1})
    empty = read_alerts(Fields({"rules": [], "targets": [], "alerts": []}, "the answer"))
    assert list(empty.to_dataframe().columns)[:3] == ["time", "symbol", "rule"]


# --- accuracy, margin, series, views ---


def documented(route: str) -> Fields:
    """The example of a route in docs/protocol.md."""
    text = (ROOT / "docs" / "protocol.md").read_text()
    section = text.split(f"### `GET {route}`", 1)[1].split("\n### ", 1)[0]
    return Fields(json.loads(section.split("```json\n", 1)[1].split("```", 1)[0]), "the example")


def test_accuracy(client: Client) -> None:
    assert client.accuracy(SYMBOL).symbol == SYMBOL
    example = read_accuracy(documented("/v1/accuracy"))
    [venue] = example.venues
    [period] = venue.periods
    assert (venue.venue, period.days, period.events, period.hours_lost) == ("bybit", 7, 6210, 4)
    assert period.predictors[0].in_hour_partial_interval == (0.12, 0.22)
    assert period.start is not None
    frame = example.to_dataframe()
    assert frame.loc[0, "predictor"] == "map"
    assert frame.loc[0, "in_hour_partial"] == 0.171


def test_margin(client: Client) -> None:
    tiers = client.tiers(SYMBOL)
    assert tiers.venues[0].tiers[0].floor_usd == 0
    assert len(tiers.to_dataframe()) == sum(len(venue.tiers) for venue in tiers.venues)
    long = client.liquidation_price(SYMBOL, side="long", entry_price=100_000, leverage=25, notional_usd=40_000)
    [row] = long.venues
    assert row.liquidation_price is not None
    assert row.bankruptcy_price == pytest.approx(96_000)
    assert row.bankruptcy_price < row.liquidation_price < 100_000
    assert long.to_dataframe().loc[0, "venue"] == row.venue


def test_series_and_stretches_of_time(client: Client) -> None:
    last = client.klines(SYMBOL, interval="1h", limit=1).candles[0].time
    first = last - pd.Timedelta(hours=5).to_pytimedelta()
    series = client.series(SYMBOL, interval="1h", start_time=first, end_time=last)
    assert [row.time for row in series.rows] == list(pd.date_range(first, last, freq="1h"))
    assert set(series.missing) <= set(series.to_dataframe().columns)
    candles = client.klines(SYMBOL, interval="1h", start_time=first, end_time=last).candles
    assert candles[0].time == first
    levels = client.timeseries(SYMBOL, time_window="4h", exchanges=["sim"])
    assert levels.interval == "1m"
    grid = client.history(SYMBOL, start_time=first, end_time=last, columns=5, bin=1_000, price_range=(50_000, 150_000))
    assert grid.start == first
    assert grid.bin == 1_000


def test_the_expected_view_is_smaller_than_the_size(client: Client) -> None:
    size, expected = client.map(SYMBOL), client.map(SYMBOL, view="expected", horizon="4h")
    assert (size.expected_within, expected.expected_within) == (None, "4h")
    assert 0 < expected.long_usd + expected.short_usd < size.long_usd + size.short_usd
    assert client.max_pain(SYMBOL, view="expected").expected_within == "1h"
    assert client.levels(SYMBOL, view="expected").levels
    fresh = client.walls(SYMBOL, freshness=True, limit=3)
    assert all(wall.freshness is not None and 0 <= wall.freshness <= 1 for wall in fresh.walls)
    assert all(wall.expected_usd_1h is not None for wall in fresh.walls)
    with pytest.raises(ApiError, match="400: "):
        client.levels(SYMBOL, view="expected", timeframe=3)
    assert client.levels(SYMBOL, timeframe=1).levels


# --- files and measured positions ---

_FILE_HEADS = {"csv": b"time,venue,open,", "json": b"[", "parquet": b"PAR1"}


@pytest.mark.parametrize("file_format", get_args(liqheat.ExportFormat))
def test_bars_are_exported_and_saved_in_every_format(
    client: Client, tmp_path: Path, file_format: liqheat.ExportFormat
) -> None:
    last = client.klines(SYMBOL, interval="1h", limit=1).candles[0].time
    first = last - pd.Timedelta(hours=5).to_pytimedelta()
    bars = client.export("bars", SYMBOL, start_time=first, end_time=last, interval="1h", format=file_format)
    path = bars.save(tmp_path / f"bars.{file_format}")
    assert path.read_bytes() == bars.content
    assert bars.content.startswith(_FILE_HEADS[file_format])
    assert len(repr(bars)) < 200
    if file_format == "parquet":
        # pandas leaves Parquet to packages that are not among our dependencies.
        return
    frame = bars.to_dataframe()
    assert list(frame["time"]) == list(pd.date_range(first, last, freq="1h", inclusive="left"))
    candles = client.klines(SYMBOL, interval="1h", start_time=first, end_time=last).candles[:5]
    assert list(frame["close"]) == [candle.close for candle in candles]
    assert list(frame["venue"].unique()) == ["sim"]


# The simulated market has no measured positions.
@pytest.mark.parametrize("what", [what for what in get_args(liqheat.ExportKind) if what != "measured"])
def test_everything_that_is_exported_becomes_a_dataframe(server: Server, what: liqheat.ExportKind) -> None:
    async def test() -> None:
        async with AsyncClient(server.address) as client:
            file = await client.export(what, SYMBOL)
            frame = file.to_dataframe()
            assert (file.what, file.symbol, file.format) == (what, SYMBOL, "csv")
            assert len(frame) > 0
            assert str(frame["time"].dt.tz) == "UTC"
            with pytest.raises(ApiError, match=r"400: .*NOPE"):
                await client.export(what, "NOPE")

    run(test())


def test_measured_positions(client: Client) -> None:
    with pytest.raises(ApiError, match="400: "):
        client.measured(SYMBOL)
    with pytest.raises(ApiError, match=r"400: .*hyperliquid"):
        client.export("measured", SYMBOL)
    example = read_measured(documented("/v1/measured"))
    assert (example.symbol, example.long.coverage, example.short.accounts) == (
        "BTCUSDT@hyperliquid:measured",
        0.512,
        694,
    )
    assert (example.closest[0].distance_pct, example.closest[0].address) == (-0.55, None)
    assert example.to_dataframe().loc[0, "long_usd"] == 1_820_000
