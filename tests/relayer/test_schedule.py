"""The schedule: next frame, deadlines, missed frames and ticks, on a clock that is an argument."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.schedule import (
    MISSED_MAX,
    FrameSlot,
    Timing,
    frame_at,
    missed_frames,
    next_slot,
    next_tick_s,
)

TIMING = Timing(frame_s=60, settle_s=15, deadline_s=20, tick_s=5)


@pytest.mark.parametrize(("now_s", "frame"), [(599, 540), (600, 600), (601, 600), (659, 600), (660, 660)])
def test_frame_at__around_the_grid__newest_not_after(now_s: int, frame: int) -> None:
    assert frame_at(now_s, 60) == frame


def test_next_slot__first_of_all__newest_that_can_be_final() -> None:
    assert next_slot(680, None, TIMING) == FrameSlot(660, 675, 695, ())
    assert next_slot(674, None, TIMING) == FrameSlot(660, 675, 695, ())  # 600's deadline, 635, has passed


def test_next_slot__after_the_last__one_frame_on_and_nothing_missed() -> None:
    assert next_slot(640, 600, TIMING) == FrameSlot(660, 675, 695, ())


def test_th_138_next_slot__after_a_pause__newest_and_the_others_missed() -> None:
    assert next_slot(920, 600, TIMING) == FrameSlot(900, 915, 935, (660, 720, 780, 840))


@pytest.mark.parametrize(("now_s", "frame"), [(934, 900), (935, 900), (936, 960)])
def test_next_slot__around_the_deadline__inclusive(now_s: int, frame: int) -> None:
    assert next_slot(now_s, 840, TIMING).frame == frame


def test_next_slot__clock_set_back__frames_still_rise() -> None:
    assert next_slot(100, 600, TIMING).frame == 660


def test_missed_frames__long_outage__bounded_and_the_newest() -> None:
    missed = missed_frames(0, 60 * 5_000, 60)

    assert len(missed) == MISSED_MAX
    assert missed[-1] == 60 * 4_999


def test_next_tick__late__run_once_on_the_same_grid() -> None:
    assert next_tick_s(104, 100, TIMING) == 105
    assert next_tick_s(105, 100, TIMING) == 105
    assert next_tick_s(123, 100, TIMING) == 120
    assert next_tick_s(100, None, TIMING) == 100


@pytest.mark.parametrize("lengths", [(0, 1, 1, 1), (-1, 1, 1, 1), (60, -1, 1, 1), (60, 1, -1, 1), (60, 1, 1, -1)])
def test_timing__lengths_without_a_grid__refused(lengths: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Timing(*lengths)


@given(
    st.integers(1, 600),
    st.integers(0, 900),
    st.integers(0, 60),
    st.lists(st.integers(0, 2_000), min_size=1, max_size=30),
)
def test_next_slot__any_passing_of_time__frames_rise_on_the_grid_and_are_done_or_missed(
    frame_s: int, settle_s: int, deadline_s: int, pauses: list[int]
) -> None:
    timing, now_s, last = Timing(frame_s, settle_s, deadline_s), 10**6, None
    seen: list[int] = []

    for pause in pauses:
        now_s += pause
        slot = next_slot(now_s, last, timing)
        assert slot.frame % frame_s == 0
        assert last is None or slot.frame > last
        assert slot.deadline_s >= now_s
        if slot.due_s <= now_s:
            # nothing newer is due as well
            assert slot.frame + frame_s + settle_s > now_s
            seen += [*slot.missed, slot.frame] if last is not None else [slot.frame]
            last = slot.frame

    assert len(seen) == len(set(seen))
    if len(pauses) * 2_000 < MISSED_MAX * frame_s:
        assert seen == list(range(seen[0], seen[-1] + 1, frame_s)) if seen else True
