"""Records: what a frame leaves behind, as rows and JSON, made once and served as they are.

A `Publication` is all that the API needs to answer for a frame. It is built from rows alone, so that a restarted
service publishes from the store the bytes that the pass published from memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from proofs.attestation import abi_leaf
from proofs.snapshot import Unavailable
from proofs.types import Finality, Hash32, Status, to_hex
from proofs.verify import VerifiedChain, VerifiedSnapshot
from relayer.config.policy import Policy
from relayer.flags import Flag
from relayer.margin.explain import view_to_json
from relayer.margin.view import MarginView
from relayer.store.port import AccountRow, FrameRow

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Publication:
    """Hold one finished frame: its row, its accounts ascending by id, and all flags that are not clear."""

    row: FrameRow
    accounts: tuple[AccountRow, ...]
    flags: tuple[Flag, ...]


class Publisher(Protocol):
    """Make what a pass found visible to readers."""

    async def publish(self, publication: Publication) -> None:
        """Take over a finished frame; one that is not above the last is ignored."""
        ...

    async def publish_flags(self, flags: Sequence[Flag], seen_s: int) -> None:
        """Take over the flags of a provisional tick at that time."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """Remember the block of a chain in the newest signed root that had one: it must not be replaced any more."""

    frame: int
    not_after_s: int
    number: int
    hash: Hash32


def account_row(view: MarginView) -> AccountRow:
    """Return the row of an account: its leaf as the contract takes it, its view as people read it."""
    return AccountRow(view.account, abi_leaf(view.leaf), orjson.dumps(view_to_json(view)))


def status_counts(views: Iterable[MarginView]) -> Mapping[str, int]:
    """Count accounts by status; every status has a number."""
    counted = Counter(view.status for view in views)
    return {status.name.lower(): counted[status] for status in Status}


def summary_json(
    policy: Policy, snapshot: VerifiedSnapshot, counts: Mapping[str, int], marks: Mapping[str, Mark], reason: str
) -> bytes:
    """Return what a frame's row remembers beside its root: blocks, readings, counts, reasons, attested blocks."""
    times = [chain.anchor.block.timestamp_s for chain in snapshot.chains]
    as_of = min(times, default=0)
    document: JsonObject = {
        "policy_id": to_hex(policy.policy_id),
        "frame": snapshot.frame_s,
        "as_of": as_of,
        "valid_until": as_of + policy.lifetime_s if times else 0,
        "skew": max(times, default=0) - as_of,
        "reason": reason,
        "counts": dict(counts),
        "chains": [_chain_document(outcome) for outcome in snapshot.outcomes],
        "attested": {chain: _mark_document(mark) for chain, mark in marks.items()},
    }
    return orjson.dumps(document)


def marks_of(summary: bytes) -> dict[str, Mark]:
    """Return the attested blocks that a frame's summary remembers, by chain."""
    attested = orjson.loads(summary)["attested"]
    return {
        chain: Mark(mark["frame"], mark["not_after_s"], mark["number"], Hash32(bytes.fromhex(mark["hash"][2:])))
        for chain, mark in attested.items()
    }


def _mark_document(mark: Mark) -> JsonObject:
    return {"frame": mark.frame, "not_after_s": mark.not_after_s, "number": mark.number, "hash": to_hex(mark.hash)}


def _chain_document(outcome: VerifiedChain | Unavailable) -> JsonObject:
    if isinstance(outcome, Unavailable):
        return {
            "chain": outcome.chain,
            "finality": Finality.MISSING.name.lower(),
            "reason": str(outcome.reason),
            "detail": outcome.detail,
            "is_dishonest": outcome.dishonest,
        }
    block = outcome.anchor.block
    return {
        "chain": outcome.chain,
        "finality": outcome.anchor.finality.name.lower(),
        "block_number": block.number,
        "block_hash": to_hex(block.hash),
        "state_root": to_hex(block.state_root),
        "timestamp": block.timestamp_s,
        "readings_root": to_hex(outcome.readings_root),
        "code_changed": sorted(outcome.code_changed),
    }
