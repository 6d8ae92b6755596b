"""INV-30, where the relayer is asked from outside or waits: bounds are reached, and the neighbour below is served."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chains.fake import FakeChain
from proofs.snapshot import Anchor, Reason, Unavailable
from relayer.api.parameters import (
    ACCOUNT_CHARS_MAX,
    LIMIT_MAX,
    checked_query,
    parse_account,
    parse_frame,
    parse_limit,
)
from relayer.api.problems import DETAIL_CHARS_MAX, Code, Problem
from relayer.pipeline.health import PULSE_S_MAX, Health
from relayer.pipeline.proving import PROOF_SOURCES_MAX
from relayer.pipeline.reading import FrameReader
from relayer.schedule import MISSED_MAX, Timing, missed_frames, next_slot
from tests.relayer.fake_world import CHAINS, FRAME, FakeWorld, ManualClock, make_policy

ROOT = Path(__file__).resolve().parents[2]


def test_inv_30_limit__at_the_bound_and_one_above() -> None:
    assert parse_limit(str(LIMIT_MAX)) == LIMIT_MAX
    with pytest.raises(Problem):
        parse_limit(str(LIMIT_MAX + 1))


def test_inv_30_account__longest_legal_spelling_and_one_character_more() -> None:
    longest = f"eip155:{'9' * 18}:0x{'11' * 20}"

    assert len(longest) <= ACCOUNT_CHARS_MAX
    parse_account(longest, longest.rpartition(":")[0])  # type: ignore[arg-type]
    with pytest.raises(Problem, match=f"longer than {ACCOUNT_CHARS_MAX}"):
        parse_account("x" * (ACCOUNT_CHARS_MAX + 1), CHAINS["A"])


def test_inv_30_frame__of_sixteen_and_seventeen_digits() -> None:
    assert parse_frame("9" * 16) == 10**16 - 1
    with pytest.raises(Problem):
        parse_frame("9" * 17)


def test_inv_30_problem__however_long_the_question__is_bounded() -> None:
    short, long = (Problem(Code.PARAMETER, "d" * size).body("p" * size) for size in (10, 10**6))

    assert len(short) < len(long) < len(short) + 2 * DETAIL_CHARS_MAX


def test_inv_30_query__any_unknown_name__is_refused_and_cut() -> None:
    with pytest.raises(Problem) as caught:
        checked_query({"n" * 10_000: "1"}, 1, ("limit",))

    assert len(caught.value.detail) < DETAIL_CHARS_MAX


def test_inv_30_missed_frames__after_a_long_outage__are_named_up_to_the_bound() -> None:
    timing = Timing(frame_s=2, settle_s=2, deadline_s=10)

    slot = next_slot(FRAME + 10**7, FRAME, timing)

    assert len(slot.missed) == MISSED_MAX
    assert len(missed_frames(FRAME, FRAME + 2 * MISSED_MAX, 2)) == MISSED_MAX - 1


def test_inv_30_liveness__a_beat_at_the_bound_and_later() -> None:
    health = Health(0.0, 60.0, is_signing=False)

    assert health.is_alive(PULSE_S_MAX)
    assert not health.is_alive(PULSE_S_MAX + 0.001)


async def test_inv_30_proofs__refuted_again_and_again__are_asked_so_often_and_no_more() -> None:
    world = FakeWorld()
    world.lock("A", "USDX", b"\0" * 12 + b"\x01" * 20, 10**9)  # type: ignore[arg-type]
    providers = tuple(f"liar-{number}" for number in range(PROOF_SOURCES_MAX + 3))
    world.chains["C"] = FakeChain(CHAINS["C"], genesis_s=FRAME - 5, providers=providers)
    world.chains["C"].lie_proof(*providers)
    world.mine_to(FRAME + 3)

    readings = await FrameReader(make_policy(), world.adapters, ManualClock(FRAME)).read(FRAME)

    assert world.chains["C"].asked.count("prove") == PROOF_SOURCES_MAX == len(readings.refuted)


class Hanging:
    """Promise to answer, and never do."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> object:
        return getattr(self._chain, name)

    async def anchor(self, not_after_s: int) -> Anchor | Unavailable:
        await asyncio.Event().wait()
        raise AssertionError(not_after_s)


async def test_inv_30_adapter__breaks_its_promise_to_answer__is_cut_at_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relayer.pipeline.reading.ANCHOR_BUDGET_S", 0.05)
    world = FakeWorld()
    world.mine_to(FRAME + 3)
    chains = {**world.adapters, CHAINS["B"]: Hanging(world.chains["B"])}

    async with asyncio.timeout(5):
        readings = await FrameReader(make_policy(), chains, ManualClock(FRAME)).read(FRAME)  # type: ignore[arg-type]

    gone = [outcome for outcome in readings.outcomes if isinstance(outcome, Unavailable)]
    assert [(one.chain, one.reason) for one in gone] == [(CHAINS["B"], Reason.RPC_TIMEOUT)]


@pytest.mark.parametrize(
    ("module", "calls"),
    [("pipeline/reading", ("].anchor(", "].accounts(", "].read(")), ("pipeline/proving", ("self._asked(",))],
)
def test_inv_30_waits__of_the_relayer__are_inside_named_budgets(module: str, calls: tuple[str, ...]) -> None:
    """Every adapter call of the pipeline goes through `within`; a bare await of one would be found here."""
    source = (ROOT / "relayer" / f"{module}.py").read_text()

    waits = [line for line in source.splitlines() if "await" in line and any(call in line for call in calls)]

    assert waits
    assert all("within(" in line for line in waits), waits


def test_inv_30_proofs__are_asked_in_one_place() -> None:
    """`Prover._asked` alone calls `prove`, and the case above says that it is waited for within a budget."""
    found = [str(path.relative_to(ROOT)) for path in (ROOT / "relayer").rglob("*.py") if ".prove(" in path.read_text()]

    assert found == ["relayer/pipeline/proving.py"]
