"""The protocol, held to the files that the server's and the JavaScript client's tests read and write."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from liqheat._core.board import Applied, Board
from liqheat._wire.binary import parse_binary
from liqheat._wire.channels import AlertsMessage, ChannelMessage, LiquidationsMessage, PriceMessage, WallsMessage
from liqheat._wire.fields import MalformedError, parse_json
from liqheat._wire.frames import (
    FEED_STATES,
    SOURCE_STATES,
    Delta,
    ErrorEvent,
    FeedStatus,
    Frame,
    GoAway,
    Pong,
    ServerWarning,
    Snapshot,
    Unknown,
    parse_frame,
)
from liqheat._wire.grid import parse_grid
from liqheat._wire.levels import Level, Position
from liqheat._wire.requests import (
    Mismatch,
    SubscribeOptions,
    SubscribeRequest,
    ack_message,
    ping_message,
    token_message,
    unsubscribe_message,
)
from liqheat._wire.times import format_millis, from_millis, parse_time

from .support import ROOT, golden, hash_of

if TYPE_CHECKING:
    from liqheat import Alert, Candle, Liquidation, Wall


def wire_form(frame: Frame) -> dict[str, Any]:
    """A frame as the JSON object it was read from."""
    match frame:
        case Snapshot() | Delta():
            fields: dict[str, Any] = {
                "type": "snapshot" if isinstance(frame, Snapshot) else "delta",
                "symbol": frame.symbol,
                "timestamp": frame.timestamp,
                "epoch": frame.epoch,
                "seq": frame.seq,
                "hash": frame.hash,
                "data": {
                    "levels": [level._asdict() for level in frame.levels],
                    "current_price": frame.current_price,
                    "positions_created": frame.positions_created,
                    "positions_consumed": frame.positions_consumed,
                },
            }
            if isinstance(frame, Delta):
                fields["from"] = frame.from_seq
            if frame.expected_within is not None:
                fields["expected_within"] = frame.expected_within
            return with_id(frame.id, fields)
        case FeedStatus():
            status: dict[str, Any] = {"type": "status", "symbol": frame.symbol, "state": frame.state, "seq": frame.seq}
            if frame.as_of is not None:
                status["as_of"] = frame.as_of
            return with_id(frame.id, status)
        case PriceMessage() | LiquidationsMessage() | WallsMessage() | AlertsMessage():
            return channel_form(frame)
        case _:
            return note_form(frame)


def note_form(note: ServerWarning | ErrorEvent | Pong | GoAway | Unknown) -> dict[str, Any]:
    """Messages that are of no symbol."""
    match note:
        case ServerWarning(code, message, dropped):
            return {"type": "warning", "code": code, "message": message, "dropped_messages": dropped}
        case ErrorEvent(code, message):
            return {"type": "error", "code": code, "message": message}
        case Pong(timestamp):
            return {"type": "pong", "timestamp": timestamp}
        case GoAway(reason, delay):
            return {"type": "goaway", "reason": reason, "reconnect_in_ms": delay}
        case Unknown(why):
            return {"type": "unknown", "why": why}


def with_id(name: str | None, fields: dict[str, Any]) -> dict[str, Any]:
    return fields if name is None else {**fields, "id": name}


def channel_form(message: ChannelMessage) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": message.channel,
        "symbol": message.symbol,
        "timestamp": message.timestamp,
        "epoch": message.epoch,
        "seq": message.seq,
    }
    match message:
        case PriceMessage():
            fields["data"] = {"venue": message.venue, "last": message.last, "mark": message.mark}
            if message.candle is not None:
                fields["data"]["candle"] = row_form(message.candle)
        case LiquidationsMessage():
            fields["data"] = [row_form(row) for row in message.liquidations]
            if message.missed > 0:
                fields["missed"] = message.missed
        case AlertsMessage():
            fields["data"] = [alert_form(alert) for alert in message.alerts]
            if message.missed > 0:
                fields["missed"] = message.missed
        case WallsMessage(walls=walls):
            assert walls.position is not None
            leverages = [
                [{"leverage": leverage, "usd": usd} for leverage, usd in wall.leverages.items()] for wall in walls.walls
            ]
            fields["data"] = {
                "symbol": walls.symbol,
                "as_of": text_of(walls.as_of),
                **walls.position._asdict(),
                "state": walls.state,
                "current_price": walls.current_price,
                "long_usd": walls.long_usd,
                "short_usd": walls.short_usd,
                "walls": [{**row_form(wall), "leverages": by} for wall, by in zip(walls.walls, leverages, strict=True)],
            }
    return with_id(message.id, fields)


def alert_form(alert: Alert) -> dict[str, Any]:
    fields = asdict(alert)
    usd = fields.pop("total_usd")
    return {**fields, "time": text_of(alert.time), "usd": usd}


def row_form(row: Candle | Liquidation | Wall) -> dict[str, Any]:
    """The fields that are there, times under the name that they have in messages."""
    known = {name: value for name, value in asdict(row).items() if value is not None}
    return {"timestamp" if name == "time" else name: text_of(value) for name, value in known.items()}


def text_of(value: Any) -> Any:
    """A time as it is written; anything else as it is."""
    return format_millis(round(value.timestamp() * 1000)) if isinstance(value, datetime) else value


# --- the hash ---


def test_feed_states_are_those_of_the_description() -> None:
    description = json.loads((ROOT / "docs" / "asyncapi.json").read_text())
    states = description["components"]["schemas"]["FeedState"]["oneOf"]
    assert [state["const"] for state in states] == list(FEED_STATES)


def test_source_states_are_those_of_the_description() -> None:
    description = json.loads((ROOT / "docs" / "asyncapi.json").read_text())
    states = description["components"]["schemas"]["SourceState"]["oneOf"]
    assert [state["const"] for state in states] == list(SOURCE_STATES)


def test_hash_agrees_with_the_golden_file() -> None:
    cases = golden("hash.json")["cases"]
    assert len(cases) >= 5
    for case in cases:
        assert hash_of(Level(*cell) for cell in case["cells"]) == case["hash"], case


def test_hash_does_not_depend_on_order() -> None:
    levels = [Level(n * 0.1, n * 7, (n * 13) % 5) for n in range(100)]
    shuffled = random.Random(1).sample(levels, len(levels))
    assert hash_of(levels) == hash_of(shuffled)


# --- text messages ---


def test_every_message_of_the_server_is_read_field_by_field() -> None:
    kinds = set()
    for text in golden("messages.json")["server"]:
        frame = parse_frame(text)
        assert wire_form(frame) == json.loads(text), text
        kinds.add(type(frame))
    assert kinds == {Snapshot, Delta, FeedStatus, ServerWarning, ErrorEvent, Pong, GoAway}


def test_every_message_of_this_client_is_written_as_the_server_reads_it() -> None:
    epoch = "19b657f1c40-1"
    everything = SubscribeRequest(
        ["BTCUSDT"],
        SubscribeOptions(update_interval=0.5, mode="delta", price_range=(90_000, 99_999.5), bin=200.0, ack=True),
        wire_id="left pane",
        resume={("heatmap", "BTCUSDT"): Position(epoch, 123)},
        mismatch={"BTCUSDT": Mismatch(epoch, 124, "2b227eb42990abf1")},
    )
    channels = SubscribeRequest(
        ["BTCUSDT"],
        SubscribeOptions(mode="snapshot", min_usd=50_000),
        ("heatmap", "price", "liquidations", "walls"),
        resume={("liquidations", "BTCUSDT"): Position("1c6b2f0a.1", 31)},
    )
    written = {
        "subscribe": SubscribeRequest(["BTCUSDT", "ETHUSDT"], SubscribeOptions(mode="snapshot")).message(),
        "subscribe with everything": everything.message(),
        "unsubscribe": unsubscribe_message(["ETHUSDT"]),
        "ping": ping_message(),
        "ack": ack_message("BTCUSDT", 124),
    }
    assert written == golden("messages.json")["client"]
    assert golden("channels.json")["client"] == {
        "subscribe": channels.message(),
        "unsubscribe": unsubscribe_message(["BTCUSDT"], ["price"]),
        "token": token_message("a.b.c"),
    }


def test_messages_of_the_expected_view_are_written_and_read() -> None:
    views = golden("views.json")
    request = SubscribeRequest(["BTCUSDT"], SubscribeOptions(mode="delta", view="expected", horizon="4h"))
    assert request.message() == views["client"]["subscribe"]
    assert len(views["server"]) == 2
    for text in views["server"]:
        assert wire_form(parse_frame(text)) == json.loads(text)


def test_every_message_of_a_channel_is_read_field_by_field() -> None:
    kinds = []
    for text in golden("channels.json")["server"]:
        frame = parse_frame(text)
        # Only event streams have `close`.
        if not isinstance(frame, Unknown):
            assert wire_form(frame) == json.loads(text), text
        kinds.append(type(frame))
    assert kinds == [PriceMessage, LiquidationsMessage, WallsMessage, AlertsMessage, Unknown]


def test_fields_of_a_newer_server_are_ignored_and_its_messages_are_unknown() -> None:
    text = golden("messages.json")["server"][0]
    assert parse_frame(json.dumps({**json.loads(text), "later": [1], "data2": {}})) == parse_frame(text)
    assert parse_frame('{"type":"dance"}') == Unknown("unknown type dance")
    newer = parse_frame('{"type":"status","symbol":"S","state":"dancing","seq":1}')
    assert isinstance(newer, FeedStatus)
    assert newer.state == "degraded"


def test_sources_of_a_status_are_read_and_nonsense_among_them_is_skipped() -> None:
    text = """{"type":"status","symbol":"S","state":"degraded","as_of":null,"seq":1,"sources":[
        {"venue":"binance","state":"live","as_of":"2025-12-28T14:30:00Z"},{"venue":"okx","state":"down"},{"venue":1},7,
        {"venue":"new","state":"dancing"}]}"""
    frame = parse_frame(text)
    assert isinstance(frame, FeedStatus)
    assert [(source.venue, source.state) for source in frame.sources] == [
        ("binance", "live"),
        ("okx", "down"),
        ("new", "stale"),
    ]


SNAPSHOT = '{"type":"snapshot","symbol":"S","data":{"levels":[%s],"current_price":1}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '"text"',
        '{"type":"snapshot"}',
        '{"type":["snapshot"]}',
        '{"type":"delta","symbol":"S","data":{"levels":[]}}',
        '{"type":"delta","symbol":"S","epoch":"e","seq":true,"from":1,"data":{"levels":[]}}',
        SNAPSHOT % "7",
        SNAPSHOT % '{"price":1,"long_density":1}',
        SNAPSHOT % '{"price":"1","long_density":1,"short_density":1}',
        SNAPSHOT % '{"price":true,"long_density":1,"short_density":1}',
        SNAPSHOT % '{"price":-1,"long_density":1,"short_density":1}',
        SNAPSHOT % '{"price":1e400,"long_density":1,"short_density":1}',
        SNAPSHOT % '{"price":NaN,"long_density":1,"short_density":1}',
        SNAPSHOT % '{"price":1,"long_density":0.5,"short_density":1}',
        SNAPSHOT % '{"price":1,"long_density":1,"short_density":9007199254740992}',
        SNAPSHOT % ('{"price":1,"long_density":%s,"short_density":1}' % ("9" * 5_000)),
        '{"type":"price","symbol":"S","timestamp":"t","epoch":"e","seq":1}',
        '{"type":"price","symbol":"S","timestamp":"t","epoch":"e","seq":1,"data":{"venue":"okx","last":"1"}}',
        '{"type":"liquidations","symbol":"S","timestamp":"t","epoch":"e","seq":1,"data":{}}',
        '{"type":"liquidations","symbol":"S","timestamp":"t","epoch":"e","seq":1,"data":[{"timestamp":"t"}]}',
        '{"type":"walls","symbol":"S","timestamp":"t","seq":1,"data":{}}',
        "[" * 100_000,
        '{"type":' * 50_000,
    ],
)
def test_nonsense_is_unknown_and_nothing_is_raised(text: str) -> None:
    assert isinstance(parse_frame(text), Unknown)


# --- binary messages ---

CASES = golden("binary.json")["cases"]


def test_every_golden_message_is_the_same_in_both_forms() -> None:
    assert len(CASES) >= 9
    for case in CASES:
        assert wire_form(parse_binary(bytes.fromhex(case["hex"]))) == case["message"], case["name"]
        assert wire_form(parse_frame(json.dumps(case["message"]))) == case["message"], case["name"]


def test_the_hash_of_every_golden_state_is_that_of_its_levels() -> None:
    checked = 0
    for case in CASES:
        frame = parse_binary(bytes.fromhex(case["hex"]))
        if isinstance(frame, Snapshot):
            assert isinstance(Board(frame.symbol).apply_snapshot(frame), Applied), case["name"]
            checked += 1
    assert checked > 3


def test_a_message_that_is_cut_or_too_long_is_refused() -> None:
    for case in CASES:
        whole = bytes.fromhex(case["hex"])
        for length in range(len(whole)):
            assert isinstance(parse_binary(whole[:length]), Unknown), f"{case['name']} cut to {length} bytes"
        assert parse_binary(whole + b"\0") == Unknown("malformed binary frame: bytes after the end"), case["name"]


def test_of_damaged_messages_exactly_those_are_refused_that_the_server_refuses() -> None:
    damage = golden("damaged.json")
    accepted = refused = 0
    for case in CASES:
        whole = bytes.fromhex(case["hex"])
        verdicts = damage["accepted"][case["name"]]
        assert len(verdicts) == len(whole) * len(damage["bytes"]), case["name"]
        expected = iter(verdicts)
        for at in range(len(whole)):
            for byte in damage["bytes"]:
                damaged = whole[:at] + bytes([byte]) + whole[at + 1 :]
                is_accepted = not isinstance(parse_binary(damaged), Unknown)
                assert next(expected) == str(int(is_accepted)), f"{case['name']}: byte {at} is {byte}"
                accepted += is_accepted
                refused += not is_accepted
    assert accepted > 500
    assert refused > 500


def head() -> bytes:
    """A snapshot up to where its levels begin; their number comes next."""
    return bytes.fromhex(next(case["hex"] for case in CASES if case["name"] == "nothing"))[:-1]


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        # count 1, step 3, index 1; long: no zeros, one value, 5; short: one zero.
        ([1, 3, 1, 0, 1, 5, 1], None),
        ([1, 0, 1, 0, 1, 5, 1], "a step of zero"),
        ([9, 3, 1, 0, 1, 5, 1], "ends too early"),
        ([1, 3, 1, 0, 2, 5, 5, 1], "a run of the wrong length"),
        ([1, 3, 1, 2, 1, 5, 1], "a run of the wrong length"),
        ([1, 3, 1, 0, 0, 1], "a run of the wrong length"),
        ([2, 3, 1, 0, 0, 1, 5, 0, 1, 5, 2], "an empty run"),
        ([1, 3, 1, 0, 1, 0, 1], "a sum of zero"),
        ([1, 3, 1, 1, 1], "a level without mass"),
        ([1, 3, 1, 0, 1, 0x85, 0, 1], "longer than it needs to be"),
        ([1, 3, *[0xFF] * 7, 0x7F, 0, 1, 5, 1], "too large"),
        ([1, 3, *[0xFF] * 7, 0x0F, 0, 1, 5, 1], "too large"),
        ([1, *[0xFF] * 8, 0, 1, 5, 1], "too large"),
    ],
)
def test_what_is_never_written_is_refused_with_the_reason(levels: list[int], why: str | None) -> None:
    frame = parse_binary(head() + bytes(levels))
    if why is None:
        assert isinstance(frame, Snapshot)
        assert frame.levels == (Level(3e-8, 5, 0),)
    else:
        assert isinstance(frame, Unknown)
        assert why in frame.why


def test_random_bytes_never_raise() -> None:
    generator = random.Random(7)
    for _ in range(5_000):
        data = bytearray(bytes.fromhex(generator.choice(CASES)["hex"]))
        for _ in range(generator.randrange(1, 5)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        parse_binary(bytes(data[: generator.randrange(len(data) + 1)]))


# --- the grid ---


def test_golden_grids_are_read() -> None:
    cases = golden("grid.json")["cases"]
    assert {bytes.fromhex(case["hex"])[:4] for case in cases} == {b"LQG1", b"LQG2", b"LQG3"}
    for case in cases:
        grid, header = parse_grid(bytes.fromhex(case["hex"])), case["header"]
        for name in ("symbol", "venue", "epoch", "column_ms", "columns", "rows", "price_low", "bin", "state"):
            assert getattr(grid, name) == header[name], name
        assert grid.as_of == from_millis(header["as_of"])
        assert grid.leverages == tuple(header.get("leverages", ()))
        assert len(grid.leverage_planes) == len(grid.leverages)
        for side, expected in (("long", case["long"]), ("short", case["short"])):
            usd = [cell for index in range(grid.columns) for cell in grid.column(index, side)]  # type: ignore[arg-type]
            for got, wanted in zip(usd, expected, strict=True):
                # Below half a dollar is nothing, and below the scale's end is its end.
                # Half a step, or one in the layout of predicted columns.
                rel = 0.047 if case["name"].endswith("predicted") else 0.024
                assert got == pytest.approx(max(wanted, grid.usd_min) if wanted >= 0.5 else 0.0, rel=rel)


def predicted_grid(columns: int, rows: int, planes: bytes) -> bytes:
    """A grid in the layout of predicted columns, with these bytes for its planes."""
    whole = bytes.fromhex(golden("grid.json")["cases"][0]["hex"])
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[4:8], "little")]) | {"columns": columns, "rows": rows}
    head = json.dumps(header).encode()
    return b"LQG3" + len(head).to_bytes(4, "little") + head + planes


def test_columns_are_moved_by_their_drift() -> None:
    # Half a step rounds upwards, 127 / 32 of one downwards, and levels stay between 1 and 255.
    long = bytes((0, 16, 129, 0, 200, 0, 0, 9, 0, 247, 50, 255))
    short = bytes((0, 127, 129, 129, 1, 255, 255, 0, 0, 0, 254, 1))
    grid = parse_grid(predicted_grid(4, 2, long + short))
    assert list(grid.long_plane) == [200, 0, 201, 9, 197, 252, 247, 251]
    assert list(grid.short_plane) == [1, 255, 4, 255, 1, 251, 255, 248]
    with pytest.raises(MalformedError, match="23 bytes of cells for 4 columns and 2 rows"):
        parse_grid(predicted_grid(4, 2, (long + short)[1:]))


def test_any_bytes_of_predicted_columns_have_a_meaning() -> None:
    generator = random.Random(3)
    for columns, rows in ((0, 0), (0, 3), (3, 0), (1, 1), (7, 5), (40, 3)):
        planes = generator.randbytes(2 * columns * (rows + 1))
        assert len(parse_grid(predicted_grid(columns, rows, planes)).long_plane) == columns * rows


def test_a_damaged_grid_is_refused() -> None:
    for case in golden("grid.json")["cases"]:
        is_refused_when_damaged(bytes.fromhex(case["hex"]))


def test_a_grid_of_measured_positions_has_coverage() -> None:
    case = next(case for case in golden("grid.json")["cases"] if case["header"]["columns"] > 1)
    whole, columns = bytes.fromhex(case["hex"]), case["header"]["columns"]
    assert parse_grid(whole).coverage_long == ()

    def with_coverage(*shares: float | None) -> bytes:
        end = 8 + int.from_bytes(whole[4:8], "little")
        header = json.loads(whole[8:end]) | {"coverage_long": shares, "coverage_short": shares}
        head = json.dumps(header).encode()
        return whole[:4] + len(head).to_bytes(4, "little") + head + whole[end:]

    shares = (0.5, *[None] * (columns - 1))
    grid = parse_grid(with_coverage(*shares))
    assert (grid.coverage_long, grid.coverage_short) == (shares, shares)
    with pytest.raises(MalformedError, match="coverage_long"):
        parse_grid(with_coverage(0.5, *shares))


def is_refused_when_damaged(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(MalformedError):
            parse_grid(whole[:length])
    for damaged in (whole + b"\0", b"LQG4" + whole[4:], whole[:4] + b"\xff\xff\xff\xff" + whole[8:]):
        with pytest.raises(MalformedError):
            parse_grid(damaged)


# --- times and JSON ---


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2025-12-28T14:30:00Z", 1_766_932_200_000),
        ("2025-12-28T14:30:00.25Z", 1_766_932_200_250),
        ("2025-12-28T15:30:00+01:00", 1_766_932_200_000),
        ("2025-12-28T13:00:00.000000001-01:30", 1_766_932_200_000),
    ],
)
def test_times_are_read(text: str, millis: int) -> None:
    assert parse_time(text) == from_millis(millis)


def test_times_are_written_as_short_as_they_can_be() -> None:
    for millis in (0, 1, 10, 100, 1_766_932_200_000, 1_766_932_200_250, 253_402_300_799_999):
        assert parse_time(format_millis(millis)) == from_millis(millis)
    assert format_millis(1_766_932_200_250) == "2025-12-28T14:30:00.25Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2025-12-28", "2025-13-28T14:30:00Z", "2025-12-28T14:30:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


def test_json_is_strict() -> None:
    for text in ("NaN", "[Infinity]", "{'a':1}", b"\xff"):
        with pytest.raises(MalformedError):
            parse_json(text)
