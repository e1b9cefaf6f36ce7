"""When the next socket is tried after one has ended: close codes, the server's wishes, and pauses that grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .backoff import Backoff
from .close_codes import after_close

if TYPE_CHECKING:
    from collections.abc import Callable

    from .moment import Moment
    from .rules import ConnectionRules, HandshakeRefusal
    from .status import Reason

_BACKOFF_GROWTH: Final = 16
_RETRY_AFTER_MAX: Final = 60.0
_UNAUTHORIZED: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt after a pause."""

    delay: float
    reason: Reason


class Reconnection:
    """The pauses of one connection."""

    __slots__ = ("_at_monotonic", "_at_unix", "_backoff", "_goaway", "_rules")

    def __init__(self, rules: ConnectionRules, random: Callable[[], float]) -> None:
        self._rules = rules
        self._backoff = Backoff(rules.reconnect_delay, _BACKOFF_GROWTH * rules.reconnect_delay, random)
        self._goaway: float | None = None
        self._at_monotonic: float | None = None
        self._at_unix: float | None = None

    @property
    def failures(self) -> int:
        """Failures in a row since data last arrived."""
        return self._backoff.failures

    @property
    def is_exhausted(self) -> bool:
        """Whether there were more failures than the rules allow attempts."""
        most = self._rules.max_attempts
        return most is not None and self._backoff.failures > most

    @property
    def at(self) -> float | None:
        """When the next attempt is due, in seconds since 1970; ``None`` while none is."""
        return self._at_unix

    def reset(self) -> None:
        """Data arrived, or the application connects anew: pauses are short again."""
        self._backoff.reset()

    def goaway(self, delay: float) -> None:
        """The server wants the client back after this many seconds, once it has closed."""
        self._goaway = delay

    def socket_ended(self) -> None:
        self._goaway = None

    def after_failure(self, reason: Reason) -> Retry:
        return Retry(self._backoff.next(), reason)

    def after_close(self, code: int, refusal: HandshakeRefusal | None, *, is_token_renewable: bool) -> Retry | None:
        """What follows a close or a refused handshake; ``None`` when the server does not want the client back."""
        next_step = after_close(code)
        # A token that can be renewed may be accepted next time, a fixed one or none is refused again.
        if refusal is not None and refusal.status in _UNAUTHORIZED and not is_token_renewable:
            next_step = "stay_away"
        if next_step == "stay_away":
            return None
        if self._goaway is not None:
            return Retry(self._goaway, "goaway")
        if next_step == "reconnect_now" and self._backoff.failures == 0:
            self._backoff.next()
            return Retry(0.0, "closed")
        asked = refusal.retry_after if refusal is not None and refusal.retry_after is not None else 0.0
        return Retry(max(self._backoff.next(), min(asked, _RETRY_AFTER_MAX)), "closed")

    def wait(self, now: Moment, delay: float) -> None:
        """The next attempt is due after this many seconds."""
        self._at_monotonic = now.monotonic + delay
        self._at_unix = now.unix + delay

    def cancel(self) -> None:
        self._at_monotonic = None
        self._at_unix = None

    def deadline(self) -> float | None:
        """When the next attempt is due, on the monotonic clock."""
        return self._at_monotonic

    def is_due(self, now: Moment) -> bool:
        return self._at_monotonic is not None and now.monotonic >= self._at_monotonic
