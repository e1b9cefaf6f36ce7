"""What a WebSocket close code tells the client to do next; the same table stands in ``docs/protocol.md``."""

from __future__ import annotations

from typing import Final, Literal

AfterClose = Literal["stay_away", "reconnect_now", "reconnect_later"]

ABNORMAL: Final = 1006
"""The connection broke without a close frame."""

_POLICY_VIOLATION: Final = 1008


def after_close(code: int) -> AfterClose:
    """What to do after a close with this code."""
    if code == _POLICY_VIOLATION or 4000 <= code < 4100:
        return "stay_away"
    if 4200 <= code < 4300:
        return "reconnect_now"
    return "reconnect_later"
