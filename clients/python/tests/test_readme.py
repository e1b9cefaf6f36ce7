"""Every example of the README runs as a script against the real server."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from liqheat import Client
from liqheat import _routes as routes

from .support import PATIENCE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .support import Server

README = (ROOT / "clients" / "python" / "README.md").read_text()
EXAMPLES = re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python example\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_every_example_is_found() -> None:
    assert len(EXAMPLES) == README.count("```python") >= 6


def test_the_table_of_methods_names_every_method_with_its_parameters() -> None:
    rows = re.findall(r"^\| (`[a-z_]+\(.*?) \| `/", README, re.MULTILINE)
    written = dict(re.findall(r"`([a-z_]+)\((.*?)\)`", " ".join(rows)))
    parameters = {name: list(inspect.signature(method).parameters)[1:] for name, method in routed_methods().items()}
    assert written == {name: ", ".join(names) for name, names in parameters.items()}


def routed_methods() -> dict[str, Callable[..., object]]:
    """The methods of ``Client`` that ask a route."""
    return {name: getattr(Client, name) for name in dir(Client) if not name.startswith("_") and hasattr(routes, name)}


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_an_example_runs(title: str, code: str, server: Server, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(code.replace("http://127.0.0.1:8000", server.address))
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=tmp_path)
    assert done.returncode == 0, f"{title}: {done.stderr}"
    assert "USD" in done.stdout, f"{title} printed: {done.stdout}"
    assert done.stderr == ""
