"""Proving: a refuted provider is quarantined over frames, told once, asked last, and never locked out."""

from __future__ import annotations

from proofs.snapshot import Reason, Unavailable
from relayer.pipeline.frame import FrameResult
from relayer.quarantine import QUARANTINE_S
from relayer.store.port import FrameState
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import CHAINS, FRAME, Bench, FakeWorld, make_bench


async def frame(bench: Bench, world: FakeWorld, number: int) -> FrameResult:
    at = FRAME + number * 2
    world.mine_to(at + 3)
    bench.clock.time_s = max(bench.clock.time_s, at + 3.0)
    result = await bench.pipeline.run_frame(at)
    assert bench.noticed.bugs == []
    assert result.row is not None
    return result


async def started(world: FakeWorld, store: SqliteStore) -> Bench:
    bench = make_bench(world, store)
    await bench.pipeline.start()
    return bench


async def test_liar__in_the_next_frames__is_not_asked_first_again(world: FakeWorld, file_store: SqliteStore) -> None:
    world.chains["A"].lie_proof("fake-1")
    bench = await started(world, file_store)

    results = [await frame(bench, world, number) for number in range(3)]

    assert [lie.providers for lie in bench.noticed.dishonest] == [("fake-1",)]  # refuted in the first frame alone
    assert [(lie.chain, lie.providers) for lie in bench.noticed.quarantined] == [(CHAINS["A"], ("fake-1",))]
    assert all(result.row.state is FrameState.SIGNED for result in results)


async def test_liar__after_its_time__is_asked_again_and_told_again(world: FakeWorld, file_store: SqliteStore) -> None:
    world.chains["A"].lie_proof("fake-1")
    bench = await started(world, file_store)
    await frame(bench, world, 0)
    bench.clock.time_s += QUARANTINE_S

    await frame(bench, world, 1)

    assert len(bench.noticed.quarantined) == 2


async def test_liar__where_nobody_else_answers__is_asked_all_the_same(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    """One provider alone: its lie costs the frames in which it lies, not ten minutes."""
    world.chains["A"].lie_proof("fake-1", "fake-2", "fake-3")
    bench = await started(world, file_store)
    broken = [await frame(bench, world, number) for number in range(2)]
    world.chains["A"].heal()

    healed = await frame(bench, world, 2)

    assert [gone.reason for result in broken for gone in result.snapshot.missing] == [Reason.INVALID_PROOF] * 2
    assert healed.snapshot.missing == ()
    assert len(bench.noticed.quarantined) == 3  # each once, although all lied twice


async def test_liar__on_one_chain__is_trusted_as_ever_on_another(world: FakeWorld, file_store: SqliteStore) -> None:
    world.chains["A"].lie_proof("fake-1")
    bench = await started(world, file_store)

    await frame(bench, world, 0)

    assert {proof.provider for proof in (await _proofs(bench, world, "B"))} == {"fake-1"}
    assert {proof.provider for proof in (await _proofs(bench, world, "A"))} == {"fake-2"}


async def _proofs(bench: Bench, world: FakeWorld, name: str) -> tuple[object, ...]:
    world.mine_to(FRAME + 9)
    reading = bench.pipeline._reader
    readings = await reading.read(FRAME + 6)
    assert not any(isinstance(one, Unavailable) for one in readings.outcomes)
    return readings.evidence[CHAINS[name]].proofs
