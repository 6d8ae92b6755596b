"""Ancestry: what one proof at the head says of an older block, and all that must not pass for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.account import AccountAnswer
from proofs.ancestry import (
    HISTORY_ADDRESS,
    HISTORY_CODE_HASH,
    HISTORY_WINDOW,
    ancestor_slot,
    check_ancestor,
    verify_ancestor,
)
from proofs.errors import InvalidHeader, InvalidProof, Rule
from proofs.header import Header, HeaderShape, blank_fields, encode_header, parse_header
from proofs.keccak import keccak256
from tests.proofs.memory_chain import Contract, MemoryChain

HEAD = 20_000
PRAGUE = HeaderShape.PRAGUE


def old_header(number: int) -> bytes:
    return encode_header({**blank_fields(PRAGUE), "number": number, "timestamp": number * 12}, PRAGUE)


def chain(storage: dict[int, int], code_hash: bytes = HISTORY_CODE_HASH) -> MemoryChain:
    history = Contract(storage, code_hash=code_hash)
    other = Contract(dict(storage), code_hash=code_hash)
    return MemoryChain(contracts={HISTORY_ADDRESS: history, b"\x01" * 20: other}, number=HEAD)


def stored(number: int) -> dict[int, int]:
    return {number % 8191: int.from_bytes(keccak256(old_header(number)), "big"), 1: 1}


def head_of(world: MemoryChain) -> Header:
    return parse_header(world.anchor().header_rlp, PRAGUE)


def answer_of(world: MemoryChain, number: int) -> AccountAnswer:
    return world.answer(HISTORY_ADDRESS, (number % 8191,))


def refused(world: MemoryChain, number: int, answer: AccountAnswer) -> str:
    with pytest.raises(InvalidProof) as caught:
        verify_ancestor(head_of(world), number, answer)
    return caught.value.rule


@pytest.mark.parametrize("number", [HEAD - 1, HEAD - 8191, HEAD - 4000])
def test_verify_ancestor__hash_in_the_window__proven(number: int) -> None:
    world = chain(stored(number))
    head, answer = head_of(world), answer_of(world, number)

    assert verify_ancestor(head, number, answer) == keccak256(old_header(number))
    header = check_ancestor(head, number, answer, old_header(number))
    assert (header.number, header.timestamp_s) == (number, 12 * number)


@pytest.mark.parametrize("number", [HEAD, HEAD + 1, HEAD - 8192, -1])
def test_verify_ancestor__block_outside_the_window__refused_before_the_proof(number: int) -> None:
    """Block HEAD - 8192 shares its slot with HEAD - 1: the window alone tells them apart."""
    world = chain(stored(HEAD - 1))

    assert refused(world, number, answer_of(world, HEAD - 1)) == Rule.ANCESTOR_WINDOW


@given(st.integers(0, 10**9), st.integers(1, HISTORY_WINDOW))
def test_ancestor_slot__blocks_of_one_window__slots_of_their_own(head: int, age: int) -> None:
    if age <= head:
        assert ancestor_slot(head, head - age) == (head - age) % HISTORY_WINDOW
    else:
        with pytest.raises(InvalidProof):
            ancestor_slot(head, head - age)


def test_th_037_ancestor__slot_never_written__refused_and_never_a_zero_hash() -> None:
    world = chain({1: 1})

    assert refused(world, HEAD - 5, answer_of(world, HEAD - 5)) == Rule.ANCESTOR_ABSENT


def test_th_037_ancestor__other_code_at_the_address__refused() -> None:
    """A chain with a longer buffer keeps another block in that slot."""
    world = chain(stored(HEAD - 1), code_hash=keccak256(b"a longer buffer"))

    assert refused(world, HEAD - 1, answer_of(world, HEAD - 1)) == Rule.ANCESTOR_CODE


def test_th_037_ancestor__no_history_contract__refused() -> None:
    world = MemoryChain(contracts={b"\x01" * 20: Contract({1: 1})}, number=HEAD)

    assert refused(world, HEAD - 1, answer_of(world, HEAD - 1)) == Rule.ANCESTOR_CODE


def test_th_037_ancestor__another_contract_or_slot_answers__refused() -> None:
    world = chain(stored(HEAD - 1))
    stranger = world.answer(b"\x01" * 20, ((HEAD - 1) % 8191,))
    neighbour = answer_of(world, HEAD - 2)

    assert refused(world, HEAD - 1, stranger) == Rule.ADDRESS_ASKED
    assert refused(world, HEAD - 1, replace(stranger, address=HISTORY_ADDRESS)) == Rule.NODE_HASH
    assert refused(world, HEAD - 1, neighbour) == Rule.KEYS_ASKED


def test_th_037_ancestor__header_of_another_block__refused() -> None:
    world = chain(stored(HEAD - 1))
    head, answer = head_of(world), answer_of(world, HEAD - 1)

    with pytest.raises(InvalidHeader) as caught:
        check_ancestor(head, HEAD - 1, answer, old_header(HEAD - 2))
    assert caught.value.rule == Rule.HEADER_HASH


def test_th_037_ancestor__hash_of_a_header_with_another_number__refused() -> None:
    wrong = {(HEAD - 1) % 8191: int.from_bytes(keccak256(old_header(HEAD - 2)), "big")}
    world = chain(wrong)

    with pytest.raises(InvalidHeader, match="number"):
        check_ancestor(head_of(world), HEAD - 1, answer_of(world, HEAD - 1), old_header(HEAD - 2))
