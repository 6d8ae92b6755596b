"""Request-bound verification of accounts and storage: the answer never chooses what was asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from proofs.account import (
    ABSENT_ACCOUNT,
    EMPTY_CODE_HASH,
    AccountAnswer,
    AccountState,
    verify_account,
    verify_answer,
    verify_storage,
)
from proofs.errors import ConstructionRefused, InvalidProof, LimitExceeded, Rule
from proofs.limits import ACCOUNT_BYTES_MAX, PROOF_KEYS_MAX, STORAGE_VALUE_BYTES_MAX
from proofs.trie import EMPTY_ROOT, NodeSet, build_trie
from tests.golden.loading import nodes, unhex
from tests.proofs.crafted import Contract, World, account_leaf, hash_of, slot_hash, small_world, word_leaf

WORLD = small_world()
ROOT = WORLD.trie.root
FIRST, SECOND, EMPTY, PLAIN = WORLD.contracts[:4]
ABSENT = b"\xde" * 20
ZERO = bytes(32)
SLOTS = (3, 5, 1000)


def refused(answer: AccountAnswer, address: bytes = FIRST.address, slots: tuple[int, ...] = SLOTS) -> InvalidProof:
    with pytest.raises(InvalidProof) as caught:
        verify_answer(ROOT, address, slots, answer)
    return caught.value


def test_verify_answer__honest__account_and_every_asked_slot_in_order() -> None:
    state, values = verify_answer(ROOT, FIRST.address, SLOTS, WORLD.answer(FIRST.address, SLOTS))

    assert state == AccountState(1, 0, FIRST.trie.root, FIRST.code_hash, exists=True)
    assert values == {3: 22, 5: 36, 1000: 0}
    assert tuple(values) == SLOTS


def test_verify_answer__shared_node_set__same_verdicts_fewer_nodes() -> None:
    kept = NodeSet()
    slots = tuple(range(40))
    answer = WORLD.answer(FIRST.address, slots)

    _, values = verify_answer(ROOT, FIRST.address, slots, answer, kept)

    assert values == FIRST.storage
    assert len(kept) == len({*answer.account_proof, *(node for _, _, proof in answer.storage for node in proof)})


@pytest.mark.parametrize("contract", [EMPTY, PLAIN])
def test_verify_answer__account_without_storage__zero_in_both_spellings(contract: Contract) -> None:
    answer = WORLD.answer(contract.address, (0,))

    for proof in ((), (b"\x80",)):
        state, values = verify_answer(ROOT, contract.address, (0,), replace(answer, storage=((0, 0, proof),)))
        assert state.exists
        assert state.storage_root == EMPTY_ROOT
        assert values == {0: 0}


@pytest.mark.parametrize("storage_hash", [ZERO, EMPTY_ROOT])
@pytest.mark.parametrize("code_hash", [ZERO, EMPTY_CODE_HASH])
def test_th_026_absent_account__zero_or_empty_hashes__accepted(storage_hash: bytes, code_hash: bytes) -> None:
    answer = replace(WORLD.answer(ABSENT, (0,)), storage_hash=storage_hash, code_hash=code_hash)

    assert verify_answer(ROOT, ABSENT, (0,), answer) == (ABSENT_ACCOUNT, {0: 0})


@pytest.mark.parametrize(
    "change",
    [{"storage_hash": b"\x01" * 32}, {"code_hash": b"\x01" * 32}, {"nonce": 1}, {"balance": 1}, {"storage_hash": b""}],
)
def test_th_026_absent_account__anything_else_stated__refused(change: dict[str, object]) -> None:
    answer = replace(WORLD.answer(ABSENT, (0,)), **change)  # type: ignore[arg-type]

    assert refused(answer, ABSENT, (0,)).rule == Rule.COPY_DIFFERS


def test_th_026_absent_account__exclusion_not_proven__refused() -> None:
    answer = WORLD.answer(ABSENT, (0,))

    for proof in ((), (b"\x80",), tuple(answer.account_proof[:-1])):
        refused(replace(answer, account_proof=proof), ABSENT, (0,))


def test_th_026_existing_account__zero_hashes_stated__refused() -> None:
    answer = WORLD.answer(EMPTY.address, ())

    assert refused(replace(answer, storage_hash=ZERO), EMPTY.address, ()).rule == Rule.COPY_DIFFERS
    assert refused(replace(answer, code_hash=ZERO), EMPTY.address, ()).rule == Rule.COPY_DIFFERS


def test_th_027_wrong_exclusion_proof_of_an_honest_node__refused() -> None:
    answer = WORLD.answer(FIRST.address, SLOTS)
    wrong = tuple(FIRST.trie.prove(slot_hash(1001)))
    storage = ((3, 0, wrong), *answer.storage[1:])

    refused(replace(answer, storage=storage))


def test_th_023_answer_of_another_account__with_its_own_or_our_address__refused() -> None:
    other = WORLD.answer(SECOND.address, SLOTS)

    assert refused(other).rule == Rule.ADDRESS_ASKED
    assert refused(replace(other, address=FIRST.address)).rule == Rule.NODE_HASH


def test_th_023_all_pairs_of_slots__key_in_the_answer_swapped_to_ours__refused() -> None:
    for asked in range(12):
        for shown in range(12):
            entry = WORLD.answer(FIRST.address, (shown,)).storage[0]
            answer = replace(WORLD.answer(FIRST.address, ()), storage=((asked, *entry[1:]),))
            if asked == shown:
                assert verify_answer(ROOT, FIRST.address, (asked,), answer)[1] == {asked: FIRST.storage[asked]}
            else:
                refused(answer, FIRST.address, (asked,))


def test_th_023_all_pairs_of_accounts__address_swapped_to_ours__refused() -> None:
    for asked in WORLD.contracts[:8]:
        for shown in WORLD.contracts[:8]:
            answer = replace(WORLD.answer(shown.address, (0,)), address=asked.address)
            if asked is not shown:
                refused(answer, asked.address, (0,))


@pytest.mark.parametrize("stated", [(3, 5), (3, 5, 1000, 1001), (3, 5, 1001), (3, 5, 5), (3, 3, 1000), ()])
def test_th_023_keys__missing_extra_other_or_repeated__refused(stated: tuple[int, ...]) -> None:
    assert refused(WORLD.answer(FIRST.address, stated)).rule == Rule.KEYS_ASKED


def test_verify_answer__keys_in_another_order__matched_one_to_one() -> None:
    answer = WORLD.answer(FIRST.address, tuple(reversed(SLOTS)))

    assert verify_answer(ROOT, FIRST.address, SLOTS, answer)[1] == {3: 22, 5: 36, 1000: 0}


def test_th_024_storage_root_and_proofs_of_another_contract__refused() -> None:
    ours, theirs = WORLD.answer(FIRST.address, SLOTS), WORLD.answer(SECOND.address, SLOTS)

    assert refused(replace(ours, storage_hash=theirs.storage_hash)).rule == Rule.COPY_DIFFERS
    assert refused(replace(ours, storage=theirs.storage)).rule == Rule.NODE_HASH
    refused(replace(ours, storage=theirs.storage, storage_hash=theirs.storage_hash))


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": 2},
        {"nonce": 0},
        {"balance": 1},
        {"balance": -1},
        {"storage_hash": EMPTY_ROOT},
        {"code_hash": EMPTY_CODE_HASH},
        {"code_hash": hash_of(b"second")},
        {"storage": ((3, 23, FIRST.trie.prove(slot_hash(3))),)},
        {"storage": ((3, 0, FIRST.trie.prove(slot_hash(3))),)},
    ],
)
def test_th_025_copy_differs_from_the_leaf__refused(change: dict[str, object]) -> None:
    answer = replace(WORLD.answer(FIRST.address, (3,)), **change)  # type: ignore[arg-type]

    assert refused(answer, FIRST.address, (3,)).rule == Rule.COPY_DIFFERS


def test_verify_answer__other_state_root__refused() -> None:
    other = World(WORLD.contracts[1:]).trie.root

    with pytest.raises(InvalidProof):
        verify_answer(other, FIRST.address, SLOTS, WORLD.answer(FIRST.address, SLOTS))


# --- leaves ----------------------------------------------------------------------------------------------------


def one_account(leaf: bytes) -> AccountState:
    built = build_trie({hash_of(ABSENT): leaf})
    return verify_account(built.root, ABSENT, built.prove(hash_of(ABSENT)))


def one_word(leaf: bytes) -> int:
    built = build_trie({slot_hash(7): leaf})
    return verify_storage(built.root, 7, built.prove(slot_hash(7)))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1))
def test_verify_account__any_body__as_encoded(nonce: int, balance: int) -> None:
    state = one_account(account_leaf(nonce, balance, EMPTY_ROOT, EMPTY_CODE_HASH))

    assert state == AccountState(nonce, balance, EMPTY_ROOT, EMPTY_CODE_HASH, exists=True)


@given(st.integers(1, 2**256 - 1))
def test_verify_storage__any_word__as_encoded(value: int) -> None:
    assert one_word(word_leaf(value)) == value


@pytest.mark.parametrize(
    "leaf",
    [
        rlp.encode([1, 2, EMPTY_ROOT]),
        rlp.encode([1, 2, EMPTY_ROOT, EMPTY_CODE_HASH, b""]),
        rlp.encode([b"\x00\x01", 2, EMPTY_ROOT, EMPTY_CODE_HASH]),
        rlp.encode([b"\x01" * 9, 2, EMPTY_ROOT, EMPTY_CODE_HASH]),
        rlp.encode([1, b"\x00", EMPTY_ROOT, EMPTY_CODE_HASH]),
        rlp.encode([1, b"\x01" * 33, EMPTY_ROOT, b""]),
        rlp.encode([1, 2, EMPTY_ROOT[:-1], EMPTY_CODE_HASH]),
        rlp.encode([1, 2, EMPTY_ROOT, b""]),
        rlp.encode([1, 2, EMPTY_ROOT, [EMPTY_CODE_HASH]]),
        rlp.encode([[], 2, EMPTY_ROOT, EMPTY_CODE_HASH]),
        rlp.encode(b"\x01" * 40),
        account_leaf(1, 2, EMPTY_ROOT, EMPTY_CODE_HASH) + b"\0",
        account_leaf(1, 2, EMPTY_ROOT, EMPTY_CODE_HASH)[:-1],
        bytes(ACCOUNT_BYTES_MAX + 1),
    ],
)
def test_th_034_account_body__not_canonical__refused(leaf: bytes) -> None:
    with pytest.raises(InvalidProof) as caught:
        one_account(leaf)

    assert caught.value.rule == Rule.ACCOUNT_SHAPE


def test_account_body__largest__has_the_limit_size() -> None:
    leaf = account_leaf(2**64 - 1, 2**256 - 1, EMPTY_ROOT, EMPTY_CODE_HASH)

    assert len(leaf) == ACCOUNT_BYTES_MAX
    assert one_account(leaf).balance == 2**256 - 1


@pytest.mark.parametrize(
    ("leaf", "rule"),
    [
        (b"\x00", Rule.STORAGE_VALUE),
        (b"\x82\x00\x01", Rule.STORAGE_VALUE),
        (b"\x81\x01", Rule.STORAGE_VALUE),
        (b"\xa1" + b"\x01" * 33, Rule.STORAGE_VALUE),
        (b"\x01\x01", Rule.STORAGE_VALUE),
        (b"\xc0", Rule.STORAGE_VALUE),
        (b"\xc1\x01", Rule.STORAGE_VALUE),
        (b"\xb8\x01\xff", Rule.STORAGE_VALUE),
    ],
)
def test_th_034_storage_word__not_canonical_too_wide_or_list__refused(leaf: bytes, rule: Rule) -> None:
    with pytest.raises(InvalidProof) as caught:
        one_word(leaf)

    assert caught.value.rule == rule


def test_storage_word__canonical_zero__reads_as_zero() -> None:
    assert one_word(b"\x80") == 0


def test_storage_word__leaf_of_canonical_zero__is_zero() -> None:
    assert one_word(b"\x80") == 0


def test_storage_word__slots_set_back_to_zero_on_anvil__proven_in_its_own_spelling() -> None:
    vector = json.loads((Path(__file__).parent / "vectors" / "anvil_zero_leaf.json").read_text())
    claims, root, slots = vector["answer"], unhex(vector["state_root"]), tuple(range(6))
    answer = AccountAnswer(
        unhex(claims["address"]),
        int(claims["nonce"], 16),
        int(claims["balance"], 16),
        unhex(claims["storageHash"]),
        unhex(claims["codeHash"]),
        nodes(claims["accountProof"]),
        tuple((int(one["key"], 16), int(one["value"], 16), nodes(one["proof"])) for one in claims["storageProof"]),
    )

    _, values = verify_answer(root, answer.address, slots, answer)

    assert values == {int(slot): int(value, 16) for slot, value in vector["expected"].items()}
    # Neighbour: the proof of the kept zero is no proof for another slot, and its leaf cannot be left out.
    zero = answer.storage[2][2]
    for slot, proof in ((1, zero), (2, zero[:-1])):
        with pytest.raises(InvalidProof):
            verify_storage(answer.storage_hash, slot, proof)


def test_storage_word__largest__has_the_limit_size() -> None:
    assert len(word_leaf(2**256 - 1)) == STORAGE_VALUE_BYTES_MAX


# --- requests of our own ---------------------------------------------------------------------------------------


def test_request__a_slot_asked_twice_or_a_wrong_address__construction_refused() -> None:
    answer = WORLD.answer(FIRST.address, (3,))

    with pytest.raises(ConstructionRefused):
        verify_answer(ROOT, FIRST.address, (3, 3), answer)
    with pytest.raises(ConstructionRefused):
        verify_answer(ROOT, FIRST.address[:-1], (3,), answer)
    with pytest.raises(ConstructionRefused):
        verify_account(ROOT, b"", ())
    for slot in (-1, 2**256):
        with pytest.raises(ConstructionRefused):
            verify_storage(ROOT, slot, ())


def test_request__number_of_keys__at_the_limit_judged_above_refused() -> None:
    answer = WORLD.answer(EMPTY.address, ())
    storage = tuple((slot, 0, ()) for slot in range(PROOF_KEYS_MAX))

    _, values = verify_answer(ROOT, EMPTY.address, range(PROOF_KEYS_MAX), replace(answer, storage=storage))
    assert len(values) == PROOF_KEYS_MAX
    with pytest.raises(LimitExceeded):
        verify_answer(ROOT, EMPTY.address, range(PROOF_KEYS_MAX + 1), answer)


def test_answer__more_entries_than_asked__refused_before_any_proof() -> None:
    answer = WORLD.answer(EMPTY.address, ())
    storage = tuple((slot, 0, ()) for slot in range(PROOF_KEYS_MAX + 500))

    assert refused(replace(answer, storage=storage), EMPTY.address, (0,)).rule == Rule.KEYS_ASKED
