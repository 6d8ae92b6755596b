"""The attestation's structs. (Hashing, digest and signature counting are added by the owner of this module.)"""

from __future__ import annotations

from dataclasses import dataclass

from proofs.types import AccountId, Address, Assurance, Encumbrance, Finality, Hash32, LegKind, Quality, Status


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
