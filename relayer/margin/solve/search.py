"""Search: where a yes-or-no question of an integer changes its answer, in a bounded number of questions.

| search | questions at most |
|---|---|
| `between(ask, a, b)` | log2 |b - a| + 2 |
| `first_flip(ask, start, stops)` | number of stops + 1, then `between` |

Nothing here assumes that the answer changes once; the caller says what a bracket proves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

SCAN: Final = 96
"""Stops of a geometric scan in one direction: (15/16)^96 = 0.002, (17/16)^96 = 336."""
DOUBLINGS: Final = 20
"""Nobody asks for prices above a million times those of now."""


class Question:
    """Ask a pure question of integers, each integer once, and count."""

    def __init__(self, answer: Callable[[int], bool]) -> None:
        self._answer = answer
        self._known: dict[int, bool] = {}

    def __call__(self, at: int) -> bool:
        """Return the answer at an integer."""
        if at not in self._known:
            self._known[at] = self._answer(at)
        return self._known[at]

    @property
    def count(self) -> int:
        """Return how many integers were asked about."""
        return len(self._known)


def between(ask: Question, same: int, flipped: int) -> tuple[int, int]:
    """Return neighbours (last, first): the answer at `last` is that at `same`, at `first` the other.

    Needs different answers at `same` and `flipped`; either may be the greater.
    """
    answer = ask(same)
    while abs(flipped - same) > 1:
        middle = (same + flipped) // 2
        if ask(middle) is answer:
            same = middle
        else:
            flipped = middle
    return same, flipped


def first_flip(ask: Question, start: int, stops: Iterable[int]) -> tuple[int, int] | None:
    """Return (the stop before, the first stop whose answer is not that at `start`), or None."""
    answer, before = ask(start), start
    for stop in stops:
        if ask(stop) is not answer:
            return before, stop
        before = stop
    return None


def stops_below(start: int) -> tuple[int, ...]:
    """Return integers from start > 1 down to 1, each 15/16 of the one before it, `SCAN` of them, then 1."""
    stops, at = [], start
    for _ in range(SCAN):
        at = at * 15 // 16
        if at <= 1:
            break
        stops.append(at)
    return (*stops, 1) if start > 1 else ()


def stops_above(start: int) -> tuple[int, ...]:
    """Return integers from start > 0 up, each 17/16 of the one before, rounded up, then doublings to 2^20 times."""
    stops, at = [], start
    for _ in range(SCAN):
        at = -(-at * 17 // 16)
        stops.append(at)
    return (*stops, *(stop for stop in doublings(start) if stop > at))


def doublings(start: int) -> tuple[int, ...]:
    """Return start · 2^k for k = 1 … 20."""
    return tuple(start << k for k in range(1, DOUBLINGS + 1))


def highest(value: Callable[[int], int], low: int, high: int) -> int:
    """Return where a function that rises, then falls, is highest between two integers, up to its rounding.

    Asks at most 2 · 1.71 · log2(high - low) + 3 times.
    """
    while high - low > 2:
        third = (high - low) // 3
        left, right = low + third, high - third
        if value(left) < value(right):
            low = left
        else:
            high = right
    return max(range(low, high + 1), key=value)
