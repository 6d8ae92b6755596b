"""The attestation: four structs, their EIP-712 hashes, and the trees over them.

    hashStruct(s)    keccak(typeHash ‖ one 32-byte word per field)         every field is static, nothing is packed
    digest           keccak(0x1901 ‖ domainSeparator ‖ hashStruct(root))   what a margin key signs, and all it signs
    accountsRoot     tree over leaves, strictly rising by account id
    snapshotRoot     tree over anchors, rising by chain key, missing chains included
    legsRoot         tree over a leaf's legs, rising by (holder, chain, asset, kind, encumbrance); no legs: zero

The type strings are generated from the tables below, which also bound every field: a value that does not fit, or an
enumeration's number that does not exist, is `InvalidAttestation` with the field's name; nothing is cut off.
Signatures are in `proofs.signers`. Source: EIP-712; the numbers are those of `proofs/contracts/wire.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from proofs.errors import InvalidAttestation
from proofs.keccak import keccak256
from proofs.merkle import MerkleTree, merkle_root, verify_merkle_proof
from proofs.types import (
    ZERO_ADDRESS,
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
from proofs.wire import AttestationRule, Field, StructCodec, uint_word

DOMAIN_NAME: Final = "MarginVerifier"
DOMAIN_VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Domain:
    """Bind a signature to one verifier contract on one chain (EIP-712, name MarginVerifier, version 1)."""

    chain_number: int
    verifying_contract: Address


@dataclass(frozen=True, slots=True)
class MarginRoot:
    """The one signed object: one per policy and frame."""

    policy_id: Hash32
    frame: int
    as_of: int
    valid_until: int
    skew: int
    signer_epoch: int
    leaf_count: int
    snapshot_root: Hash32
    accounts_root: Hash32


@dataclass(frozen=True, slots=True)
class MarginLeaf:
    """One account's figures at one venue; money is UsdE18, unsigned with a role."""

    account_id: AccountId
    venue_id: Hash32
    status: Status
    assurance: Assurance
    quality: Quality
    collateral_usd: int
    liability_usd: int
    initial_margin_usd: int
    maintenance_margin_usd: int
    legs_root: Hash32


@dataclass(frozen=True, slots=True)
class ChainAnchor:
    """One chain's block and what was read there; a missing chain has finality MISSING and zeros."""

    chain_key: Hash32
    block_number: int
    block_hash: Hash32
    state_root: Hash32
    timestamp: int
    finality: Finality
    readings_root: Hash32


@dataclass(frozen=True, slots=True)
class MarginLeg:
    """One signed term of a leaf; legs add up to the leaf's four figures.

    `value_usd` is positive for collateral (down) and negative for liability (magnitude up).
    """

    holder_key: Hash32
    chain_key: Hash32
    asset_key: Hash32
    kind: LegKind
    encumbrance: Encumbrance
    assurance: Assurance
    amount_raw: int
    price_e18: int
    haircut_ppm: int
    entry_value_usd: int
    value_usd: int
    initial_usd: int
    maintenance_usd: int


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """A root with its signature blob: uint32 bitmap ‖ 64-byte EIP-2098 signatures ascending by signer index."""

    root: MarginRoot
    digest: Hash32
    signatures: bytes


# --- what is signed --------------------------------------------------------------------------------------------------


def digest(domain: Domain, root: MarginRoot) -> Hash32:
    """Return the 32 bytes that margin keys sign.

    Raises `InvalidAttestation` for a field out of range.
    """
    return Hash32(keccak256(b"\x19\x01" + domain_separator(domain) + hash_root(root)))


def domain_separator(domain: Domain) -> Hash32:
    """Return the EIP-712 domain separator; all four fields are mandatory.

    Raises `InvalidAttestation` for a chain number that is not positive and for the zero contract.
    """
    if not 0 < domain.chain_number < 2**256:
        raise InvalidAttestation(AttestationRule.FIELD_RANGE, f"domain chain number {domain.chain_number}")
    if len(domain.verifying_contract) != 20 or domain.verifying_contract == ZERO_ADDRESS:
        raise InvalidAttestation(AttestationRule.FIELD_LENGTH, "domain verifying contract: 20 bytes that are not zero")
    words = domain.chain_number.to_bytes(32, "big") + domain.verifying_contract.rjust(32, b"\0")
    return Hash32(keccak256(_DOMAIN_HEAD + words))


def hash_root(root: MarginRoot) -> Hash32:
    """Return hashStruct of a root."""
    return Hash32(keccak256(ROOT_CODEC.type_hash + ROOT_CODEC.encode(root)))


def hash_leaf(leaf: MarginLeaf) -> Hash32:
    """Return hashStruct of a leaf: its word in the accounts tree."""
    return Hash32(keccak256(LEAF_CODEC.type_hash + LEAF_CODEC.encode(leaf)))


def hash_anchor(anchor: ChainAnchor) -> Hash32:
    """Return hashStruct of an anchor: its word in the snapshot tree."""
    return Hash32(keccak256(ANCHOR_CODEC.type_hash + ANCHOR_CODEC.encode(anchor)))


def hash_leg(leg: MarginLeg) -> Hash32:
    """Return hashStruct of a leg: its word in the legs tree."""
    return Hash32(keccak256(LEG_CODEC.type_hash + LEG_CODEC.encode(leg)))


# --- trees -----------------------------------------------------------------------------------------------------------


def accounts_tree(leaves: Sequence[MarginLeaf]) -> MerkleTree:
    """Build the accounts tree; `tree.proof(i)` proves `leaves[i]`, so the order is demanded here, not made.

    Raises `InvalidAttestation` unless account ids rise strictly, `ConstructionRefused` without leaves.
    """
    for before, after in pairwise(leaves):
        if before.account_id >= after.account_id:
            detail = f"account 0x{after.account_id.hex()} does not come after 0x{before.account_id.hex()}"
            raise InvalidAttestation(AttestationRule.LEAF_ORDER, detail)
    return MerkleTree.from_leaves([hash_leaf(leaf) for leaf in leaves])


def snapshot_root(anchors: Iterable[ChainAnchor]) -> Hash32:
    """Return the root over all chains of the policy, missing ones included, whatever the order given.

    Raises `InvalidAttestation` for a repeated chain and for a missing one with contents (or a present one without),
    `ConstructionRefused` without anchors.
    """
    ordered = sorted(anchors, key=lambda anchor: anchor.chain_key)
    for anchor in ordered:
        _check_anchor(anchor)
    _refuse_repeats("chain", [anchor.chain_key for anchor in ordered])
    return Hash32(merkle_root([hash_anchor(anchor) for anchor in ordered]))


def legs_root(legs: Iterable[MarginLeg]) -> Hash32:
    """Return the root over a leaf's legs, whatever the order given; without legs the zero word.

    Raises `InvalidAttestation` for two legs with the same key.
    """
    ordered = sorted(legs, key=leg_key)
    _refuse_repeats("leg", [leg_key(leg) for leg in ordered])
    return Hash32(merkle_root([hash_leg(leg) for leg in ordered])) if ordered else ZERO_HASH


def leg_key(leg: MarginLeg) -> tuple[bytes, bytes, bytes, int, int]:
    """Return what orders a leaf's legs and may occur once."""
    return leg.holder_key, leg.chain_key, leg.asset_key, leg.kind, leg.encumbrance


def missing_anchor(chain_key: Hash32) -> ChainAnchor:
    """Return the anchor of a chain that is missing from the frame."""
    return ChainAnchor(chain_key, 0, ZERO_HASH, ZERO_HASH, 0, Finality.MISSING, ZERO_HASH)


# --- rules of one root, one leaf -------------------------------------------------------------------------------------


def check_root(root: MarginRoot) -> None:
    """Check what holds of every root, whatever the policy: fields in range, leaves under it, times in order.

    Raises `InvalidAttestation` by rule.
    """
    ROOT_CODEC.encode(root)
    if ZERO_HASH in (root.accounts_root, root.snapshot_root):
        raise InvalidAttestation(AttestationRule.ZERO_ROOT, "accounts or snapshot root is zero")
    if root.leaf_count == 0:
        raise InvalidAttestation(AttestationRule.EMPTY_TREE, "leaf count 0")
    if root.as_of > root.frame:
        raise InvalidAttestation(AttestationRule.AS_OF_AFTER_FRAME, f"as of {root.as_of}, frame {root.frame}")
    if root.valid_until < root.as_of:
        detail = f"valid until {root.valid_until}, as of {root.as_of}"
        raise InvalidAttestation(AttestationRule.VALID_UNTIL_BEFORE_AS_OF, detail)


def check_legs(leaf: MarginLeaf, legs: Sequence[MarginLeg]) -> None:
    """Check that legs are those of the leaf and add up to its four figures; an unknown leaf's bounds are a leg, too.

    Raises `InvalidAttestation` by rule.
    """
    root = legs_root(legs)
    if root != leaf.legs_root:
        detail = f"computed 0x{root.hex()}, leaf has 0x{leaf.legs_root.hex()}"
        raise InvalidAttestation(AttestationRule.LEGS_ROOT, detail)
    sums = (
        ("collateral", leaf.collateral_usd, sum(leg.value_usd for leg in legs if leg.value_usd > 0)),
        ("liability", leaf.liability_usd, -sum(leg.value_usd for leg in legs if leg.value_usd < 0)),
        ("initial margin", leaf.initial_margin_usd, sum(leg.initial_usd for leg in legs)),
        ("maintenance margin", leaf.maintenance_margin_usd, sum(leg.maintenance_usd for leg in legs)),
    )
    for name, figure, total in sums:
        if figure != total:
            raise InvalidAttestation(AttestationRule.LEGS_SUM, f"{name}: leaf {figure}, legs {total}")


def verify_leaf(root: MarginRoot, leaf: MarginLeaf, proof: Sequence[bytes]) -> None:
    """Check that a leaf stands under a root, by the contract's rules; return nothing or raise.

    Raises `InvalidProof` for a zero root, an empty tree, a depth that its tree does not have, and another root;
    `InvalidAttestation` for a field out of range.
    """
    verify_merkle_proof(root.accounts_root, hash_leaf(leaf), proof, root.leaf_count)


# --- ABI words -------------------------------------------------------------------------------------------------------


def abi_root(root: MarginRoot) -> bytes:
    """Return the 288 bytes of a root as Solidity takes it."""
    return ROOT_CODEC.encode(root)


def abi_leaf(leaf: MarginLeaf) -> bytes:
    """Return the 320 bytes of a leaf as Solidity takes it."""
    return LEAF_CODEC.encode(leaf)


def abi_evidence(signed: SignedRoot, leaf: MarginLeaf, proof: Sequence[Hash32]) -> bytes:
    """Return abi.encode of the contract's `Evidence` (root, signatures, leaf, proof), one dynamic tuple."""
    head = len(abi_root(signed.root)) + 32 + len(abi_leaf(leaf)) + 32
    blob = signed.signatures
    padded = uint_word(len(blob)) + blob + bytes(-len(blob) % 32)
    words = (abi_root(signed.root), uint_word(head), abi_leaf(leaf), uint_word(head + len(padded)))
    return b"".join((uint_word(32), *words, padded, uint_word(len(proof)), *proof))


def root_from_abi(raw: bytes) -> MarginRoot:
    """Parse the 288 bytes of a root. Raises `InvalidAttestation` for another length or a word out of range."""
    return MarginRoot(*ROOT_CODEC.decode(raw))  # type: ignore[arg-type]  # the table has the fields' order and types


def leaf_from_abi(raw: bytes) -> MarginLeaf:
    """Parse the 320 bytes of a leaf. Raises `InvalidAttestation` for another length or a word out of range."""
    return MarginLeaf(*LEAF_CODEC.decode(raw))  # type: ignore[arg-type]  # the table has the fields' order and types


# --- tables ----------------------------------------------------------------------------------------------------------

_DOMAIN_TYPE: Final = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_DOMAIN_HEAD: Final = b"".join(keccak256(text.encode()) for text in (_DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION))

ROOT_CODEC: Final = StructCodec(
    "MarginRoot",
    Field("policy_id", "bytes32"),
    Field("frame", "uint64"),
    Field("as_of", "uint64"),
    Field("valid_until", "uint64"),
    Field("skew", "uint32"),
    Field("signer_epoch", "uint32"),
    Field("leaf_count", "uint64"),
    Field("snapshot_root", "bytes32"),
    Field("accounts_root", "bytes32"),
)
LEAF_CODEC: Final = StructCodec(
    "MarginLeaf",
    Field("account_id", "bytes32"),
    Field("venue_id", "bytes32"),
    Field("status", "uint8", Status),
    Field("assurance", "uint8", Assurance),
    Field("quality", "uint16", Quality),
    Field("collateral_usd", "uint128"),
    Field("liability_usd", "uint128"),
    Field("initial_margin_usd", "uint128"),
    Field("maintenance_margin_usd", "uint128"),
    Field("legs_root", "bytes32"),
)
ANCHOR_CODEC: Final = StructCodec(
    "ChainAnchor",
    Field("chain_key", "bytes32"),
    Field("block_number", "uint64"),
    Field("block_hash", "bytes32"),
    Field("state_root", "bytes32"),
    Field("timestamp", "uint64"),
    Field("finality", "uint8", Finality),
    Field("readings_root", "bytes32"),
)
LEG_CODEC: Final = StructCodec(
    "MarginLeg",
    Field("holder_key", "bytes32"),
    Field("chain_key", "bytes32"),
    Field("asset_key", "bytes32"),
    Field("kind", "uint8", LegKind),
    Field("encumbrance", "uint8", Encumbrance),
    Field("assurance", "uint8", Assurance),
    Field("amount_raw", "int256"),
    Field("price_e18", "uint256"),
    Field("haircut_ppm", "uint32"),
    Field("entry_value_usd", "int256"),
    Field("value_usd", "int256"),
    Field("initial_usd", "uint128"),
    Field("maintenance_usd", "uint128"),
)
CODECS: Final = (ROOT_CODEC, LEAF_CODEC, ANCHOR_CODEC, LEG_CODEC)
TYPE_STRINGS: Final = (_DOMAIN_TYPE, *(codec.type_string for codec in CODECS))


def _check_anchor(anchor: ChainAnchor) -> None:
    hashes = (anchor.block_hash, anchor.state_root, anchor.readings_root)
    if anchor.finality is Finality.MISSING:
        is_wrong = anchor != missing_anchor(anchor.chain_key)
    else:
        is_wrong = ZERO_HASH in hashes
    if is_wrong:
        detail = f"chain 0x{anchor.chain_key.hex()}: a missing chain has only zeros, a present one no zero hash"
        raise InvalidAttestation(AttestationRule.MISSING_ANCHOR, detail)


def _refuse_repeats(what: str, keys: Sequence[object]) -> None:
    for before, after in pairwise(keys):
        if before == after:
            raise InvalidAttestation(AttestationRule.LEAF_ORDER, f"{what} occurs twice: {after!r}")
