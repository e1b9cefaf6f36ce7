"""Reading JSON that comes from outside: every value is checked, and a wrong one is an error that names the field."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

NUMBER_MAX: Final = 2**53 - 1
"""Whole numbers of the protocol stay below 2^53, so that JavaScript holds them exactly."""


PRICE_MAX: Final = NUMBER_MAX / 1e8
"""The largest price whose units of 1e-8 are such a number."""


class MalformedError(ValueError):
    """A message or an answer that does not have the form the protocol gives it."""


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError(f"{name} is not JSON")


def parse_json(text: str | bytes) -> Any:
    """Strict JSON: without ``NaN`` and ``Infinity``, which Python reads by default.

    Raises :class:`MalformedError` for anything else, including nesting deeper than Python's stack.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except MalformedError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedError("not JSON") from error


class Fields:
    """The fields of one JSON object, read by name and type."""

    __slots__ = ("_values", "_what")

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise MalformedError(f"{what} is not an object")
        self._values: dict[str, object] = value
        self._what = what

    def _wrong(self, name: str, expected: str) -> MalformedError:
        return MalformedError(f"{self._what}: field '{name}' is not {expected}")

    def get(self, name: str) -> object:
        """The value as it is; ``None`` when it is absent."""
        return self._values.get(name)

    def text(self, name: str) -> str:
        """A string."""
        value = self._values.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, or ``None`` when it is null or absent."""
        return None if self._values.get(name) is None else self.text(name)

    def number(self, name: str) -> float:
        """A finite number of a size that the protocol allows."""
        number = number_of(self._values.get(name))
        if number is None:
            raise self._wrong(name, "a number")
        return number

    def optional_number(self, name: str) -> float | None:
        """A number, or ``None`` when it is null or absent."""
        return None if self._values.get(name) is None else self.number(name)

    def count(self, name: str) -> int:
        """A whole number from 0 to 2^53 - 1."""
        count = count_of(self._values.get(name))
        if count is None:
            raise self._wrong(name, "a whole number")
        return count

    def optional_count(self, name: str) -> int | None:
        """A whole number, or ``None`` when it is null or absent."""
        return None if self._values.get(name) is None else self.count(name)

    def flag(self, name: str) -> bool:
        """``true`` or ``false``."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def items(self, name: str) -> list[object]:
        """A list."""
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value

    def objects(self, name: str) -> list[Fields]:
        """A list of objects."""
        return [Fields(item, f"{self._what}: item of '{name}'") for item in self.items(name)]

    def object(self, name: str) -> Fields:
        """An object."""
        return Fields(self._values.get(name), f"{self._what}: field '{name}'")


def number_of(value: object) -> float | None:
    """The value when it is a finite JSON number within plus or minus 2^53."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not -NUMBER_MAX <= value <= NUMBER_MAX or not math.isfinite(value):
        return None
    return value


def count_of(value: object) -> int | None:
    """The value when it is a whole number from 0 to 2^53 - 1."""
    number = number_of(value)
    if number is None or number < 0 or number != int(number):
        return None
    return int(number)
