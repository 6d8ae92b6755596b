"""Readers that take nodes and words by their fixed places: what they read, the general decoder reads alike."""

from __future__ import annotations

import pytest
import rlp
from hypothesis import example, given
from hypothesis import strategies as st

from proofs.account import verify_storage
from proofs.errors import InvalidProof, Rule
from proofs.rlp import decode_list
from proofs.trie import NodeSet, _hashed_branch, _node_of, _plain_leaf, build_trie
from tests.proofs.crafted import branch, extension, hash_of, leaf, slot_hash

strings = st.binary(max_size=70)
paths = st.builds(
    lambda flag, rest: bytes([flag]) + rest, st.just(0x20) | st.integers(0x30, 0x3F), st.binary(min_size=1, max_size=32)
)


@given(strings | paths, strings)
@example(b"\x20" + b"\x01" * 32, b"\x05" * 55)
@example(b"\x20" + b"\x01" * 32, b"\x05" * 56)
@example(b"\x20" + b"\x01" * 33, b"\x05" * 20)
@example(b"\x21" + b"\x01" * 32, b"\x05" * 20)
@example(b"\x00" + b"\x01" * 32, b"\x05" * 20)
@example(b"\x11" + b"\x01" * 32, b"\x05" * 32)
@example(b"\x40" + b"\x01" * 32, b"\x05" * 32)
@example(b"\x31", b"\x05" * 40)
@example(b"\x20\x11", b"\x05")
def test_plain_leaf__of_any_pair__the_leaf_or_nothing(first: bytes, second: bytes) -> None:
    raw = rlp.encode([first, second])
    is_leaf = first[:1] == b"\x20" or first[:1].hex()[:1] == "3"
    path = first.hex()[1:] if first[:1] != b"\x20" else first.hex()[2:]

    read = _plain_leaf(raw)

    common = is_leaf and 2 <= len(first) <= 33 and 2 <= len(second) <= 55
    assert read == ((raw, path, second) if common else None)


@given(paths, st.binary(min_size=2, max_size=55), st.data())
def test_plain_leaf__of_any_bytes__is_what_the_general_decoder_reads(
    path: bytes, value: bytes, data: st.DataObject
) -> None:
    """One byte changed, missing or too many: whatever is read has no other reading, and is never read by luck."""
    honest = bytearray(rlp.encode([path, value]))
    for _ in range(data.draw(st.integers(0, 3))):
        honest[data.draw(st.integers(0, min(4, len(honest) - 1)) | st.integers(0, len(honest) - 1))] = data.draw(
            st.integers(0, 255)
        )
    for raw in (bytes(honest), bytes(honest[:-1]), bytes(honest) + b"\0"):
        read = _plain_leaf(raw)

        assert read is None or read == _node_of(raw, decode_list(raw))


@given(st.lists(st.sampled_from([b"", b"\xaa" * 32, b"\xbb" * 32]), min_size=16, max_size=16))
def test_hashed_branch__any_children__all_of_them_or_nothing(children: list[bytes]) -> None:
    raw = rlp.encode([*children, b""])

    match = _hashed_branch(raw)

    if 16 - children.count(b"") >= 2:
        assert match is not None
        assert [child or b"" for child in match.groups()] == children
    else:
        assert match is None


@pytest.mark.parametrize(
    "raw",
    [
        branch({1: b"\xaa" * 32, 2: b"\xbb" * 32}, value=b"\x05"),
        branch({1: b"\xaa" * 32, 2: [b"\x31", b"\x05"]}),
        branch(dict.fromkeys(range(16), b"\xaa" * 32)) + b"\x80",
        b"\xf9\x00\x51" + branch({1: b"\xaa" * 32, 2: b"\xbb" * 32})[2:],
        b"\xf8\x31" + rlp.encode([b"\xaa" * 32, *[b""] * 16])[1:],
    ],
    ids=["value", "inline child", "trailing byte", "long length", "one child in a long list"],
)
def test_hashed_branch__neighbours_of_one__left_to_the_decoder(raw: bytes) -> None:
    assert _hashed_branch(raw) is None


def test_node_set__every_kind_of_node__decided_as_without_places() -> None:
    below = leaf("1" * 62, b"\x05" * 20)
    fork = branch({1: hash_of(below), 2: b"\xbb" * 32})
    top = extension("1", hash_of(fork))

    nodes = NodeSet.from_nodes([top, fork, below])

    assert nodes.verify(hash_of(top), b"\x11" * 32, [top, fork, below]) == b"\x05" * 20
    assert nodes.verify(hash_of(top), b"\x13" + b"\x11" * 31, [top, fork]) is None


@given(st.integers(1, 2**256 - 1))
@example(0x7F)
@example(0x80)
@example(0xFF)
@example(0x100)
@example(2**256 - 1)
def test_word__any_value__as_written(value: int) -> None:
    built = build_trie({slot_hash(3): rlp.encode(value), slot_hash(4): b"\x01"})

    assert verify_storage(built.root, 3, built.prove(slot_hash(3))) == value


@pytest.mark.parametrize(
    "word",
    [
        b"\x81\x7f",
        b"\x82\x00\x80",
        b"\x83\x01\x02",
        b"\x82\x01\x02\x03",
        b"\xa1" + b"\x01" * 33,
        b"\xc2\x01\x02",
        b"\x00",
    ],
    ids=["wrapped byte", "leading zero", "cut", "trailing byte", "33 bytes", "list", "zero byte"],
)
def test_word__neighbours_of_a_word__refused(word: bytes) -> None:
    built = build_trie({slot_hash(3): word, slot_hash(4): b"\x01"})

    with pytest.raises(InvalidProof) as caught:
        verify_storage(built.root, 3, built.prove(slot_hash(3)))
    assert caught.value.rule == Rule.STORAGE_VALUE
