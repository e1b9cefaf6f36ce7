"""Channels beside the heatmap under a clock of its own: subscribing, resuming, what is late, who consumes how."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from liqheat import Alert, FeedSilence, Heatmap, Liquidation
from liqheat._core.rules import ConnectionRules, PollAnswer
from liqheat._core.status import StatusChange
from liqheat._wire.channels import AlertsMessage, LiquidationsMessage, PriceMessage
from liqheat._wire.frames import FeedStatus
from liqheat._wire.levels import Level
from liqheat._wire.requests import SubscribeOptions
from liqheat.streams import ROWS_WAITING_MAX, AlertStream, LiquidationStream, MessageStream

from .support import World, connected_world, run, snapshot

if TYPE_CHECKING:
    from liqheat import Snapshot

TIME = datetime(2025, 12, 28, 14, 30, tzinfo=timezone.utc)
MESSAGE: dict[str, Any] = {"symbol": "S", "timestamp": "2025-12-28T14:30:00Z", "epoch": "e", "id": None}


def price(seq: int, last: float = 98_450) -> PriceMessage:
    return PriceMessage(seq=seq, venue="okx", last=last, mark=None, candle=None, **MESSAGE)


def liquidations(seq: int, *usd: int, missed: int = 0, reset: bool = False) -> LiquidationsMessage:
    rows = tuple(Liquidation(TIME, "okx", "long", 98_000.5, 0.5, each) for each in usd)
    return LiquidationsMessage(seq=seq, liquidations=rows, missed=missed, reset=reset, **MESSAGE)


def alerts(seq: int, *usd: int, missed: int = 0, reset: bool = False) -> AlertsMessage:
    subject = FeedSilence("feed_stale", TIME)
    rows = tuple(Alert(f"a{each}", "r", "S", TIME, 98_450, False, subject, 1, each, "S: no new data") for each in usd)
    return AlertsMessage(seq=seq, alerts=rows, missed=missed, reset=reset, **MESSAGE)


def reconnect(world: World) -> None:
    world.end()
    world.pass_time(world.wait)
    world.open()


def test_channels_add_up_and_alike_options_are_asked_for_together_after_a_reconnect() -> None:
    world = connected_world()
    world.subscribe("S", "T", channels=["price", "walls"])
    world.subscribe("S", channels=["liquidations"], options=SubscribeOptions(min_usd=50_000, bin=200))
    assert world.messages("subscribe")[1:] == [
        {"action": "subscribe", "symbols": ["S", "T"], "channels": ["price", "walls"]},
        {"action": "subscribe", "symbols": ["S"], "channels": ["liquidations"], "min_usd": 50_000},
    ]
    reconnect(world)
    assert world.messages("subscribe") == [
        {"action": "subscribe", "symbols": ["S"], "channels": ["heatmap", "price", "walls"]},
        {"action": "subscribe", "symbols": ["T"], "channels": ["price", "walls"]},
        {"action": "subscribe", "symbols": ["S"], "channels": ["liquidations"], "min_usd": 50_000},
    ]


def test_each_channel_resumes_where_it_was() -> None:
    world = connected_world()
    world.subscribe("S", channels=["price", "liquidations"])
    world.say(snapshot(7, []))
    world.say(price(3))
    world.say(liquidations(30))
    world.say(liquidations(32, 10, 20))
    reconnect(world)
    [asked] = world.messages("subscribe")
    assert asked["resume"] == {
        "S": {"epoch": "e", "seq": 7},
        "price:S": {"epoch": "e", "seq": 3},
        "liquidations:S": {"epoch": "e", "seq": 32},
    }
    world.say(price(3))
    world.say(liquidations(33, 30))
    world.say(replace(price(1), epoch="later"))
    assert [(message.channel, message.seq) for message in world.channel_messages()] == [
        ("price", 3),
        ("liquidations", 30),
        ("liquidations", 32),
        ("liquidations", 33),
        ("price", 1),
    ], "nothing twice"


def test_alerts_come_once_each_and_go_on_after_a_reconnect_where_they_were() -> None:
    world = connected_world()
    world.subscribe("S", channels=["alerts"], options=SubscribeOptions(min_usd=1_000_000))
    asked = {"action": "subscribe", "symbols": ["S"], "channels": ["alerts"], "min_usd": 1_000_000}
    assert world.messages("subscribe")[-1] == asked
    world.say(alerts(3))
    world.say(alerts(5, 10, 20))
    world.say(alerts(5, 10, 20))
    reconnect(world)
    assert world.messages("subscribe")[-1] == {**asked, "resume": {"alerts:S": {"epoch": "e", "seq": 5}}}
    world.say(alerts(6, 30))
    world.say(replace(alerts(1, 40, reset=True), epoch="later"))
    world.unsubscribe("S", channels=["alerts"])
    world.say_late(replace(alerts(2, 50), epoch="later"))
    heard = [message for message in world.channel_messages() if isinstance(message, AlertsMessage)]
    assert [[alert.total_usd for alert in message.alerts] for message in heard] == [[], [10, 20], [30], [40]]
    assert [message.reset for message in heard] == [False, False, False, True]


def test_what_is_late_of_a_replaced_subscription_is_dropped() -> None:
    world = connected_world()
    small = SubscribeOptions(id="mine", min_usd=1)
    world.subscribe("S", channels=["liquidations"], options=small)
    world.say(liquidations(10))
    world.subscribe("S", channels=["liquidations"], options=replace(small, min_usd=5))
    first, second = (message["id"] for message in world.messages("subscribe")[-2:])
    assert first == "mine"
    assert second != first
    assert world.messages("subscribe")[-1]["resume"] == {"liquidations:S": {"epoch": "e", "seq": 10}}
    # The server sends these rows in answer to both.
    world.say_late(replace(liquidations(12, 1, 7), id=first))
    world.say(liquidations(13, 7, 9))
    messages = [message for message in world.channel_messages() if message.id == "mine"]
    assert [message.seq for message in messages] == [10, 13]
    # On another connection there is nothing that could be late.
    reconnect(world)
    assert world.messages("subscribe")[-1]["id"] == "mine"


def test_a_state_of_the_view_before_is_not_taken_for_one_of_the_new_view() -> None:
    world = connected_world()
    world.subscribe("S", options=SubscribeOptions(bin=200, id="tall"))
    world.say_late(snapshot(1, [Level(98_000, 1, 1)]))
    assert world.states() == []
    world.say(snapshot(1, [Level(98_000, 5, 5)]))
    assert [(state.id, state.long_usd) for state in world.states()] == [("tall", 5)]
    world.say(FeedStatus("S", "live", None, 1, id=world.wire_id("S", "heatmap")))
    assert [event.id for event in world.events if isinstance(event, FeedStatus)] == ["tall"]


def test_states_of_the_expected_view_say_so_whatever_form_they_came_in() -> None:
    world = connected_world()
    world.say(snapshot(1, []))
    expected = SubscribeOptions(view="expected", horizon="4h")
    world.subscribe("S", options=expected)
    asked = world.messages("subscribe")[-1]
    assert (asked["view"], asked["horizon"]) == ("expected", "4h")
    assert "resume" not in asked, "levels of another view are not built on"
    world.say(snapshot(1, []))
    world.say(replace(snapshot(2, []), expected_within="4h"))
    world.subscribe("S", options=replace(expected, update_interval=5))
    assert "resume" in world.messages("subscribe")[-1]
    world.subscribe("S", options=SubscribeOptions(view="open"))
    world.say(snapshot(3, []))
    assert [state.expected_within for state in world.states()] == [None, "4h", "4h", None]
    world.subscribe("S", options=replace(expected, horizon=None))
    world.say(snapshot(1, []))
    assert world.states()[-1].expected_within == "1h"


def test_an_id_is_given_back_whatever_travels_and_one_that_is_too_long_is_refused() -> None:
    world = connected_world()
    world.subscribe("T", options=SubscribeOptions(id="a"))
    world.subscribe("T", options=SubscribeOptions(id="#1"))
    assert world.messages("subscribe")[-1]["id"] not in ("a", "#1")
    world.say(snapshot(1, [], symbol="T"))
    assert world.states()[-1].id == "#1"
    for name in ("", "ä" * 33):
        with pytest.raises(ValueError, match="id must have 1 to 64 bytes"):
            SubscribeOptions(id=name)


def test_channels_can_be_left_one_by_one() -> None:
    world = connected_world()
    world.subscribe("S", channels=["price", "liquidations"])
    world.say(liquidations(10))
    world.say(snapshot(1, []))
    world.unsubscribe("S", channels=["liquidations", "heatmap"])
    assert world.messages("unsubscribe") == [
        {"action": "unsubscribe", "symbols": ["S"], "channels": ["liquidations", "heatmap"]}
    ]
    assert world.machine.state("S") is None
    world.say_late(liquidations(11, 5))
    world.say_late(snapshot(2, []))
    world.say(price(1))
    assert [message.channel for message in world.channel_messages()] == ["liquidations", "price"]
    # Again, from now on.
    world.subscribe("S", channels=["liquidations"])
    assert "resume" not in world.messages("subscribe")[-1]
    world.unsubscribe("S")
    assert world.machine.symbols() == []


def test_a_symbol_without_its_heatmap_is_not_polled() -> None:
    world = World(ConnectionRules(may_open_socket=False))
    world.answer = lambda _: PollAnswer(200, snapshot(1, [], symbol="T"))
    world.subscribe("S", channels=["price"])
    world.subscribe("T")
    world.connect()
    world.pass_time(20)
    assert {poll.symbol for poll in world.polls} == {"T"}


def test_a_token_is_renewed_in_place_and_used_from_then_on() -> None:
    world = connected_world()
    world.do(world.machine.renew_token("a.b.c"))
    assert world.messages("token") == [{"action": "token", "token": "a.b.c"}]
    world.end()
    world.pass_time(world.wait)
    assert len(world.token_requests) == 1, "the token is taken along"
    world.do(world.machine.renew_token("d.e.f"))
    assert sum(message["action"] == "token" for _, message in world.sent) == 1, "nothing is sent while nothing is open"


def test_a_message_of_your_own_goes_out_while_the_socket_is_open() -> None:
    world = World()
    world.do(world.machine.send('{"action":"early"}'))
    world.connect()
    world.do(world.machine.send('{"action":"early"}'))
    assert world.sent == [], "nothing is kept for later"
    world.open()
    world.do(world.machine.send('{"action":"own"}'))
    assert world.messages("own") == [{"action": "own"}]


@pytest.mark.parametrize(("code", "expected"), [(1006, ["SOCKET_ERROR"]), (1012, []), (1000, [])])
def test_a_connection_that_breaks_is_an_error_and_one_that_is_closed_is_not(code: int, expected: list[str]) -> None:
    world = connected_world()
    world.end(code, "reset by peer")
    assert world.errors() == expected


# --- consumers ---


class Still:
    """A producer that has stopped."""

    status = StatusChange("disconnected", "connected", "asked", "disconnected on request")

    def is_running(self) -> bool:
        return False

    def acknowledge(self, state: Snapshot) -> None:
        raise AssertionError("messages are not acknowledged")


def test_a_slow_consumer_of_prices_skips_and_one_of_liquidations_gets_all() -> None:
    async def test() -> None:
        prices = MessageStream(Still(), PriceMessage, frozenset())
        log = LiquidationStream(Still(), LiquidationsMessage, frozenset(["S"]))
        for message in (price(1), liquidations(4, 1, 2), price(2), liquidations(6, 3, missed=1, reset=True)):
            assert prices.put(message) == isinstance(message, PriceMessage)
            assert log.put(message) == isinstance(message, LiquidationsMessage)
        assert not log.put(replace(liquidations(1, 1), symbol="T"))
        assert await prices.next() == price(2)
        gathered = await log.next()
        assert ([row.usd for row in gathered.liquidations], gathered.seq) == ([1, 2, 3], 6)
        assert (gathered.missed, gathered.reset) == (1, True)
        with pytest.raises(EOFError):
            await log.next()
        assert [message async for message in prices] == []

    run(test())


def test_what_waits_for_a_consumer_is_bounded_and_the_rest_is_counted() -> None:
    async def test() -> None:
        log = LiquidationStream(Still(), LiquidationsMessage, frozenset())
        raised = AlertStream(Still(), AlertsMessage, frozenset())
        for seq in range(1, ROWS_WAITING_MAX + 8):
            log.put(liquidations(seq, seq))
            raised.put(alerts(seq, seq, reset=seq == 1))
        gathered = await log.next()
        assert len(gathered.liquidations) == ROWS_WAITING_MAX
        assert gathered.missed == 7
        assert gathered.liquidations[0].usd == 8
        all_alerts = await raised.next()
        assert (len(all_alerts.alerts), all_alerts.missed, all_alerts.reset) == (ROWS_WAITING_MAX, 7, True)
        assert all_alerts.alerts[-1].total_usd == ROWS_WAITING_MAX + 7

    run(test())


def test_a_channel_that_does_not_exist_is_refused_with_those_that_do() -> None:
    async def test() -> None:
        heatmap = Heatmap()
        with pytest.raises(
            ValueError, match="'dance' is not a channel; there are heatmap, price, liquidations, walls, alerts"
        ):
            heatmap.subscribe("S", channels=["price", "dance"])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="visible ASCII"):
            heatmap.renew_token("two words")
        assert heatmap.renew_token("a.b.c") is False
        with pytest.raises(ValueError, match="surrogates"):
            heatmap.send("\ud800")
        with pytest.raises(ValueError, match="Out of range float"):
            heatmap.send({"action": float("nan")})
        with pytest.raises(TypeError, match="not JSON serializable"):
            heatmap.send({"action": object()})
        assert heatmap.send({"action": "ping"}) is False
        await asyncio.sleep(0)

    run(test())
