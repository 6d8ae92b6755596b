"""What the service remembers, as three small ports. One contract suite runs over every implementation.

`Ledger` is the only protection against equivocation: its row is durable (fsynced) before a key is used. Frames and
flags of one pass are written in one transaction (`Frames.put`), so that a crash neither loses nor doubles them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from proofs.attestation import SignedRoot
from proofs.types import AccountId, Hash32
from relayer.flags import Flag, FlagEvent


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Hold one slot of the ledger. `signatures` is empty until the own signature was stored."""

    policy_id: Hash32
    frame: int
    digest: Hash32
    signer: str
    signatures: bytes


class Ledger(Protocol):
    """Hold at most one digest per (policyId, frame), for ever."""

    async def reserve(self, policy_id: Hash32, frame: int, digest: Hash32, signer: str) -> Hash32:
        """Insert the slot durably and return the digest it holds: the given one, or the one stored before.

        Raises: LedgerRefused when `frame` is below the highest frame of the policy and the slot is not taken.
        """
        ...

    async def record_signature(self, policy_id: Hash32, frame: int, digest: Hash32, signatures: bytes) -> None:
        """Store the signature of a reserved slot; a repeated call with the same bytes changes nothing."""
        ...

    async def highest(self, policy_id: Hash32) -> int | None:
        """Return the highest reserved frame of a policy."""
        ...

    async def rows(self, policy_id: Hash32, from_frame: int) -> tuple[LedgerRow, ...]:
        """Return the slots of a policy from a frame on, ascending."""
        ...


class FrameState(StrEnum):
    """Say how a frame ended."""

    OBSERVED = "observed"
    """Evaluated without a signer."""
    RESERVED = "reserved"
    SIGNED = "signed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Hold one account of one frame: the leaf's ABI words (10 x 32 bytes) and its explained view as JSON."""

    account: AccountId
    leaf_abi: bytes
    view_json: bytes


@dataclass(frozen=True, slots=True)
class FrameRow:
    """Hold one frame: its state, the reason when skipped, the signed root, and a summary as JSON (anchors, counts)."""

    policy_id: Hash32
    frame: int
    state: FrameState
    reason: str
    signed: SignedRoot | None
    summary_json: bytes


class Frames(Protocol):
    """Remember frames, their accounts and their bundles."""

    async def put(
        self, row: FrameRow, accounts: Sequence[AccountRow], flags: Sequence[Flag], events: Sequence[FlagEvent]
    ) -> None:
        """Write a frame with its accounts, flags and events in one transaction; replaces the same frame."""
        ...

    async def latest(self, policy_id: Hash32, state: FrameState | None = None) -> FrameRow | None:
        """Return the newest frame, of a state when given."""
        ...

    async def frame(self, policy_id: Hash32, frame: int) -> FrameRow | None:
        """Return one frame."""
        ...

    async def accounts(self, policy_id: Hash32, frame: int) -> tuple[AccountRow, ...]:
        """Return all accounts of a frame, ascending by account id."""
        ...

    async def put_bundle(self, policy_id: Hash32, frame: int, archive: bytes, keep: int) -> None:
        """Store a frame's evidence bundle and drop all but the `keep` newest."""
        ...

    async def bundle(self, policy_id: Hash32, frame: int) -> bytes | None:
        """Return a frame's evidence bundle."""
        ...


class Flags(Protocol):
    """Remember flags between frames; events are append-only."""

    async def put_provisional(self, flags: Sequence[Flag], events: Sequence[FlagEvent]) -> None:
        """Write provisional flags and their events in one transaction."""
        ...

    async def current(self) -> tuple[Flag, ...]:
        """Return all flags that are not clear, ascending by account id."""
        ...

    async def history(self, account: AccountId | None, limit: int) -> tuple[FlagEvent, ...]:
        """Return events, newest first."""
        ...
