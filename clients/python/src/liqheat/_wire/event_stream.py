"""Server-sent events of ``/v1/stream``: lines in, messages out. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .fields import Fields, MalformedError, parse_json
from .frames import Unknown, parse_frame

if TYPE_CHECKING:
    from .frames import Frame


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The last message of a stream that the server ends."""

    code: int
    """The close code that a socket would get."""
    reason: str


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event."""

    id: str | None
    """The position after it, for ``last_event_id``; ``None`` when it leads to none."""
    message: Frame | StreamClosed
    """:class:`Unknown` for one of a newer server."""
    retry: float | None
    """Seconds after which the server wants the client back, once it has said so."""


class EventReader:
    """Puts lines together into events."""

    __slots__ = ("_data", "_id", "_kind", "_retry")

    def __init__(self) -> None:
        self._id: str | None = None
        self._kind = ""
        self._data: list[str] = []
        self._retry: float | None = None

    def take(self, line: str) -> StreamEvent | None:
        """The event that a line completes, if it does."""
        if line:
            self._take_field(line)
            return None
        if not self._data:
            return None
        event = StreamEvent(self._id, _message(self._kind, "\n".join(self._data)), self._retry)
        self._id, self._kind, self._data = None, "", []
        return event

    def _take_field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                self._id = value
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
            case "retry" if value.isascii() and value.isdigit():
                self._retry = int(value) / 1000
            case _:
                # A comment, which keeps the connection alive, or a field of a newer server.
                pass


def _message(kind: str, data: str) -> Frame | StreamClosed:
    if kind != "close":
        return parse_frame(data)
    try:
        fields = Fields(parse_json(data), "the message")
        return StreamClosed(fields.count("code"), fields.text("reason"))
    except MalformedError as error:
        return Unknown(str(error))
