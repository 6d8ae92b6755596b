"""Ports of the pipeline that are not storage: who else signs, and who takes notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chains.adapter import ChainAdapter
from chains.clock import Clock
from proofs.signing import Signer
from proofs.snapshot import Unavailable
from proofs.types import Address, ChainId, Hash32
from relayer.config.policy import Policy
from relayer.cosign import FramePlan, Refusal, SignedVote
from relayer.flags import FlagEvent
from relayer.pipeline.records import Publisher
from relayer.store.port import Flags, FrameRow, Frames, Ledger

OwnSignature = tuple[Address, bytes]


class Peers(Protocol):
    """Exchange votes, plans and signatures with the other relayers; waits no longer than its own budget."""

    async def votes(self, own: SignedVote) -> tuple[SignedVote, ...]:
        """Give the own vote and return all votes of the frame that are known by its deadline, the own among them."""
        ...

    async def plan(self, own: FramePlan) -> FramePlan | None:
        """Give the plan tallied here; return the plan of the frame's proposer, or None when none came."""
        ...

    async def signatures(self, digest: Hash32, own: OwnSignature) -> tuple[OwnSignature, ...]:
        """Give the own margin signature and return those over that digest, the own among them."""
        ...


class Alone:
    """Be the only relayer: every answer is what was given."""

    async def votes(self, own: SignedVote) -> tuple[SignedVote, ...]:
        """Return the own vote."""
        return (own,)

    async def plan(self, own: FramePlan) -> FramePlan | None:
        """Return the own plan."""
        return own

    async def signatures(self, digest: Hash32, own: OwnSignature) -> tuple[OwnSignature, ...]:
        """Return the own signature, whatever was signed."""
        del digest
        return (own,)


class PipelineObserver(Protocol):
    """Take notice; returns at once and does not raise."""

    def frame_finished(self, row: FrameRow, seconds: float, counts: Mapping[str, int]) -> None:
        """A frame was evaluated and stored; `counts` are accounts by status, `accounts` and `evaluated`."""
        ...

    def stored(self, seconds: float) -> None:
        """A frame was stored."""
        ...

    def chain_missing(self, frame: int, outcome: Unavailable) -> None:
        """A chain contributes nothing to a frame."""
        ...

    def chain_dishonest(self, frame: int, outcome: Unavailable) -> None:
        """A source answered and was refuted."""
        ...

    def provider_quarantined(self, lie: Unavailable) -> None:
        """A provider's proof was refuted; for a while others are asked first. Told once a quarantine."""
        ...

    def signing_refused(self, frame: int, refusal: Refusal) -> None:
        """A frame was not signed although a signer is configured."""
        ...

    def flag_changed(self, event: FlagEvent) -> None:
        """A flag was raised, worsened, cleared or withdrawn."""
        ...

    def tick_finished(self, seconds: float, candidates: int, raised: int) -> None:
        """Prices were looked at between frames."""
        ...

    def bug_seen(self, where: str, error: BaseException) -> None:
        """Something broke that our own rules exclude."""
        ...


@dataclass(frozen=True, slots=True)
class SigningPorts:
    """Hold what signing needs; `transport` signs votes, `signer` signs margin roots and nothing else."""

    signer: Signer
    transport: Signer
    members: tuple[Address, ...]
    peers: Peers
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Ports:
    """Hold everything outside that a pass touches; `signing` None: observe only."""

    policy: Policy
    chains: Mapping[ChainId, ChainAdapter]
    clock: Clock
    frames: Frames
    flags: Flags
    publishers: Sequence[Publisher]
    observer: PipelineObserver
    signing: SigningPorts | None
