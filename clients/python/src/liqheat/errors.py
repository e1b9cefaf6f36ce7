"""Errors that this package raises. All of them are :class:`LiqheatError`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._core.status import StatusChange


class LiqheatError(Exception):
    """Base of all errors of this package."""


class ConnectionFailedError(LiqheatError):
    """The server refused the connection for good (token, origin, address); ``connect()`` tries again."""

    def __init__(self, change: StatusChange) -> None:
        super().__init__(f"{change.reason}: {change.message}")
        self.change = change


class ApiError(LiqheatError):
    """The server answered a request with an error."""

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        """What was wrong and what would be right, in the server's words."""
        self.retry_after = retry_after
        """Seconds after which the request may succeed, where the server says so."""


class BadAnswerError(LiqheatError):
    """An answer does not have the form that the protocol gives it."""


class UnreachableError(LiqheatError):
    """The server did not answer a request."""
