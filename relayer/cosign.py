"""Cosign: several relayers agree on what was read, then each signs the root that follows; n = 1 is no exception.

    own anchors -> AnchorVote (transport key) -> tally of votes -> FramePlan -> checked -> MarginRoot (margin key)

A *vote* says which block each chain contributes and what was read there (`readingsRoot`). A *plan* holds, for each
chain of the policy, the anchor that k votes agree on, with those votes; chains without are missing. A plan proves
itself: who checks it tallies its votes again. Votes are EIP-712 messages of the transport key under a domain of their
own; the margin key signs `MarginRoot` and nothing else (`relayer.pipeline.signing`).

Pure: no clock, no I/O. What is nobody's fault comes back as a `Refusal`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from proofs.attestation import (
    TYPE_STRINGS,
    ChainAnchor,
    Domain,
    MarginRoot,
    hash_anchor,
    missing_anchor,
    snapshot_root,
)
from proofs.errors import InvalidAttestation
from proofs.keccak import keccak256
from proofs.signers import recover
from proofs.types import Address, Finality, Hash32, to_hex

VOTES_MAX: Final = 32
"""As many as a signer set can have members; a plan with more is refused before any signature is checked."""

_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_ANCHOR_TYPE: Final = next(text for text in TYPE_STRINGS if text.startswith("ChainAnchor("))
_VOTE_TYPE: Final = f"AnchorVote(bytes32 policyId,uint64 frame,ChainAnchor[] anchors){_ANCHOR_TYPE}".encode()


class Rule(StrEnum):
    """Say why a frame was not signed; each is shown to the operator and counted."""

    NO_SIGNER = "no_signer"
    NO_CHAIN = "no_chain"
    NO_ACCOUNT = "no_account"
    TOO_FEW_VOTES = "too_few_votes"
    NO_PLAN = "no_plan"
    BAD_VOTE = "bad_vote"
    PLAN_DIFFERS = "plan_differs"
    READINGS_DIFFER = "readings_differ"
    VOTE_TAKEN = "vote_taken"
    SLOT_TAKEN = "slot_taken"
    LOWER_FRAME = "lower_frame"
    LEDGER = "ledger"
    SIGNATURE = "signature"
    TOO_FEW_SIGNATURES = "too_few_signatures"
    FUTURE = "future"
    EXPIRED = "expired"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Say which rule kept a frame from being signed, and what was expected and found."""

    rule: Rule
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Council:
    """Name who may vote: transport keys in signer order, the quorum, and the domain and chains they speak about.

    `chain_keys` are those of the policy's chains, ascending: a vote has one anchor for each.
    """

    members: tuple[Address, ...]
    k: int
    domain: Domain
    policy_id: Hash32
    chain_keys: tuple[Hash32, ...]


@dataclass(frozen=True, slots=True)
class AnchorVote:
    """State what one relayer read for a frame: one anchor per chain of the policy, ascending by chain key."""

    policy_id: Hash32
    frame: int
    anchors: tuple[ChainAnchor, ...]


@dataclass(frozen=True, slots=True)
class SignedVote:
    """Hold a vote with the 64-byte signature of its voter's transport key."""

    vote: AnchorVote
    voter: Address
    signature: bytes


@dataclass(frozen=True, slots=True)
class FramePlan:
    """Hold what a quorum agrees on for a frame, with the votes that show it, ascending by voter."""

    policy_id: Hash32
    frame: int
    anchors: tuple[ChainAnchor, ...]
    votes: tuple[SignedVote, ...]


def vote_digest(vote: AnchorVote, domain: Domain) -> Hash32:
    """Return the EIP-712 digest of a vote under the transport domain."""
    separator = keccak256(
        keccak256(_DOMAIN_TYPE)
        + keccak256(b"MarginRelayerTransport")
        + keccak256(b"1")
        + domain.chain_number.to_bytes(32, "big")
        + domain.verifying_contract.rjust(32, b"\0")
    )
    anchors = keccak256(b"".join(hash_anchor(anchor) for anchor in vote.anchors))
    struct = keccak256(keccak256(_VOTE_TYPE) + vote.policy_id + vote.frame.to_bytes(32, "big") + anchors)
    return Hash32(keccak256(b"\x19\x01" + separator + struct))


def vote_slot(policy_id: Hash32) -> Hash32:
    """Return the ledger slot of a policy's votes: a vote is given once per frame, like a signature."""
    return Hash32(keccak256(_VOTE_TYPE + policy_id))


def make_vote(council: Council, frame: int, anchors: Iterable[ChainAnchor]) -> AnchorVote:
    """Build the own vote; chains of the council without an anchor are voted missing."""
    own = {anchor.chain_key: anchor for anchor in anchors}
    return AnchorVote(council.policy_id, frame, tuple(own.get(key, missing_anchor(key)) for key in council.chain_keys))


def tally_votes(votes: Sequence[SignedVote], council: Council, frame: int) -> FramePlan | Refusal:
    """Return the plan that k valid votes carry; a chain without k equal anchors is missing in it.

    Votes that break a rule are left out, so that one faulty voter cannot spoil a frame. A vote that comes again counts
    once: anybody can repeat it. Two different votes of one voter count neither.
    """
    named = list(dict.fromkeys(vote for vote in votes if vote.voter in council.members))[:VOTES_MAX]
    valid = tuple(vote for vote in named if vote_fault(vote, council, frame) is None)
    voters = Counter(vote.voter for vote in valid)
    single = tuple(sorted((vote for vote in valid if voters[vote.voter] == 1), key=lambda vote: vote.voter))
    if len(single) < council.k:
        return Refusal(Rule.TOO_FEW_VOTES, f"{len(single)} valid votes of {len(council.members)}, {council.k} needed")
    return FramePlan(council.policy_id, frame, _agreed(single, council), single)


def check_plan(plan: FramePlan, own: Sequence[ChainAnchor], council: Council, frame: int) -> Refusal | None:
    """Return why this relayer must not sign by a plan, or None.

    The plan must be for this policy and frame, follow from its own votes, and name no block or reading that differs
    from ours. A chain that the plan calls missing is given up, even where we read it.
    """
    if (plan.policy_id, plan.frame) != (council.policy_id, frame):
        return Refusal(Rule.PLAN_DIFFERS, f"plan is for frame {plan.frame} of policy {to_hex(plan.policy_id)}")
    if len(plan.votes) > VOTES_MAX:
        return Refusal(Rule.BAD_VOTE, f"{len(plan.votes)} votes, at most {VOTES_MAX}")
    for vote in plan.votes:
        fault = vote_fault(vote, council, frame)
        if fault is not None:
            return fault
    tallied = tally_votes(plan.votes, council, frame)
    if isinstance(tallied, Refusal):
        return tallied
    if tallied != plan:
        return Refusal(Rule.PLAN_DIFFERS, "the plan does not follow from its votes")
    return _difference(plan, own)


def vote_fault(signed: SignedVote, council: Council, frame: int) -> Refusal | None:
    """Return the rule that a vote breaks, or None: right question, every chain once, signed by its member."""
    vote, voter = signed.vote, to_hex(signed.voter)
    if signed.voter not in council.members:
        return Refusal(Rule.BAD_VOTE, f"{voter} is no member")
    if (vote.policy_id, vote.frame) != (council.policy_id, frame):
        return Refusal(Rule.BAD_VOTE, f"vote of {voter} is for frame {vote.frame} of policy {to_hex(vote.policy_id)}")
    if tuple(anchor.chain_key for anchor in vote.anchors) != council.chain_keys:
        return Refusal(Rule.BAD_VOTE, f"vote of {voter} does not name each chain of the policy once, in order")
    try:
        snapshot_root(vote.anchors)  # every field in range; a missing chain has only zeros, a present one no zero hash
        signer = recover(vote_digest(vote, council.domain), signed.signature)
    except InvalidAttestation as error:
        return Refusal(Rule.BAD_VOTE, f"vote of {voter}: {error}")
    if signer != signed.voter:
        return Refusal(Rule.BAD_VOTE, f"vote of {voter} is signed by {to_hex(signer)}")
    return None


def present(plan: FramePlan) -> tuple[ChainAnchor, ...]:
    """Return the anchors of the chains that are not missing in a plan."""
    return tuple(anchor for anchor in plan.anchors if anchor.finality is not Finality.MISSING)


@dataclass(frozen=True, slots=True)
class RootTerms:
    """Hold what a root says beside the plan: all of it policy or evaluation."""

    lifetime_s: int
    signer_epoch: int
    leaf_count: int
    accounts_root: Hash32


def root_of(plan: FramePlan, terms: RootTerms) -> MarginRoot | Refusal:
    """Return the root that follows from a plan: `asOf` is its oldest block, `skew` newest less oldest."""
    times = [anchor.timestamp for anchor in present(plan)]
    if not times:
        return Refusal(Rule.NO_CHAIN, "no chain has an anchor that enough relayers agree on")
    if terms.leaf_count == 0:
        return Refusal(Rule.NO_ACCOUNT, "the frame has no account, so there is no tree to sign")
    return MarginRoot(
        policy_id=plan.policy_id,
        frame=plan.frame,
        as_of=min(times),
        valid_until=min(times) + terms.lifetime_s,
        skew=max(times) - min(times),
        signer_epoch=terms.signer_epoch,
        leaf_count=terms.leaf_count,
        snapshot_root=snapshot_root(plan.anchors),
        accounts_root=terms.accounts_root,
    )


def _agreed(votes: Sequence[SignedVote], council: Council) -> tuple[ChainAnchor, ...]:
    chosen = []
    for index, key in enumerate(council.chain_keys):
        counted = Counter(vote.vote.anchors[index] for vote in votes)
        anchor, count = counted.most_common(1)[0]
        chosen.append(anchor if count >= council.k else missing_anchor(key))
    return tuple(chosen)


def _difference(plan: FramePlan, own: Sequence[ChainAnchor]) -> Refusal | None:
    mine = {anchor.chain_key: anchor for anchor in own}
    for anchor in present(plan):
        held, chain = mine.get(anchor.chain_key), to_hex(anchor.chain_key)
        if held is None:
            return Refusal(Rule.READINGS_DIFFER, f"chain {chain} is in the plan and could not be read here")
        if held != anchor:
            return Refusal(Rule.READINGS_DIFFER, f"chain {chain}: {_first_difference(held, anchor)}")
    return None


def _first_difference(own: ChainAnchor, planned: ChainAnchor) -> str:
    for name in ("block_number", "block_hash", "state_root", "timestamp", "finality", "readings_root"):
        ours, theirs = getattr(own, name), getattr(planned, name)
        if ours != theirs:
            shown = [to_hex(value) if isinstance(value, bytes) else str(value) for value in (ours, theirs)]
            return f"{name}: ours {shown[0]}, the plan's {shown[1]}"
    return "equal"
