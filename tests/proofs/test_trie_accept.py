"""Proofs that must be accepted, however a client spells them, and the trie builder against another library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from proofs.errors import ConstructionRefused
from proofs.limits import PROOF_NODES_MAX
from proofs.trie import EMPTY_ROOT, NodeSet, build_trie, verify_proof
from tests.proofs.crafted import (
    DIGITS,
    KEY,
    branch,
    deep_trie,
    extension,
    fork_at,
    hash_of,
    leaf,
    other_leaf,
    reference,
)

# Keys that differ in a few nibbles at either end: long shared paths, extensions and nodes below 32 bytes.
ends = st.binary(min_size=2, max_size=2)
close_keys = st.builds(lambda head, tail: head + bytes(28) + tail, st.sampled_from([b"\0\0", b"\0\1", b"\x10\0"]), ends)
keys = st.one_of(close_keys, st.binary(min_size=32, max_size=32))
values = st.binary(min_size=1, max_size=40)
tries = st.dictionaries(keys, values, min_size=1, max_size=40)


def py_trie_of(items: dict[bytes, bytes]) -> HexaryTrie:
    oracle = HexaryTrie({})
    for key, value in items.items():
        oracle[key] = value
    return oracle


@given(tries)
def test_build_trie__any_items__root_of_py_trie(items: dict[bytes, bytes]) -> None:
    assert build_trie(items).root == py_trie_of(items).root_hash


@given(tries, st.lists(keys, max_size=5))
def test_verify_proof__every_key_and_some_others__value_or_absence_in_both_spellings(
    items: dict[bytes, bytes], others: list[bytes]
) -> None:
    built = build_trie(items)
    shared = NodeSet()

    for key in (*items, *others):
        for proof in (built.prove(key), built.prove_with_copies(key)):
            assert verify_proof(built.root, key, proof) == items.get(key)
            assert verify_proof(built.root, key, proof, shared) == items.get(key)
        assert shared.proof(built.root, key) == tuple(built.prove(key))


@given(tries, st.lists(keys, max_size=5))
def test_verify_proof__proofs_of_py_trie__value_or_absence(items: dict[bytes, bytes], others: list[bytes]) -> None:
    oracle = py_trie_of(items)

    for key in (*items, *others):
        proof = [node for node in map(_encoded, oracle.get_proof(key)) if node is not None]
        hashed = [node for index, node in enumerate(proof) if index == 0 or len(node) >= 32]
        assert verify_proof(oracle.root_hash, key, hashed) == items.get(key)


def _encoded(node: object) -> bytes | None:
    import rlp

    raw: bytes = rlp.encode(node)
    return None if raw == b"\x80" else raw


@pytest.mark.parametrize("proof", [[], [b"\x80"]])
def test_th_022_empty_trie__both_spellings__absent(proof: list[bytes]) -> None:
    assert verify_proof(EMPTY_ROOT, KEY, proof) is None


@pytest.mark.parametrize("depth", range(58, 64))
def test_th_028_inline_leaf__repeated_or_not__value(depth: int) -> None:
    inline = leaf(DIGITS[depth + 1 :], b"\x05")
    parent = branch({**_padding(depth), int(DIGITS[depth], 16): reference(inline)})
    top = extension(DIGITS[:depth], hash_of(parent))

    assert len(inline) < 32 <= len(parent)
    assert verify_proof(hash_of(top), KEY, [top, parent]) == b"\x05"
    assert verify_proof(hash_of(top), KEY, [top, parent, inline]) == b"\x05"


def _padding(depth: int) -> dict[int, object]:
    """Give a branch other children, so that it is long enough to be hashed."""
    return {index: reference(other_leaf(depth + 1)) for index in range(16) if index != int(DIGITS[depth], 16)}


def test_th_028_inline_leaf_that_diverges__repeated_or_not__absent() -> None:
    inline = leaf(f"{int(DIGITS[62], 16) ^ 1:x}{DIGITS[63]}", b"\x05")
    parent = branch({**_padding(61), int(DIGITS[61], 16): reference(inline)})
    top = extension(DIGITS[:61], hash_of(parent))

    assert verify_proof(hash_of(top), KEY, [top, parent]) is None
    assert verify_proof(hash_of(top), KEY, [top, parent, inline]) is None


def test_th_028_nested_inline_nodes__each_repeated_or_none__value() -> None:
    built = deep_trie()

    copies = built.prove_with_copies(KEY)

    assert len(copies) == 65 <= PROOF_NODES_MAX
    assert 0 < len(built.prove(KEY)) < 65
    assert verify_proof(built.root, KEY, copies) == b"\x01"
    assert verify_proof(built.root, KEY, built.prove(KEY)) == b"\x01"


def test_th_029_dust_beside_a_victim__both_spellings__victim_stays_provable() -> None:
    # Two hashed slots that share ten nibbles: the victim's leaf of one byte falls below 32 bytes.
    victim = bytes.fromhex("abcdef0123" + "11" * 27)
    dust = bytes.fromhex("abcdef0123" + "21" * 27)
    built = build_trie({victim: b"\x64", dust: b"\x01", hash_of(b"x"): b"\x01"})

    assert len(built.prove(victim)) < len(built.prove_with_copies(victim))
    for key, value in ((victim, b"\x64"), (dust, b"\x01")):
        assert verify_proof(built.root, key, built.prove(key)) == value
        assert verify_proof(built.root, key, built.prove_with_copies(key)) == value


def _below(depth: int, child: bytes) -> tuple[bytes, list[bytes]]:
    """Return root and proof of `child` at `depth`, reached through an extension and a branch."""
    middle = fork_at(depth - 1, child)
    top = extension(DIGITS[: depth - 1], hash_of(middle))
    return hash_of(top), [top, middle, child]


def test_th_035_extension_on_the_path__value() -> None:
    root, proof = _below(8, leaf(DIGITS[8:]))

    assert verify_proof(root, KEY, proof) == b"\x01"


@pytest.mark.parametrize("place", [0, 3, 6])
def test_th_035_key_leaves_the_extension_before_inside_or_at_its_end__absent(place: int) -> None:
    root, proof = _below(8, leaf(DIGITS[8:]))
    digits = list(DIGITS)
    digits[place] = f"{int(digits[place], 16) ^ 8:x}"

    assert verify_proof(root, bytes.fromhex("".join(digits)), proof[:1]) is None


def test_th_035_key_leaves_after_a_branch__into_empty_slot_or_other_leaf__absent() -> None:
    root, proof = _below(8, leaf(DIGITS[8:]))
    at_branch = DIGITS[:7] + f"{(int(DIGITS[7], 16) + 5) % 16:x}" + DIGITS[8:]
    in_leaf = DIGITS[:63] + f"{int(DIGITS[63], 16) ^ 1:x}"

    assert verify_proof(root, bytes.fromhex(at_branch), proof[:2]) is None
    assert verify_proof(root, bytes.fromhex(in_leaf), proof) is None


def test_th_035_extension_below_a_branch__leads_elsewhere__absent() -> None:
    inner = fork_at(20, leaf(DIGITS[21:]))
    lower = extension(DIGITS[8:20], hash_of(inner))
    root, proof = _below(8, lower)
    digits = DIGITS[:12] + f"{int(DIGITS[12], 16) ^ 1:x}" + DIGITS[13:]

    assert verify_proof(root, KEY, [*proof, inner, leaf(DIGITS[21:])]) == b"\x01"
    assert verify_proof(root, bytes.fromhex(digits), proof) is None


def test_node_set__proofs_of_one_trie__keeps_each_node_once() -> None:
    items = {hash_of(bytes([index])): b"\x09" for index in range(200)}
    built = build_trie(items)
    nodes = NodeSet()

    for key in items:
        assert nodes.verify(built.root, key, [bytes(bytearray(node)) for node in built.prove(key)]) == b"\x09"

    unique = {node for key in items for node in built.prove(key)}
    assert len(nodes) == len(unique)
    assert set(nodes.raw_nodes()) == unique
    assert NodeSet.from_nodes(reversed(nodes.raw_nodes())).proof(built.root, next(iter(items))) == tuple(
        built.prove(next(iter(items)))
    )


def test_node_set__many_proofs__hashes_each_unique_node_once(monkeypatch: pytest.MonkeyPatch) -> None:
    items = {hash_of(index.to_bytes(2, "big")): b"\x09" for index in range(300)}
    built = build_trie(items)
    hashed: list[bytes] = []

    def counted(data: bytes) -> bytes:
        hashed.append(data)
        return hash_of(data)

    monkeypatch.setattr("proofs.trie.keccak256", counted)
    nodes = NodeSet()
    for key in items:
        nodes.verify(built.root, key, built.prove(key))

    assert len(hashed) == len(set(hashed)) == len(nodes)


def test_build_trie__nothing__empty_root_and_both_spellings() -> None:
    built = build_trie({})

    assert built.root == EMPTY_ROOT
    assert built.prove(KEY) == []
    assert built.prove_with_copies(KEY) == [b"\x80"]


def test_build_trie__empty_value__refused() -> None:
    with pytest.raises(ConstructionRefused):
        build_trie({KEY: b""})
