"""The connection machine under a clock of its own: reconnecting, resuming, polling, acknowledging, giving up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import pytest

from liqheat._core.backoff import Backoff
from liqheat._core.rules import ConnectionRules, Credentials, HandshakeRefusal, PollAnswer
from liqheat._core.status import Reason, Status, StatusChange, StatusMachine
from liqheat._wire.frames import FeedState, FeedStatus, GoAway, Pong, ServerWarning, Snapshot, Unknown
from liqheat._wire.levels import Level, Position
from liqheat._wire.requests import SubscribeOptions

from .support import ROOT, World, connected_world, delta, hash_of, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from liqheat._core.commands import Poll

RENEWABLE = ConnectionRules(credentials="renewable")
PONG = Pong("2025-12-28T14:30:00Z")
SLOW = ServerWarning("SLOW_CONSUMER", "behind", 2)


def state(seq: int, usd: int | None = None, *, digest: str = "") -> Snapshot:
    return snapshot(seq, [Level(98_000, seq * 1_000 if usd is None else usd, 5)], digest=digest)


def feed(word: FeedState) -> FeedStatus:
    return FeedStatus("S", word, None, 1)


def answers(newest: Callable[[], int]) -> Callable[[Poll], PollAnswer]:
    """A server that is polled."""

    def answer(poll: Poll) -> PollAnswer:
        if poll.since == Position("e", newest()):
            return PollAnswer(304)
        return PollAnswer(200, state(newest()))

    return answer


def fail_three_times(world: World) -> None:
    for failure in range(3):
        world.end()
        if failure < 2:
            world.pass_time(world.wait)
    world.pass_time(0)


# --- subscribing and resuming ---


def test_subscriptions_made_before_the_connection_opens_are_sent_when_it_does() -> None:
    world = World()
    world.connect()
    world.subscribe("S", "T", options=SubscribeOptions(update_interval=5))
    assert world.sent == []
    world.open()
    assert world.messages("subscribe") == [
        {"action": "subscribe", "symbols": ["S", "T"], "update_interval": 5, "mode": "delta"}
    ]
    world.say(state(1))
    assert [each.seq for each in world.states()] == [1]
    assert world.statuses() == ["connecting", "connected"]


def test_no_message_names_more_than_ten_symbols() -> None:
    world = World()
    world.subscribe(*(f"S{n}" for n in range(23)))
    world.connect()
    world.open()
    assert [len(message["symbols"]) for message in world.messages("subscribe")] == [10, 10, 3]


def test_subscriptions_outlive_a_reconnect_and_no_state_is_reported_twice() -> None:
    world = connected_world()
    world.say(state(7))
    world.end()
    assert world.wait == 2
    world.pass_time(2)
    world.open()
    assert world.messages("subscribe")[0]["resume"] == {"S": {"epoch": "e", "seq": 7}}
    world.say(state(7))
    world.say(state(8))
    assert [each.seq for each in world.states()] == [7, 8]
    assert world.statuses() == ["connecting", "connected", "disconnected", "connecting", "connected"]


def test_frames_of_an_earlier_socket_are_of_no_interest() -> None:
    world = connected_world()
    first = world.attempt
    world.end()
    world.pass_time(2)
    world.open()
    world.do(world.machine.received(world.now, first, state(1)))
    world.do(world.machine.closed(world.now, first, 4000, "late"))
    assert world.states() == []
    assert world.status.status == "connected"


def test_another_view_forgets_the_state_and_asks_for_a_new_one() -> None:
    world = connected_world()
    world.say(state(1))
    world.subscribe("S", options=SubscribeOptions(bin=200))
    assert world.machine.state("S") is None
    asked = world.messages("subscribe")[-1]
    assert "resume" not in asked
    assert asked["bin"] == 200
    # What was on its way is not built on, and is no error.
    world.say_late(delta(1, 2, [], "0"))
    world.say_late(state(2))
    assert world.errors() == []
    assert world.machine.state("S") is None
    world.subscribe("S", options=SubscribeOptions(bin=200, update_interval=9))
    world.say(state(3))
    assert world.machine.state("S") is not None


def test_unsubscribing_forgets_the_state_and_what_still_arrives_of_it() -> None:
    world = connected_world()
    world.say(state(1))
    world.do(world.machine.unsubscribe(world.now, ["S"]))
    assert world.messages("unsubscribe") == [{"action": "unsubscribe", "symbols": ["S"]}]
    world.say(state(2))
    assert world.machine.state("S") is None
    assert len(world.states()) == 1


# --- pauses and close codes ---


def test_pauses_double_from_2_to_32_seconds_and_only_a_frame_that_arrived_resets_them() -> None:
    world = connected_world(ConnectionRules(may_poll=False))
    waits = []
    for _ in range(6):
        world.end()
        waits.append(world.wait)
        world.pass_time(world.wait)
        world.open()
    assert waits == [2, 4, 8, 16, 32, 32]
    world.say(PONG)
    world.end()
    assert world.wait == 2


def test_the_jitter_is_full_and_a_backoff_is_checked() -> None:
    world = connected_world(ConnectionRules(may_poll=False))
    world.chance = 0.0
    world.end()
    assert world.wait == 0
    world.pass_time(0)
    assert len(world.sockets) == 2
    with pytest.raises(ValueError, match="0 < first <= last"):
        Backoff(5, 2, lambda: 0.5)
    endless = Backoff(2, 32, lambda: 1.0)
    assert [endless.next() for _ in range(2_000)][-1] == 32


@pytest.mark.parametrize("code", [1008, 4000, 4099])
def test_a_code_that_means_stay_away_is_obeyed(code: int) -> None:
    world = connected_world()
    world.end(code, "no")
    assert world.last_move() == "connected -> failed: refused"
    assert f"{code}: no" in world.status.message
    world.pass_time(600)
    assert len(world.sockets) == 1
    assert world.machine.deadline() is None
    world.connect()
    assert world.last_move() == "failed -> connecting: asked"


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1006, 1007, 1009, 1011, 1012, 4100, 4103, 4199, 4200, 4299])
def test_every_other_code_comes_back(code: int) -> None:
    world = connected_world()
    world.end(code)
    world.pass_time(2)
    assert len(world.sockets) == 2


def test_a_code_that_means_come_back_now_is_obeyed_once() -> None:
    world = connected_world()
    world.say(state(1))
    world.end(4200)
    assert world.wait == 0
    world.pass_time(0)
    world.end(4200)
    assert world.wait == 4


@pytest.mark.parametrize("code", [1012, 1001, 4200, 1006])
def test_the_delay_of_a_goaway_wins(code: int) -> None:
    world = connected_world()
    world.say(GoAway("server restarts", 9_000))
    assert world.status.status == "connected"
    world.end(code)
    assert world.last_move() == "connected -> disconnected: goaway"
    world.pass_time(8.9)
    assert len(world.sockets) == 1
    world.pass_time(0.2)
    assert len(world.sockets) == 2


def refuse(world: World, status: int, *, retry_after: float | None = None) -> None:
    refusal = HandshakeRefusal(status, "why", retry_after)
    world.do(world.machine.closed(world.now, world.attempt, 1006, "", refusal))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_handshake_is_final_unless_the_token_can_be_renewed(status: int) -> None:
    credentials: tuple[Credentials, ...] = ("none", "fixed")
    for each in credentials:
        world = World(ConnectionRules(credentials=each))
        world.connect()
        if each == "fixed":
            world.do(world.machine.token_ready(world.now, world.token_requests[-1], "t"))
        refuse(world, status)
        assert world.last_move() == "connecting -> failed: refused"
        assert f"({status}: why)" in world.status.message
    world = World(RENEWABLE)
    world.connect()
    world.do(world.machine.token_ready(world.now, 1, "t"))
    refuse(world, status)
    assert world.last_move() == "connecting -> disconnected: closed"


def test_retry_after_is_honoured() -> None:
    for asked, wait in ((5.0, 5.0), (0.0, 2.0), (100_000.0, 60.0)):
        world = World()
        world.connect()
        refuse(world, 429, retry_after=asked)
        assert world.wait == wait


def test_it_gives_up_after_as_many_attempts_as_it_may_make() -> None:
    world = connected_world(ConnectionRules(may_poll=False, max_attempts=2, reconnect_delay=1))
    waits = []
    for _ in range(2):
        world.end()
        waits.append(world.wait)
        world.pass_time(world.wait)
    assert waits == [1, 2]
    world.end()
    assert world.last_move() == "connecting -> failed: gave_up"
    assert world.machine.deadline() is None
    # With polling it goes on without a socket.
    polling = connected_world(ConnectionRules(max_attempts=3))
    polling.answer = lambda _: PollAnswer(200, state(1))
    for _ in range(8):
        polling.end()
        polling.pass_time(40)
    assert polling.status.status == "polling"
    assert len(polling.sockets) == 4


# --- liveness ---


def test_a_silent_socket_turns_stale_is_probed_and_left() -> None:
    world = connected_world()
    world.say(state(1))
    world.pass_time(45)
    assert world.last_move() == "connected -> stale: silent"
    world.pass_time(5)
    assert [each.attempt for each in world.closed] == [1]
    assert world.last_move() == "stale -> disconnected: no_answer"
    world.pass_time(2)
    world.open()
    assert world.status.status == "connected"


def test_a_silent_socket_that_answers_the_probe_is_kept() -> None:
    world = connected_world()
    world.pass_time(45)
    world.say(PONG)
    assert world.last_move() == "stale -> connected: heard_again"
    world.pass_time(10)
    assert len(world.sockets) == 1


def test_it_pings_every_30_seconds_so_a_quiet_market_keeps_the_connection() -> None:
    world = connected_world()
    for _ in range(10):
        world.pass_time(15)
        world.say(feed("live"))
    assert 5 <= len(world.messages("ping")) <= 7
    assert world.status.status == "connected"


def test_a_machine_that_slept_asks_at_once() -> None:
    world = connected_world()
    world.say(state(1))
    world.pass_time(4)
    world.sleep(3_600)
    pings = len(world.messages("ping"))
    world.pass_time(1)
    assert len(world.messages("ping")) == pings + 1
    world.pass_time(5)
    assert world.last_move() == "connected -> disconnected: no_answer"


def test_a_wall_clock_that_is_set_back_does_no_harm() -> None:
    world = connected_world()
    world.sleep(-3_600)
    world.pass_time(10)
    world.say(PONG)
    world.pass_time(10)
    assert world.status.status == "connected"


def test_a_handshake_that_hangs_is_given_up() -> None:
    world = World()
    world.connect()
    world.pass_time(10)
    assert world.last_move() == "connecting -> disconnected: no_answer"
    assert [each.attempt for each in world.closed] == [1]


# --- polling ---


def test_after_three_failures_it_polls_and_goes_back_to_the_socket() -> None:
    world = connected_world()
    world.say(state(1))
    newest = 1
    world.answer = answers(lambda: newest)
    fail_three_times(world)
    assert world.last_move() == "disconnected -> polling: polling_answers"
    assert len(world.states()) == 1
    newest = 2
    world.pass_time(5)
    assert [each.seq for each in world.states()] == [1, 2]
    known = world.machine.state("S")
    assert known is not None
    assert known.via == "polling"
    tried = len(world.sockets)
    while len(world.sockets) == tried:
        world.pass_time(1)
    assert world.status.status == "polling", "an attempt does not hide that polling works"
    world.open()
    assert world.last_move() == "polling -> connected: opened"
    world.say(state(2))
    assert len(world.states()) == 2
    asked = len(world.polls)
    world.pass_time(20)
    assert len(world.polls) == asked
    assert world.statuses().count("polling") == 1


def test_polling_that_fails_says_when_the_socket_is_tried_again() -> None:
    world = connected_world()
    works = True
    world.answer = lambda _: PollAnswer(200, state(1)) if works else PollAnswer(503, detail="no state yet")
    fail_three_times(world)
    works = False
    world.pass_time(5)
    assert world.last_move() == "polling -> disconnected: polling_failed"
    assert world.status.message == "polling answered 503: no state yet"
    assert world.wait > 0
    works = True
    world.pass_time(5)
    assert world.status.status == "polling"


def test_it_polls_and_tries_the_socket_for_as_long_as_it_takes() -> None:
    world = connected_world()
    world.answer = lambda _: PollAnswer(200, state(1))
    for attempt in range(8):
        world.end()
        tried = len(world.sockets)
        for _ in range(33):
            if len(world.sockets) == tried:
                world.pass_time(1)
        assert len(world.sockets) == tried + 1
        if attempt >= 3:
            assert world.status.status == "polling"


def test_a_503_means_polling_at_once() -> None:
    world = World()
    world.subscribe("S")
    world.answer = lambda _: PollAnswer(200, state(3))
    world.connect()
    refuse(world, 503, retry_after=5)
    world.pass_time(0)
    assert world.status.status == "polling"
    assert world.states()[0].seq == 3


def test_with_the_socket_switched_off_it_polls_from_the_beginning() -> None:
    world = World(ConnectionRules(may_open_socket=False))
    world.subscribe("S")
    newest = 1
    world.answer = answers(lambda: newest)
    world.connect()
    assert world.status.reason == "socket_off"
    world.pass_time(0)
    assert world.status.status == "polling"
    newest = 2
    world.pass_time(60)
    assert [each.seq for each in world.states()] == [1, 2]
    assert world.sockets == []
    with pytest.raises(ValueError, match="no way to get a state"):
        ConnectionRules(may_open_socket=False, may_poll=False)


def test_a_server_without_polling_is_only_reconnected_to() -> None:
    world = connected_world()
    world.answer = lambda _: PollAnswer(404)
    for _ in range(4):
        world.end()
        world.pass_time(world.wait)
    assert world.status.status == "connecting"
    assert len(world.polls) == 1


def test_polls_look_at_the_same_part_of_the_state_and_an_answer_for_another_is_dropped() -> None:
    world = connected_world()
    world.subscribe("S", options=SubscribeOptions(bin=200, update_interval=7))
    held: list[Poll] = []

    def answer(poll: Poll) -> PollAnswer | str:
        held.append(poll)
        return PollAnswer(200, state(1))

    world.answer = answer
    fail_three_times(world)
    assert held[0].options.bin == 200
    world.pass_time(6.9)
    assert len(held) == 1
    world.pass_time(0.2)
    assert len(held) == 2
    world.subscribe("S", options=SubscribeOptions(bin=400))
    world.do(world.machine.polled(world.now, held[-1].request, "S", PollAnswer(200, state(5))))
    assert world.machine.state("S") is None
    world.pass_time(0)
    assert held[-1].options.bin == 400
    assert held[-1].since is None


# --- states that are not sound ---


def test_deltas_are_applied_and_reported_before_the_whole_state() -> None:
    world = connected_world()
    world.say(state(1))
    after = [Level(98_000, 7_777, 5)]
    change = delta(1, 2, after, hash_of(after))
    world.say(change)
    assert world.events[-2] == change
    assert world.events[-1] == world.states()[-1]
    assert world.states()[-1].levels == tuple(after)


def test_a_delta_that_does_not_fit_is_an_error_and_a_whole_state_is_asked_for_once() -> None:
    world = connected_world()
    world.say(state(1))
    for seq in (9, 10, 11):
        world.say(delta(seq - 1, seq, [], "0"))
    assert world.errors() == ["SEQUENCE_GAP"]
    assert len(world.messages("subscribe")) == 2
    assert "resume" not in world.messages("subscribe")[1]
    world.say(state(9))
    assert [each.seq for each in world.states()] == [1, 9]


def test_a_wrong_hash_is_reported_and_a_third_one_in_a_row_is_shown() -> None:
    world = connected_world()
    wrong = state(1, 1, digest="00000000deadbeef")
    world.say(wrong)
    assert world.errors() == ["HASH_MISMATCH"]
    report = world.messages("subscribe")[1]["mismatch"]["S"]
    assert report == {"epoch": "e", "seq": 1, "hash": hash_of(wrong.levels)}
    world.say(wrong)
    assert world.states() == []
    world.say(wrong)
    assert [each.position for each in world.states()] == [None]
    assert len(world.messages("subscribe")) == 3
    world.say(state(2))
    assert world.states()[-1].seq == 2


def test_nonsense_is_reported_and_survived() -> None:
    world = connected_world()
    world.say(Unknown("not JSON"))
    assert world.errors() == ["BAD_FRAME"]
    assert world.status.status == "connected"


# --- acknowledging ---


def acknowledging_world(*symbols: str) -> World:
    world = World()
    world.subscribe(*symbols, options=SubscribeOptions(ack=True, mode="snapshot"))
    world.connect()
    world.open()
    return world


def take(world: World, *states: Snapshot) -> None:
    for each in states:
        world.do(world.machine.taken(world.now, each))


def acks(world: World) -> list[tuple[str, int]]:
    return [(message["symbol"], message["seq"]) for message in world.messages("ack")]


def test_states_are_acknowledged_when_the_application_has_taken_them() -> None:
    world = acknowledging_world("S")
    world.say(state(4))
    world.pass_time(1)
    assert acks(world) == [], "not taken yet"
    take(world, world.states()[0])
    world.pass_time(1)
    assert acks(world) == [("S", 4)]
    # A state of the socket before is nothing that this one waits for.
    take(world, world.states()[0])
    world.end()
    world.pass_time(2)
    world.open()
    take(world, world.states()[0])
    world.pass_time(1)
    assert acks(world) == []


def test_after_a_stall_one_acknowledgement_a_symbol_goes_out_of_the_newest_state() -> None:
    world = acknowledging_world("S", "T")
    for seq in range(1, 201):
        world.say(state(seq))
        world.say(snapshot(seq, [Level(98_000, seq, 5)], symbol="T"))
    assert len(world.states()) == 400
    take(world, *world.states())
    world.pass_time(1)
    assert acks(world) == [("S", 200), ("T", 200)]


def test_states_that_keep_coming_are_acknowledged_every_50_ms() -> None:
    world = acknowledging_world("S")
    for seq in range(1, 1_001):
        world.say(state(seq))
        take(world, world.states()[-1])
        world.pass_time(0.001)
    world.pass_time(1)
    assert 19 <= len(acks(world)) <= 21
    assert acks(world)[-1] == ("S", 1_000)


def test_two_consumers_of_a_symbol_acknowledge_each_state_once_and_never_back() -> None:
    world = acknowledging_world("S")
    for seq in (1, 2, 3):
        world.say(state(seq))
    first, second, third = world.states()
    take(world, second)
    world.pass_time(1)
    take(world, first, second)
    world.pass_time(1)
    assert acks(world) == [("S", 2)]
    take(world, third, first)
    world.pass_time(1)
    assert acks(world) == [("S", 2), ("S", 3)]
    world.say(snapshot(1, [Level(98_000, 9, 5)], epoch="next"))
    take(world, world.states()[-1])
    world.pass_time(1)
    assert acks(world)[-1] == ("S", 1), "another run of the server"


def test_a_subscription_that_is_replaced_or_ended_is_not_acknowledged_any_more() -> None:
    world = acknowledging_world("S")
    world.say(state(1))
    take(world, world.states()[-1])
    world.subscribe("S", channels=["price"])
    world.pass_time(1)
    assert acks(world) == [("S", 1)], "another channel changes nothing"
    world.say(state(2))
    take(world, world.states()[-1])
    world.subscribe("S", options=SubscribeOptions(ack=True, bin=200))
    world.pass_time(1)
    assert acks(world) == [("S", 1)]
    world.say(state(3))
    take(world, world.states()[-1])
    world.unsubscribe("S")
    world.pass_time(1)
    assert acks(world) == [("S", 1)]


def test_without_ack_nothing_is_acknowledged() -> None:
    world = connected_world()
    world.say(state(4))
    take(world, world.states()[0])
    world.pass_time(1)
    assert acks(world) == []


# --- tokens ---


def test_a_token_is_asked_for_again_with_every_attempt() -> None:
    world = World(RENEWABLE)
    world.connect()
    assert world.sockets == []
    world.do(world.machine.token_ready(world.now, 1, "t1"))
    assert world.sockets[-1].token == "t1"  # noqa: S105
    world.end()
    world.pass_time(2)
    world.do(world.machine.token_ready(world.now, 2, "t2"))
    assert world.sockets[-1].token == "t2"  # noqa: S105


def test_a_token_that_comes_after_the_application_left_opens_nothing() -> None:
    world = World(RENEWABLE)
    world.connect()
    world.disconnect()
    world.do(world.machine.token_ready(world.now, 1, "late"))
    assert world.sockets == []
    assert world.machine.deadline() is None


def test_a_token_that_cannot_be_had_is_asked_for_again_later() -> None:
    world = World(RENEWABLE)
    world.connect()
    world.do(world.machine.token_failed(world.now, 1, "signed out"))
    assert world.last_move() == "connecting -> disconnected: no_token"
    assert world.status.message == "no token: signed out"
    world.pass_time(2)
    world.do(world.machine.token_ready(world.now, 2, "good"))
    assert world.sockets[-1].token == "good"  # noqa: S105


# --- status ---


def test_slow_and_stale_show_in_the_status() -> None:
    world = connected_world()
    world.say(SLOW)
    assert world.last_move() == "connected -> slow: server_says_slow"
    for _ in range(4):
        world.pass_time(5)
        world.say(PONG)
    assert world.last_move() == "slow -> connected: caught_up"
    world.say(SLOW)
    world.say(feed("stale"))
    assert world.last_move() == "slow -> stale: feed_stale"
    world.say(feed("live"))
    assert world.last_move() == "stale -> connected: feed_well"


def test_disconnecting_leaves_nothing_behind_and_connecting_works_again() -> None:
    world = connected_world()
    world.disconnect()
    assert world.last_move() == "connected -> disconnected: asked"
    assert [(each.attempt, each.code) for each in world.closed] == [(1, 1000)]
    assert world.machine.deadline() is None
    world.disconnect()
    assert world.statuses() == ["connecting", "connected", "disconnected"]
    world.connect()
    world.open()
    assert len(world.messages("subscribe")) == 1
    world.do(world.machine.disconnect("aborted", "left by an error"))
    assert world.last_move() == "connected -> disconnected: aborted"


def test_a_refused_address_fails_with_words() -> None:
    world = World()
    world.connect()
    world.do(world.machine.address_refused(1, "port out of range"))
    assert world.last_move() == "connecting -> failed: bad_address"
    assert world.errors() == ["BAD_ADDRESS"]


def test_a_move_that_is_not_in_the_table_is_refused() -> None:
    seen: list[StatusChange] = []
    machine = StatusMachine(seen.append)
    with pytest.raises(AssertionError, match="no move from disconnected to connected"):
        machine.move("connected", "opened", "m")
    assert machine.current.status == "disconnected"
    assert seen == []


def test_statuses_and_reasons_are_those_of_the_javascript_client_and_the_readme_names_them() -> None:
    source = (ROOT / "web" / "client" / "src" / "connection" / "status.ts").read_text()
    for name, ours in (("Status", Status), ("Reason", Reason)):
        union = re.search(rf"export type {name} =(.*?);", source, re.DOTALL)
        assert union is not None
        assert set(re.findall(r"'(\w+)'", union[1])) == set(get_args(ours))
    readme = (ROOT / "clients" / "python" / "README.md").read_text()
    for heading, ours in (("### Status", Status), ("### Reasons", Reason)):
        table = readme[readme.index(heading) :].split("\n\n")[1]
        assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(get_args(ours)), heading
