"""Every example of the README runs as a script against the real server."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .support import PATIENCE, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from .support import Server

README = (ROOT / "clients" / "python" / "README.md").read_text()
EXAMPLES = re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python example\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_every_example_is_found() -> None:
    assert len(EXAMPLES) == README.count("```python") >= 6


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_an_example_runs(title: str, code: str, server: Server, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(code.replace("http://127.0.0.1:8000", server.address))
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=tmp_path)
    assert done.returncode == 0, f"{title}: {done.stderr}"
    assert "BTCUSDT" in done.stdout or "USD" in done.stdout, f"{title} printed: {done.stdout}"
    assert done.stderr == ""
