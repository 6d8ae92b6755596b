"""FakeChain's lies: each changes what it says it changes, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.adapter import ProofRequest
from chains.fake import REVERT, FakeChain, pack_position, pack_round
from chains.questions import Question
from chains.readers import column_of
from proofs.account import verify_answer
from proofs.errors import InvalidHeader, InvalidProof
from proofs.header import HeaderShape, check_header
from proofs.layouts import DevFeedRound, PerpVenuePosition
from proofs.sheet import CellStatus
from proofs.snapshot import Anchor, ChainReading, Reason, Unavailable
from proofs.types import Address, Hash32, MarketId
from tests.conformance.chain_adapter_stage import CHAIN, FakeStage


async def _anchor(stage: FakeStage) -> Anchor:
    anchor = await stage.adapter.anchor(stage.newest()[2] - 20)
    assert isinstance(anchor, Anchor)
    return anchor


async def _reading(stage: FakeStage) -> ChainReading:
    reading = await stage.adapter.read(await _anchor(stage), (), (), stage.columns())
    assert isinstance(reading, ChainReading)
    return reading


async def test_lie_word__when_told__then_one_cell_differs_until_healed() -> None:
    stage = FakeStage()
    honest = await _reading(stage)

    stage.fake.lie_word("locked", 0, 0, 77)
    lying = await _reading(stage)
    stage.fake.heal()

    assert lying.sheet.columns[2].row(0) == (77,)
    assert lying.sheet.columns[2].row(1) == honest.sheet.columns[2].row(1)
    assert lying.sheet.columns[:2] == honest.sheet.columns[:2]
    assert await _reading(stage) == honest


async def test_lie_withhold__when_told__then_one_account_is_missing() -> None:
    stage = FakeStage()
    anchor = await _anchor(stage)

    stage.fake.lie_withhold("locks", 0)
    listed = await stage.adapter.accounts(anchor.block, stage.lists())

    assert not isinstance(listed, Unavailable)
    assert listed[0].accounts == stage.truth.locked_accounts[1:]
    assert listed[1].accounts == stage.truth.venue_accounts


async def test_lie_proof__when_told__then_the_first_providers_proof_fails_and_the_seconds_verifies() -> None:
    stage = FakeStage()
    anchor = await _anchor(stage)
    target = stage.places.lock_box

    stage.fake.lie_proof()
    spoilt = await stage.adapter.prove(anchor.block, [ProofRequest(target, (1,))], frozenset())
    honest = await stage.adapter.prove(anchor.block, [ProofRequest(target, (1,))], frozenset({"fake-1"}))

    assert not isinstance(spoilt, Unavailable)
    assert not isinstance(honest, Unavailable)
    with pytest.raises(InvalidProof):
        verify_answer(anchor.block.state_root, target, (1,), spoilt[0].answer)
    verify_answer(anchor.block.state_root, target, (1,), honest[0].answer)


async def test_lie_header__when_told__then_the_header_does_not_make_the_hash() -> None:
    stage = FakeStage()
    stage.fake.lie_header()

    anchor = await _anchor(stage)

    with pytest.raises(InvalidHeader):
        check_header(anchor.header_rlp, HeaderShape.PRAGUE, anchor.block.hash)


async def test_divide__when_told__then_there_is_no_quorum() -> None:
    stage = FakeStage()
    stage.fake.divide()

    outcome = await stage.adapter.read(await _anchor(stage), (), (), stage.columns())

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.NO_QUORUM


async def test_fail__when_one_method_is_down__then_the_others_work() -> None:
    stage = FakeStage()
    anchor = await _anchor(stage)

    stage.fake.fail(Reason.STATE_PRUNED, "prove")

    proofs = await stage.adapter.prove(anchor.block, [], frozenset())
    assert isinstance(proofs, Unavailable)
    assert proofs.reason is Reason.STATE_PRUNED
    assert isinstance(await stage.adapter.anchor(anchor.block.timestamp_s), Anchor)


async def test_fail__when_all_is_down__then_nothing_answers() -> None:
    stage = FakeStage()
    stage.fake.fail(Reason.RPC_TIMEOUT)

    assert isinstance(await stage.adapter.anchor(1_000), Unavailable)
    assert isinstance(await stage.adapter.accounts(stage.fake.newest, ()), Unavailable)


async def test_call__when_a_column_has_no_layout__then_set_calls_answer_and_others_fail() -> None:
    fake = FakeChain(CHAIN)
    target = Address(b"\x01" * 20)
    spec = column_of(Question("price", CHAIN, "chainlink", target), ())
    fake.set_call(target, spec.prefix, (1, -2, 3, 4, 5))
    fake.mine(10)
    fake.set_call(target, spec.prefix, REVERT)
    fake.mine(20)
    fake.mine(30)

    first = await fake.read(_must(await fake.anchor(10)), (), (), (spec,))
    second = await fake.read(_must(await fake.anchor(20)), (), (), (spec,))

    assert isinstance(first, ChainReading)
    assert isinstance(second, ChainReading)
    assert first.sheet.columns[0].row(0) == (1, -2, 3, 4, 5)
    assert second.sheet.columns[0].status == bytes([CellStatus.FAILED])


def _must(anchor: Anchor | Unavailable) -> Anchor:
    assert isinstance(anchor, Anchor)
    return anchor


async def test_th_009_anchor__when_blocks_share_a_timestamp__then_the_highest_is_taken() -> None:
    fake = FakeChain(CHAIN)
    for timestamp in (10, 20, 20, 20, 30):
        fake.mine(timestamp)

    anchor = await fake.anchor(20)

    assert isinstance(anchor, Anchor)
    assert anchor.block.number == 4


def test_mine__when_time_would_fall__then_it_is_refused() -> None:
    fake = FakeChain(CHAIN, genesis_s=100)

    with pytest.raises(ValueError, match="before its parent"):
        fake.mine(99)


async def test_reorg__when_blocks_are_dropped__then_state_goes_back_and_hashes_differ() -> None:
    fake = FakeChain(CHAIN)
    target = Address(b"\x01" * 20)
    fake.set_storage(target, 1, 5)
    fake.mine(10)
    fake.set_storage(target, 1, 6)
    dropped = fake.mine(20)

    fake.reorg(1)
    replaced = fake.mine(20)

    assert replaced.number == dropped.number
    assert replaced.hash != dropped.hash
    assert replaced.state_root == fake.block(1).state_root
    with pytest.raises(ValueError, match="cannot drop"):
        fake.reorg(9)


INT128 = st.integers(-(2**127), 2**127 - 1)


@given(INT128, st.integers(0, 2**128 - 1), INT128, INT128)
def test_pack_position__when_packed__then_the_layout_reads_the_same_figures(
    size: int, price: int, funding: int, realised: int
) -> None:
    layout = PerpVenuePosition(MarketId(b"\x01" * 32), 9, 10)

    words = layout.decode((*pack_position(size, price, funding, realised), funding % 2**128))

    assert words == (size, size * price // 10**18, realised)


@given(st.integers(-(2**191), 2**191 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**80 - 1))
def test_pack_round__when_packed__then_the_layout_reads_it_back(answer: int, updated: int, number: int) -> None:
    assert DevFeedRound(0).decode(pack_round(answer, updated, number)) == (number, answer, updated, updated, number)


def test_code__when_an_account_gets_storage__then_it_has_code_that_can_be_pinned() -> None:
    fake = FakeChain(CHAIN)
    target, pin = Address(b"\x01" * 20), Hash32(b"\x02" * 32)
    fake.set_code_hash(target, pin)
    fake.set_storage(target, 1, 1)
    fake.mine(10)

    assert fake._blocks[-1].account(target).code_hash == pin
