"""The contract of `ChainAdapter` in executable form: one suite, played on FakeChain and on a real node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from chains.adapter import NEWEST_S, ProofRequest
from chains.devnet.seeding import SeededAccount
from chains.devnet.world import World
from chains.finality import FinalityRule
from proofs.account import verify_answer
from proofs.header import HeaderShape, check_header
from proofs.sheet import CellStatus
from proofs.snapshot import Anchor, ChainReading, Reason, Unavailable
from proofs.types import Address, Finality
from tests.conformance.chain_adapter_stage import CHAIN, FakeStage, NodeStage, Stage, seeded_node


@pytest.fixture(scope="module")
def node_world() -> Iterator[tuple[World, tuple[SeededAccount, ...]]]:
    with seeded_node() as built:
        yield built


@pytest.fixture(params=["fake", pytest.param("evm", marks=pytest.mark.node)])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if request.param == "fake":
        yield FakeStage()
        return
    world, seeded = request.getfixturevalue("node_world")
    node = NodeStage(world, seeded, (world.home.url,) * 3)
    node.mine()
    node.mine()
    node.mine()
    yield node
    await node.close()


async def _anchor(stage: Stage) -> Anchor:
    """Return the anchor two blocks behind the newest, which is `safe`."""
    stage.mine()
    stage.mine()
    _, _, timestamp = stage.newest()
    anchor = await stage.adapter.anchor(timestamp - 20)
    assert isinstance(anchor, Anchor), anchor
    return anchor


async def _read(stage: Stage, anchor: Anchor) -> ChainReading:
    lists = stage.lists()
    listed = await stage.adapter.accounts(anchor.block, lists)
    assert not isinstance(listed, Unavailable), listed
    reading = await stage.adapter.read(anchor, lists, listed, stage.columns())
    assert isinstance(reading, ChainReading), reading
    return reading


def _rows(reading: ChainReading, name: str) -> list[tuple[int, ...] | CellStatus]:
    column = next(column for column in reading.sheet.columns if column.name == name)
    return [CellStatus(column.status[index]) if row is None else row for index, row in enumerate(column.rows())]


# --- which block ---------------------------------------------------------------------------------------------


async def test_anchor__when_a_younger_block_exists__then_it_is_the_newest_not_after_the_bound(stage: Stage) -> None:
    number, _, timestamp = stage.newest()
    stage.mine()
    stage.mine()

    at_bound = await stage.adapter.anchor(timestamp)
    one_second_later = await stage.adapter.anchor(timestamp + 1)
    one_second_earlier = await stage.adapter.anchor(timestamp - 1)

    assert isinstance(at_bound, Anchor)
    assert (at_bound.block.number, at_bound.block.timestamp_s) == (number, timestamp)
    assert at_bound.block.hash == stage.block_hash(number)
    assert one_second_later == at_bound
    assert isinstance(one_second_earlier, Anchor)
    assert one_second_earlier.block.number == number - 1


async def test_anchor__when_no_younger_block_is_seen__then_not_yet(stage: Stage) -> None:
    _, _, timestamp = stage.newest()

    outcome = await stage.adapter.anchor(timestamp)

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.NOT_YET


async def test_anchor__when_it_is_asked_again_later__then_it_is_the_same_block(stage: Stage) -> None:
    first = await _anchor(stage)
    for _ in range(5):
        stage.mine()

    again = await stage.adapter.anchor(first.block.timestamp_s)

    assert again == first


async def test_anchor__when_the_block_is_not_final_yet__then_not_final_until_it_is(stage: Stage) -> None:
    _, _, timestamp = stage.newest()
    stage.mine()
    adapter = stage.adapter_with(FinalityRule(Finality.FINALIZED))

    early = await adapter.anchor(timestamp)
    stage.mine()
    late = await adapter.anchor(timestamp)

    assert isinstance(early, Unavailable)
    assert early.reason is Reason.NOT_FINAL
    assert isinstance(late, Anchor)
    assert late.finality is Finality.FINALIZED


async def test_anchor__when_confirmations_are_counted__then_one_fewer_is_not_final(stage: Stage) -> None:
    _, _, timestamp = stage.newest()
    stage.mine()
    stage.mine()

    enough = await stage.adapter_with(FinalityRule(Finality.CONFIRMATIONS, 2)).anchor(timestamp)
    too_few = await stage.adapter_with(FinalityRule(Finality.CONFIRMATIONS, 3)).anchor(timestamp)

    assert isinstance(enough, Anchor)
    assert isinstance(too_few, Unavailable)
    assert too_few.reason is Reason.NOT_FINAL


async def test_anchor__when_no_block_is_that_old__then_too_old(stage: Stage) -> None:
    outcome = await stage.adapter.anchor(1)

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.TOO_OLD


async def test_anchor__when_the_far_future_is_asked__then_it_is_the_newest_block_as_latest(stage: Stage) -> None:
    number, block_hash, _ = stage.newest()

    anchor = await stage.adapter.anchor(NEWEST_S)

    assert isinstance(anchor, Anchor)
    assert (anchor.block.number, anchor.block.hash, anchor.finality) == (number, block_hash, Finality.LATEST)


async def test_anchor__when_given__then_its_header_makes_its_hash_and_fields(stage: Stage) -> None:
    anchor = await _anchor(stage)

    header = check_header(anchor.header_rlp, HeaderShape.PRAGUE, anchor.block.hash)

    assert (header.number, header.timestamp_s) == (anchor.block.number, anchor.block.timestamp_s)
    assert (header.state_root, header.parent_hash) == (anchor.block.state_root, anchor.block.parent_hash)
    assert anchor.block.chain == stage.adapter.chain == CHAIN
    assert anchor.votes.reached
    assert len(anchor.votes.agreed) == anchor.votes.configured == 3


# --- accounts ------------------------------------------------------------------------------------------------


async def test_accounts__when_asked__then_each_contract_names_them_in_its_own_order(stage: Stage) -> None:
    anchor = await _anchor(stage)

    listed = await stage.adapter.accounts(anchor.block, stage.lists())

    assert not isinstance(listed, Unavailable)
    assert [listing.name for listing in listed] == ["locks", "venue"]
    assert listed[0].accounts == stage.truth.locked_accounts
    assert listed[1].accounts == stage.truth.venue_accounts


async def test_accounts__when_nothing_is_asked__then_nothing_is_answered(stage: Stage) -> None:
    anchor = await _anchor(stage)

    assert await stage.adapter.accounts(anchor.block, ()) == ()


# --- columns -------------------------------------------------------------------------------------------------


async def test_read__when_asked_everything__then_every_column_holds_the_truth(stage: Stage) -> None:
    anchor = await _anchor(stage)

    reading = await _read(stage, anchor)

    assert {column.name: _rows(reading, column.name) for column in reading.sheet.columns} == stage.truth.columns
    assert reading.columns == stage.columns()
    assert reading.anchor == anchor
    assert reading.sheet_votes.reached


async def test_read__when_the_state_changes_later__then_the_pinned_block_still_shows_the_old(stage: Stage) -> None:
    account = stage.truth.locked_accounts[0]
    index = [row.hex() for row in stage.columns()[2].rows].index(account.hex())
    anchor = await _anchor(stage)
    (before,) = _amounts(await _read(stage, anchor), index)

    stage.lock_more(account, 111)
    (still,) = _amounts(await _read(stage, anchor), index)
    (after,) = _amounts(await _read(stage, await _anchor(stage)), index)
    stage.truth.columns["locked"][index] = (after,)

    assert still == before
    assert after == before + 111


def _amounts(reading: ChainReading, index: int) -> tuple[int, ...]:
    row = _rows(reading, "locked")[index]
    assert not isinstance(row, CellStatus)
    return row


async def test_read__when_nothing_is_asked__then_the_sheet_is_empty(stage: Stage) -> None:
    anchor = await _anchor(stage)

    reading = await stage.adapter.read(anchor, (), (), ())

    assert isinstance(reading, ChainReading)
    assert reading.sheet.columns == ()


# --- proofs --------------------------------------------------------------------------------------------------


async def test_prove__when_verified_under_the_anchor__then_it_gives_the_words_of_the_sheet(stage: Stage) -> None:
    anchor = await _anchor(stage)
    reading = await _read(stage, anchor)
    provable = [spec for spec in stage.columns() if spec.layout is not None]
    slots = [
        tuple(dict.fromkeys(slot for row in spec.rows for slot in spec.layout.slots(row)))  # type: ignore[union-attr]  # filtered above
        for spec in provable
    ]
    requests = [ProofRequest(spec.target, each) for spec, each in zip(provable, slots, strict=True)]

    proofs = await stage.adapter.prove(anchor.block, requests, frozenset())

    assert not isinstance(proofs, Unavailable)
    assert len(proofs) == len(requests)
    for spec, request, proof in zip(provable, requests, proofs, strict=True):
        assert spec.layout is not None
        _, values = verify_answer(anchor.block.state_root, spec.target, request.slots, proof.answer)
        words = [spec.layout.decode(tuple(values[slot] for slot in spec.layout.slots(row))) for row in spec.rows]
        assert words == _rows(reading, spec.name), spec.name


async def test_prove__when_account_and_slot_are_absent__then_their_absence_verifies(stage: Stage) -> None:
    anchor = await _anchor(stage)
    nobody = Address(b"\xdd" * 20)

    proofs = await stage.adapter.prove(anchor.block, [ProofRequest(nobody, (5,))], frozenset())

    assert not isinstance(proofs, Unavailable)
    state, values = verify_answer(anchor.block.state_root, nobody, (5,), proofs[0].answer)
    assert (state.exists, values) == (False, {5: 0})


async def test_prove__when_more_keys_are_asked_than_one_call_takes__then_the_answer_is_merged(stage: Stage) -> None:
    anchor = await _anchor(stage)
    target = stage.columns()[2].target
    slots = tuple(range(1_001))

    proofs = await stage.adapter.prove(anchor.block, [ProofRequest(target, slots)], frozenset())

    assert not isinstance(proofs, Unavailable)
    assert tuple(key for key, _, _ in proofs[0].answer.storage) == slots


async def test_prove__when_providers_are_excluded__then_another_answers_until_none_is_left(stage: Stage) -> None:
    anchor = await _anchor(stage)
    labels = anchor.votes.agreed
    request = [ProofRequest(stage.columns()[2].target, ())]

    first = await stage.adapter.prove(anchor.block, request, frozenset())
    second = await stage.adapter.prove(anchor.block, request, frozenset(labels[:1]))
    nobody = await stage.adapter.prove(anchor.block, request, frozenset(labels))

    assert not isinstance(first, Unavailable)
    assert not isinstance(second, Unavailable)
    assert (first[0].provider, second[0].provider) == (labels[0], labels[1])
    assert isinstance(nobody, Unavailable)
    assert nobody.reason is Reason.NO_QUORUM


# --- reorganisations -----------------------------------------------------------------------------------------


async def test_read__when_the_block_was_orphaned__then_it_is_unavailable_and_no_mixture(stage: Stage) -> None:
    anchor = await _anchor(stage)

    stage.reorg(4)
    outcome = await stage.adapter.read(anchor, (), (), stage.columns())
    listed = await stage.adapter.accounts(anchor.block, stage.lists())

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.ORPHANED
    assert isinstance(listed, Unavailable)
    assert listed.reason is Reason.ORPHANED
