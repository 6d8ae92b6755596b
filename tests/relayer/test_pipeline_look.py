"""Looks at a few accounts, with proofs: a provisional flag says what it rests on; a raised one can clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from proofs.snapshot import Reason
from proofs.types import Assurance, Status
from relayer import plan_cells
from relayer.flags import Flag, FlagState
from relayer.pipeline.records import Publication
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import CAROL, FRAME, Bench, FakeWorld, make_bench


@dataclass
class Seen:
    """Keep what flags said at each provisional publication."""

    levels: list[Assurance] = field(default_factory=list)

    async def publish(self, publication: Publication) -> None:
        del publication

    async def publish_flags(self, flags: Sequence[Flag], seen_s: int) -> None:
        del seen_s
        self.levels += [flag.raised_assurance for flag in flags if flag.account == CAROL]


def world_of_carol() -> FakeWorld:
    world = FakeWorld()
    world.lock("A", "USDX", CAROL, 400 * 10**6)
    world.position(CAROL, "ETH-PERP", 10**18, 3_000)
    world.mine_to(FRAME + 3)
    return world


async def in_breach(world: FakeWorld, store: SqliteStore, seen: Seen) -> Bench:
    """Run a frame in which all is well; then the price falls."""
    bench = make_bench(world, store, None, seen)
    await bench.pipeline.start()
    await bench.pipeline.run_frame(FRAME)
    world.price("ETH", 2_700, FRAME + 4)
    world.mine_to(FRAME + 6)
    return bench


def flag_of_carol(bench: Bench) -> Flag | None:
    return next((flag for flag in bench.pipeline.open_flags if flag.account == CAROL), None)


async def test_tick__breach__is_raised_on_the_quorum_s_word_and_proven_at_once(file_store: SqliteStore) -> None:
    world, seen = world_of_carol(), Seen()
    bench = await in_breach(world, file_store, seen)

    await bench.pipeline.run_tick()

    assert seen.levels == [Assurance.RPC_QUORUM, Assurance.STATE_PROOF]
    assert flag_of_carol(bench).state is FlagState.PROVISIONAL
    assert [event.kind.value for event in bench.noticed.events] == ["raised_provisionally"]
    assert {flag.account: flag.raised_assurance for flag in await file_store.current()} == {CAROL: 2}
    assert bench.noticed.bugs == []


async def test_tick__the_same_breach_again__is_not_read_again(file_store: SqliteStore) -> None:
    world, seen = world_of_carol(), Seen()
    bench = await in_breach(world, file_store, seen)
    await bench.pipeline.run_tick()
    world.chains["B"].asked.clear()

    await bench.pipeline.run_tick()

    assert world.chains["B"].asked == []


@pytest.mark.parametrize("method", ["anchor", "read", "prove"])
async def test_tick__another_chain_dead__flag_stands_on_the_quorum_s_word(file_store: SqliteStore, method: str) -> None:
    world, seen = world_of_carol(), Seen()
    bench = await in_breach(world, file_store, seen)
    world.chains["B"].fail(Reason.RPC_UNREACHABLE, method)

    await bench.pipeline.run_tick()

    assert flag_of_carol(bench).raised_assurance is Assurance.RPC_QUORUM
    assert flag_of_carol(bench).state is FlagState.PROVISIONAL
    assert bench.noticed.bugs == []


async def test_tick__collateral_came_since_the_frame__next_frame_withdraws(file_store: SqliteStore) -> None:
    """A look never clears: it raises what it must and says how well it knows."""
    world, seen = world_of_carol(), Seen()
    bench = await in_breach(world, file_store, seen)
    world.lock("A", "USDX", CAROL, 4_000 * 10**6)
    world.mine_to(FRAME + 9)

    await bench.pipeline.run_tick()
    provisional = flag_of_carol(bench)
    world.mine_to(FRAME + 13)
    await bench.pipeline.run_frame(FRAME + 10)

    assert (provisional.state, provisional.raised_assurance) == (FlagState.PROVISIONAL, Assurance.RPC_QUORUM)
    assert flag_of_carol(bench) is None


@pytest.mark.parametrize("can_prove", [True, False])
async def test_inv_27_raised_on_proof__shrunk_below_what_is_proven__clears_on_a_proof_alone(
    file_store: SqliteStore, monkeypatch: pytest.MonkeyPatch, can_prove: bool
) -> None:
    monkeypatch.setattr(plan_cells, "WHOLE_KEYS_MAX", 2)
    world, seen = world_of_carol(), Seen()
    bench = await in_breach(world, file_store, seen)
    world.mine_to(FRAME + 9)
    await bench.pipeline.run_frame(FRAME + 6)
    raised = flag_of_carol(bench)
    world.position(CAROL, "ETH-PERP", 10**16, 2_700)
    world.mine_to(FRAME + 19)
    if not can_prove:
        monkeypatch.setattr("relayer.pipeline.frame.LOOK_ACCOUNTS_MAX", 0)

    results = [await bench.pipeline.run_frame(FRAME + after) for after in (12, 14, 16)]

    assert (raised.state, raised.raised_assurance) == (FlagState.RAISED, Assurance.STATE_PROOF)
    assert [result.views[0].status for result in results] == [Status.HEALTHY] * 3
    assert {result.views[0].leaf.assurance for result in results} == {Assurance.RPC_QUORUM}
    assert (flag_of_carol(bench) is None) == can_prove
    assert bench.noticed.bugs == []
