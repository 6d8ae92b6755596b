"""Contracts that run other code: no account they name is dropped, everybody is marked, and each gap says why."""

from __future__ import annotations

from dataclasses import replace

from chains.readers import list_of
from proofs.keccak import keccak256
from proofs.layouts import LockBoxAccounts
from proofs.types import Hash32, Quality, Status
from relayer.config.policy import Policy
from relayer.flags import FlagState
from relayer.pipeline.frame import FrameResult
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import (
    ALICE,
    BOB,
    CAROL,
    CODE,
    FRAME,
    LOCK_BOX,
    VENUE,
    VENUE_ID,
    FakeWorld,
    address,
    make_bench,
    make_policy,
)

LATER = FRAME + 6
OTHER_CODE = Hash32(keccak256(b"other code"))
MARKS = Quality.CODE_CHANGED | Quality.CHAIN_MISSING
REGISTRY = address("registry")


def with_registry() -> Policy:
    """Have the policy read one list more: of a contract on B that holds nothing but the list."""
    policy = make_policy()
    of_b = next(question for question in policy.lists if question.target == LOCK_BOX["B"])
    return replace(policy, lists=(*policy.lists, replace(of_b, name="registry", target=REGISTRY)))


async def test_list__code_of_its_contract_changed__figures_stand_and_everybody_is_marked(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.chains["B"].set_code_hash(REGISTRY, CODE)
    world.chains["B"].list_account(REGISTRY, LockBoxAccounts(VENUE_ID), CAROL)
    world.mine_to(LATER + 3)
    bench = make_bench(world, file_store, with_registry())
    assert {list_of(question).code_hash for question in bench.ports.policy.lists} == {CODE}
    await bench.pipeline.start()
    before = await bench.pipeline.run_frame(LATER)
    world.chains["B"].set_code_hash(REGISTRY, OTHER_CODE)
    world.mine_to(LATER + 9)

    after = await bench.pipeline.run_frame(LATER + 6)

    assert bench.noticed.bugs == []
    assert statuses(after) == statuses(before)
    assert statuses(after) == {ALICE: Status.HEALTHY, BOB: Status.LIQUIDATABLE, CAROL: Status.HEALTHY}
    assert {view.equity_usd for view in after.views} == {view.equity_usd for view in before.views}
    assert {view.quality for view in before.views} == {Quality.DEVNET}
    assert {view.quality for view in after.views} == {MARKS | Quality.DEVNET}
    assert after.evaluated == 3


async def test_list__other_code_leaves_a_flagged_account_out__its_flag_stays_and_the_rest_is_marked(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    bench = make_bench(world, file_store)
    await bench.pipeline.start()
    await bench.pipeline.run_frame(FRAME)
    (length_slot,) = venue_list_slots(bench.ports.policy)
    world.chains["A"].set_code_hash(VENUE, OTHER_CODE)
    world.chains["A"].set_storage(VENUE, length_slot, 0)
    world.mine_to(LATER + 3)

    after = await bench.pipeline.run_frame(LATER)

    assert bench.noticed.bugs == []
    assert statuses(after) == {ALICE: Status.UNKNOWN}  # the lock boxes name her; nobody names Bob
    assert after.views[0].quality & MARKS == MARKS
    flags = {flag.account: flag.state for flag in bench.pipeline.open_flags}
    assert flags == {ALICE: FlagState.UNKNOWN, BOB: FlagState.RAISED}


async def test_list__other_code_names_somebody__has_a_leaf_and_is_no_worse_off(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.chains["B"].set_code_hash(LOCK_BOX["B"], OTHER_CODE)
    world.chains["B"].list_account(LOCK_BOX["B"], LockBoxAccounts(VENUE_ID), CAROL)
    world.mine_to(LATER + 3)
    bench = make_bench(world, file_store)
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(LATER)

    assert statuses(result) == {ALICE: Status.HEALTHY, BOB: Status.UNKNOWN, CAROL: Status.HEALTHY}
    for view in result.views:
        assert view.quality == MARKS | Quality.DEGRADED_LEG | Quality.DEVNET
        assert {gap.reason for gap in view.missing} == {"code_changed: the contract runs other code"}


async def test_feed__code_changed__its_asset_has_no_price_and_the_reason_says_so(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.chains["A"].set_code_hash(address("feed ETH"), OTHER_CODE)
    world.mine_to(LATER + 3)
    bench = make_bench(world, file_store)
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(LATER)

    assert statuses(result) == {ALICE: Status.UNKNOWN, BOB: Status.UNKNOWN}
    for view in result.views:
        assert view.quality == Quality.CODE_CHANGED | Quality.DEGRADED_LEG | Quality.DEVNET
        assert [gap.reason.endswith(": code_changed: the feed runs other code") for gap in view.missing] == [True]


def venue_list_slots(policy: Policy) -> tuple[int, ...]:
    question = next(question for question in policy.lists if question.target == VENUE)
    layout = list_of(question).layout
    assert layout is not None
    return layout.slots(b"")


def statuses(result: FrameResult) -> dict[bytes, Status]:
    return {view.account: view.status for view in result.views}
