"""The HTTP clients against the real program, and against answers that it would never give."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pandas as pd
import pytest

from liqheat import ApiError, AsyncClient, BadAnswerError, Client, Position, Snapshot, UnreachableError

from .support import Server, free_port, hash_of, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from liqheat._wire.grid import Side

SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def test_symbols(client: Client) -> None:
    symbols = client.symbols()
    assert symbols.simulated
    [symbol] = [each for each in symbols.symbols if each.symbol == SYMBOL]
    assert symbol.venues == ("sim",)
    assert symbol.base_bin is not None
    assert symbol.base_bin > 0
    assert symbol.last is not None
    assert symbol.last.tzinfo is timezone.utc
    assert symbol.leverages == tuple(sorted(symbol.leverages))
    assert symbols.to_dataframe()["symbol"].tolist() == [each.symbol for each in symbols.symbols]


def test_klines(client: Client) -> None:
    klines = client.klines(SYMBOL, interval="15m", limit=20)
    assert len(klines.candles) == 20
    frame = klines.to_dataframe()
    assert frame["time"].diff().dropna().eq(pd.Timedelta(minutes=15)).all()
    assert (frame["high"] >= frame["low"]).all()


def test_levels(client: Client) -> None:
    levels = client.levels(SYMBOL)
    assert {level.side for level in levels.levels} == {"long", "short"}
    for level in levels.levels:
        assert (level.distance_pct < 1) if level.side == "long" else (level.distance_pct > -1)
    recent = client.levels(SYMBOL, timeframe="12h")
    assert recent.to_dataframe()["usd"].sum() < levels.to_dataframe()["usd"].sum()


def test_walls_map_and_largest_levels_belong_to_one_state(client: Client) -> None:
    walls = client.walls(SYMBOL, limit=1_000)
    assert walls.walls
    assert walls.position is not None
    for wall in walls.walls:
        assert sum(wall.leverages.values()) == wall.usd
        assert wall.low <= wall.peak_price <= wall.high
    frame = walls.to_dataframe()
    assert frame["usd"].is_monotonic_decreasing
    assert frame.loc[frame["side"] == "long", "usd"].sum() <= walls.long_usd
    chart = client.map(SYMBOL, range_pct=5, bin=500)
    assert chart.bin == 500
    assert all(len(level.long_by_leverage) == len(chart.leverages) for level in chart.levels)
    assert chart.to_dataframe()["short_cumulative_usd"].is_monotonic_increasing
    pain = client.max_pain(SYMBOL)
    assert pain.long is not None
    assert pain.long.distance_pct <= 0
    assert pain.range_pct == 10
    near = client.max_pain(SYMBOL, range_pct=1.5)
    assert near.range_pct == 1.5
    assert near.long is None or (near.long.usd <= pain.long.usd and near.long.distance_pct >= -1.5)
    past = client.walls(SYMBOL, at=walls.as_of - timedelta(hours=3))
    assert past.position is None
    assert past.as_of < walls.as_of
    summary = client.liquidation_summary(SYMBOL)
    assert [window.window for window in summary.windows] == ["1h", "4h", "12h", "24h"]
    assert summary.windows[3].total.long_usd == sum(venue.long_usd for venue in summary.windows[3].venues)


def test_liquidations_and_timeseries_accept_every_form_of_time(client: Client) -> None:
    last = client.symbols().symbols[0].last
    assert last is not None
    start = last - timedelta(hours=2)
    millis = round(start.timestamp() * 1000)
    sums = [client.liquidations(SYMBOL, start_time=time, end_time=last) for time in (start, start.isoformat(), millis)]
    assert sums[0] == sums[1] == sums[2]
    series = client.timeseries(SYMBOL, start_time=start, end_time=last, interval="15m", leverage_weights={10: 1, 50: 2})
    assert 6 <= len(series.rows) <= 8
    assert series.rows[-1].levels
    assert set(series.to_dataframe().columns) == {"time", "price", "long_density", "short_density"}
    with pytest.raises(ValueError, match="no time zone"):
        client.liquidations(SYMBOL, start_time=start.replace(tzinfo=None))


def test_history_equals_the_json_form_within_its_rounding(client: Client, server: Server) -> None:
    # A stretch that is over, so that both answers are about the same columns.
    end = client.klines(SYMBOL, interval="1h", limit=1).candles[0].time
    start = end - timedelta(hours=12)
    grid = client.history(SYMBOL, start_time=start, end_time=end, columns=48)
    parameters = {"symbol": SYMBOL, "from": start.isoformat(), "to": end.isoformat(), "columns": "48"}
    plain = httpx.get(f"{server.address}/v1/heatmap/history", params=parameters, timeout=60).json()
    assert (grid.rows, grid.price_low, grid.bin) == (plain["rows"], plain["price_low"], plain["bin"])
    assert grid.columns == plain["columns"] == 48
    compared = 0
    # A cell is at most one step of the scale away.
    step = (grid.usd_max / grid.usd_min) ** (1 / 254) - 1
    sides: tuple[Side, ...] = ("long", "short")
    for side in sides:
        for index in range(grid.columns):
            # Cells of less than the scale's lowest step are that step.
            for usd, wanted in zip(grid.column(index, side), plain[side][index], strict=True):
                assert usd == pytest.approx(wanted, rel=step, abs=grid.usd_min + 1)
                compared += wanted > 0
    assert compared > 1_000
    frame = grid.to_dataframe("long")
    assert frame.shape == (grid.columns, grid.rows)
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert list(map(float, frame.columns)) == [grid.row_price(row) for row in range(grid.rows)]


def test_history_by_leverage_has_a_plane_for_each_class(client: Client) -> None:
    grid = client.history(SYMBOL, range="12h", columns=10, bin=500, by_leverage=True)
    assert grid.leverages == client.symbols().symbols[0].leverages
    assert all(len(plane) == grid.columns * grid.rows for plane in grid.leverage_planes)


def test_heatmap_answers_by_position(client: Client) -> None:
    state = client.heatmap(SYMBOL)
    assert isinstance(state, Snapshot)
    assert state.hash == hash_of(state.levels)
    assert state.position is not None
    changed = client.heatmap(SYMBOL, since=state.position)
    if changed is not None:
        assert changed.epoch == state.epoch
        assert (changed.seq or 0) > (state.seq or 0)
    part = client.heatmap(SYMBOL, price_range=(state.levels[3].price, state.levels[5].price), bin=state.levels[1].price)
    assert isinstance(part, Snapshot)
    unknown = client.heatmap(SYMBOL, since=Position("never", 1))
    assert isinstance(unknown, Snapshot)


def test_health_and_ready(client: Client) -> None:
    assert client.health().status == "ok"
    assert client.ready().reasons == ()


def test_a_refused_request_says_what_would_be_right(client: Client) -> None:
    with pytest.raises(ApiError, match=r"400: .*NOPE.*BTCUSDT") as caught:
        client.heatmap("NOPE")
    assert caught.value.status == 400
    with pytest.raises(ApiError, match=r"422: .*interval"):
        client.klines(SYMBOL, interval="7m")  # type: ignore[arg-type]


def test_the_asynchronous_client_gives_the_same_answers(client: Client, server: Server) -> None:
    async def ask() -> None:
        async with AsyncClient(server.address) as other:
            assert (await other.symbols()).symbols[0].symbol == SYMBOL
            assert (await other.klines(SYMBOL, limit=3)).symbol == SYMBOL
            assert (await other.levels(SYMBOL)).model == client.levels(SYMBOL).model
            day = await other.liquidations(SYMBOL, interval="1h", limit=5)
            assert day.symbol == SYMBOL
            grid = await other.history(SYMBOL, range="12h", columns=4)
            assert grid.columns <= 4
            last = grid.as_of
            series = await other.timeseries(SYMBOL, start_time=last - timedelta(hours=1), end_time=last)
            assert series.interval == "15m"
            assert isinstance(await other.heatmap(SYMBOL), Snapshot)
            assert (await other.health()).version == (await other.ready()).version
            assert (await other.walls(SYMBOL, limit=3)).symbol == SYMBOL
            assert (await other.max_pain(SYMBOL)).long is not None
            assert (await other.map(SYMBOL, range_pct=2)).levels
            assert len((await other.liquidation_summary(SYMBOL)).windows) == 4
            with pytest.raises(ApiError):
                await other.levels("NOPE")

    run(ask())


def test_a_server_that_is_not_there() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with Client(address) as client, pytest.raises(UnreachableError, match="/v1/symbols: "):
        client.symbols()

    async def ask() -> None:
        async with AsyncClient(address) as client:
            with pytest.raises(UnreachableError, match="/v1/symbols: "):
                await client.symbols()

    run(ask())


def answering(status: int, body: bytes | dict[str, Any]) -> Client:
    """A client of a server that gives one answer to everything."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Retry-After": "5"} if status == 503 else {}
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content, headers=headers))
    return Client("http://somewhere", transport=transport)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"\xff\xfe",
        {},
        {"symbol": SYMBOL, "interval": "5m", "data": {}},
        {"symbol": SYMBOL, "interval": "5m", "data": [7]},
        {"symbol": SYMBOL, "interval": "5m", "data": [{"timestamp": "soon"}]},
        {"symbol": SYMBOL, "interval": 5, "data": []},
    ],
)
def test_an_answer_of_another_form_is_an_error_that_names_the_route(body: bytes | dict[str, Any]) -> None:
    client = answering(200, body)
    with pytest.raises(BadAnswerError, match=r"^/prices/klines: "):
        client.klines(SYMBOL)
    with pytest.raises(BadAnswerError):
        client.heatmap(SYMBOL)
    with pytest.raises(BadAnswerError):
        client.history(SYMBOL)


def test_an_error_without_words_and_one_that_says_when_to_come_back() -> None:
    with pytest.raises(ApiError, match="503: no state yet") as caught:
        answering(503, {"detail": "no state yet"}).levels(SYMBOL)
    assert caught.value.retry_after == 5
    with pytest.raises(ApiError, match="502: <html>"):
        answering(502, b"<html>bad gateway").levels(SYMBOL)
    degraded = {"status": "degraded", "reasons": ["no feed"], "version": "1"}
    assert answering(503, degraded).ready().reasons == ("no feed",)


def test_a_whole_state_that_does_not_match_its_hash_is_refused(client: Client, server: Server) -> None:
    headers = {"Accept": "application/vnd.liqheat.state"}
    body = httpx.get(f"{server.address}/v1/heatmap", params={"symbol": SYMBOL}, headers=headers).content
    assert isinstance(answering(200, body).heatmap(SYMBOL), Snapshot)
    damaged = body[:1] + bytes([body[1] ^ 1]) + body[2:]
    with pytest.raises(BadAnswerError, match="does not match its hash"):
        answering(200, damaged).heatmap(SYMBOL)


def test_times_without_pandas_are_plain_datetimes(client: Client) -> None:
    candle = client.klines(SYMBOL, limit=1).candles[0]
    assert isinstance(candle.time, datetime)
    assert candle.time.utcoffset() == timedelta(0)
