"""One server for all tests that leave it as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from liqheat import BlockingHeatmap

from .support import PATIENCE, Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server(WS_UPDATE_INTERVAL="0.25") as running:
        with BlockingHeatmap(running.address) as heatmap:
            heatmap.subscribe("BTCUSDT")
            heatmap.wait_for_state("BTCUSDT", timeout=PATIENCE)
        yield running


@pytest.fixture
def quick_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter comes out short, as it does for one client in twenty."""
    monkeypatch.setattr("liqheat.heatmap.random.random", lambda: 0.05)
