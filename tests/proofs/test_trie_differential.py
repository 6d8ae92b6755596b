"""The strict walk against py-trie on altered proofs: whatever we accept, it reads alike; the reverse need not hold."""

from __future__ import annotations

import rlp
from hypothesis import given
from hypothesis import strategies as st
from rlp.exceptions import DecodingError
from trie import HexaryTrie
from trie.exceptions import BadTrieProof

from proofs.errors import ProofError
from proofs.trie import build_trie, verify_proof
from tests.proofs.crafted import KEY, hash_of

NEAR = [KEY[:-1] + bytes([index]) for index in range(0, 256, 7)]
ITEMS = {
    **{hash_of(bytes([index])): bytes([index + 1]) * (index + 1) for index in range(60)},
    **dict.fromkeys(NEAR, b"\x05"),
}
BUILT = build_trie(ITEMS)
KEYS = [*ITEMS, *(hash_of(bytes([7, index])) for index in range(30)), KEY[:-1] + b"\x01"]


def of_py_trie(root: bytes, key: bytes, proof: list[bytes]) -> bytes | None:
    value: bytes = HexaryTrie.get_from_proof(root, key, [rlp.decode(node) for node in proof])
    return value or None


@given(st.sampled_from(KEYS), st.data())
def test_th_036_altered_proof__accepted_by_us__read_alike_by_py_trie(key: bytes, data: st.DataObject) -> None:
    proof = list(data.draw(st.sampled_from([BUILT.prove(key), BUILT.prove_with_copies(key)])))
    action = data.draw(st.sampled_from(["keep", "drop", "double", "swap", "flip", "add", "other key"]))
    place = data.draw(st.integers(0, len(proof) - 1))
    if action == "drop":
        del proof[place]
    elif action == "double":
        proof.insert(place, proof[place])
    elif action == "swap":
        other = data.draw(st.integers(0, len(proof) - 1))
        proof[place], proof[other] = proof[other], proof[place]
    elif action == "flip":
        changed = bytearray(proof[place])
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
        proof[place] = bytes(changed)
    elif action == "add":
        proof.insert(place, data.draw(st.binary(max_size=40)))
    elif action == "other key":
        key = data.draw(st.sampled_from(KEYS))

    try:
        value = verify_proof(BUILT.root, key, proof)
    except ProofError:
        return
    assert value == of_py_trie(BUILT.root, key, proof) == ITEMS.get(key)


path_bytes = st.sampled_from(
    [b"\x20" + KEY, b"\x00" + KEY[:4], b"\x1a" + KEY[:4], b"\x30", b"\x20", b"\x00", b"\x40" + KEY, b""]
)
payloads = st.one_of(
    st.binary(max_size=34), st.binary(min_size=32, max_size=32), st.sampled_from([b"\x05", b"\x80", b""])
)
short_nodes = st.tuples(st.one_of(path_bytes, st.binary(max_size=4)), payloads).map(list)
children = st.one_of(st.just(b""), st.binary(min_size=32, max_size=32), payloads, short_nodes)
branches = st.tuples(*[children] * 16, st.sampled_from([b"", b"\x05"])).map(list)
crafted_nodes = st.one_of(st.tuples(path_bytes, st.one_of(payloads, short_nodes, branches)).map(list), branches)


@given(crafted_nodes)
def test_th_036_attacker_made_node__accepted_by_us__read_alike_by_py_trie(node: list[object]) -> None:
    raw = rlp.encode(node)

    try:
        value = verify_proof(hash_of(raw), KEY, [raw])
    except ProofError:
        return
    try:
        expected = of_py_trie(hash_of(raw), KEY, [raw])
    except (BadTrieProof, DecodingError, AttributeError):
        expected = None
        assert value is None, "we read a value where py-trie reads none"
    assert value == expected
