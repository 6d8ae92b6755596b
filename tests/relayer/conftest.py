"""A store on a real file, a world in memory, and an API over both, for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from relayer.api.board import Board
from relayer.api.handlers import Handlers
from relayer.api.server import make_app, serve
from relayer.pipeline.health import Health
from relayer.store.sqlite import SqliteStore
from tests.relayer.api_site import Page, Site
from tests.relayer.fake_world import ALICE, BOB, FRAME, FakeWorld, ManualClock, Noticed, make_bench, make_policy


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


@pytest.fixture
async def site(world: FakeWorld, file_store: SqliteStore) -> AsyncIterator[Site]:
    policy, clock, noticed = make_policy(), ManualClock(float(FRAME)), Noticed()
    board = Board(policy, clock)
    bench = make_bench(world, file_store, policy, board)
    health = Health(clock.monotonic_s(), 60.0, is_signing=True)
    page = Page()
    app = make_app(Handlers(board, file_store, health, page, bench.pipeline), noticed, "0.1.0")
    server = await serve(app, noticed, "127.0.0.1", 0)
    host, port = server.address
    async with aiohttp.ClientSession() as session:
        made = Site(f"http://{host}:{port}", session, board, health, clock, noticed, world, bench, page)
        await bench.pipeline.start()
        yield made
    await server.close()


@pytest.fixture
async def served(site: Site) -> Site:
    result = await site.bench.pipeline.run_frame(FRAME)
    assert result.row is not None
    assert result.row.signed is not None
    return site
