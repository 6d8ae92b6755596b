"""INV-24: everything relied on is under the signature, and nothing else is signed."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.attestation import (
    CODECS,
    Domain,
    MarginLeaf,
    MarginRoot,
    accounts_tree,
    digest,
    hash_leaf,
    snapshot_root,
    verify_leaf,
)
from proofs.bundle import Verdict, read_bundle, verify_bundle, write_bundle
from proofs.errors import InvalidAttestation, InvalidProof
from proofs.merkle import hash_pair
from proofs.signers import verify_signed_root
from proofs.types import AccountId, Address, Hash32
from tests.proofs import structs
from tests.proofs.evidence_frame import DOMAIN, SET, contents, signed_by

WHOLE = contents()
ROOT = WHOLE.signed.root


def tree_of(count: int) -> tuple[MarginRoot, list[MarginLeaf], list[tuple[bytes, ...]]]:
    random = Random(count)
    leaves = [
        replace(structs.leaf(random), account_id=AccountId(number.to_bytes(32, "big"))) for number in range(count)
    ]
    tree = accounts_tree(leaves)
    root = replace(ROOT, leaf_count=count, accounts_root=Hash32(tree.root))
    return root, leaves, [tree.proof(index) for index in range(count)]


def test_inv_24_bundle__alone__yields_the_signed_bytes_again() -> None:
    read = read_bundle(write_bundle(WHOLE))

    outcome = verify_bundle(read, {})

    assert outcome.verdict is Verdict.VERIFIED
    assert digest(read.domain, read.signed.root) == WHOLE.signed.digest
    assert outcome.snapshot is not None
    assert snapshot_root(outcome.snapshot.anchors()) == ROOT.snapshot_root


def test_inv_24_root__changed_in_any_field__has_no_quorum() -> None:
    verify_signed_root(WHOLE.signed, DOMAIN, SET)

    for field in CODECS[0].fields:
        value = getattr(ROOT, field.name)
        other = Hash32(bytes(31) + b"\7") if isinstance(value, bytes) else value + 1
        changed = replace(ROOT, **{field.name: other})
        forged = replace(WHOLE.signed, root=changed, digest=digest(DOMAIN, changed))

        with pytest.raises(InvalidAttestation):
            verify_signed_root(forged, DOMAIN, SET)


@pytest.mark.parametrize("domain", [Domain(31337002, DOMAIN.verifying_contract), Domain(31337001, Address(b"\7" * 20))])
def test_inv_24_root__for_another_chain_or_contract__has_no_quorum(domain: Domain) -> None:
    with pytest.raises(InvalidAttestation):
        verify_signed_root(replace(WHOLE.signed, digest=digest(domain, ROOT)), domain, SET)
    verify_signed_root(signed_by(ROOT, domain), domain, SET)


@given(st.integers(1, 40), st.data())
def test_inv_24_leaf__of_any_tree__stands_in_its_own_place_alone(count: int, data: st.DataObject) -> None:
    root, leaves, proofs = tree_of(count)
    index = data.draw(st.integers(0, count - 1))
    leaf = leaves[index]

    verify_leaf(root, leaf, proofs[index])

    for field in CODECS[1].fields:
        value = getattr(leaf, field.name)
        other = Hash32(b"\7" * 32) if isinstance(value, bytes) else value - 1 if value else value + 1
        with pytest.raises(InvalidProof):
            verify_leaf(root, replace(leaf, **{field.name: other}), proofs[index])


@given(st.integers(2, 40), st.data())
def test_inv_24_inner_node__never_passes_as_a_leaf(count: int, data: st.DataObject) -> None:
    """A shortened proof speaks of an inner node; its depth, and the hash of a struct, refuse it."""
    root, leaves, proofs = tree_of(count)
    index = data.draw(st.integers(0, count - 1))

    for cut in range(1, len(proofs[index]) + 1):
        with pytest.raises(InvalidProof):
            verify_leaf(root, leaves[index], proofs[index][cut:])
    if count == 2:
        assert root.accounts_root == hash_pair(hash_leaf(leaves[0]), hash_leaf(leaves[1]))


def test_inv_24_struct_encodings__are_longer_than_an_inner_node_and_differ_from_each_other() -> None:
    lengths = [32 + 32 * len(codec.fields) for codec in CODECS]

    assert min(lengths) > 64
    assert len(set(lengths)) == len(lengths)
    assert len({codec.type_hash for codec in CODECS}) == len(CODECS)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 11])
def test_inv_24_leaf_left_out_or_added__changes_the_root(count: int) -> None:
    root, leaves, _ = tree_of(count)

    assert all(
        accounts_tree(leaves[:at] + leaves[at + 1 :]).root != root.accounts_root for at in range(count) if count > 1
    )
    more = replace(leaves[0], account_id=AccountId(b"\xff" * 32))
    assert accounts_tree([*leaves, more]).root != root.accounts_root


def test_inv_24_chain_left_out__changes_the_snapshot_root() -> None:
    assert snapshot_root(WHOLE.anchors[:1]) != ROOT.snapshot_root != snapshot_root(WHOLE.anchors[1:])
