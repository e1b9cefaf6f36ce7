"""The live client against the real program: every form, restarts, cut and stalled connections, polling."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import pytest

from liqheat import BlockingHeatmap, ConnectionFailedError, Heatmap, Snapshot

from .support import PATIENCE, Proxy, Server, Watch, free_port, hash_of, run, signed_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SYMBOL = "BTCUSDT"
ALIAS = "BTCUSDT@sim"


@asynccontextmanager
async def proxy_to(server: Server) -> AsyncIterator[tuple[Proxy, str]]:
    proxy = Proxy(server.port)
    address = await proxy.start()
    try:
        yield proxy, address
    finally:
        await proxy.stop()


def check(state: Snapshot) -> None:
    assert state.hash == hash_of(state.levels)
    assert state.position is not None
    assert list(state.levels) == sorted(state.levels)


@pytest.mark.parametrize("mode", ["snapshot", "delta"])
def test_states_come_in_order_and_each_matches_its_hash(server: Server, mode: Literal["snapshot", "delta"]) -> None:
    async def test() -> None:
        async with Heatmap(server.address) as heatmap:
            heatmap.subscribe(SYMBOL, mode=mode)
            seqs = []
            async for state in heatmap.states():
                check(state)
                seqs.append(state.seq or 0)
                if len(seqs) == 5:
                    break
            assert seqs == sorted(set(seqs))
            known = heatmap.state(SYMBOL)
            assert known is not None
            assert known.feed in (None, "replay", "warming_up")
            assert known.via == "socket"
        assert heatmap.status.reason == "asked"

    run(test())


def test_a_part_of_the_state_with_taller_levels_sums_to_the_same(server: Server) -> None:
    async def test() -> None:
        async with Heatmap(server.address) as whole, Heatmap(server.address) as tall:
            whole.subscribe(SYMBOL)
            tall.subscribe(SYMBOL, bin=400)
            one = await whole.wait_for_state(SYMBOL, timeout=PATIENCE)
            other = await tall.wait_for_state(SYMBOL, timeout=PATIENCE)
            # Both follow until they stand at the same state.
            while one.position != other.position:
                if (one.seq or 0) < (other.seq or 0):
                    one = await whole.states().next(PATIENCE)
                else:
                    other = await tall.states().next(PATIENCE)
            assert (other.long_usd, other.short_usd) == (one.long_usd, one.short_usd)
            assert len(other.levels) < len(one.levels)
            middle = one.levels[len(one.levels) // 2].price
            whole.subscribe(SYMBOL, price_range=(middle, middle + 1_000))
            part = await whole.wait_for_state(SYMBOL, timeout=PATIENCE)
            assert 0 < len(part.levels) < len(one.levels)

    run(test())


def test_a_restarted_server_is_found_again_and_its_states_belong_to_another_epoch(quick_reconnects: None) -> None:
    async def test() -> None:
        port = free_port()
        watch = Watch()
        first = Server(listen=f"127.0.0.1:{port}", WS_UPDATE_INTERVAL="0.25", WS_DRAIN_WINDOW="0.1")
        try:
            heatmap = watch.heatmap(first.address)
            heatmap.subscribe([SYMBOL, ALIAS])
            heatmap.connect()
            await watch.until_more_states(4)
            epoch = watch.states[-1].epoch
            await asyncio.to_thread(first.stop, signal.SIGTERM)
            await watch.until(lambda: any(move.reason == "goaway" for move in watch.moves))
        finally:
            first.stop(signal.SIGKILL)
        with Server(listen=f"127.0.0.1:{port}", WS_UPDATE_INTERVAL="0.25"):
            await watch.until(lambda: watch.states[-1].epoch != epoch)
            await watch.until_more_states(4)
            await heatmap.close()
        for state in watch.states:
            check(state)
        assert set(watch.errors) <= {"SOCKET_ERROR"}, "while nobody listened"
        assert "failed" not in {move.status for move in watch.moves}

    run(test())


def test_a_cut_connection_resumes_where_it_was(server: Server, quick_reconnects: None) -> None:
    async def test() -> None:
        watch = Watch()
        async with proxy_to(server) as (proxy, address):
            deltas: list[int] = []
            heatmap = Heatmap(
                address,
                on_state=watch.states.append,
                on_delta=lambda change: deltas.append(change.from_seq),
                on_status=lambda change: watch.note(watch.moves, change),
            )
            heatmap.subscribe(SYMBOL)
            heatmap.connect()
            stream = heatmap.states()
            await stream.next(PATIENCE)
            for _ in range(3):
                proxy.cut_all()
                await watch.until_status("disconnected")
                held = watch.states[-1].seq
                await watch.until_status("connected")
                del deltas[:]
                while watch.states[-1].seq == held:
                    await stream.next(PATIENCE)
                assert deltas[0] == held, "the first frame after a reconnect continues the held state"
            await heatmap.close()
        seqs = [state.seq or 0 for state in watch.states]
        assert seqs == sorted(set(seqs))

    run(test())


def test_while_the_socket_is_refused_it_polls_and_goes_back_afterwards(
    server: Server, quick_reconnects: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liqheat._core.polling.DEFAULT_INTERVAL", 0.2)
    monkeypatch.setattr("liqheat._core.fallback.DEFAULT_INTERVAL", 0.2)

    async def test() -> None:
        watch = Watch()
        async with proxy_to(server) as (proxy, address):
            heatmap = watch.heatmap(address, poll=server.address)
            heatmap.subscribe(SYMBOL)
            proxy.is_refusing = True
            heatmap.connect()
            await watch.until_status("polling")
            await watch.until_more_states(4)
            known = heatmap.state(SYMBOL)
            assert known is not None
            assert known.via == "polling"
            proxy.is_refusing = False
            await watch.until_status("connected")
            await watch.until_more_states(2)
            await heatmap.close()
        for state in watch.states:
            check(state)
        seqs = [state.seq or 0 for state in watch.states]
        assert seqs == sorted(set(seqs)), "no state is reported twice, by whichever way it came"

    run(test())


def test_a_server_without_sockets_is_polled_at_once() -> None:
    async def test(server: Server) -> None:
        watch = Watch()
        heatmap = watch.heatmap(server.address)
        heatmap.subscribe(SYMBOL)
        heatmap.connect()
        await watch.until_status("polling")
        await watch.until(lambda: bool(watch.states))
        assert [move.status for move in watch.moves] == ["connecting", "disconnected", "polling"]
        assert "503" in watch.moves[1].message
        assert watch.errors == ["SOCKET_ERROR"]
        await heatmap.close()

    with Server(WS_ENABLED="false", WS_UPDATE_INTERVAL="0.25") as server:
        run(test(server))


def test_a_slow_consumer_skips_to_the_newest_state(server: Server) -> None:
    async def test() -> None:
        watch = Watch()
        async with watch.heatmap(server.address) as heatmap:
            heatmap.subscribe(SYMBOL)
            stream = heatmap.states()
            await watch.until_more_states(4)
            first = await stream.next(PATIENCE)
            assert first == watch.states[-1]
            await watch.until_more_states(3)
            second = await stream.next(PATIENCE)
            assert second == watch.states[-1]

    run(test())


def test_acknowledging_limits_what_is_in_flight(server: Server) -> None:
    async def test() -> None:
        watch = Watch()
        async with watch.heatmap(server.address) as heatmap, Heatmap(server.address) as other:
            heatmap.subscribe(SYMBOL, ack=True)
            stream = heatmap.states()
            await stream.next(PATIENCE)
            # The first acknowledgement turns credit on; from then on this consumer takes nothing.
            taken = await stream.next(PATIENCE)
            count = len(watch.states)
            other.subscribe(SYMBOL)
            others = other.states()
            for _ in range(6):
                await others.next(PATIENCE)
            assert len(watch.states) <= count + 2
            # It goes on with the newest, in a stream of its own: the one that was left does not hold it back.
            del stream
            seen = [await heatmap.states().next(PATIENCE) for _ in range(3)]
            assert all((state.seq or 0) > (taken.seq or 0) for state in seen)
            await watch.until_more_states(3)

    run(test())


def test_a_symbol_that_is_not_served_is_an_error_and_disturbs_no_other(server: Server) -> None:
    async def test() -> None:
        watch = Watch()
        async with watch.heatmap(server.address) as heatmap:
            heatmap.subscribe(["NOPE", SYMBOL])
            await heatmap.wait_for_state(SYMBOL, timeout=PATIENCE)
            await watch.until(lambda: bool(watch.errors))
            assert watch.errors == ["INVALID_SYMBOL"]
            with pytest.raises(TimeoutError, match=r"no state of NOPE within 0\.1 s; connected: connected"):
                await heatmap.wait_for_state("NOPE", timeout=0.1)

    run(test())


def test_a_token_that_is_asked_for_is_sent_and_a_refusal_is_final() -> None:
    secret = "a secret of thirty-two bytes or more"  # noqa: S105

    async def test(server: Server) -> None:
        async with Heatmap(server.address) as heatmap:
            heatmap.subscribe(SYMBOL)
            with pytest.raises(ConnectionFailedError, match=r"refused: refused by the server \(401: .+\)"):
                await heatmap.wait_for_state(SYMBOL, timeout=PATIENCE)
        async with Heatmap(server.address, token=lambda: signed_token(secret)) as heatmap:
            heatmap.subscribe(SYMBOL)
            check(await heatmap.wait_for_state(SYMBOL, timeout=PATIENCE))

    with Server(WS_JWT_SECRET=secret, WS_UPDATE_INTERVAL="0.25") as server:
        run(test(server))


def test_a_callback_that_fails_is_logged_and_the_rest_goes_on(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        def fail(_: Snapshot) -> None:
            raise RuntimeError("of the application")

        async with Heatmap(server.address, on_state=fail) as heatmap:
            heatmap.subscribe(SYMBOL)
            stream = heatmap.states()
            for _ in range(3):
                await stream.next(PATIENCE)

    with caplog.at_level(logging.ERROR, "liqheat"):
        run(test())
    assert caplog.text.count("the callback for Snapshot failed") >= 3


def test_a_stream_ends_with_the_connection(server: Server) -> None:
    async def test() -> None:
        heatmap = Heatmap(server.address)
        heatmap.subscribe(SYMBOL)
        heatmap.connect()
        stream = heatmap.states()
        await stream.next(PATIENCE)

        async def rest() -> int:
            return len([state async for state in stream])

        reading = asyncio.create_task(rest())
        await heatmap.close()
        assert await asyncio.wait_for(reading, PATIENCE) < 3

    run(test())


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8000", "ftp://host", "http://", "http://host:port", "http://host:99999"]
)
def test_an_address_that_is_not_one_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(ValueError, match=r"write it as http://127\.0\.0\.1:8000"):
        Heatmap(address)


def test_without_asyncio(server: Server) -> None:
    moves: list[str] = []
    with BlockingHeatmap(server.address, on_status=lambda change: moves.append(change.status)) as heatmap:
        heatmap.subscribe([SYMBOL, ALIAS])
        first = heatmap.wait_for_state(SYMBOL, timeout=PATIENCE)
        check(first)
        seen = set()
        for state in heatmap.states(timeout=PATIENCE):
            check(state)
            seen.add(state.symbol)
            if len(seen) == 2:
                break
        heatmap.unsubscribe(ALIAS)
        assert heatmap.state(ALIAS) is None
        frame = heatmap.to_dataframe()
        assert set(frame["symbol"]) == {SYMBOL}
        with pytest.raises(TimeoutError):
            next(heatmap.states("NOPE", timeout=0.1))
    assert heatmap.status.status == "disconnected"
    assert moves == ["connecting", "connected", "disconnected"]
    # It can be used again.
    with heatmap:
        check(heatmap.wait_for_state(SYMBOL, timeout=PATIENCE))


def test_a_stalled_connection_is_noticed_and_left(
    server: Server, quick_reconnects: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the limits of a patient client divided by a hundred."""
    for name, seconds in (("_TICK", 0.1), ("_PING_INTERVAL", 0.3), ("_SILENCE", 0.4), ("_PROBE_LIMIT", 0.3)):
        monkeypatch.setattr(f"liqheat._core.liveness.{name}", seconds)

    async def test() -> None:
        watch = Watch()
        async with proxy_to(server) as (proxy, address):
            heatmap = watch.heatmap(address, poll=False)
            heatmap.subscribe(SYMBOL)
            heatmap.connect()
            await watch.until_more_states(2)
            proxy.stall()
            await watch.until(lambda: watch.moves[-1].status in ("disconnected", "connecting"))
            assert [move.reason for move in watch.moves[2:4]] == ["silent", "no_answer"]
            proxy.resume()
            await watch.until_status("connected")
            await watch.until_more_states(2)
            await heatmap.close()
        for state in watch.states:
            check(state)

    run(test())


def test_closing_does_not_wait_for_a_token() -> None:
    async def test() -> None:
        async def never() -> str:
            await asyncio.Event().wait()
            return ""

        heatmap = Heatmap("http://127.0.0.1:1", token=never)
        heatmap.connect()
        await asyncio.sleep(0)
        await asyncio.wait_for(heatmap.close(), PATIENCE / 10)
        assert heatmap.status.reason == "asked"

    run(test())


def test_an_error_of_the_package_itself_ends_in_a_new_connection(
    server: Server, quick_reconnects: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from liqheat._core.board import Board

    apply_snapshot = Board.apply_snapshot
    failures = iter([True])

    def fail_once(self: Board, *arguments: object) -> object:
        if next(failures, False):
            raise RuntimeError("a bug")
        return apply_snapshot(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Board, "apply_snapshot", fail_once)

    async def test() -> None:
        watch = Watch()
        heatmap = watch.heatmap(server.address)
        heatmap.subscribe(SYMBOL)
        heatmap.connect()
        await watch.until_more_states(2)
        await heatmap.close()
        assert [move.status for move in watch.moves][1:5] == ["connected", "disconnected", "connecting", "connected"]
        assert "a bug" in watch.moves[2].message

    run(test())
    assert "error in the client" in caplog.text
