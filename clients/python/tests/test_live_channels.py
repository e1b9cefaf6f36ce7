"""Channels beside the heatmap against the real program, over cut connections and a restart."""

from __future__ import annotations

import asyncio
import queue
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from liqheat import (
    AlertRule,
    AlertsMessage,
    AsyncClient,
    BlockingHeatmap,
    Heatmap,
    Liquidation,
    LiquidationsMessage,
    PriceMessage,
    WallsMessage,
)

from .support import PATIENCE, Proxy, Server, Watch, free_port, run, signed_token

if TYPE_CHECKING:
    from collections.abc import Callable

SYMBOL = "BTCUSDT"
SECRET = "a secret of thirty-two bytes or more"  # noqa: S105


def fast_server(port: int) -> Server:
    """A market of twenty minutes a second, so that liquidations are many."""
    return Server(listen=f"127.0.0.1:{port}", arguments="--speed 1200", WS_UPDATE_INTERVAL="0.25")


def test_every_channel_sends_its_messages_under_the_id_of_the_subscription(server: Server) -> None:
    async def test() -> None:
        seen: list[str] = []
        async with Heatmap(
            server.address,
            on_price=lambda message: seen.append(message.channel),
            on_walls=lambda message: seen.append(message.channel),
            on_liquidations=lambda message: seen.append(message.channel),
        ) as heatmap:
            heatmap.subscribe(SYMBOL, channels=["price", "liquidations", "walls"], id="mine")
            price = await heatmap.prices(SYMBOL).next(PATIENCE)
            assert isinstance(price, PriceMessage)
            assert (price.symbol, price.id, price.venue) == (SYMBOL, "mine", "sim")
            assert price.last is not None
            assert price.mark is not None
            assert abs(price.last / price.mark - 1) < 0.05
            walls = await heatmap.walls().next(PATIENCE)
            assert isinstance(walls, WallsMessage)
            assert walls.walls.walls
            assert all(sum(wall.leverages.values()) == wall.usd for wall in walls.walls.walls)
            assert heatmap.state(SYMBOL) is None, "the heatmap is not followed"
            # A consumer that comes later begins with what is there.
            assert (await heatmap.prices().next(PATIENCE)).seq >= price.seq
            stream = heatmap.prices()
            first = await stream.next(PATIENCE)
            second = await stream.next(PATIENCE)
            assert (second.epoch, second.seq) > (first.epoch, first.seq)
            assert set(seen) == {"price", "liquidations", "walls"}

    run(test())


def test_no_liquidation_is_missed_or_repeated_over_cut_connections_and_other_options(quick_reconnects: None) -> None:
    async def test(server: Server) -> None:
        proxy = Proxy(server.port)
        address = await proxy.start()
        rows: list[Liquidation] = []
        messages: list[LiquidationsMessage] = []
        watch = Watch()
        heatmap = Heatmap(address, poll=False, on_status=lambda change: watch.note(watch.moves, change))
        heatmap.subscribe(SYMBOL, channels=["heatmap", "liquidations"])
        heatmap.connect()
        stream = heatmap.liquidations(SYMBOL)

        async def more(count: int) -> None:
            wanted = len(rows) + count
            while len(rows) < wanted:
                message = await stream.next(PATIENCE)
                messages.append(message)
                rows.extend(message.liquidations)

        await more(5)
        for number in range(4):
            proxy.cut_all()
            await watch.until_status("disconnected")
            await watch.until_status("connected")
            await more(10)
            # Another subscription in place of this one, while its messages are on their way.
            heatmap.subscribe(SYMBOL, channels=["liquidations"], id=f"number {number}", min_usd=number % 2)
            await more(10)
        await heatmap.close()
        await proxy.stop()
        assert not any(message.missed or message.reset for message in messages)
        assert messages[-1].seq - messages[0].seq == len(rows) - len(messages[0].liquidations)
        async with AsyncClient(server.address) as client:
            stored = (await client.liquidations(SYMBOL, limit=10_000)).liquidations
        begin = stored.index(rows[0])
        assert list(stored[begin : begin + len(rows)]) == rows

    with fast_server(free_port()) as server:
        run(test(server))


def test_an_alert_comes_through_the_socket_as_the_route_lists_it() -> None:
    async def test(address: str) -> None:
        heard: list[AlertsMessage] = []
        async with Heatmap(address, on_alerts=heard.append) as heatmap, AsyncClient(address) as client:
            heatmap.subscribe(SYMBOL, channels=["alerts"], id="mine")
            stream = heatmap.alerts(SYMBOL)
            first = await stream.next(PATIENCE)
            assert (first.alerts, first.missed, first.reset) == ((), 0, False)
            await client.add_alert(AlertRule("any", "near_wall", symbols=(SYMBOL,), within_pct=90, min_usd=1))
            message = await stream.next(PATIENCE)
            [alert] = message.alerts
            assert (message.id, message.epoch, message.seq) == ("mine", first.epoch, first.seq + 1)
            assert alert.text is not None
            assert alert.text.startswith(f"{SYMBOL}: price is ")
            assert replace(alert, text=None) in (await client.alerts()).alerts
            assert list(message.to_dataframe()["kind"]) == ["near_wall"]
            assert heard == [first, message]
            # A paused rule is listed and raises nothing.
            paused = await client.add_alert(
                AlertRule("any", "near_wall", symbols=(SYMBOL,), within_pct=90, min_usd=1, paused=True)
            )
            assert paused.paused
            assert [rule.paused for rule in (await client.alerts()).rules] == [True]

    with Server(WS_UPDATE_INTERVAL="0.25") as server:
        run(test(server.address))


def test_after_a_restart_the_channels_go_on_in_another_run(quick_reconnects: None) -> None:
    async def test(port: int, first: Server) -> None:
        heatmap = Heatmap(first.address, poll=False)
        heatmap.subscribe(SYMBOL, channels=["liquidations", "price", "walls"])
        heatmap.connect()
        log, prices = heatmap.liquidations(), heatmap.prices()
        before = await log.next(PATIENCE)
        epoch = (await prices.next(PATIENCE)).epoch
        await asyncio.to_thread(first.stop, signal.SIGKILL)
        with await asyncio.to_thread(fast_server, port):
            after = await log.next(PATIENCE)
            while after.epoch == before.epoch:
                after = await log.next(PATIENCE)
            assert after.reset
            price = await prices.next(PATIENCE)
            while price.epoch == epoch:
                price = await prices.next(PATIENCE)
            assert (await log.next(PATIENCE)).epoch == after.epoch
            await heatmap.close()

    port = free_port()
    with fast_server(port) as first:
        run(test(port, first))


def test_a_token_is_renewed_in_place_and_a_wrong_one_does_no_harm() -> None:
    async def test(server: Server) -> None:
        watch = Watch()
        prices = signed_token(SECRET, channels=["price"])
        async with watch.heatmap(server.address, token=prices) as heatmap:
            heatmap.subscribe(SYMBOL, channels=["price"])
            await heatmap.prices().next(PATIENCE)
            heatmap.subscribe(SYMBOL)
            await watch.until(lambda: watch.errors == ["FORBIDDEN"])
            assert heatmap.renew_token("a.b.c")
            await watch.until(lambda: watch.errors == ["FORBIDDEN", "INVALID_TOKEN"])
            assert heatmap.renew_token(signed_token(SECRET))
            heatmap.subscribe(SYMBOL)
            assert (await heatmap.wait_for_state(SYMBOL, timeout=PATIENCE)).levels
            assert [move.status for move in watch.moves] == ["connecting", "connected"], "on the same connection"

    with Server(WS_JWT_SECRET=SECRET, WS_UPDATE_INTERVAL="0.25") as server:
        run(test(server))


def test_messages_of_your_own_reach_the_server(server: Server) -> None:
    async def test() -> None:
        watch = Watch()
        async with watch.heatmap(server.address) as heatmap:
            heatmap.subscribe(SYMBOL)
            await heatmap.wait_for_state(SYMBOL, timeout=PATIENCE)
            assert heatmap.send({"action": "dance"})
            await watch.until(lambda: watch.errors == ["INVALID_ACTION"])
            assert heatmap.send("{")
            await watch.until(lambda: watch.errors == ["INVALID_ACTION", "INVALID_MESSAGE"])
            assert [move.status for move in watch.moves] == ["connecting", "connected"], "on the same connection"

    run(test())
    errors: queue.SimpleQueue[str] = queue.SimpleQueue()
    with BlockingHeatmap(server.address, on_error=lambda error: errors.put(error.code)) as heatmap:
        heatmap.subscribe(SYMBOL)
        heatmap.wait_for_state(SYMBOL, timeout=PATIENCE)
        assert heatmap.send({"action": "dance"})
        assert errors.get(timeout=PATIENCE) == "INVALID_ACTION"
    assert heatmap.send({"action": "dance"}) is False


@pytest.mark.parametrize("channel", ["price", "walls", "liquidations"])
def test_without_asyncio(server: Server, channel: str) -> None:
    with BlockingHeatmap(server.address) as heatmap:
        heatmap.subscribe(SYMBOL, channels=["price", "walls", "liquidations"])
        streams: dict[str, Callable[[], PriceMessage | WallsMessage | LiquidationsMessage]] = {
            "price": lambda: next(heatmap.prices(SYMBOL, timeout=PATIENCE)),
            "walls": lambda: next(heatmap.walls(timeout=PATIENCE)),
            "liquidations": lambda: next(heatmap.liquidations(timeout=PATIENCE)),
        }
        message = streams[channel]()
        assert (message.channel, message.symbol) == (channel, SYMBOL)
        heatmap.unsubscribe(SYMBOL, channels=["price"])
        with pytest.raises(TimeoutError, match=r"no message of BTCUSDT within 0\.1 s"):
            next(heatmap.prices(SYMBOL, timeout=0.1))
        assert heatmap.renew_token("a.b.c")
