"""Server-sent events over httpx: the lines, and the real program over a restart in order."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest

from liqheat import (
    ApiError,
    AsyncClient,
    Client,
    Delta,
    FeedStatus,
    LiquidationsMessage,
    PriceMessage,
    Snapshot,
    StreamClosed,
    StreamEvent,
    UnreachableError,
)
from liqheat._wire.event_stream import EventReader
from liqheat._wire.frames import GoAway, Pong, Unknown

from .support import Server, free_port, run

SYMBOL = "BTCUSDT"


def events_of(text: str) -> list[StreamEvent]:
    reader = EventReader()
    return [event for line in text.split("\n") if (event := reader.take(line)) is not None]


def test_lines_become_events() -> None:
    pong = 'data: {"type":"pong","timestamp":"t"}'
    assert events_of(f"id: e:1\nevent: pong\n{pong}\n\n: still here\n\n{pong}\n\n") == [
        StreamEvent("e:1", Pong("t"), None),
        StreamEvent(None, Pong("t"), None),
    ]
    goodbye = 'retry: 1500\n\nevent: goaway\ndata: {"type":"goaway","reason":"r","reconnect_in_ms":1500}\n\n'
    close = 'event: close\ndata: {"type":"close",\ndata: "code":1012,"reason":"server restarts"}\n\n'
    assert events_of(goodbye + close) == [
        StreamEvent(None, GoAway("r", 1500), 1.5),
        StreamEvent(None, StreamClosed(1012, "server restarts"), 1.5),
    ]


def test_what_is_not_an_event_is_skipped_or_unknown() -> None:
    assert events_of("id: 1\n\nretry: soon\n\nnonsense\n\ndata") == []
    [dance, close] = events_of('event: dance\ndata: {"type":"dance"}\nlater: x\n\nevent: close\ndata: []\n\n')
    assert dance == StreamEvent(None, Unknown("unknown type dance"), None)
    assert isinstance(close.message, Unknown)


def test_every_channel_comes_and_a_stream_goes_on_after_its_last_event(server: Server) -> None:
    with Client(server.address) as client:
        kinds = set()
        for event in client.stream(SYMBOL, channels=["heatmap", "price", "walls", "liquidations"], min_usd=1):
            kinds.add(type(event.message).__name__)
            if kinds >= {"Snapshot", "PriceMessage", "WallsMessage", "LiquidationsMessage"}:
                break
        first = client.stream([SYMBOL], mode="delta", bin=1_000)
        held = next(event for event in first if isinstance(event.message, Snapshot))
        again = client.stream([SYMBOL], mode="delta", bin=1_000, last_event_id=held.id)
        following = next(event.message for event in again if isinstance(event.message, (Snapshot, Delta)))
        assert isinstance(held.message, Snapshot)
        assert following.epoch == held.message.epoch
        assert (following.seq or 0) > (held.message.seq or 0)
        if isinstance(following, Delta):
            assert following.from_seq == held.message.seq
        with pytest.raises(ApiError, match=r"400: .*NOPE"):
            next(client.stream("NOPE"))


def test_a_server_that_stops_says_goodbye_and_a_dead_one_is_unreachable() -> None:
    address = f"127.0.0.1:{free_port()}"

    async def test() -> None:
        server = Server(listen=address, WS_UPDATE_INTERVAL="0.25", WS_DRAIN_WINDOW="0.1")
        try:
            async with AsyncClient(server.address) as client:
                events = []
                async for event in client.stream(SYMBOL, channels=["price", "liquidations"]):
                    events.append(event)
                    if len(events) == 2:
                        await asyncio.to_thread(server.stop, signal.SIGTERM)
                assert isinstance(events[-1].message, StreamClosed)
                assert events[-1].message.code == 1012
                assert events[-1].retry is not None
                assert {type(event.message) for event in events[:-2]} <= {PriceMessage, LiquidationsMessage, FeedStatus}
                with pytest.raises(UnreachableError, match="/v1/stream: "):
                    await anext(client.stream(SYMBOL))
        finally:
            server.stop(signal.SIGKILL)

    run(test())


def test_a_stream_that_breaks_off_is_an_error() -> None:
    class Broken(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield b'data: {"type":"pong","timestamp":"t"}\n\n'
            raise httpx.ReadError("reset by peer")

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Broken()))
    stream = Client("http://somewhere", transport=transport).stream(SYMBOL)
    assert next(stream).message == Pong("t")
    with pytest.raises(UnreachableError, match="/v1/stream: reset by peer"):
        next(stream)
