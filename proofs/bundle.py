"""The evidence bundle of one frame: written, read, and verified by a stranger without any network.

    policy       its text hashes to the policy id under the signature
    chains       headers hash to the blocks, proofs hold under their state roots, readings agree with what is proven
    anchors      are those of the verified chains, and their root, oldest time and skew are those of the signed root
    legs         have each leaf's root and add up to its figures
    accounts     the leaves' tree has the signed root and count
    signatures   the digest is recomputed, k members of the stated set signed it

A bundle without any signature is a look at some accounts by whoever wrote it. Nothing about it is wrong, and nobody has
vouched for it: the verdict is never better than incomplete, so that stripping signatures wins nothing.

What the rule set makes of the readings is recomputed elsewhere, on the verified snapshot that a report carries. A
report says what could not be verified as well: above all, that the stated blocks, signers and policy are *the* ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Final

from proofs.ancestry import NO_ANCESTRY, Ancestry, AncestryStep, proof_needed, verify_ancestry
from proofs.attestation import accounts_tree, check_legs, check_root, digest, missing_anchor, snapshot_root
from proofs.bundle_archive import ARCHIVE, check_sums, pack, sums_of, unpack
from proofs.bundle_contents import (
    ANCHORS,
    LEAVES,
    LEGS_PER_FILE,
    MANIFEST,
    POLICY,
    ROOT,
    SIGNATURES,
    BundleContents,
    bundle_files,
    checked_files,
    contents_from_files,
    legs_file,
)
from proofs.bundle_readings import HEADERS, PROOFS, SHEETS, reading_file
from proofs.errors import ProofError
from proofs.keccak import keccak256
from proofs.signers import check_signatures
from proofs.snapshot import Reason, Snapshot, Unavailable
from proofs.types import Assurance, BlockRef, ChainId, Hash32, Quality, to_hex
from proofs.verify import VerifiedChain, VerifiedSnapshot, chain_anchor, verify

__all__ = [
    "ARCHIVE",
    "UNSIGNED",
    "BundleContents",
    "BundleReport",
    "Check",
    "Verdict",
    "bundle_files",
    "check_sums",
    "checked_bundle",
    "checked_files",
    "contents_from_files",
    "read_bundle",
    "snapshot_of",
    "sums_of",
    "verify_bundle",
    "write_bundle",
]


UNSIGNED: Final = "that anybody vouches for it: not signed"
"""Stands among what was not verified wherever there is no signature."""


class Verdict(StrEnum):
    """Say what came of a verification; exit codes 0, 4 and 5."""

    VERIFIED = "verified"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    """Nothing is wrong, but a chain of the policy is missing from the frame, or nobody signed."""


@dataclass(frozen=True, slots=True)
class Check:
    """Tell one step: which file it judged, and what was found wrong (empty: nothing)."""

    step: str
    file: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class BundleReport:
    """Tell what was verified and what could not be; `snapshot` is there whenever every chain of the bundle verified."""

    verdict: Verdict
    checks: tuple[Check, ...]
    unverified: tuple[str, ...]
    snapshot: VerifiedSnapshot | None
    signers: tuple[int, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        """Return the checks that failed."""
        return tuple(check for check in self.checks if check.fault)


def write_bundle(contents: BundleContents) -> bytes:
    """Return the archive of a frame's evidence, unchecked: equal contents give equal bytes."""
    return pack(bundle_files(contents))


def checked_bundle(contents: BundleContents) -> bytes:
    """Return the archive of a frame's evidence.

    Raises `ConstructionRefused` for contents that would not be read back as they are.
    """
    return pack(checked_files(contents))


def read_bundle(archive: bytes) -> BundleContents:
    """Read an archive; nothing is believed yet.

    Raises `InvalidBundle` naming the file, `LimitExceeded` for hostile sizes.
    """
    return contents_from_files(unpack(archive))


def snapshot_of(contents: BundleContents) -> Snapshot:
    """Return the unverified snapshot that a bundle carries."""
    return contents.snapshot


def verify_bundle(
    contents: BundleContents, anchors: Mapping[ChainId, Hash32], ancestry: Ancestry = NO_ANCESTRY
) -> BundleReport:
    """Verify everything but the rule set; `anchors` are block hashes that the auditor knows to be canonical.

    Where such a block is a later one than the bundle's, `ancestry` leads from it back to the bundle's.
    """
    ledger = _Ledger()
    snapshot = _verified(contents, ledger)
    if snapshot is not None:
        ledger.run("anchors", ANCHORS, lambda: _check_chains(contents, snapshot))
        _check_anchors(contents, snapshot, ledger)
        ledger.run("as of and skew", ROOT, lambda: _check_times(contents, snapshot))
    ledger.run("policy id", POLICY, lambda: _check_policy(contents))
    ledger.run("frame", MANIFEST, lambda: _check_frame(contents))
    ledger.run("snapshot root", ANCHORS, lambda: _check_snapshot_root(contents))
    ledger.run("leaves", LEAVES, lambda: _check_leaves(contents))
    _check_all_legs(contents, ledger)
    ledger.run("accounts tree", LEAVES, lambda: _check_tree(contents))
    ledger.run("digest", ROOT, lambda: _check_digest(contents))
    signed_by: list[int] = []
    if contents.is_signed:
        ledger.run("signatures", SIGNATURES, lambda: signed_by.extend(_signers_of(contents)))
    _check_given(contents, anchors, ancestry, ledger)
    return BundleReport(
        _verdict(contents, ledger),
        tuple(ledger.checks),
        tuple(_unverified(contents, anchors, snapshot)),
        snapshot,
        tuple(signed_by),
    )


class _Fault(ProofError):
    """End one step of a verification with what is wrong."""


class _Ledger:
    """Collect the steps; a step that fails ends itself, not the verification."""

    __slots__ = ("checks",)

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def note(self, step: str, file: str, fault: str = "") -> None:
        self.checks.append(Check(step, file, fault))

    def run(self, step: str, file: str, judge: Callable[[], None]) -> None:
        try:
            judge()
        except ProofError as fault:
            self.note(step, file, str(fault))
        else:
            self.note(step, file)


def _verdict(contents: BundleContents, ledger: _Ledger) -> Verdict:
    if any(check.fault for check in ledger.checks):
        return Verdict.FAILED
    is_missing = any(isinstance(outcome, Unavailable) for outcome in contents.snapshot.outcomes)
    return Verdict.INCOMPLETE if is_missing or not contents.is_signed else Verdict.VERIFIED


# --- chains ----------------------------------------------------------------------------------------------------------

# Which file is to blame for what `proofs.verify` refuses.
_BLAMED: Final = MappingProxyType(
    {
        Reason.INVALID_HEADER: HEADERS,
        Reason.INVALID_PROOF: PROOFS,
        Reason.LIMIT_EXCEEDED: PROOFS,
        Reason.READING_CONTRADICTS_PROOF: SHEETS,
        Reason.RPC_MALFORMED: SHEETS,
    }
)


def _verified(contents: BundleContents, ledger: _Ledger) -> VerifiedSnapshot | None:
    """Verify all chains; without one that fails there is no verified snapshot to go on with."""
    snapshot = verify(contents.snapshot, contents.devnets)
    stated_missing = {outcome.chain for outcome in contents.snapshot.outcomes if isinstance(outcome, Unavailable)}
    is_whole = True
    for outcome in snapshot.outcomes:
        if isinstance(outcome, VerifiedChain):
            ledger.note("header, proofs and readings", reading_file(HEADERS, outcome.chain))
        elif outcome.chain not in stated_missing:
            kind = _BLAMED.get(outcome.reason)
            file = MANIFEST if kind is None else reading_file(kind, outcome.chain)
            ledger.note("header, proofs and readings", file, str(outcome))
            is_whole = False
    return snapshot if is_whole else None


def _check_chains(contents: BundleContents, snapshot: VerifiedSnapshot) -> None:
    stated = [anchor.chain_key for anchor in contents.anchors]
    if stated != [anchor.chain_key for anchor in snapshot.anchors()]:
        raise _Fault(f"{len(stated)} anchors for {len(snapshot.outcomes)} chains, of other chains, or out of order")
    anchors = frozenset(contents.anchors)
    for outcome in snapshot.missing:
        if chain_anchor(outcome) not in anchors:
            raise _Fault(f"{outcome.chain}: the anchors have a block of it, the bundle says that it is missing")


def _check_anchors(contents: BundleContents, snapshot: VerifiedSnapshot, ledger: _Ledger) -> None:
    """Compare each stated anchor with the chain's header and, by itself, with its sheet."""
    stated = {anchor.chain_key: anchor for anchor in contents.anchors}
    for verified in snapshot.chains:
        expected = chain_anchor(verified)
        anchor = stated.get(expected.chain_key, missing_anchor(expected.chain_key))
        of_block = replace(anchor, readings_root=expected.readings_root)
        for step, kind, is_equal in (
            ("anchor", HEADERS, of_block == expected),
            ("readings root", SHEETS, anchor.readings_root == expected.readings_root),
        ):
            fault = "" if is_equal else "not what anchors.json commits to"
            ledger.note(step, reading_file(kind, verified.chain), fault)


def _check_times(contents: BundleContents, snapshot: VerifiedSnapshot) -> None:
    times = [verified.anchor.block.timestamp_s for verified in snapshot.chains]
    root = contents.signed.root
    if not times:
        raise _Fault("no chain is present")
    if (root.as_of, root.skew) != (min(times), max(times) - min(times)):
        raise _Fault(f"as of {root.as_of}, skew {root.skew}: blocks are of {min(times)} to {max(times)}")


def _check_given(
    contents: BundleContents, anchors: Mapping[ChainId, Hash32], ancestry: Ancestry, ledger: _Ledger
) -> None:
    """Compare blocks with those that the auditor gave, or with what these say of their ancestors."""
    outcomes = contents.snapshot.outcomes
    present = {one.chain: one.anchor.block for one in outcomes if not isinstance(one, Unavailable)}
    for chain, given in sorted(anchors.items()):
        if chain not in present:
            ledger.note("given anchor", MANIFEST, f"{chain}: the bundle has no block of this chain")
            continue
        judge = partial(_check_block, present[chain], given, ancestry.get(chain, ()))
        ledger.run("given anchor", reading_file(HEADERS, chain), judge)


def _check_block(block: BlockRef, given: Hash32, steps: Sequence[AncestryStep]) -> None:
    if block.hash == given:
        return
    stated = f"{block.chain}: given {to_hex(given)}, bundle has block {block.number} {to_hex(block.hash)}"
    if not steps:
        raise _Fault(f"{stated}; if yours is a later block, {proof_needed(block.number)} is missing")
    proven = verify_ancestry(given, steps, block.number)
    if proven != block.hash:
        raise _Fault(f"{stated}; of that block's ancestors the one of this number is {to_hex(proven)}")


# --- the signed object -----------------------------------------------------------------------------------------------


def _check_policy(contents: BundleContents) -> None:
    policy_id = keccak256(contents.policy_text)
    if policy_id != contents.signed.root.policy_id:
        raise _Fault(f"text hashes to {to_hex(policy_id)}, root has {to_hex(contents.signed.root.policy_id)}")


def _check_frame(contents: BundleContents) -> None:
    if contents.snapshot.frame_s != contents.signed.root.frame:
        raise _Fault(f"frame {contents.snapshot.frame_s}, root has {contents.signed.root.frame}")


def _check_snapshot_root(contents: BundleContents) -> None:
    root = snapshot_root(contents.anchors)
    if root != contents.signed.root.snapshot_root:
        raise _Fault(f"computed {to_hex(root)}, root has {to_hex(contents.signed.root.snapshot_root)}")


def _check_leaves(contents: BundleContents) -> None:
    """Check what all leaves share: one venue, and on devnets their mark."""
    if len({leaf.venue_id for leaf in contents.leaves}) > 1:
        raise _Fault("leaves of more than one venue")
    for leaf in contents.leaves:
        if bool(contents.devnets) != bool(leaf.quality & Quality.DEVNET):
            raise _Fault(f"account {to_hex(leaf.account_id)}: the devnet bit does not say whether this is one")


def _check_all_legs(contents: BundleContents, ledger: _Ledger) -> None:
    for start in range(0, len(contents.leaves), LEGS_PER_FILE):
        ledger.run("legs", legs_file(start // LEGS_PER_FILE), partial(_check_legs, contents, start))


def _check_legs(contents: BundleContents, start: int) -> None:
    end = start + LEGS_PER_FILE
    for leaf, legs in zip(contents.leaves[start:end], contents.legs[start:end], strict=True):
        try:
            check_legs(leaf, legs)
        except ProofError as fault:
            raise _Fault(f"account {to_hex(leaf.account_id)}: {fault}") from fault


def _check_tree(contents: BundleContents) -> None:
    tree = accounts_tree(contents.leaves)
    root = contents.signed.root
    if (tree.root, tree.leaf_count) != (root.accounts_root, root.leaf_count):
        detail = f"computed {to_hex(tree.root)} over {tree.leaf_count} leaves"
        raise _Fault(f"{detail}, root has {to_hex(root.accounts_root)} over {root.leaf_count}")


def _check_digest(contents: BundleContents) -> None:
    check_root(contents.signed.root)
    recomputed = digest(contents.domain, contents.signed.root)
    if recomputed != contents.signed.digest:
        raise _Fault(f"recomputed {to_hex(recomputed)}, stated {to_hex(contents.signed.digest)}")


def _signers_of(contents: BundleContents) -> tuple[int, ...]:
    if contents.watched:
        raise _Fault(f"{len(contents.watched)} watched accounts: a signed frame holds those that contracts name")
    signers = contents.signers
    return check_signatures(contents.signed.digest, contents.signed.signatures, signers.addresses, signers.k)


# --- what remains ----------------------------------------------------------------------------------------------------


def _unverified(
    contents: BundleContents, anchors: Mapping[ChainId, Hash32], snapshot: VerifiedSnapshot | None
) -> list[str]:
    """List what no bundle can prove about itself, and what this one leaves out."""
    root, domain = contents.signed.root, contents.domain
    stated_set = (
        f"that the stated {contents.signers.k} of {len(contents.signers.addresses)} addresses are epoch "
        f"{root.signer_epoch} of {to_hex(domain.verifying_contract)} on chain {domain.chain_number}"
    )
    remaining = [
        stated_set if contents.is_signed else UNSIGNED,
        f"that policy {to_hex(root.policy_id)} is the venue's policy in force",
        "that the leaves' statuses and figures follow from the readings by the policy's rule set",
    ]
    for outcome in contents.snapshot.outcomes:
        if isinstance(outcome, Unavailable):
            remaining.append(f"{outcome.chain}: missing from the frame, stated reason {outcome.reason.value}")
            continue
        remaining.append(f"{outcome.chain}: that the named providers agreed (labels of the relayer)")
        if outcome.chain in contents.devnets:
            remaining.append(f"{outcome.chain}: a development network, where one provider is a quorum")
        if outcome.chain not in anchors:
            block = outcome.anchor.block
            remaining.append(f"{outcome.chain}: that block {block.number} {to_hex(block.hash)} is canonical")
    for verified in snapshot.chains if snapshot is not None else ():
        remaining += _unproven_cells(verified)
    return remaining


def _unproven_cells(verified: VerifiedChain) -> list[str]:
    remaining = []
    for spec in verified.columns:
        levels = verified.levels(spec.name) or b""
        where = f"{verified.chain}: column {spec.name}"
        if spec.name in verified.code_changed:
            remaining.append(f"{where}: its contract is not proven to run the pinned code, no value counts")
            continue
        read_only, unread = levels.count(Assurance.RPC_QUORUM), levels.count(Assurance.SINGLE_RPC)
        if read_only:
            remaining.append(f"{where}: {read_only} of {len(levels)} values rest on the providers alone")
        if unread:
            remaining.append(f"{where}: {unread} of {len(levels)} values could not be read")
    return remaining
