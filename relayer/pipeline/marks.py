"""Marks: what was attested as final must not be replaced; where it was, signing halts for that chain.

Before a frame is signed, each chain is asked again for the block of the newest signed root that had it. Another block
there means that the finality policy was broken: the chain is missing from every further root, with that reason, until
the old block is back or an operator accepts the new history (`accept`). Marks are written with every frame, so a halt
survives restarts. A chain that cannot be asked keeps its mark and is judged by the next frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from proofs.snapshot import Anchor, Reason, Unavailable
from proofs.types import ChainId, to_hex
from proofs.verify import VerifiedChain
from relayer.config.policy import Policy
from relayer.pipeline.proving import Outcome
from relayer.pipeline.reading import FrameReader
from relayer.pipeline.records import Mark


class Marks:
    """Hold the attested blocks of a policy's chains."""

    def __init__(self, policy: Policy, reader: FrameReader, marks: Mapping[str, Mark]) -> None:
        self._lags = {chain.chain: chain.lag_s for chain in policy.chains}
        self._reader = reader
        self._marks = {chain: mark for chain, mark in marks.items() if chain in self._lags}

    @property
    def current(self) -> Mapping[str, Mark]:
        """Return the marks by chain."""
        return dict(self._marks)

    def accept(self, chain: ChainId) -> bool:
        """Forget a chain's mark: an operator has decided that its new history stands. Tell whether there was one."""
        return self._marks.pop(chain, None) is not None

    async def standing(self, outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
        """Return the outcomes with every chain missing whose attested block was replaced."""
        judged: dict[ChainId, Outcome] = {outcome.chain: outcome for outcome in outcomes}

        async def judge(outcome: VerifiedChain, mark: Mark) -> None:
            judged[outcome.chain] = await self._judged(outcome, mark)

        async with asyncio.TaskGroup() as group:
            for outcome in tuple(judged.values()):
                mark = self._marks.get(outcome.chain)
                if isinstance(outcome, VerifiedChain) and mark is not None:
                    group.create_task(judge(outcome, mark))
        return tuple(judged.values())

    def advance(self, frame: int, chains: Iterable[VerifiedChain]) -> None:
        """Remember the blocks of a frame that was signed."""
        for chain in chains:
            block = chain.anchor.block
            self._marks[chain.chain] = Mark(frame, frame - self._lags[chain.chain], block.number, block.hash)

    async def _judged(self, outcome: VerifiedChain, mark: Mark) -> Outcome:
        block = outcome.anchor.block
        if block.number == mark.number and block.hash == mark.hash:
            return outcome  # no younger block in this frame: the same question was just answered
        answer = await self._reader.block_at(outcome.chain, mark.not_after_s)
        if not isinstance(answer, Anchor) or answer.block.hash == mark.hash:
            return outcome
        detail = (
            f"block {mark.number} {to_hex(mark.hash)} was attested in frame {mark.frame} and has been replaced by "
            f"{to_hex(answer.block.hash)}; signing halts for this chain until an operator accepts it"
        )
        return Unavailable(outcome.chain, Reason.ORPHANED, detail, answer.votes.agreed)
