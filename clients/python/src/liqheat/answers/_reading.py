"""Values that several answers have, read from fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .._wire.fields import Fields, MalformedError, count_of, number_of
from .._wire.times import from_millis, parse_time

if TYPE_CHECKING:
    from datetime import datetime

Side = Literal["long", "short"]
"""Side of positions."""


def side_of(row: Fields) -> Side:
    match row.text("side"):
        case "long":
            return "long"
        case "short":
            return "short"
        case other:
            raise MalformedError(f"field 'side' is '{other[:20]}', neither long nor short")


def time_of(row: Fields, name: str) -> datetime:
    try:
        return parse_time(row.text(name))
    except MalformedError:
        raise
    except ValueError as error:
        raise MalformedError(f"field '{name}': {error}") from error


def millis_of(row: Fields, name: str) -> datetime | None:
    millis = row.optional_count(name)
    try:
        return None if millis is None else from_millis(millis)
    except ValueError as error:
        raise MalformedError(f"field '{name}': {error}") from error


def texts_of(row: Fields, name: str) -> tuple[str, ...]:
    items = row.items(name)
    texts = tuple(item for item in items if isinstance(item, str))
    if len(texts) != len(items):
        raise MalformedError(f"field '{name}' is not a list of strings")
    return texts


def counts_of(row: Fields, name: str) -> tuple[int, ...]:
    counts = [count_of(item) for item in row.items(name)]
    known = tuple(count for count in counts if count is not None)
    if len(known) != len(counts):
        raise MalformedError(f"field '{name}' is not a list of whole numbers")
    return known


def numbers_of(row: Fields, name: str) -> tuple[float, ...]:
    numbers = [number_of(item) for item in row.items(name)]
    known = tuple(number for number in numbers if number is not None)
    if len(known) != len(numbers):
        raise MalformedError(f"field '{name}' is not a list of numbers")
    return known
