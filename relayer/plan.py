"""Plan: what a policy asks of each chain, and until when it is worth waiting. Pure: policy and chain state decide all.

    policy -> account lists -> accounts (sorted union over all chains) -> columns -> proofs of all that can be proven

The rows of every column are the same accounts in the same order, so two honest relayers ask for the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from chains.adapter import ProofRequest
from chains.readers import PRICES, column_of, list_of
from proofs import verify
from proofs.keccak import keccak256
from proofs.sheet import AccountList, AccountListSpec, ColumnSpec
from proofs.snapshot import ChainReading
from proofs.types import AccountId, ChainId, Finality, Hash32
from relayer.config.policy import ChainPolicy, Policy
from relayer.config.policy_rules import DEVNET_FINALITY_S, FINALITY_S, SLOT_S

_TAGS: Final = MappingProxyType({Finality.LATEST: "latest", Finality.SAFE: "safe", Finality.FINALIZED: "finalized"})


def chain_keys(policy: Policy) -> tuple[Hash32, ...]:
    """Return keccak-256 of each chain's CAIP-2 text, ascending: the order of the snapshot tree."""
    return tuple(sorted(Hash32(keccak256(chain.chain.encode())) for chain in policy.chains))


def devnets(policy: Policy) -> frozenset[ChainId]:
    """Return the chains on which one provider is a quorum."""
    return frozenset(chain.chain for chain in policy.chains if chain.devnet)


def list_specs(policy: Policy) -> Mapping[ChainId, tuple[AccountListSpec, ...]]:
    """Return per chain whom to ask for accounts, in policy order; a chain without lists has none."""
    return {
        chain.chain: tuple(list_of(question) for question in policy.lists if question.chain == chain.chain)
        for chain in policy.chains
    }


def account_union(listings: Iterable[AccountList]) -> tuple[AccountId, ...]:
    """Return every account that any contract names, ascending, each once."""
    return tuple(sorted({account for listing in listings for account in listing.accounts}))


def column_specs(policy: Policy, accounts: tuple[AccountId, ...]) -> Mapping[ChainId, tuple[ColumnSpec, ...]]:
    """Return per chain all columns over these accounts, in policy order."""
    return {
        chain.chain: tuple(column_of(asked, accounts) for asked in policy.questions if asked.chain == chain.chain)
        for chain in policy.chains
    }


def price_specs(policy: Policy) -> Mapping[ChainId, tuple[ColumnSpec, ...]]:
    """Return per chain the price columns alone; chains without prices are left out."""
    asked: dict[ChainId, tuple[ColumnSpec, ...]] = {}
    for question in policy.questions:
        if question.kind in PRICES:
            asked[question.chain] = (*asked.get(question.chain, ()), column_of(question, ()))
    return asked


def proof_requests(reading: ChainReading) -> tuple[ProofRequest, ...]:
    """Return what to have proven: account lists and columns that have a layout, of some columns `reading.cells`."""
    asked = verify.proof_requests(reading.account_lists, reading.sheet.account_lists, reading.columns, reading.cells)
    return tuple(ProofRequest(target, slots) for target, slots in asked)


def finality_s(chain: ChainPolicy) -> int:
    """Return how many seconds after its timestamp a block is final by the chain's rule, as an upper bound."""
    if chain.devnet:
        return DEVNET_FINALITY_S
    if chain.finality.kind is Finality.CONFIRMATIONS:
        return chain.finality.confirmations * SLOT_S
    return FINALITY_S[_TAGS[chain.finality.kind]]


def give_up_s(policy: Policy, chain: ChainPolicy, frame_s: int) -> int:
    """Return the Unix time from which a chain without a final block is missing from a frame."""
    return frame_s + finality_s(chain) + policy.deadline_s


def settled_s(policy: Policy) -> int:
    """Return how long after its time a frame's blocks are final on every chain, as a rule."""
    return max((max(0, finality_s(chain) - chain.lag_s) for chain in policy.chains), default=0)
