"""Merkle trees: by hand, against OpenZeppelin's JavaScript library, and every proof that must fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, overload

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.errors import ConstructionRefused, InvalidProof, LimitExceeded, ProofError, Rule
from proofs.limits import MERKLE_LEAVES_MAX, MERKLE_PROOF_WORDS_MAX
from proofs.merkle import MerkleTree, hash_pair, merkle_depths, merkle_root, verify_merkle_proof
from tests.proofs.crafted import hash_of

VECTORS = json.loads((Path(__file__).parent / "vectors" / "merkle_openzeppelin.json").read_text())["cases"]
A, B, C = (bytes([letter]) * 32 for letter in b"abc")

leaves_of = st.lists(st.binary(min_size=32, max_size=32).filter(any), min_size=1, max_size=40)


def words(count: int) -> list[bytes]:
    """Return the leaves of the recorded trees."""
    return [sha256(f"leaf {index} of {count}".encode()).digest() for index in range(count)]


def refused(root: bytes, leaf: bytes, proof: Sequence[bytes], leaf_count: int) -> str:
    with pytest.raises(InvalidProof) as caught:
        verify_merkle_proof(root, leaf, proof, leaf_count)
    return caught.value.rule


def test_merkle_root__one_two_three_leaves__by_hand() -> None:
    # Array of 2n - 1 words, leaf i at 2n - 2 - i: with three leaves C stands at 2, beside the pair of B and A at 1.
    pair = hash_of(A + B)

    assert merkle_root([A]) == A
    assert merkle_root([A, B]) == merkle_root([B, A]) == pair
    assert merkle_root([A, B, C]) == hash_of(min(pair, C) + max(pair, C))
    assert merkle_root([A, B, C]) != merkle_root([C, B, A])


def test_proof__three_leaves__by_hand() -> None:
    tree = MerkleTree.from_leaves([A, B, C])

    assert tree.proof(0) == (B, C)
    assert tree.proof(1) == (A, C)
    assert tree.proof(2) == (hash_of(A + B),)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["leafCount"]))
def test_merkle_tree__openzeppelin_merkle_tree__same_root_and_proofs(vector: dict[str, Any]) -> None:
    count = vector["leafCount"]
    tree = MerkleTree.from_leaves(words(count))

    assert "0x" + tree.root.hex() == vector["root"]
    for proof in vector["proofs"]:
        assert ["0x" + word.hex() for word in tree.proof(proof["index"])] == proof["proof"]
        assert "0x" + tree.leaf(proof["index"]).hex() == proof["leaf"]


@given(leaves_of)
def test_verify__every_leaf_of_any_tree__accepted(leaves: list[bytes]) -> None:
    tree = MerkleTree.from_leaves(leaves)

    assert tree.leaf_count == len(leaves)
    for index, leaf in enumerate(leaves):
        verify_merkle_proof(tree.root, leaf, tree.proof(index), len(leaves))


@given(leaves_of, st.data())
def test_update__any_changes__the_tree_built_anew(leaves: list[bytes], data: st.DataObject) -> None:
    tree = MerkleTree.from_leaves(leaves)
    word = st.binary(min_size=32, max_size=32).filter(any)
    changes = data.draw(st.dictionaries(st.integers(0, len(leaves) - 1), word))
    changed = [changes.get(index, leaf) for index, leaf in enumerate(leaves)]

    tree.update(changes)

    anew = MerkleTree.from_leaves(changed)
    assert tree.root == anew.root
    assert [tree.proof(index) for index in range(len(leaves))] == [anew.proof(index) for index in range(len(leaves))]


def test_replace__one_leaf__path_of_the_tree_built_anew() -> None:
    tree = MerkleTree.from_leaves(words(33))

    tree.replace(17, A)

    assert tree.root == merkle_root([*words(33)[:17], A, *words(33)[18:]])


def test_update__one_bad_change__nothing_changed() -> None:
    tree = MerkleTree.from_leaves(words(5))
    for bad in ({0: A, 1: b""}, {0: A, 5: B}, {0: A, -1: B}, {0: A, 1: bytes(32)}):
        with pytest.raises(ConstructionRefused):
            tree.update(bad)
        assert tree.root == merkle_root(words(5))


@given(leaves_of, st.data())
def test_th_046_any_byte_changed__refused(leaves: list[bytes], data: st.DataObject) -> None:
    tree = MerkleTree.from_leaves(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    parts = [tree.root, leaves[index], *tree.proof(index)]
    place, offset = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 31))
    changed = bytearray(parts[place])
    changed[offset] ^= data.draw(st.integers(1, 255))
    parts[place] = bytes(changed)

    assert refused(parts[0], parts[1], parts[2:], len(leaves)) in (Rule.MERKLE_ROOT, Rule.MERKLE_ROOT_ZERO)


@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_th_046_inner_node_as_leaf__balanced_tree__refused_by_depth(count: int) -> None:
    tree = MerkleTree.from_leaves(words(count))
    first = tree.proof(0)

    assert refused(tree.root, hash_pair(tree.leaf(0), first[0]), first[1:], count) == Rule.MERKLE_SHALLOW
    assert refused(tree.root, tree.root, (), count) == Rule.MERKLE_SHALLOW


def test_th_046_inner_node_of_a_lopsided_tree__fits_by_depth__which_is_why_leaves_are_struct_hashes() -> None:
    # Three leaves stand at depths 1 and 2, so depth alone cannot tell the pair of two from a leaf. Callers hash the
    # leaf's struct themselves: its pre-image is longer than the 64 bytes of an inner node, so no struct has this hash.
    tree = MerkleTree.from_leaves([A, B, C])

    verify_merkle_proof(tree.root, hash_pair(A, B), [C], 3)
    assert refused(tree.root, hash_pair(A, B), [C], 4) == Rule.MERKLE_SHALLOW


def test_th_046_leaf_of_another_tree__refused() -> None:
    ours, theirs = MerkleTree.from_leaves(words(8)), MerkleTree.from_leaves(words(9))

    assert refused(ours.root, theirs.leaf(0), theirs.proof(0)[:3], 8) == Rule.MERKLE_ROOT
    assert refused(ours.root, ours.leaf(1), ours.proof(0), 8) == Rule.MERKLE_ROOT


def test_th_046_long_proof__one_leaf_root__refused() -> None:
    root = hash_pair(A, B)

    assert refused(root, A, [B], 1) == Rule.MERKLE_DEPTH
    verify_merkle_proof(A, A, [], 1)
    assert refused(A, B, [], 1) == Rule.MERKLE_ROOT


@pytest.mark.parametrize(
    ("count", "depths"),
    [(1, (0, 0)), (2, (1, 1)), (3, (1, 2)), (4, (2, 2)), (5, (2, 3)), (1023, (9, 10)), (1024, (10, 10))],
)
def test_th_046_depths__floor_and_ceil_of_the_logarithm(count: int, depths: tuple[int, int]) -> None:
    assert merkle_depths(count) == depths


@given(st.integers(1, 300))
def test_th_046_depths__of_a_real_tree__all_within(count: int) -> None:
    tree = MerkleTree.from_leaves(words(count))

    lengths = {len(tree.proof(index)) for index in range(count)}

    assert (min(lengths), max(lengths)) == merkle_depths(count)


def test_th_046_depth__one_more_or_less_than_the_tree__refused() -> None:
    tree = MerkleTree.from_leaves(words(8))
    proof = tree.proof(3)

    assert refused(tree.root, tree.leaf(3), [*proof, A], 8) == Rule.MERKLE_DEPTH
    assert refused(tree.root, tree.leaf(3), proof[:-1], 8) == Rule.MERKLE_SHALLOW
    assert refused(tree.root, tree.leaf(3), proof, 4) == Rule.MERKLE_DEPTH
    assert refused(tree.root, tree.leaf(3), proof, 16) == Rule.MERKLE_SHALLOW


def test_zero_root__never_verifies() -> None:
    assert refused(bytes(32), bytes(32), [], 1) == Rule.MERKLE_ROOT_ZERO
    assert refused(bytes(32), A, [B], 2) == Rule.MERKLE_ROOT_ZERO


@pytest.mark.parametrize("count", [0, -1, 2**64])
def test_leaf_count__outside_uint64_or_zero__refused(count: int) -> None:
    assert refused(A, A, [], count) == Rule.MERKLE_COUNT


@pytest.mark.parametrize(("root", "leaf", "proof"), [(A[1:], A, []), (A, b"", []), (A, A, [B + b"\0"]), (A, A, [b""])])
def test_words__not_32_bytes__refused(root: bytes, leaf: bytes, proof: list[bytes]) -> None:
    assert refused(root, leaf, proof, 2) == Rule.MERKLE_WORD


def test_th_047_proof_length__at_the_limit_judged_above_refused() -> None:
    count = 2**64 - 1

    assert refused(A, A, [B] * MERKLE_PROOF_WORDS_MAX, count) == Rule.MERKLE_ROOT
    assert refused(A, A, [B] * (MERKLE_PROOF_WORDS_MAX + 1), count) == Rule.MERKLE_DEPTH
    assert refused(A, A, [B] * 10**6, count) == Rule.MERKLE_DEPTH


class _Many(Sequence[bytes]):
    """Claim a number of leaves without having them."""

    def __len__(self) -> int:
        return MERKLE_LEAVES_MAX + 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        raise AssertionError("must be refused by its length")


def test_th_047_number_of_leaves__above_the_limit__refused_unread() -> None:
    with pytest.raises(LimitExceeded):
        MerkleTree.from_leaves(_Many())


@pytest.mark.parametrize("leaves", [[], [b""], [A, A[1:]], [A, A + b"\0"], [bytes(32)], [A, bytes(32)]])
def test_merkle_root__no_leaves_or_no_words__refused(leaves: list[bytes]) -> None:
    with pytest.raises(ConstructionRefused):
        merkle_root(leaves)


def test_leaf_and_proof__outside_the_tree__refused() -> None:
    tree = MerkleTree.from_leaves([A, B])

    for index in (-1, 2):
        with pytest.raises(ConstructionRefused):
            tree.proof(index)
        with pytest.raises(ConstructionRefused):
            tree.leaf(index)


@given(st.binary(max_size=40), st.binary(max_size=40), st.lists(st.binary(max_size=40), max_size=70), st.integers())
def test_verify__anything__only_typed_errors(root: bytes, leaf: bytes, proof: list[bytes], count: int) -> None:
    try:
        verify_merkle_proof(root, leaf, proof, count)
    except ProofError:
        return
    assert root == leaf
    assert not proof
