"""The search for a block by time, against a linear scan; and the watch for reorgs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.heads import Bracket, HeadsBroken, Stamp, Trail, is_complete, narrow, next_window, watch
from chains.limits import HEADS_ROUNDS_MAX, HEADS_WINDOW
from proofs.types import Hash32


def _hash(number: int, fork: int = 0) -> Hash32:
    return Hash32(bytes([fork]) + number.to_bytes(31, "big"))


def _chain(times: list[int], fork: int = 0) -> list[Stamp]:
    return [Stamp(n, time, _hash(n, fork), _hash(n - 1, fork) if n else _hash(0, 9)) for n, time in enumerate(times)]


def _search(chain: list[Stamp], bound_s: int, block_time_ms: int) -> tuple[Stamp | None, int]:
    """Run the search as a provider's shell does; return what it found and how many rounds that took."""
    bracket = narrow(Bracket(), [chain[-1]], bound_s)
    for attempt in range(HEADS_ROUNDS_MAX):
        if is_complete(bracket):
            return bracket.older, attempt
        window = next_window(bracket, bound_s, block_time_ms, attempt)
        if not window:
            return None, attempt
        assert len(window) <= HEADS_WINDOW
        bracket = narrow(bracket, [chain[number] for number in window], bound_s)
    raise AssertionError("the search did not end")


STEPS = st.lists(st.sampled_from([0, 0, 1, 2, 12, 500]), min_size=1, max_size=200)


@given(STEPS, st.integers(0, 200), st.sampled_from([1, 250, 2_000, 12_000, 10**6]))
def test_th_009_search__when_times_jump_or_repeat__then_it_is_the_highest_not_after_the_bound(
    steps: list[int], offset: int, block_time_ms: int
) -> None:
    times = [1_000]
    for step in steps:
        times.append(times[-1] + step)
    bound = 990 + offset
    chain = _chain([*times, max(times[-1], bound) + 1])

    found, _ = _search(chain, bound, block_time_ms)

    eligible = [stamp for stamp in chain if stamp.timestamp_s <= bound]
    assert found == (max(eligible, key=lambda stamp: (stamp.timestamp_s, stamp.number)) if eligible else None)


@pytest.mark.parametrize("behind", [1, 2, 3, 5])
def test_search__when_blocks_come_regularly__then_one_window_is_enough(behind: int) -> None:
    chain = _chain([12 * n for n in range(1_000)])

    found, rounds = _search(chain, 12 * (999 - behind), 12_000)

    assert found == chain[999 - behind]
    assert rounds == 1


def test_search__when_the_block_time_is_far_off__then_halving_ends_it() -> None:
    chain = _chain([0] * 60_000 + list(range(1, 2_000)))

    found, rounds = _search(chain, 0, 1)

    assert found == chain[59_999]
    assert rounds <= 2 * 17


def test_th_009_search__when_a_block_is_in_the_future__then_it_is_not_eligible() -> None:
    chain = _chain([10, 20, 9_999])

    found, _ = _search(chain, 25, 10_000)

    assert found == chain[1]


def test_narrow__when_times_fall_with_height__then_it_is_broken() -> None:
    high = Stamp(7, 100, _hash(7), _hash(6))
    low = Stamp(3, 101, _hash(3), _hash(2))

    with pytest.raises(HeadsBroken, match="order"):
        narrow(Bracket(), [low, high], 50)


def test_narrow__when_two_blocks_have_one_height__then_it_is_broken() -> None:
    with pytest.raises(HeadsBroken, match="order"):
        narrow(Bracket(), [Stamp(3, 100, _hash(3), _hash(2)), Stamp(3, 100, _hash(3, 1), _hash(2))], 50)


def test_narrow__when_neighbours_are_not_linked__then_it_is_broken() -> None:
    with pytest.raises(HeadsBroken, match="parent"):
        narrow(Bracket(), [Stamp(3, 100, _hash(3), _hash(2)), Stamp(4, 101, _hash(4), _hash(3, 1))], 50)


def test_complete__when_the_child_is_not_the_childs_child__then_it_is_broken() -> None:
    bracket = Bracket(Stamp(3, 100, _hash(3), _hash(2)), Stamp(4, 101, _hash(4), _hash(3, 1)))

    with pytest.raises(HeadsBroken, match="parent"):
        is_complete(bracket)


def test_complete__when_a_block_between_is_unknown__then_it_is_not() -> None:
    assert not is_complete(Bracket(Stamp(3, 1, _hash(3), _hash(2)), Stamp(5, 9, _hash(5), _hash(4))))
    assert not is_complete(Bracket(Stamp(3, 1, _hash(3), _hash(2)), None))
    assert not is_complete(Bracket(None, Stamp(5, 9, _hash(5), _hash(4))))


def test_watch__when_heights_keep_their_hashes__then_nothing_is_reported() -> None:
    chain = _chain([10, 20, 30, 40])

    trail, first = watch(Trail(), chain[:3])
    trail, second = watch(trail, chain[1:])

    assert (first, second) == (None, None)
    assert sorted(trail.hashes) == [0, 1, 2, 3]


def test_watch__when_a_height_has_another_hash__then_height_and_depth_are_reported() -> None:
    trail, _ = watch(Trail(), _chain([10, 20, 30, 40]))

    trail, reorg = watch(trail, [Stamp(2, 31, _hash(2, 1), _hash(1))])

    assert reorg == (2, 2)
    assert sorted(trail.hashes) == [0, 1, 2]


def test_watch__when_a_new_block_has_another_parent__then_the_parents_height_is_reported() -> None:
    trail, _ = watch(Trail(), _chain([10, 20, 30]))

    _, reorg = watch(trail, [Stamp(3, 40, _hash(3, 1), _hash(2, 1))])

    assert reorg == (2, 1)


def test_watch__when_very_many_heights_are_shown__then_only_the_newest_are_kept() -> None:
    trail, _ = watch(Trail(), _chain(list(range(500))))

    assert sorted(trail.hashes) == list(range(436, 500))
