"""Evidence of a signed frame: the bundle from which a stranger recomputes what was signed."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from proofs.attestation import MarginLeg, SignedRoot
from proofs.bundle import BundleContents, write_bundle
from proofs.signers import SignerSet
from proofs.snapshot import Outcome, Snapshot
from proofs.verify import VerifiedSnapshot
from relayer.config.policy import Policy
from relayer.margin.view import MarginView
from relayer.pipeline_reading import Readings
from relayer.plan import devnets

DISTRIBUTION: Final = "margin-relayer"


def evidence_archive(
    policy: Policy, readings: Readings, snapshot: VerifiedSnapshot, views: tuple[MarginView, ...], signed: SignedRoot
) -> bytes:
    """Return the archive of a frame's evidence bundle."""
    missing = {gone.chain: gone for gone in snapshot.missing}
    outcomes: tuple[Outcome, ...] = tuple(
        missing[chain.chain] if chain.chain in missing else readings.evidence[chain.chain] for chain in policy.chains
    )
    contents = BundleContents(
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
    )
    return write_bundle(contents)


def legs_of(view: MarginView) -> tuple[MarginLeg, ...]:
    """Return the signed terms of a view."""
    return tuple(line.leg for line in view.lines if line.leg is not None)
