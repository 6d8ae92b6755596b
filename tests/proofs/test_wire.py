"""The attestation's words: every field in its range, encoded alike by another encoder, read back strictly."""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs import attestation
from proofs.attestation import (
    CODECS,
    SignedRoot,
    abi_evidence,
    abi_leaf,
    abi_root,
    hash_anchor,
    hash_leaf,
    hash_leg,
    hash_root,
    leaf_from_abi,
    root_from_abi,
)
from proofs.errors import InvalidAttestation
from proofs.keccak import keccak256
from proofs.types import (
    ZERO_HASH,
    Hash32,
    Quality,
    Status,
)
from tests.proofs import structs

# --- ranges ----------------------------------------------------------------------------------------------------------


def test_every_field__one_beyond_its_range__is_refused_by_name() -> None:
    random = Random(1)
    makers = (structs.root, structs.leaf, structs.anchor, structs.leg)
    for codec, make in zip(CODECS, makers, strict=True):
        struct = make(random)
        for field in codec.fields:
            bounds = field.bounds
            wrong = (bytes(31), bytes(33), b"") if bounds is None else (bounds[0] - 1, bounds[1] + 1)
            for value in wrong:
                with pytest.raises(InvalidAttestation, match=field.name):
                    codec.encode(replace(struct, **{field.name: value}))


def test_every_field__at_both_ends_of_its_range__is_encoded() -> None:
    random = Random(2)
    makers = (structs.root, structs.leaf, structs.anchor, structs.leg)
    for codec, make in zip(CODECS, makers, strict=True):
        struct = make(random)
        for at, field in enumerate(codec.fields):
            for value in field.bounds or ():
                raw = codec.encode(replace(struct, **{field.name: value}))
                assert int.from_bytes(raw[32 * at : 32 * at + 32], "big") == value % 2**256


def test_every_field__changed__changes_the_hash() -> None:
    random = Random(3)
    hashers = (hash_root, hash_leaf, hash_anchor, hash_leg)
    makers = (structs.root, structs.leaf, structs.anchor, structs.leg)
    for codec, make, hasher in zip(CODECS, makers, hashers, strict=True):
        struct = make(random)
        for field in codec.fields:
            value = getattr(struct, field.name)
            low = 0 if field.bounds is None else field.bounds[0]
            other = keccak256(value) if field.bounds is None else (value - 1 if value > low else value + 1)
            assert hasher(replace(struct, **{field.name: other})) != hasher(struct)


def test_th_099_encodings__are_as_long_as_their_struct_and_nothing_else() -> None:
    random = Random(4)

    assert len(abi_root(structs.root(random))) == 9 * 32
    assert len(abi_leaf(structs.leaf(random))) == 10 * 32
    assert not any("string" in text or "bytes " in text or "[]" in text for text in attestation.TYPE_STRINGS[1:])


# --- ABI -------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32))
def test_abi__read_back__is_the_struct(seed: int) -> None:
    random = Random(seed)
    root, leaf = structs.root(random), structs.leaf(random)

    assert root_from_abi(abi_root(root)) == root
    assert leaf_from_abi(abi_leaf(leaf)) == leaf
    assert isinstance(leaf_from_abi(abi_leaf(leaf)).status, Status)
    assert isinstance(leaf_from_abi(abi_leaf(leaf)).quality, Quality)


@pytest.mark.parametrize(("word", "value"), [(2, 6), (3, 4), (4, 1024), (5, 2**128), (8, 2**256 - 1)], ids=hex)
def test_abi_leaf__with_a_word_out_of_range__is_refused(word: int, value: int) -> None:
    raw = abi_leaf(structs.leaf(Random(5)))
    forged = raw[: 32 * word] + value.to_bytes(32, "big") + raw[32 * word + 32 :]

    with pytest.raises(InvalidAttestation):
        leaf_from_abi(forged)


@pytest.mark.parametrize("length", [0, 319, 321, 640])
def test_abi_leaf__of_another_length__is_refused(length: int) -> None:
    with pytest.raises(InvalidAttestation):
        leaf_from_abi(bytes(length))


def test_abi_evidence__is_what_an_independent_encoder_writes() -> None:
    from eth_abi import encode

    random = Random(6)
    root, leaf = structs.root(random), structs.leaf(random)
    root_types = "(bytes32,uint64,uint64,uint64,uint32,uint32,uint64,bytes32,bytes32)"
    leaf_types = "(bytes32,bytes32,uint8,uint8,uint16,uint128,uint128,uint128,uint128,bytes32)"
    for signatures, proof in ((b"", ()), (b"\1" * 68, (Hash32(b"\2" * 32),) * 3), (b"\1" * 64, ())):
        values = (
            tuple(getattr(root, field.name) for field in fields(root)),
            signatures,
            tuple(getattr(leaf, field.name) for field in fields(leaf)),
            proof,
        )
        expected = encode([f"({root_types},bytes,{leaf_types},bytes32[])"], [values])

        assert abi_evidence(SignedRoot(root, ZERO_HASH, signatures), leaf, proof) == expected
