"""The pipeline over real nodes behind a proxy that lies and fails: each fault costs one chain, with one reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from chains.devnet.deploy import deploy_world
from chains.devnet.faults import (
    Body,
    Disconnect,
    HttpStatus,
    IdsForeign,
    Oversize,
    Redirect,
    Rewrite,
    Rule,
    Truncate,
    always,
    answer_proof_of,
    change_field,
    flip_account_node,
    flip_storage_node,
    lie_about,
    lie_about_slot,
    only,
    wrong_chain_id,
)
from chains.devnet.nodes import start_anvils
from chains.devnet.seeding import SeededAccount, seed_accounts
from chains.devnet.world import DEVNET_CHAIN_NUMBERS, SignerSet, World
from proofs.snapshot import Reason
from proofs.types import Status
from relayer.pipeline.frame import FrameResult
from relayer.store.port import FrameState
from tests.bench.world import Rig, rig_of
from tests.relayer.fake_world import SIGNER, address

pytestmark = pytest.mark.node

ACCOUNTS = 8
Rules = Sequence[Rule | Rewrite]


@pytest.fixture(scope="module")
def seeded() -> Iterator[tuple[World, tuple[SeededAccount, ...]]]:
    with start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
        world = deploy_world([node.url for node in nodes], SignerSet((SIGNER.address,), k=1, f=0))
        yield world, seed_accounts(world, ACCOUNTS)


def lied_lock(accounts: Sequence[SeededAccount], chain: str) -> int:
    """Return the largest amount that anybody locked on a chain: the one worth lying about."""
    return max(lock.amount_raw for account in accounts for lock in account.locks if lock.chain == chain)


async def frame_with(rig: Rig, chain: str, rules: Rules) -> FrameResult:
    await rig.settle(ACCOUNTS)
    rig.proxies[chain].rules += rules
    result = await rig.next_frame()
    assert rig.noticed.bugs == []
    assert result.row is not None
    return result


FAULTS = {
    "wrong chain id": ([wrong_chain_id(1)], {Reason.WRONG_CHAIN}),
    "connection cut": ([always(Disconnect())], {Reason.RPC_UNREACHABLE}),
    "truncated body": ([always(Truncate(40))], {Reason.RPC_UNREACHABLE, Reason.RPC_MALFORMED}),
    "no JSON": ([always(Body(b"<html>busy</html>"))], {Reason.RPC_MALFORMED}),
    "server error": ([always(HttpStatus(502))], {Reason.RPC_UNREACHABLE}),
    "redirect": ([always(Redirect("http://127.0.0.1:1/"))], {Reason.RPC_REFUSED, Reason.RPC_MALFORMED}),
    "foreign ids": ([always(IdsForeign())], {Reason.RPC_MALFORMED}),
    "another account's proof": (list(answer_proof_of(address("somebody"))), {Reason.INVALID_PROOF}),
    "account node flipped": ([flip_account_node()], {Reason.INVALID_PROOF}),
    "storage node flipped": ([flip_storage_node()], {Reason.INVALID_PROOF}),
    "slot value lied about": ([lie_about_slot(0, 10**30)], {Reason.INVALID_PROOF}),
    "state root changed": (
        [change_field("eth_getBlockByNumber", "stateRoot", "0x" + "11" * 32)],
        {Reason.RPC_MALFORMED, Reason.INVALID_HEADER, Reason.NO_QUORUM},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_fault__on_one_chain__costs_that_chain_with_a_reason(
    seeded: tuple[World, tuple[SeededAccount, ...]], tmp_path: Path, name: str
) -> None:
    world, _ = seeded
    rules, reasons = FAULTS[name]
    async with rig_of(world, tmp_path, frame_s=1) as rig:
        result = await frame_with(rig, "B", rules)

        assert [gone.chain for gone in result.snapshot.missing] == [world.chain("B").chain], name
        gone = result.snapshot.missing[0]
        assert gone.reason in reasons, gone
        assert "http" not in gone.detail
        assert "127.0.0.1" not in gone.detail
        assert result.row.state is FrameState.SIGNED
        # Who holds nothing but what was readable is judged as before; nobody improves.
        assert all(view.status is not Status.HEALTHY or view.equity_usd > 0 for view in result.views)


async def test_fault__healed__next_frame_has_the_chain_again(
    seeded: tuple[World, tuple[SeededAccount, ...]], tmp_path: Path
) -> None:
    world, _ = seeded
    async with rig_of(world, tmp_path, frame_s=1) as rig:
        broken = await frame_with(rig, "C", [always(Disconnect())])
        rig.proxies["C"].rules.clear()

        healed = await rig.next_frame()

        assert [gone.chain for gone in broken.snapshot.missing] == [world.chain("C").chain]
        assert healed.snapshot.missing == ()
        assert [view.status for view in healed.views] != [view.status for view in broken.views] or healed.views


async def test_lying_balance__in_the_packed_answer__contradicts_its_proof(
    seeded: tuple[World, tuple[SeededAccount, ...]], tmp_path: Path
) -> None:
    world, accounts = seeded
    true = lied_lock(accounts, world.chain("B").chain)
    async with rig_of(world, tmp_path, frame_s=1) as rig:
        result = await frame_with(rig, "B", [lie_about(true, true * 1000)])

        (gone,) = result.snapshot.missing
        assert (gone.reason, gone.dishonest) == (Reason.READING_CONTRADICTS_PROOF, True)
        assert rig.noticed.dishonest[0].providers == ("node",)


async def test_answer_too_large__on_one_chain__is_refused_within_bounds(
    seeded: tuple[World, tuple[SeededAccount, ...]], tmp_path: Path
) -> None:
    world, _ = seeded
    async with rig_of(world, tmp_path, frame_s=1) as rig:
        result = await frame_with(rig, "B", [only("eth_call", lambda *_: Oversize(80 * 2**20))])

        assert [gone.reason for gone in result.snapshot.missing] == [Reason.LIMIT_EXCEEDED]
