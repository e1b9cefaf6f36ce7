"""What the connection machine asks its shell to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._wire.channels import ChannelMessage
from .._wire.frames import Delta, ErrorEvent, FeedStatus, ServerWarning, Snapshot
from .status import StatusChange

if TYPE_CHECKING:
    from .._wire.levels import Position
    from .._wire.requests import SubscribeOptions

Event = Snapshot | Delta | StatusChange | FeedStatus | ChannelMessage | ServerWarning | ErrorEvent
"""What the application can listen to."""


@dataclass(frozen=True, slots=True)
class RequestToken:
    """Get a token; answered by ``token_ready`` or ``token_failed``."""

    attempt: int


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open a socket; answered by ``opened``, ``closed`` or ``address_refused``. ``attempt`` names it from then on."""

    attempt: int
    token: str | None


@dataclass(frozen=True, slots=True)
class SendText:
    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close a socket, or give up opening it; nothing more of it is wanted."""

    attempt: int
    code: int


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask for a state over HTTP; answered by ``polled`` or ``poll_failed``. ``request`` tells old answers from new."""

    request: int
    symbol: str
    since: Position | None
    options: SubscribeOptions


@dataclass(frozen=True, slots=True)
class CancelPolls:
    """Requests that are under way are no longer wanted."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the application."""

    event: Event


Command = RequestToken | OpenSocket | SendText | CloseSocket | Poll | CancelPolls | Report
