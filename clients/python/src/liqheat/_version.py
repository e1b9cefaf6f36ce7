"""The package's version, from its metadata."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("liqheat")
    except PackageNotFoundError:
        # Run from a source tree that is not installed.
        return "0+source"


__version__: Final = _installed()
USER_AGENT: Final = f"liqheat-python/{__version__}"
