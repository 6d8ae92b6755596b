"""Malformed proofs of accounts: what storage proofs are refused for, account proofs are refused for as well.

An account proof decides nonce, balance, storage root and code hash at once, so each case is put to the whole answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from proofs.account import ABSENT_ACCOUNT, AccountAnswer, verify_account, verify_answer
from proofs.errors import InvalidProof, ProofError, Rule
from proofs.keccak import keccak256
from proofs.rlp import encode, encode_uint
from proofs.trie import EMPTY_ROOT, build_trie
from tests.proofs.crafted import branch, extension, hash_of, leaf
from tests.proofs.memory_chain import Contract, MemoryChain, address

WORLD = MemoryChain(contracts={address(number): Contract({1: number}, balance=number) for number in range(1, 60)})
ROOT = WORLD.state().root
HOLDER, STRANGER = address(7), address(1000)
ANSWER = WORLD.answer(HOLDER, (1,))
NOBODY = WORLD.answer(STRANGER, ())


def rule_of(proof: Sequence[bytes], answer: AccountAnswer = ANSWER) -> str:
    slots = tuple(entry[0] for entry in answer.storage)
    with pytest.raises(InvalidProof) as caught:
        verify_answer(ROOT, answer.address, slots, replace(answer, account_proof=tuple(proof)))
    return caught.value.rule


@pytest.mark.parametrize("answer", [ANSWER, NOBODY], ids=["present", "absent"])
def test_th_019_account_proof__cut_at_every_node__never_an_absence(answer: AccountAnswer) -> None:
    proof = answer.account_proof

    assert {rule_of(proof[:size], answer) for size in range(len(proof))} == {Rule.NODE_MISSING}
    assert rule_of([b"\x80"], answer) == Rule.NODE_HASH


@pytest.mark.parametrize("answer", [ANSWER, NOBODY], ids=["present", "absent"])
def test_th_032_account_proof__extra_doubled_or_reordered__refused(answer: AccountAnswer) -> None:
    proof = list(answer.account_proof)

    assert rule_of([*proof, proof[-1]], answer) == Rule.NODE_EXTRA
    assert rule_of([*proof, b"\x00junk"], answer) == Rule.NODE_EXTRA
    assert rule_of([proof[0], *proof], answer) == Rule.NODE_HASH
    assert rule_of(proof[::-1], answer) == Rule.NODE_HASH


def test_th_036_account_proof__every_byte_changed__refused() -> None:
    proof = ANSWER.account_proof
    for at, node in enumerate(proof):
        for offset in range(len(node)):
            changed = node[:offset] + bytes([node[offset] ^ 1]) + node[offset + 1 :]

            assert rule_of([*proof[:at], changed, *proof[at + 1 :]]) == Rule.NODE_HASH


def test_th_023_account_proof__of_another_account__refused() -> None:
    """Another holder's leaf lies elsewhere; where it shares all but the leaf it says absent, which differs."""
    for number in range(1, 60):
        if address(number) != HOLDER:
            other = WORLD.answer(address(number), (1,))

            assert rule_of(other.account_proof) in (
                Rule.NODE_HASH,
                Rule.NODE_MISSING,
                Rule.NODE_EXTRA,
                Rule.COPY_DIFFERS,
            )


def test_th_021_empty_state__both_spellings_are_an_absence_and_nothing_else_is() -> None:
    for proof in ((), (b"\x80",)):
        assert verify_account(EMPTY_ROOT, HOLDER, proof) == ABSENT_ACCOUNT
    with pytest.raises(InvalidProof):
        verify_account(EMPTY_ROOT, HOLDER, ANSWER.account_proof)


PATH = keccak256(HOLDER).hex()
BODY = encode((encode_uint(1), encode_uint(5), EMPTY_ROOT, keccak256(b"")))
FOREIGN_TRIES = {
    "flag nibble 4": ([encode((b"\x40" + bytes.fromhex(PATH), BODY))], Rule.PATH_FLAG),
    "padding": ([encode((b"\x21" + bytes.fromhex(PATH), BODY))], Rule.PATH_PADDING),
    "short path": ([leaf(PATH[2:], BODY)], Rule.PATH_LENGTH),
    "no value": ([leaf(PATH, b"")], Rule.VALUE_EMPTY),
    "list for a value": ([encode((b"\x20" + bytes.fromhex(PATH), (b"\x01" * 40,)))], Rule.VALUE_KIND),
    "trailing byte": ([leaf(PATH, BODY) + b"\0"], Rule.RLP_TRAILING),
    "three items": ([encode((b"\x20" + bytes.fromhex(PATH), BODY, b""))], Rule.NODE_SHAPE),
    "branch with a value": ([branch({1: b"\xaa" * 32, 2: b"\xbb" * 32}, value=b"\5")], Rule.BRANCH_VALUE),
    "body of five": ([leaf(PATH, encode((b"", b"", EMPTY_ROOT, keccak256(b""), b"")))], Rule.ACCOUNT_SHAPE),
    "leading zero": ([leaf(PATH, encode((b"", b"\0\1", EMPTY_ROOT, keccak256(b""))))], Rule.ACCOUNT_SHAPE),
    "balance of 33 bytes": ([leaf(PATH, encode((b"", b"\1" * 33, EMPTY_ROOT, keccak256(b""))))], Rule.ACCOUNT_SHAPE),
    "hash of 31 bytes": ([leaf(PATH, encode((b"", b"\1", EMPTY_ROOT[1:], keccak256(b""))))], Rule.ACCOUNT_SHAPE),
    "root twice over": (
        [extension(PATH[:1], hash_of(leaf(PATH[1:], BODY))), leaf(PATH[1:], BODY)],
        Rule.EXTENSION_CHILD,
    ),
}


@pytest.mark.parametrize("name", FOREIGN_TRIES)
def test_th_034_account_trie__of_an_attackers_making__refused_by_its_rule(name: str) -> None:
    """Nodes whose hashes fit, under a root that nobody honest computes."""
    proof, rule = FOREIGN_TRIES[name]

    with pytest.raises(ProofError) as caught:
        verify_account(hash_of(proof[0]), HOLDER, proof)
    assert getattr(caught.value, "rule", None) == rule


def test_account_trie__the_honest_neighbour_of_those__is_read() -> None:
    built = build_trie({keccak256(HOLDER): BODY})

    assert built.prove(keccak256(HOLDER)) == [leaf(PATH, BODY)]
    assert verify_account(built.root, HOLDER, (leaf(PATH, BODY),)).balance == 5
