"""A store on a real file for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, BOB, FRAME, FakeWorld


@pytest.fixture
async def file_store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "relayer.db")
    yield opened
    await opened.close()


@pytest.fixture
def world() -> FakeWorld:
    """Alice is healthy with collateral on A and B, Bob has a position and no collateral: liquidatable."""
    made = FakeWorld()
    made.lock("A", "USDX", ALICE, 1_000 * 10**6)
    made.lock("B", "BTC", ALICE, 10**8)
    made.position(ALICE, "ETH-PERP", 10**18, 3_000)
    made.position(BOB, "ETH-PERP", 10**18, 3_000)
    made.mine_to(FRAME + 3)
    return made
