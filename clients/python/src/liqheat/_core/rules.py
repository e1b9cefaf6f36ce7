"""How a connection is kept, and what the shell reports in answer to its commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .._wire.frames import Frame

Credentials = Literal["none", "fixed", "renewable"]
"""``renewable``: asked for again before every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRules:
    """How a connection is kept."""

    credentials: Credentials = "none"
    may_poll: bool = True
    """Whether states are asked for over HTTP while the socket does not work."""
    may_open_socket: bool = True
    """Without, states come by polling from the beginning."""
    max_attempts: int | None = None
    """Failed attempts in a row after which no further socket is tried."""
    reconnect_delay: float = 2.0
    """Seconds under which the first pause between attempts stays; the ceiling doubles up to sixteen times it."""

    def __post_init__(self) -> None:
        if not self.may_poll and not self.may_open_socket:
            raise ValueError("without socket and polling there is no way to get a state")


@dataclass(frozen=True, slots=True)
class HandshakeRefusal:
    """The HTTP answer to a handshake that was not accepted."""

    status: int
    detail: str
    retry_after: float | None
    """Seconds, from the header ``Retry-After``."""


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """The HTTP answer to a poll."""

    status: int
    frame: Frame | None = None
    """Body of a 200."""
    detail: str = ""
    """What the server says about any other status."""
