"""The one socket that counts. Attempts name sockets, and what arrives from another than the newest is ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .commands import CloseSocket, OpenSocket, SendText

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._wire.requests import SubscribeRequest
    from .command_queue import CommandQueue
    from .moment import Moment

_HANDSHAKE_LIMIT: Final = 10.0
_CLOSE_NORMAL: Final = 1000


class CurrentSocket:
    """Absent, being opened, or open."""

    __slots__ = ("_attempt", "_commands", "_handshake_until", "_is_open", "_is_present")

    def __init__(self, commands: CommandQueue) -> None:
        self._commands = commands
        self._attempt = 0
        self._is_present = False
        self._is_open = False
        self._handshake_until: float | None = None

    @property
    def attempt(self) -> int:
        """The newest attempt, whether or not its socket is there."""
        return self._attempt

    @property
    def is_open(self) -> bool:
        return self._is_open

    def is_current(self, attempt: int) -> bool:
        """Whether what was reported of this attempt is of the present socket."""
        return self._is_present and attempt == self._attempt

    def awaits_token(self, attempt: int) -> bool:
        """Whether a token for this attempt is still of use."""
        return not self._is_present and attempt == self._attempt

    def begin_attempt(self) -> int:
        self._attempt += 1
        return self._attempt

    def open(self, now: Moment, token: str | None) -> None:
        self._is_present = True
        self._handshake_until = now.monotonic + _HANDSHAKE_LIMIT
        self._commands.add(OpenSocket(self._attempt, token))

    def opened(self) -> None:
        self._is_open = True
        self._handshake_until = None

    def send(self, text: str) -> None:
        """Sends a message; nothing while there is no open socket."""
        if self._is_open:
            self._commands.add(SendText(self._attempt, text))

    def send_requests(self, requests: Iterable[SubscribeRequest]) -> None:
        for request in requests:
            self.send(request.message())

    def close(self) -> None:
        """Closes it, if there is one, and forgets it."""
        if self._is_present:
            self._commands.add(CloseSocket(self._attempt, _CLOSE_NORMAL))
        self.forget()

    def forget(self) -> None:
        """It is gone."""
        self._is_present = False
        self._is_open = False
        self._handshake_until = None

    def deadline(self) -> float | None:
        """When the handshake has taken too long, on the monotonic clock."""
        return self._handshake_until

    def is_overdue(self, now: Moment) -> bool:
        return self._handshake_until is not None and now.monotonic >= self._handshake_until
