"""Scheduler: runs the pipeline on the grid of frames, looks at prices in between, stops when told to.

Two loops, one of frames and one of ticks: a chain that keeps a frame waiting until its deadline does not keep early
flags of the living chains waiting. Each loop does one thing at a time; what came due meanwhile is skipped, never queued
(`relayer.schedule` decides, this module waits and acts). A third task only beats, so that liveness tells whether the
event loop turns; every pass ends by its own budgets.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from chains.clock import Clock
from proofs.snapshot import Unavailable
from proofs.types import ChainId
from relayer.config.policy import Policy
from relayer.pipeline.frame import FrameResult
from relayer.pipeline.health import FrameHealth, Health
from relayer.plan import settled_s
from relayer.schedule import FrameSlot, Timing, next_slot, next_tick_s

BEAT_S: Final = 1.0
"""How often the loop is seen to turn; liveness tolerates sixty silent beats."""
DRAIN_S: Final = 10.0
"""How long a pass may go on after the service was told to stop; then it is dropped, which is safe at every await."""
TICK_S: Final = 1
"""Prices are looked at this often between frames: one small read on each chain that has a feed."""


class Passes(Protocol):
    """Run passes; `relayer.pipeline.frame.Pipeline` does."""

    @property
    def highest(self) -> int | None:
        """Return the highest frame that was run."""
        ...

    async def run_frame(self, frame_s: int) -> FrameResult:
        """Run one frame."""
        ...

    async def run_tick(self) -> None:
        """Look at prices once."""
        ...


class ScheduleObserver(Protocol):
    """Take notice of what did not happen, or came late."""

    def frames_missed(self, frames: tuple[int, ...]) -> None:
        """Frames came and went while something else was running; they are never returned to."""
        ...

    def loop_lagged(self, seconds: float) -> None:
        """The event loop woke that much later than asked."""
        ...


def timing_of(policy: Policy, tick_s: int) -> Timing:
    """Return the grid of a policy; where frames are as short as ticks there is nothing in between."""
    between = tick_s if tick_s < policy.frame_s else 0
    return Timing(policy.frame_s, settled_s(policy), policy.deadline_s, between)


class Scheduler:
    """Drive one pipeline until `stop`."""

    def __init__(
        self, policy: Policy, passes: Passes, clock: Clock, health: Health, observer: ScheduleObserver
    ) -> None:
        self._policy = policy
        self._passes = passes
        self._clock = clock
        self._health = health
        self._observer = observer
        self._timing = timing_of(policy, TICK_S)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish the passes that are running, start no other."""
        self._health.is_draining = True
        self._stopping.set()

    async def run(self) -> None:
        """Run frames and ticks until stopped; a pass under way gets `DRAIN_S` to finish.

        Raises: ExceptionGroup holding a StoreFault; nothing else may end the service.
        """
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat())
            loops = (group.create_task(self._frames()), group.create_task(self._ticks()))
            await self._stopping.wait()
            await asyncio.wait(loops, timeout=DRAIN_S)
            for task in (beating, *loops):
                task.cancel()

    async def run_once(self) -> FrameResult:
        """Wait for the next frame that is due, run it, and return how it ended."""
        slot = next_slot(int(self._clock.now_s()), self._passes.highest, self._timing)
        await self._clock.sleep_until(slot.due_s)
        return await self._frame(slot)

    async def _frames(self) -> None:
        last = self._passes.highest
        while not self._stopping.is_set():
            now_s = int(self._clock.now_s())
            slot = next_slot(now_s, last, self._timing)
            if slot.due_s <= now_s:
                await self._frame(slot)
                last = slot.frame
            else:
                await self._wait(slot.due_s)

    async def _ticks(self) -> None:
        last: int | None = None
        while not self._stopping.is_set():
            now_s = int(self._clock.now_s())
            due_s = next_tick_s(now_s, last, self._timing)
            if due_s is None:
                return
            if due_s <= now_s:
                await self._passes.run_tick()
                last = due_s
            else:
                await self._wait(due_s)

    async def _frame(self, slot: FrameSlot) -> FrameResult:
        if slot.missed:
            self._observer.frames_missed(slot.missed)
        result = await self._passes.run_frame(slot.frame)
        if result.row is not None:
            self._health.frame_done(self._clock.monotonic_s(), frame_health(result, self._policy.venue.chain))
        return result

    async def _wait(self, until_s: int) -> None:
        """Sleep until something is due or the service stops, whichever is first."""
        async with asyncio.TaskGroup() as group:
            sleeping = group.create_task(self._clock.sleep_until(until_s))
            stopping = group.create_task(self._stopping.wait())
            await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
            sleeping.cancel()
            stopping.cancel()

    async def _beat(self) -> None:
        while True:
            began_s = self._clock.monotonic_s()
            self._health.beat(began_s)
            await asyncio.sleep(BEAT_S)
            self._observer.loop_lagged(max(0.0, self._clock.monotonic_s() - began_s - BEAT_S))


def frame_health(result: FrameResult, venue_chain: ChainId) -> FrameHealth:
    """Return what readiness wants to know about a pass."""
    outcomes = () if result.snapshot is None else result.snapshot.outcomes
    present = [outcome.chain for outcome in outcomes if not isinstance(outcome, Unavailable)]
    return FrameHealth(
        frame=result.frame,
        chains_present=len(present),
        chains_total=len(outcomes),
        is_venue_present=venue_chain in present,
        is_signed=result.row is not None and result.row.signed is not None,
        skip_reason="" if result.row is None else result.row.reason,
    )
