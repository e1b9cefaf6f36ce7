"""The binary form of states (``docs/binary.md``): columns of varints over a grid of prices.

The bytes come from outside, so anything that is not exactly a message is refused. The server, the JavaScript client and
this reader accept and refuse the same bytes; ``crates/wire/golden/damaged.json`` holds them to it.
"""

from __future__ import annotations

from typing import Final

from .fields import NUMBER_MAX, MalformedError
from .frames import Delta, Frame, Snapshot, Unknown
from .levels import Level
from .state_hash import PRICE_UNITS
from .times import format_millis

BINARY_PROTOCOL: Final = "liqheat.v1.bin"
JSON_PROTOCOL: Final = "liqheat.v1.json"
STATE_CONTENT_TYPE: Final = "application/vnd.liqheat.state"

_SNAPSHOT: Final = 0x10
_DELTA: Final = 0x11
_HAS_ID: Final = 0x02
"""Set in the first byte of a message that carries the id of its subscription."""
_ID_BYTES_MAX: Final = 64
_HASH_BYTES: Final = 8
_VARINT_BYTES_MAX: Final = 8


def parse_binary(data: bytes) -> Frame:
    """Reads one binary message; never raises."""
    try:
        return _read(_Reader(data))
    except ValueError as error:
        return Unknown(f"malformed binary frame: {error}")


class _Reader:
    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def remaining(self) -> int:
        return len(self._data) - self._at

    def take(self, length: int) -> bytes:
        if length > self.remaining():
            raise MalformedError("ends too early")
        self._at += length
        return self._data[self._at - length : self._at]

    def varint(self) -> int:
        data, at = self._data, self._at
        number = shift = 0
        for byte in data[at : at + _VARINT_BYTES_MAX]:
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift > 0:
                    raise MalformedError("a number is longer than it needs to be")
                self._at = at
                return exact(number)
            shift += 7
        if len(data) - self._at < _VARINT_BYTES_MAX:
            raise MalformedError("ends too early")
        raise MalformedError("a number is too large")

    def text(self) -> str:
        return self.take(self.varint()).decode("utf-8")

    def id(self) -> str:
        length = self.varint()
        if not 1 <= length <= _ID_BYTES_MAX:
            raise MalformedError("an id of the wrong length")
        return self.take(length).decode("utf-8")


def exact(number: int) -> int:
    """The number, when it stays below 2^53."""
    if number > NUMBER_MAX:
        raise MalformedError("a number is too large")
    return number


def _read(reader: _Reader) -> Snapshot | Delta:
    first = reader.take(1)[0]
    kind = first & ~_HAS_ID
    if kind not in (_SNAPSHOT, _DELTA):
        raise MalformedError("unknown version or kind")
    name = reader.id() if first & _HAS_ID else None
    digest = reader.take(_HASH_BYTES).hex()
    seq = reader.varint()
    from_seq = seq - reader.varint() if kind == _DELTA else 0
    if from_seq < 0:
        raise MalformedError("from before the first state")
    timestamp = format_millis(reader.varint())
    symbol = reader.text()
    epoch = reader.text()
    current_price = reader.varint() / PRICE_UNITS
    created = reader.varint()
    consumed = reader.varint()
    levels = _levels(reader)
    if reader.remaining() > 0:
        raise MalformedError("bytes after the end")
    if kind == _SNAPSHOT:
        if any(level.long_density == 0 and level.short_density == 0 for level in levels):
            raise MalformedError("a level without mass in a whole state")
        return Snapshot(
            symbol=symbol,
            timestamp=timestamp,
            epoch=epoch,
            seq=seq,
            hash=digest,
            levels=levels,
            current_price=current_price,
            positions_created=created,
            positions_consumed=consumed,
            id=name,
        )
    return Delta(
        symbol=symbol,
        timestamp=timestamp,
        epoch=epoch,
        from_seq=from_seq,
        seq=seq,
        hash=digest,
        levels=levels,
        current_price=current_price,
        positions_created=created,
        positions_consumed=consumed,
        id=name,
    )


def _levels(reader: _Reader) -> tuple[Level, ...]:
    count = reader.varint()
    if count == 0:
        return ()
    # Every level takes at least a byte, so a huge count cannot make a huge list.
    if count > reader.remaining():
        raise MalformedError("ends too early")
    step = reader.varint()
    if step == 0:
        raise MalformedError("a step of zero")
    index = reader.varint()
    prices = [exact(index * step) / PRICE_UNITS]
    for _ in range(count - 1):
        index += reader.varint() + 1
        prices.append(exact(index * step) / PRICE_UNITS)
    longs = _column(reader, count)
    shorts = _column(reader, count)
    return tuple(map(Level, prices, longs, shorts))


def _column(reader: _Reader, count: int) -> list[int]:
    """One side's sums: alternating runs of levels without a sum and levels with one."""
    column = [0] * count
    at = 0
    while at < count:
        zeros = reader.varint()
        if zeros == 0 and at > 0:
            raise MalformedError("an empty run")
        at += zeros
        if at == count:
            return column
        end = at + reader.varint()
        if end == at or end > count:
            raise MalformedError("a run of the wrong length")
        while at < end:
            usd = reader.varint()
            if usd == 0:
                raise MalformedError("a sum of zero among those that are not")
            column[at] = usd
            at += 1
    if at > count:
        raise MalformedError("a run of the wrong length")
    return column
