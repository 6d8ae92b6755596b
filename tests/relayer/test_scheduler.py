"""The scheduler: the grid, what is skipped, ticks in between, and an orderly end."""

from __future__ import annotations

import asyncio
import heapq

import pytest

from proofs.snapshot import Reason, Unavailable
from relayer.errors import StoreFault
from relayer.pipeline.frame import FrameResult
from relayer.pipeline.health import Health
from relayer.scheduler import DRAIN_S, Scheduler, frame_health, timing_of
from tests.relayer.fake_world import CHAINS, FRAME, ManualClock, make_policy

POLICY = make_policy(frame_s=10, lifetime_s=300)
SETTLED = 2
"""A devnet's three seconds of finality less one of lag."""


class TurnClock(ManualClock):
    """Move on only when everybody sleeps: whoever sleeps shortest wakes first."""

    def __init__(self, now_s: float) -> None:
        super().__init__(now_s)
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._number = 0

    async def sleep_until(self, unix_s: float) -> None:
        if unix_s <= self.time_s:
            await asyncio.sleep(0)
            return
        self._number += 1
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (unix_s, self._number, woken))
        await woken.wait()

    async def turn(self) -> None:
        while True:
            for _ in range(30):
                await asyncio.sleep(0)
            if self._sleepers:
                unix_s, _, woken = heapq.heappop(self._sleepers)
                self.time_s = max(self.time_s, unix_s)
                woken.set()


class Missed:
    def __init__(self) -> None:
        self.frames: list[tuple[int, ...]] = []

    def frames_missed(self, frames: tuple[int, ...]) -> None:
        self.frames.append(frames)

    def loop_lagged(self, seconds: float) -> None:
        assert seconds >= 0


class Passes:
    """Take as long as it is told, and stop the scheduler after so many passes."""

    def __init__(self, clock: TurnClock, takes_s: float = 0.5, last: int = 3) -> None:
        self.clock = clock
        self.takes_s = takes_s
        self.left = last
        self.scheduler: Scheduler | None = None
        self.frames: list[int] = []
        self.ticks: list[float] = []
        self.spans: list[tuple[float, float]] = []
        self.highest: int | None = None
        self.fault: BaseException | None = None

    async def run_frame(self, frame_s: int) -> FrameResult:
        self.frames.append(frame_s)
        self.highest = frame_s
        if self.fault is not None:
            raise self.fault
        began_s = self.clock.now_s()
        await self.clock.sleep_until(began_s + self.takes_s)
        self.spans.append((began_s, self.clock.now_s()))
        self.left -= 1
        if self.left == 0:
            self.scheduler.stop()
        return FrameResult(frame_s, None)

    async def run_tick(self) -> None:
        self.ticks.append(self.clock.now_s())
        await self.clock.sleep_until(self.clock.now_s() + 0.01)


def scheduled(now_s: float = FRAME + 0.0, **kwargs: float) -> tuple[Scheduler, Passes, Missed, Health]:
    clock, missed = TurnClock(now_s), Missed()
    passes = Passes(clock, **kwargs)  # type: ignore[arg-type]
    health = Health(clock.monotonic_s(), 60.0, is_signing=True)
    scheduler = Scheduler(POLICY, passes, clock, health, missed)
    passes.scheduler = scheduler
    return scheduler, passes, missed, health


async def ran(scheduler: Scheduler, passes: Passes) -> None:
    """Run until the passes stop the scheduler, while the clock turns."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        turning = group.create_task(passes.clock.turn())
        await scheduler.run()
        turning.cancel()


async def test_frames__each_on_the_grid_and_once() -> None:
    scheduler, passes, missed, _ = scheduled(last=4)

    await ran(scheduler, passes)

    assert passes.frames == [FRAME - 10, FRAME, FRAME + 10, FRAME + 20]
    assert missed.frames == []


async def test_th_016_138_frames__pass_takes_longer_than_a_frame__the_rest_is_skipped_and_recorded() -> None:
    scheduler, passes, missed, _ = scheduled(takes_s=35.0, last=3)

    await ran(scheduler, passes)

    assert passes.frames == sorted(set(passes.frames))
    gaps = [later - earlier for earlier, later in zip(passes.frames, passes.frames[1:], strict=False)]
    assert min(gaps) >= 30
    assert sum(map(len, missed.frames)) == sum(gap // 10 - 1 for gap in gaps)


async def test_th_138_frames__paused_for_minutes__only_the_newest_is_run() -> None:
    scheduler, passes, missed, _ = scheduled(takes_s=600.0, last=2)

    await ran(scheduler, passes)

    assert len(passes.frames) == 2
    assert passes.frames[1] - passes.frames[0] >= 590
    assert len(missed.frames[0]) == (passes.frames[1] - passes.frames[0]) // 10 - 1


async def test_ticks__every_second__go_on_while_a_frame_waits_and_never_pile_up() -> None:
    scheduler, passes, _, _ = scheduled(now_s=FRAME + 3.0, takes_s=8.0, last=2)

    await ran(scheduler, passes)

    (began, ended), *_ = passes.spans
    assert [at for at in passes.ticks if began < at < ended]
    assert passes.ticks == sorted(set(passes.ticks))
    assert len(passes.ticks) <= passes.clock.now_s() - FRAME  # one a second at most


async def test_run__told_to_stop_while_waiting__ends_at_once_and_drains() -> None:
    scheduler, passes, _, health = scheduled(last=1)

    await ran(scheduler, passes)

    assert health.is_draining
    assert len(passes.frames) == 1


async def test_run__pass_hangs_when_told_to_stop__is_dropped_after_the_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayer.scheduler.DRAIN_S", 0.05)
    scheduler, passes, _, _ = scheduled()
    hung = asyncio.Event()

    async def hang(frame_s: int) -> FrameResult:
        hung.set()
        await asyncio.Event().wait()
        return FrameResult(frame_s, None)

    passes.run_frame = hang  # type: ignore[method-assign]

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        turning = group.create_task(passes.clock.turn())
        running = group.create_task(scheduler.run())
        await hung.wait()
        scheduler.stop()
        await running
        turning.cancel()

    assert running.done()
    assert DRAIN_S <= 10


async def test_run__store_fault__escapes_and_nothing_goes_on() -> None:
    scheduler, passes, _, _ = scheduled()
    passes.fault = StoreFault("relayer.db", "is locked", "stop the other process")

    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(scheduler.run(), 10)

    assert caught.value.exceptions[0] is passes.fault
    assert len(passes.frames) == 1


async def test_run_once__returns_how_the_next_frame_ended() -> None:
    scheduler, passes, _, _ = scheduled(now_s=FRAME + 5.0, last=99)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        turning = group.create_task(passes.clock.turn())
        result = await scheduler.run_once()
        turning.cancel()

    assert (result.frame, passes.frames) == (FRAME, [FRAME])


async def test_beat__while_running__keeps_the_service_alive() -> None:
    scheduler, passes, _, health = scheduled(last=2)

    await ran(scheduler, passes)

    assert health.is_alive(passes.clock.monotonic_s())


def test_timing__of_a_policy__has_no_ticks_where_frames_are_as_short() -> None:
    assert timing_of(POLICY, 2).tick_s == 2
    assert timing_of(make_policy(), 2).tick_s == 0
    assert timing_of(POLICY, 2).settle_s == SETTLED


def test_frame_health__without_a_venue_chain__says_so() -> None:
    from proofs.verify import verified_snapshot

    gone = Unavailable(CHAINS["A"], Reason.RPC_UNREACHABLE, "")

    health = frame_health(FrameResult(FRAME, None, snapshot=verified_snapshot(FRAME, [gone])), CHAINS["A"])

    assert (health.chains_present, health.chains_total, health.is_venue_present) == (0, 1, False)
