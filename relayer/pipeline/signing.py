"""Signing of one frame: agree on what was read, reserve the slot, sign, recover, gather, count.

    agree     vote -> ledger -> votes of all -> plan -> checked
    hold      root -> ledger -> sign only what the ledger returned -> recover -> record
    gather    signatures of all -> recovered -> counted

The ledger row is durable before a key is used, for votes and for roots alike. Nothing leaves that was not recovered
to the own address. Whatever keeps a frame from being signed comes back as a `Refusal`; a fault of the store is raised,
because a relayer that cannot remember must not sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proofs import attestation
from proofs.attestation import ChainAnchor, MarginRoot, SignedRoot, check_root
from proofs.errors import InvalidAttestation
from proofs.signers import SignerSet, pack_signatures, recover, verify_signed_root
from proofs.signing import require_signer
from proofs.types import Address, Hash32, to_hex
from relayer.config.policy import Policy
from relayer.cosign import (
    Council,
    FramePlan,
    Refusal,
    RootTerms,
    Rule,
    SignedVote,
    check_plan,
    make_vote,
    root_of,
    tally_votes,
    vote_digest,
    vote_slot,
)
from relayer.errors import LedgerRefused, LedgerRule, SignerFault
from relayer.pipeline.ports import OwnSignature, SigningPorts
from relayer.plan import chain_keys
from relayer.store.port import Ledger

CLOCK_TOLERANCE_S: Final = 30
"""The verifier contract accepts an `asOf` up to this far ahead of its block; a clock further off must not sign."""


@dataclass(frozen=True, slots=True)
class Held:
    """Hold a root whose slot is ours, the own signature over it, and where it stands in the signer set."""

    root: MarginRoot
    digest: Hash32
    own: OwnSignature


class FrameSigner:
    """Agree and sign for one policy."""

    def __init__(self, policy: Policy, ports: SigningPorts) -> None:
        self._policy = policy
        self._ports = ports
        self._set = SignerSet(policy.signers.addresses, policy.signers.k, policy.signers.f)
        self._council = Council(ports.members, policy.signers.k, policy.domain, policy.policy_id, chain_keys(policy))

    async def highest(self) -> int | None:
        """Return the highest frame that this relayer voted for or reserved; frames up to it are not run again."""
        ledger, policy_id = self._ports.ledger, self._policy.policy_id
        taken = [await ledger.highest(slot) for slot in (policy_id, vote_slot(policy_id))]
        return max((frame for frame in taken if frame is not None), default=None)

    async def agree(self, frame: int, own: Sequence[ChainAnchor]) -> FramePlan | Refusal:
        """Vote for what was read here and return the plan to sign by; `own` are the chains present."""
        vote = make_vote(self._council, frame, own)
        digest, slot = vote_digest(vote, self._policy.domain), vote_slot(self._policy.policy_id)
        voter = self._ports.transport.address
        refusal = await _reserve(self._ports.ledger, (slot, frame, digest), voter, Rule.VOTE_TAKEN)
        if refusal is not None:
            return refusal
        signature = await self._ports.transport.sign(digest)
        signed = SignedVote(vote, voter, signature)
        await self._ports.ledger.record_signature(slot, frame, digest, signature)
        tallied = tally_votes(await self._ports.peers.votes(signed), self._council, frame)
        if isinstance(tallied, Refusal):
            return tallied
        plan = await self._ports.peers.plan(tallied)
        if plan is None:
            return Refusal(Rule.NO_PLAN, "the proposer published no plan in time")
        return check_plan(plan, own, self._council, frame) or plan

    async def hold(self, plan: FramePlan, terms: RootTerms, now_s: float) -> Held | Refusal:
        """Reserve the frame's slot for the root that follows from a plan and sign it."""
        root = root_of(plan, terms)
        if isinstance(root, Refusal):
            return root
        refusal = time_fault(root, now_s)
        if refusal is not None:
            return refusal
        check_root(root)
        digest, address = attestation.digest(self._policy.domain, root), self._ports.signer.address
        refusal = await _reserve(self._ports.ledger, (root.policy_id, root.frame, digest), address, Rule.SLOT_TAKEN)
        if refusal is not None:
            return refusal
        try:
            signature = await self._ports.signer.sign(digest)
            require_signer(digest, signature, address)
        except (InvalidAttestation, SignerFault) as error:
            return Refusal(Rule.SIGNATURE, str(error))
        blob = pack_signatures([(self._set.addresses.index(address), signature)])
        await self._ports.ledger.record_signature(root.policy_id, root.frame, digest, blob)
        return Held(root, digest, (address, signature))

    async def gather(self, held: Held) -> SignedRoot | Refusal:
        """Gather the others' signatures over the digest, leave out those that are none, and count k."""
        places = {address: index for index, address in enumerate(self._set.addresses)}
        valid: dict[int, bytes] = {}
        for address, signature in await self._ports.peers.signatures(held.digest, held.own):
            if address in places and _is_signed_by(held.digest, signature, address):
                valid[places[address]] = signature
        if len(valid) < self._set.k:
            detail = f"{len(valid)} valid signatures of {len(places)}, {self._set.k} needed"
            return Refusal(Rule.TOO_FEW_SIGNATURES, detail)
        signed = SignedRoot(held.root, held.digest, pack_signatures(sorted(valid.items())))
        verify_signed_root(signed, self._policy.domain, self._set)
        return signed


async def _reserve(ledger: Ledger, slot: tuple[Hash32, int, Hash32], address: Address, taken: Rule) -> Refusal | None:
    """Reserve a slot durably for exactly this digest, or say why it is not ours."""
    policy_id, frame, digest = slot
    try:
        held = await ledger.reserve(policy_id, frame, digest, to_hex(address))
    except LedgerRefused as error:
        rule = Rule.LOWER_FRAME if error.rule == LedgerRule.LOWER_FRAME else Rule.LEDGER
        return Refusal(rule, str(error))
    if held != digest:
        return Refusal(taken, f"frame {frame} holds digest {to_hex(held)}, computed {to_hex(digest)}")
    return None


def time_fault(root: MarginRoot, now_s: float) -> Refusal | None:
    """Return why a root must not be signed at a time, or None; both bounds are inclusive."""
    if root.as_of > now_s + CLOCK_TOLERANCE_S:
        detail = f"asOf {root.as_of} is {root.as_of - now_s:.0f} s ahead of our clock, {CLOCK_TOLERANCE_S} allowed"
        return Refusal(Rule.FUTURE, detail)
    if root.valid_until < now_s:
        return Refusal(Rule.EXPIRED, f"valid until {root.valid_until}, our clock says {now_s:.0f}")
    return None


def _is_signed_by(digest: Hash32, signature: bytes, address: Address) -> bool:
    try:
        return recover(digest, signature) == address
    except InvalidAttestation:
        return False
