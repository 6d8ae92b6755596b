"""INV-7: one failing chain never cancels another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from chains.adapter import ChainAdapter
from chains.fake import FakeChain
from chains.questions import Question
from chains.readers import column_of
from proofs.layouts import LockBoxLocks
from proofs.sheet import serialise
from proofs.snapshot import ChainReading, Reason, Unavailable
from proofs.types import AccountId, Address, ChainId, Hash32

NAMES = ("eip155:31337001", "eip155:31337002", "eip155:31337003")
BOX, VENUE, ACCOUNT = Address(b"\x01" * 20), Hash32(b"\x02" * 32), AccountId(bytes(12) + b"\x03" * 20)


def _chains() -> list[FakeChain]:
    built = []
    for index, name in enumerate(NAMES):
        fake = FakeChain(ChainId(name))
        fake.set_row(BOX, LockBoxLocks(VENUE, bytes(20)), ACCOUNT, (100 + index,))
        for timestamp in (10, 20, 30):
            fake.mine(timestamp)
        built.append(fake)
    return built


async def _read(adapter: ChainAdapter) -> ChainReading | Unavailable:
    anchor = await adapter.anchor(10)
    if isinstance(anchor, Unavailable):
        return anchor
    question = Question("l", adapter.chain, "lockbox", BOX, Address(bytes(20)), VENUE)
    return await adapter.read(anchor, (), (), (column_of(question, (ACCOUNT,)),))


async def _frame(adapters: list[FakeChain]) -> dict[str, bytes | Reason]:
    outcomes: dict[str, bytes | Reason] = {}

    async def one(adapter: ChainAdapter) -> None:
        outcome = await _read(adapter)
        outcomes[adapter.chain] = outcome.reason if isinstance(outcome, Unavailable) else serialise(outcome.sheet)

    async with asyncio.TaskGroup() as group:
        for adapter in adapters:
            group.create_task(one(adapter))
    return outcomes


@pytest.mark.parametrize("victim", [0, 1, 2])
@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda fake: fake.fail(Reason.RPC_UNREACHABLE), Reason.RPC_UNREACHABLE),
        (lambda fake: fake.fail(Reason.RPC_TIMEOUT, "read"), Reason.RPC_TIMEOUT),
        (lambda fake: fake.divide(), Reason.NO_QUORUM),
        (lambda fake: fake.reorg(3), Reason.NOT_YET),
    ],
)
async def test_inv_07_frame__when_one_chain_fails__then_the_others_are_byte_equal_to_an_undisturbed_run(
    victim: int, break_it: Callable[[FakeChain], None], reason: Reason
) -> None:
    undisturbed = await _frame(_chains())
    disturbed_chains = _chains()

    break_it(disturbed_chains[victim])
    disturbed = await _frame(disturbed_chains)

    assert disturbed.pop(NAMES[victim]) is reason
    undisturbed.pop(NAMES[victim])
    assert disturbed == undisturbed
    assert len(undisturbed) == 2
