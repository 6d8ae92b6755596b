"""Board: what the API answers from. Written by the pipeline, read by handlers, all in memory; never asks a chain.

Frames only rise: what was served once is never followed by something older. The newest evaluated frame answers for
accounts, the newest signed one for attestations; they differ while frames are skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chains.clock import Clock
from relayer.api.answers import Answer, FrameAnswers, signers_answer
from relayer.config.policy import Policy
from relayer.flags import Flag
from relayer.pipeline.records import Publication


class Board:
    """Hold the newest frames and flags."""

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self.policy = policy
        self.clock = clock
        self.latest: FrameAnswers | None = None
        self.signed: FrameAnswers | None = None
        self.flags: tuple[Flag, ...] = ()
        self.flags_seen_s: int = 0
        self.signers: Answer = signers_answer(policy)

    async def publish(self, publication: Publication) -> None:
        """Take over a finished frame; one that is not above the last is ignored."""
        frame = publication.row.frame
        if self.latest is not None and frame <= self.latest.row.frame:
            return
        answers = await asyncio.to_thread(FrameAnswers, self.policy, publication)
        self.latest = answers
        if publication.row.signed is not None:
            self.signed = answers
        await self.publish_flags(publication.flags, frame)

    async def publish_flags(self, flags: Sequence[Flag], seen_s: int) -> None:
        """Take over the flags as they stand after a pass over the chains at that time."""
        self.flags, self.flags_seen_s = tuple(flags), seen_s
