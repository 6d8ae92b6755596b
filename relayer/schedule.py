"""The schedule: which frame is next, when to begin it, when to give it up, and which tick is due. Pure.

    frame time T     a multiple of `frame_s`
    due              T + settle_s        the earliest moment at which T's blocks can be final on every chain
    deadline         T + settle_s + deadline_s        chains that are not read by then are missing from the frame

Rules: frames only rise; of several that are due the newest is taken and the others are *missed*, recorded, never
queued and never returned to; a frame whose deadline has passed is missed as well. A tick that comes late is run once,
on the grid that started with the last one. The clock is an argument: seconds, any origin.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Hold the lengths, in seconds. `tick_s` 0 means that there are no ticks between frames."""

    frame_s: int
    settle_s: int
    deadline_s: int
    tick_s: int = 0

    def __post_init__(self) -> None:
        """Refuse lengths that describe no grid."""
        if self.frame_s <= 0 or min(self.settle_s, self.deadline_s, self.tick_s) < 0:
            raise ValueError(f"frame length must be positive, the others not negative: {self}")


@dataclass(frozen=True, slots=True)
class FrameSlot:
    """Name the frame to work on: begin at `due_s`, give up at `deadline_s`; `missed` were skipped on the way."""

    frame: int
    due_s: int
    deadline_s: int
    missed: tuple[int, ...]


MISSED_MAX = 1_000
"""Of a longer outage only the newest missed frames are named; the gap in frame numbers tells the rest."""


def frame_at(time_s: int, frame_s: int) -> int:
    """Return the newest frame time that is not after a moment."""
    return time_s - time_s % frame_s


def next_slot(now_s: int, last_frame: int | None, timing: Timing) -> FrameSlot:
    """Return the next frame to work on, due already or not.

    `last_frame` is the newest frame that was worked on, skipped or refused; None before the first, which is then the
    newest one due, or the first to come.
    """
    newest_due = frame_at(now_s - timing.settle_s, timing.frame_s)
    if newest_due + timing.settle_s + timing.deadline_s < now_s:
        newest_due += timing.frame_s
    frame = newest_due if last_frame is None else max(newest_due, last_frame + timing.frame_s)
    due_s = frame + timing.settle_s
    return FrameSlot(frame, due_s, due_s + timing.deadline_s, missed_frames(last_frame, frame, timing.frame_s))


def missed_frames(last_frame: int | None, frame: int, frame_s: int) -> tuple[int, ...]:
    """Return the frames strictly between two, ascending; the newest `MISSED_MAX` of them."""
    if last_frame is None:
        return ()
    first = max(last_frame + frame_s, frame - MISSED_MAX * frame_s)
    return tuple(range(first, frame, frame_s))


def next_tick_s(now_s: int, last_tick_s: int | None, timing: Timing) -> int | None:
    """Return when the next tick is due: one length after the last, ticks missed meanwhile left out; None: never."""
    if timing.tick_s == 0:
        return None
    if last_tick_s is None:
        return now_s
    late = max(now_s - last_tick_s, timing.tick_s)
    return last_tick_s + late - late % timing.tick_s
