"""The policy: public, the same for every relayer of a deployment, hashed into every root.

Whatever could change a signed byte is here, and nothing else. Domain type only; the text form is `policy_document`.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.finality import FinalityRule
from chains.questions import ListQuestion, Question
from proofs.attestation import Domain
from proofs.types import Address, ChainId, Hash32
from proofs.units import Ppm
from relayer.margin.rules import MarginRules


@dataclass(frozen=True, slots=True)
class ChainPolicy:
    """Say when and how a chain's block counts. `devnet` lets one provider do and marks every leaf."""

    chain: ChainId
    lag_s: int
    finality: FinalityRule
    bridge_haircut_ppm: Ppm
    devnet: bool


@dataclass(frozen=True, slots=True)
class SignerSet:
    """State the signer set that the verifier contract is expected to hold (n = len(addresses))."""

    addresses: tuple[Address, ...]
    k: int
    f: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Venue:
    """Name the venue, its verifier contract (on the same chain) and its id keccak(abi.encode(chainId, venue))."""

    chain: ChainId
    address: Address
    verifier: Address
    venue_id: Hash32


@dataclass(frozen=True, slots=True)
class Policy:
    """Hold one version of the policy. `canonical` is the RFC 8785 text whose keccak-256 is `policy_id`.

    `questions` and `lists` are everything that is read, in policy order; `rules` says what it is worth. A question's
    `column` equals the `column`, or the `frozen_column`, of exactly one source in `rules`.
    """

    name: str
    version: int
    policy_id: Hash32
    canonical: bytes
    frame_s: int
    deadline_s: int
    lifetime_s: int
    skew_s_max: int
    providers_configured_min: int
    providers_operators_min: int
    chains: tuple[ChainPolicy, ...]
    venue: Venue
    signers: SignerSet
    lists: tuple[ListQuestion, ...]
    questions: tuple[Question, ...]
    rules: MarginRules

    @property
    def domain(self) -> Domain:
        """Return the EIP-712 domain of the venue's verifier."""
        return Domain(int(self.venue.chain.split(":", 1)[1]), self.venue.verifier)

    @property
    def has_devnet(self) -> bool:
        """Tell whether any chain is a devnet, which marks every leaf."""
        return any(chain.devnet for chain in self.chains)
