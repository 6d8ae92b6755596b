"""The attestation's structs: hashes, orders, trees and rules."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import proofs
from proofs import attestation
from proofs.attestation import (
    CODECS,
    Domain,
    MarginLeg,
    MarginRoot,
    accounts_tree,
    check_legs,
    check_root,
    digest,
    domain_separator,
    hash_leaf,
    hash_leg,
    hash_root,
    leg_key,
    legs_root,
    missing_anchor,
    snapshot_root,
    verify_leaf,
)
from proofs.errors import ConstructionRefused, InvalidAttestation, InvalidProof
from proofs.keccak import keccak256
from proofs.types import (
    ZERO_HASH,
    AccountId,
    Address,
    Assurance,
    Encumbrance,
    Finality,
    Hash32,
    LegKind,
    Quality,
    Status,
)
from tests.proofs import structs

WIRE = json.loads((Path(proofs.__file__).parent / "contracts" / "wire.json").read_text())
DOMAIN = Domain(31337001, Address(b"\x11" * 20))


def good_root(**changes: object) -> MarginRoot:
    root = MarginRoot(Hash32(b"\1" * 32), 120, 100, 400, 7, 0, 1, Hash32(b"\2" * 32), Hash32(b"\3" * 32))
    return replace(root, **changes)


def good_leg(number: int, value: int, initial: int = 0, maintenance: int = 0) -> MarginLeg:
    return MarginLeg(
        Hash32(b"\1" * 32),
        Hash32(b"\2" * 32),
        Hash32(number.to_bytes(32, "big")),
        LegKind.LOCK,
        Encumbrance.ESCROWED,
        Assurance.STATE_PROOF,
        5,
        10**18,
        50_000,
        0,
        value,
        initial,
        maintenance,
    )


def leaf_of(legs: tuple[MarginLeg, ...], *figures: int) -> attestation.MarginLeaf:
    return attestation.MarginLeaf(
        AccountId(b"\1" * 32),
        Hash32(b"\2" * 32),
        Status.HEALTHY,
        Assurance.STATE_PROOF,
        Quality.NONE,
        *figures,
        legs_root(legs),
    )


# --- the wire --------------------------------------------------------------------------------------------------------


def test_wire_numbers__equal_the_shared_file() -> None:
    for name, enumeration in (
        ("status", Status),
        ("assurance", Assurance),
        ("kind", LegKind),
        ("encumbrance", Encumbrance),
        ("finality", Finality),
    ):
        assert {member.name.lower(): int(member) for member in enumeration} == WIRE[name]
    bits = {bit.name: bit.bit_length() - 1 for bit in Quality if bit.name is not None}
    assert {name.lower(): number for name, number in bits.items()} == WIRE["quality_bit"]


def test_type_strings_and_domain__equal_the_shared_file() -> None:
    assert tuple(WIRE["type_strings"].values()) == attestation.TYPE_STRINGS
    assert WIRE["domain"] == {"name": attestation.DOMAIN_NAME, "version": attestation.DOMAIN_VERSION}


def test_tables__have_the_fields_of_their_structs_in_order() -> None:
    kinds = (attestation.MarginRoot, attestation.MarginLeaf, attestation.ChainAnchor, attestation.MarginLeg)
    for codec, kind in zip(CODECS, kinds, strict=True):
        assert [field.name for field in codec.fields] == [field.name for field in fields(kind)]


def test_hash__is_keccak_of_type_hash_and_words() -> None:
    """Spelt out by hand for the root: the type string is the specification's."""
    text = (
        "MarginRoot(bytes32 policyId,uint64 frame,uint64 asOf,uint64 validUntil,uint32 skew,uint32 signerEpoch,"
        "uint64 leafCount,bytes32 snapshotRoot,bytes32 accountsRoot)"
    )
    numbers = b"".join(number.to_bytes(32, "big") for number in (120, 100, 400, 7, 0, 1))
    words = b"\1" * 32 + numbers + b"\2" * 32 + b"\3" * 32

    assert hash_root(good_root()) == keccak256(keccak256(text.encode()) + words)


def test_digest__is_prefixed_and_bound_to_the_domain() -> None:
    root = good_root()

    assert digest(DOMAIN, root) == keccak256(b"\x19\x01" + domain_separator(DOMAIN) + hash_root(root))
    assert digest(DOMAIN, root) != digest(replace(DOMAIN, chain_number=31337002), root)
    assert digest(DOMAIN, root) != digest(replace(DOMAIN, verifying_contract=Address(b"\x12" * 20)), root)


@pytest.mark.parametrize(
    "domain",
    [
        Domain(0, DOMAIN.verifying_contract),
        Domain(-1, DOMAIN.verifying_contract),
        Domain(2**256, DOMAIN.verifying_contract),
        Domain(1, Address(bytes(20))),
        Domain(1, Address(b"\1" * 19)),
    ],
)
def test_domain__with_an_empty_field__is_refused(domain: Domain) -> None:
    with pytest.raises(InvalidAttestation):
        domain_separator(domain)


# --- trees -----------------------------------------------------------------------------------------------------------


def _leaves(count: int) -> list[attestation.MarginLeaf]:
    random = Random(count)
    return [replace(structs.leaf(random), account_id=AccountId(bytes([number]) * 32)) for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9])
def test_accounts_tree__proves_every_leaf_at_its_place(count: int) -> None:
    leaves = _leaves(count)
    tree = accounts_tree(leaves)
    root = good_root(accounts_root=Hash32(tree.root), leaf_count=count)

    for index, leaf in enumerate(leaves):
        verify_leaf(root, leaf, tree.proof(index))
        with pytest.raises(InvalidProof):
            verify_leaf(root, replace(leaf, collateral_usd=leaf.collateral_usd ^ 1), tree.proof(index))


def test_accounts_tree__of_one_leaf__is_its_hash() -> None:
    (leaf,) = _leaves(1)

    assert accounts_tree([leaf]).root == hash_leaf(leaf)


def test_accounts_tree__not_strictly_rising__is_refused() -> None:
    first, second = _leaves(2)

    for leaves in ([second, first], [first, first], [first, replace(second, account_id=first.account_id)]):
        with pytest.raises(InvalidAttestation, match="does not come after"):
            accounts_tree(leaves)
    with pytest.raises(ConstructionRefused):
        accounts_tree([])


def test_th_091_zero_root_and_empty_tree__verify_no_leaf() -> None:
    (leaf,) = _leaves(1)

    for root in (good_root(accounts_root=ZERO_HASH), good_root(leaf_count=0)):
        with pytest.raises(InvalidProof):
            verify_leaf(root, leaf, ())


@given(st.permutations(range(6)))
def test_legs_root__of_any_order__is_the_same(order: list[int]) -> None:
    legs = [good_leg(number, number) for number in range(6)]

    assert legs_root(legs[number] for number in order) == legs_root(legs)


def test_legs_root__without_legs__is_zero_and_of_one_leg_its_hash() -> None:
    assert legs_root(()) == ZERO_HASH
    assert legs_root((good_leg(1, 1),)) == hash_leg(good_leg(1, 1))


def test_legs_root__with_a_key_twice__is_refused() -> None:
    with pytest.raises(InvalidAttestation, match="twice"):
        legs_root((good_leg(1, 1), good_leg(1, 2)))


def test_leg_key__every_part_tells_legs_apart() -> None:
    leg = good_leg(1, 1)
    others = (
        replace(leg, holder_key=Hash32(b"\7" * 32)),
        replace(leg, chain_key=Hash32(b"\7" * 32)),
        replace(leg, asset_key=Hash32(b"\7" * 32)),
        replace(leg, kind=LegKind.DEBT),
        replace(leg, encumbrance=Encumbrance.FREE),
    )

    assert len({leg_key(each) for each in (leg, *others)}) == 6
    assert legs_root((leg, *others)) != ZERO_HASH


def test_snapshot_root__in_any_order__is_the_same_and_holds_missing_chains() -> None:
    random = Random(9)
    hashes = [Hash32(random.randbytes(32)) for _ in range(3)]
    present = replace(
        structs.anchor(random),
        chain_key=Hash32(b"\1" * 32),
        block_hash=hashes[0],
        state_root=hashes[1],
        readings_root=hashes[2],
        finality=Finality.SAFE,
    )
    missing = missing_anchor(Hash32(b"\2" * 32))

    assert snapshot_root((present, missing)) == snapshot_root((missing, present)) != snapshot_root((present,))
    for anchors in (
        (present, present),
        (replace(missing, block_number=1),),
        (replace(missing, finality=Finality.LATEST),),
        (replace(present, state_root=ZERO_HASH),),
        (replace(present, readings_root=ZERO_HASH),),
    ):
        with pytest.raises(InvalidAttestation):
            snapshot_root(anchors)


# --- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"accounts_root": ZERO_HASH}, "zero_root"),
        ({"snapshot_root": ZERO_HASH}, "zero_root"),
        ({"leaf_count": 0}, "empty_tree"),
        ({"as_of": 121}, "as_of_after_frame"),
        ({"valid_until": 99}, "valid_until_before_as_of"),
        ({"frame": 2**64}, "field_range"),
    ],
)
def test_root__breaking_a_rule__is_refused_by_its_name(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(InvalidAttestation) as refusal:
        check_root(good_root(**changes))

    assert refusal.value.rule == rule


@pytest.mark.parametrize("changes", [{}, {"as_of": 120}, {"valid_until": 100}])
def test_root__at_the_bounds__is_accepted(changes: dict[str, object]) -> None:
    check_root(good_root(**changes))


def test_legs__adding_up__are_accepted_and_one_unit_off_is_refused() -> None:
    legs = (good_leg(1, 1000), good_leg(2, -300, 50, 30), good_leg(3, 7, 1, 1), good_leg(4, 0, 9, 0))
    leaf = leaf_of(legs, 1007, 300, 60, 31)

    check_legs(leaf, legs)

    for figure in ("collateral_usd", "liability_usd", "initial_margin_usd", "maintenance_margin_usd"):
        for change in (-1, 1):
            with pytest.raises(InvalidAttestation, match="legs_sum"):
                check_legs(replace(leaf, **{figure: getattr(leaf, figure) + change}), legs)


def test_legs__other_than_the_leaf_commits_to__are_refused() -> None:
    legs = (good_leg(1, 1000), good_leg(2, -300))

    with pytest.raises(InvalidAttestation, match="legs_root"):
        check_legs(leaf_of(legs, 1000, 300, 0, 0), legs[:1])


def test_legs__of_an_unknown_leaf__add_up_to_its_bounds_too() -> None:
    bound = 2**128 - 1
    legs = (good_leg(1, 1000), good_leg(2, -bound, bound, bound))
    leaf = replace(leaf_of(legs, 1000, bound, bound, bound), status=Status.UNKNOWN)

    check_legs(leaf, legs)

    with pytest.raises(InvalidAttestation, match="legs_sum"):
        check_legs(replace(leaf, liability_usd=bound - 1), legs)
