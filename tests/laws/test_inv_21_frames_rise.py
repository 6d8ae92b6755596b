"""INV-21: frames only rise; an attestation ages from its oldest block; every bound is inclusive, in seconds."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.attestation import ChainAnchor, check_root, missing_anchor
from proofs.errors import InvalidAttestation
from proofs.keccak import keccak256
from proofs.types import Finality, Hash32
from relayer.cosign import FramePlan, Refusal, RootTerms, root_of
from relayer.pipeline.signing import CLOCK_TOLERANCE_S, time_fault
from relayer.store.port import FrameState
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import FRAME, FakeWorld, make_bench

WORD = Hash32(keccak256(b"word"))
KEYS = tuple(sorted(Hash32(keccak256(bytes([number]))) for number in range(4)))


def anchor(key: Hash32, timestamp: int | None) -> ChainAnchor:
    if timestamp is None:
        return missing_anchor(key)
    return ChainAnchor(key, 1, WORD, WORD, timestamp, Finality.SAFE, WORD)


@given(st.lists(st.none() | st.integers(FRAME - 3600, FRAME), min_size=4, max_size=4), st.integers(1, 10**6))
def test_inv_21_root__any_blocks__ages_from_the_oldest(times: list[int | None], lifetime_s: int) -> None:
    plan = FramePlan(WORD, FRAME, tuple(anchor(key, at) for key, at in zip(KEYS, times, strict=True)), ())
    present = [at for at in times if at is not None]

    root = root_of(plan, RootTerms(lifetime_s, 0, 1, WORD))

    if not present:
        assert isinstance(root, Refusal)
        return
    assert not isinstance(root, Refusal)
    assert root.as_of == min(present)
    assert root.valid_until - root.as_of == lifetime_s
    assert root.skew == max(present) - min(present)
    check_root(root)


def test_inv_21_root__block_after_the_frame__is_never_signed() -> None:
    plan = FramePlan(WORD, FRAME, tuple(anchor(key, FRAME + 1) for key in KEYS), ())
    root = root_of(plan, RootTerms(300, 0, 1, WORD))

    with pytest.raises(InvalidAttestation):
        check_root(root)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now_s", "is_refused"),
    [
        (FRAME - CLOCK_TOLERANCE_S - 1, True),
        (FRAME - CLOCK_TOLERANCE_S, False),
        (FRAME, False),
        (FRAME + 300, False),
        (FRAME + 301, True),
    ],
)
def test_inv_21_time__a_second_either_side_of_a_bound__bounds_are_inclusive(now_s: int, is_refused: bool) -> None:
    plan = FramePlan(WORD, FRAME, tuple(anchor(key, FRAME) for key in KEYS), ())
    root = root_of(plan, RootTerms(300, 0, 1, WORD))
    assert not isinstance(root, Refusal)

    assert (time_fault(root, now_s) is not None) == is_refused


@settings(max_examples=8, deadline=None)
@given(st.lists(st.one_of(st.integers(-4, 8), st.just("restart")), min_size=3, max_size=6))
async def test_inv_21_frames__any_order_of_asking_and_restarting__only_rise(steps: list[int | str]) -> None:
    with TemporaryDirectory() as folder:
        world = FakeWorld()
        world.lock("A", "USDX", b"\0" * 12 + b"\x01" * 20, 10**9)  # type: ignore[arg-type]
        world.mine_to(FRAME + 24)
        store = await SqliteStore.open(Path(folder) / "relayer.db")
        bench = make_bench(world, store)
        await bench.pipeline.start()
        signed: list[int] = []
        for step in steps:
            if step == "restart":
                bench = make_bench(world, store)
                await bench.pipeline.start()
                continue
            result = await bench.pipeline.run_frame(FRAME + 2 * int(step))
            if result.row is not None and result.row.state is FrameState.SIGNED:
                signed.append(result.frame)

        ledgered = [row.frame for row in await store.rows(bench.ports.policy.policy_id, 0)]
        await store.close()

    assert signed == sorted(set(signed))
    assert ledgered == signed
