"""INV-4: a verified value exists only for the question we asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from chains.adapter import ProofRequest
from chains.fake import FakeChain
from proofs.account import AccountAnswer, verify_answer
from proofs.errors import InvalidProof
from proofs.header import HeaderShape, check_header
from proofs.snapshot import Unavailable
from proofs.types import Address, BlockRef, ChainId, Hash32

FIRST, SECOND = Address(b"\x01" * 20), Address(b"\x02" * 20)
SLOTS = (7, 8)


def _chain(name: str, amount: int) -> FakeChain:
    fake = FakeChain(ChainId(name))
    for address in (FIRST, SECOND):
        for slot in SLOTS:
            fake.set_storage(address, slot, amount + address[0] * 100 + slot)
    fake.mine(10)
    fake.set_storage(FIRST, 7, amount)
    fake.mine(20)
    return fake


def _proof(fake: FakeChain, block: BlockRef, address: Address, slots: tuple[int, ...]) -> AccountAnswer:
    proofs = asyncio.run(fake.prove(block, [ProofRequest(address, slots)], frozenset()))
    assert not isinstance(proofs, Unavailable)
    return proofs[0].answer


def _renamed(answer: AccountAnswer, address: Address, slot: int) -> AccountAnswer:
    """Pretend that an answer is about another address and slot."""
    ((_, value, proof),) = answer.storage
    return replace(answer, address=address, storage=((slot, value, proof),))


CHAINS = (_chain("eip155:1", 1_000), _chain("eip155:10", 2_000))


@pytest.mark.parametrize("chain", [0, 1])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("address", [FIRST, SECOND])
@pytest.mark.parametrize("slot", SLOTS)
def test_inv_04_proof__when_any_part_of_the_question_is_swapped__then_it_verifies_only_where_it_says_the_same(
    chain: int, number: int, address: Address, slot: int
) -> None:
    """Ask (chain 0, block 1, FIRST, slot 7); offer the proof of something else under its name."""
    asked = CHAINS[0].block(1)
    source = CHAINS[chain]
    offered = _renamed(_proof(source, source.block(number), address, (slot,)), FIRST, 7)
    is_ours = (chain, number, address, slot) == (0, 1, FIRST, 7)

    if is_ours:
        assert verify_answer(asked.state_root, FIRST, (7,), offered)[1] == {7: 1_107}
        return
    with pytest.raises(InvalidProof):
        verify_answer(asked.state_root, FIRST, (7,), offered)


def test_inv_04_header__when_it_is_of_another_block__then_it_does_not_pass_for_ours() -> None:
    anchors = [asyncio.run(CHAINS[0].anchor(bound)) for bound in (5, 15)]

    for anchor in anchors:
        assert not isinstance(anchor, Unavailable)
    hashes = [anchor.block.hash for anchor in anchors if not isinstance(anchor, Unavailable)]
    assert hashes[0] != hashes[1]
    for anchor in anchors:
        assert not isinstance(anchor, Unavailable)
        for block_hash in (*hashes, Hash32(bytes(32))):
            if block_hash == anchor.block.hash:
                check_header(anchor.header_rlp, HeaderShape.PRAGUE, block_hash)
            else:
                with pytest.raises(Exception, match="header_hash"):
                    check_header(anchor.header_rlp, HeaderShape.PRAGUE, block_hash)
