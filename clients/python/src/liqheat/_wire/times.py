"""RFC 3339 times as the server writes them, and milliseconds since 1970."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
# `datetime.fromisoformat` of Python 3.10 reads neither `Z` nor fractions of any length.
_RFC_3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))"
)

TIME_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999: RFC 3339 writes no later one."""


def parse_time(text: str) -> datetime:
    """Reads an RFC 3339 time into an aware ``datetime`` in UTC; digits beyond microseconds are dropped.

    Raises :class:`ValueError` when the text is not such a time.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text[:60]}' is not an RFC 3339 time such as 2025-12-28T14:30:00Z")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    micros = int((fraction or "").ljust(6, "0")[:6])
    offset = timedelta(0)
    if sign is not None:
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
    local = datetime(year, month, day, hour, minute, second, micros, tzinfo=timezone.utc)
    return local + offset if sign == "-" else local - offset


def from_millis(millis: int) -> datetime:
    """A time given in milliseconds since 1970.

    Raises :class:`ValueError` for times outside the years 1970 to 9999.
    """
    if not 0 <= millis <= TIME_MS_MAX:
        raise ValueError(f"{millis} ms is outside the years 1970 to 9999")
    return _EPOCH + timedelta(milliseconds=millis)


def format_millis(millis: int) -> str:
    """Milliseconds since 1970 as RFC 3339 text in UTC, with as short a fraction as possible."""
    time = from_millis(millis)
    text = time.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{millis % 1000:03d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def time_parameter(time: datetime | str | int) -> str:
    """A time as a query parameter: RFC 3339 text, milliseconds since 1970, or an aware ``datetime``.

    Raises :class:`ValueError` for a ``datetime`` without a time zone, because it names no moment.
    """
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"{time!r} has no time zone; use datetime(.., tzinfo=timezone.utc)")
        return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return str(time)
