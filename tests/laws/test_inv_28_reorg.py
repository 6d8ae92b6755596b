"""INV-28: a reorg produces a superseding record; one of what was attested halts that chain until somebody decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofs.snapshot import Reason
from relayer.store.port import FrameState
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, CHAINS, FRAME, FakeWorld, make_bench


def made() -> FakeWorld:
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 1_000 * 10**6)
    world.lock("B", "BTC", ALICE, 10**8)
    world.mine_to(FRAME + 3)
    return world


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_inv_28_reorg__above_what_was_attested__next_frame_supersedes_and_nothing_halts(
    tmp_path: Path, depth: int
) -> None:
    world, store = made(), await SqliteStore.open(tmp_path / "relayer.db")
    bench = make_bench(world, store)
    await bench.pipeline.start()
    first = await bench.pipeline.run_frame(FRAME)  # rests on the block of FRAME - 1; newest is FRAME + 3
    orphaned = {world.chains["B"].block(world.chains["B"].newest.number - back).hash for back in range(depth)}
    world.chains["B"].reorg(depth)
    world.mine_to(FRAME + 9)

    second = await bench.pipeline.run_frame(FRAME + 4)
    await store.close()

    assert (first.row.state, second.row.state) == (FrameState.SIGNED, FrameState.SIGNED)
    assert second.snapshot.missing == ()
    assert second.snapshot.chain(CHAINS["B"]).anchor.block.hash not in orphaned


@pytest.mark.parametrize("depth", [5, 7])
async def test_inv_28_reorg__of_an_attested_block__halts_across_a_restart_and_is_never_signed_again(
    tmp_path: Path, depth: int
) -> None:
    world, store = made(), await SqliteStore.open(tmp_path / "relayer.db")
    bench = make_bench(world, store)
    await bench.pipeline.start()
    first = await bench.pipeline.run_frame(FRAME)
    await store.close()
    world.chains["B"].reorg(depth)
    world.mine_to(FRAME + 9)

    store = await SqliteStore.open(tmp_path / "relayer.db")
    restarted = make_bench(world, store)
    await restarted.pipeline.start()
    again = await restarted.pipeline.run_frame(FRAME)
    second = await restarted.pipeline.run_frame(FRAME + 4)
    (row,) = (one for one in await store.rows(restarted.ports.policy.policy_id, 0) if one.frame == FRAME)
    await store.close()

    assert again.row is None
    assert row.digest == first.row.signed.digest
    assert [(gone.chain, gone.reason) for gone in second.snapshot.missing] == [(CHAINS["B"], Reason.ORPHANED)]
    assert second.row.state is FrameState.SIGNED  # the other chains go on


async def test_inv_28_reorg__that_goes_back_to_what_was_attested__lifts_the_halt(tmp_path: Path) -> None:
    world, store = made(), await SqliteStore.open(tmp_path / "relayer.db")
    bench = make_bench(world, store)
    await bench.pipeline.start()
    await bench.pipeline.run_frame(FRAME)
    honest, world.chains["B"] = world.chains["B"], made().chains["B"]
    world.chains["B"].reorg(6)
    world.mine_to(FRAME + 9)
    halted = make_bench(world, store)
    await halted.pipeline.start()
    during = await halted.pipeline.run_frame(FRAME + 4)
    world.chains["B"] = honest
    world.mine_to(FRAME + 13)
    healed = make_bench(world, store)
    await healed.pipeline.start()
    after = await healed.pipeline.run_frame(FRAME + 8)
    await store.close()

    assert [gone.chain for gone in during.snapshot.missing] == [CHAINS["B"]]
    assert after.snapshot.missing == ()
