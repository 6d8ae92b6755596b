"""The pipeline over chains in memory and a real SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from proofs.snapshot import Reason
from proofs.types import Status
from relayer.store.port import FrameState
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, BOB, FRAME, FakeWorld, make_bench


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "relayer.db")
    yield opened
    await opened.close()


@pytest.fixture
def world() -> FakeWorld:
    made = FakeWorld()
    made.lock("A", "USDX", ALICE, 1_000 * 10**6)
    made.lock("B", "BTC", ALICE, 10**8)
    made.position(ALICE, "ETH-PERP", 10**18, 3_000)
    made.position(BOB, "ETH-PERP", 10**18, 3_000)
    made.mine_to(FRAME + 3)
    return made


async def test_frame__all_chains_honest__is_signed_stored_and_explained(world: FakeWorld, store: SqliteStore) -> None:
    bench = make_bench(world, store)
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(FRAME)

    assert bench.noticed.bugs == []
    assert result.row is not None
    assert result.row.state is FrameState.SIGNED
    assert {view.account: view.status for view in result.views} == {ALICE: Status.HEALTHY, BOB: Status.LIQUIDATABLE}
    stored = await store.accounts(bench.ports.policy.policy_id, FRAME)
    assert [row.account for row in stored] == sorted([ALICE, BOB])
    assert orjson.loads(stored[0].view_json)["account"] == "0x" + stored[0].account.hex()


async def test_frame__one_chain_dead__the_others_go_on(world: FakeWorld, store: SqliteStore) -> None:
    world.chains["B"].fail(Reason.RPC_UNREACHABLE)
    bench = make_bench(world, store)
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(FRAME)

    assert bench.noticed.bugs == []
    assert result.row is not None
    assert result.row.state is FrameState.SIGNED
    assert [gone.reason for gone in bench.noticed.missing] == [Reason.RPC_UNREACHABLE]
