"""Evidence: the bundle from which a stranger recomputes a signed frame, or an unsigned look at one account."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from proofs.attestation import (
    ChainAnchor,
    MarginLeaf,
    MarginLeg,
    MarginRoot,
    SignedRoot,
    accounts_tree,
    digest,
    snapshot_root,
)
from proofs.bundle import BundleContents, checked_bundle, write_bundle
from proofs.bundle_contents import LEGS_PER_FILE
from proofs.signers import SignerSet
from proofs.snapshot import Outcome, Snapshot
from proofs.types import AccountId, Hash32
from proofs.verify import VerifiedSnapshot
from relayer.computation import prices_text, views_text
from relayer.config.policy import Policy
from relayer.margin.market import market_of
from relayer.margin.view import MarginView
from relayer.pipeline.reading import Readings
from relayer.plan import devnets

DISTRIBUTION: Final = "margin-relayer"


def evidence_archive(
    policy: Policy, readings: Readings, snapshot: VerifiedSnapshot, views: tuple[MarginView, ...], signed: SignedRoot
) -> bytes:
    """Return the archive of a signed frame's evidence bundle."""
    return write_bundle(_contents(policy, readings, snapshot, views, signed))


def look_archive(policy: Policy, readings: Readings, snapshot: VerifiedSnapshot, view: MarginView) -> bytes | None:
    """Return the archive of an unsigned look at one account; None where no chain was read.

    Raises `ConstructionRefused` for what would not be read back.
    """
    if not snapshot.chains:
        return None
    times = [chain.anchor.block.timestamp_s for chain in snapshot.chains]
    root = _unsigned_root(policy, snapshot.frame_s, times, snapshot.anchors(), view.leaf)
    signed = SignedRoot(root, digest(policy.domain, root), b"")
    return checked_bundle(_contents(policy, readings, snapshot, (view,), signed, (view.account,)))


def legs_of(view: MarginView) -> tuple[MarginLeg, ...]:
    """Return the signed terms of a view."""
    return tuple(line.leg for line in view.lines if line.leg is not None)


def _contents(
    policy: Policy,
    readings: Readings,
    snapshot: VerifiedSnapshot,
    views: tuple[MarginView, ...],
    signed: SignedRoot,
    watched: tuple[AccountId, ...] = (),
) -> BundleContents:
    missing = {gone.chain: gone for gone in snapshot.missing}
    outcomes: tuple[Outcome, ...] = tuple(
        missing[chain.chain] if chain.chain in missing else readings.evidence[chain.chain] for chain in policy.chains
    )
    parts = range(0, len(views), LEGS_PER_FILE)
    return BundleContents(
        tool=f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        policy_text=policy.canonical,
        domain=policy.domain,
        signers=SignerSet(policy.signers.addresses, policy.signers.k, policy.signers.f),
        devnets=devnets(policy),
        snapshot=Snapshot(snapshot.frame_s, outcomes),
        anchors=snapshot.anchors(),
        leaves=tuple(view.leaf for view in views),
        legs=tuple(legs_of(view) for view in views),
        signed=signed,
        prices=prices_text(market_of(snapshot, policy.rules)),
        computation=tuple(views_text(views[start : start + LEGS_PER_FILE]) for start in parts),
        watched=watched,
    )


def _unsigned_root(
    policy: Policy, frame_s: int, times: Sequence[int], anchors: Sequence[ChainAnchor], leaf: MarginLeaf
) -> MarginRoot:
    """Return the root of a tree of one leaf: the same type as a frame's, signed by nobody."""
    return MarginRoot(
        policy_id=policy.policy_id,
        frame=frame_s,
        as_of=min(times),
        valid_until=min(times) + policy.lifetime_s,
        skew=max(times) - min(times),
        signer_epoch=policy.signers.epoch,
        leaf_count=1,
        snapshot_root=snapshot_root(anchors),
        accounts_root=Hash32(accounts_tree([leaf]).root),
    )
