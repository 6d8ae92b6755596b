"""The error tree: one root, typed fields, messages made of them."""

from __future__ import annotations

import pytest

from proofs.errors import (
    ConstructionRefused,
    InvalidAttestation,
    InvalidBundle,
    InvalidHeader,
    InvalidProof,
    InvalidRlp,
    LimitExceeded,
    ProofError,
    Rule,
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InvalidProof(Rule.NODE_HASH, 3, "expected 0xaa"), "invalid proof: node_hash: node 3: expected 0xaa"),
        (InvalidProof(Rule.NODE_EXTRA), "invalid proof: extra_node"),
        (InvalidRlp(Rule.RLP_LENGTH, 0), "invalid RLP: rlp_length: offset 0"),
        (InvalidHeader(Rule.HEADER_FIELD, "number", "missing"), "invalid header: header_field: number: missing"),
        (InvalidAttestation("quorum_not_met", "2 of 3"), "invalid attestation: quorum_not_met: 2 of 3"),
        (InvalidBundle("root.json", "digest"), "invalid bundle: root.json: digest"),
        (LimitExceeded("PROOF_NODES_MAX", 66, 67), "limit exceeded: PROOF_NODES_MAX: allowed 66, got 67"),
        (ConstructionRefused("merkle tree", "no leaves"), "construction refused: merkle tree: no leaves"),
    ],
)
def test_error__message__is_built_from_its_fields(error: ProofError, message: str) -> None:
    assert str(error) == message


def test_error__fields__are_plain_and_typed() -> None:
    proof, bundle, limit = InvalidProof(Rule.NODE_HASH, 3), InvalidBundle("a", "b", "c"), LimitExceeded("L", 1, 2)

    assert (proof.rule, proof.node, proof.detail) == ("node_hash", 3, "")
    assert type(proof.rule) is str
    assert (bundle.file, bundle.rule, bundle.detail) == ("a", "b", "c")
    assert (limit.limit, limit.allowed, limit.got) == ("L", 1, 2)
    assert (InvalidAttestation("r").rule, InvalidAttestation("r", "d").detail) == ("r", "d")


def test_rules__names__are_unique_and_stable_words() -> None:
    assert len({rule.value for rule in Rule}) == len(Rule)
    assert all(rule.value.isidentifier() and rule.value.islower() for rule in Rule)
