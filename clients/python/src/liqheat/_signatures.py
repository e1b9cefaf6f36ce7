"""Methods that pass their arguments on have one definition of them, for type checkers and for ``help()``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def takes_arguments_of(
    method: Callable[Concatenate[Any, _Arguments], object],
) -> Callable[[Callable[..., _Result]], Callable[Concatenate[Any, _Arguments], _Result]]:
    """The decorated method has the arguments of another one, and its documentation where it has none of its own."""

    def decorate(taker: Callable[..., _Result]) -> Callable[Concatenate[Any, _Arguments], _Result]:
        describe(taker, method, inspect.signature(method))
        return taker

    return decorate


def describe(taker: Any, source: Any, signature: inspect.Signature) -> None:
    """Shows a function with this signature, and with the documentation of another where it has none."""
    taker.__signature__ = signature
    taker.__doc__ = taker.__doc__ or source.__doc__
