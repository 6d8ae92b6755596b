"""Intervals: every operation holds the truth, and is exact where the inputs and the result are."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.interval import UNIT, ZERO, Interval, exact, product, total

E18 = 10**18
NUMBERS = st.integers(-(10**24), 10**24)
POINTS = st.tuples(NUMBERS, st.integers(0, 10**20), st.integers(0, 10**20)).map(
    lambda t: (Fraction(t[0]), Interval(t[0] - t[1], t[0] + t[2]))
)


def holds(interval: Interval, value: Fraction) -> bool:
    return interval.low <= value <= interval.high


@given(POINTS, POINTS)
def test_arithmetic__points_inside__results_inside(
    first: tuple[Fraction, Interval], second: tuple[Fraction, Interval]
) -> None:
    (x, a), (y, b) = first, second

    assert holds(a + b, x + y)
    assert holds(a - b, x - y)
    assert holds(-a, -x)
    assert holds(a * b, x * y / E18)
    assert holds(a.at_most(b), min(x, y))
    assert holds(a.at_least(b), max(x, y))
    assert holds(a.hull(b), x)
    assert holds(a.hull(b), y)
    assert holds(a.loss(), -abs(x))
    assert holds(a.times(int(y)), x * y / E18)
    assert holds(total([a, b, a]), 2 * x + y)


@given(POINTS, st.integers(1, 10**24), st.integers(0, 10**20))
def test_over__positive_divisor__result_inside(first: tuple[Fraction, Interval], divisor: int, slack: int) -> None:
    x, a = first

    assert holds(a.over(Interval(divisor, divisor + slack)), x * E18 / divisor)
    assert holds(a.over(Interval(divisor, divisor + slack)), x * E18 / (divisor + slack))


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_product__exact_factors__rounded_once(factors: list[int]) -> None:
    truth = Fraction(1)
    for factor in factors:
        truth *= Fraction(factor, E18)

    result = product(*factors)

    assert holds(result, truth * E18)
    assert result.high - result.low <= 1
    assert (result.high == result.low) == ((truth * E18).denominator == 1)


@pytest.mark.parametrize(
    ("got", "low", "high"),
    [
        (product(1, 1), 0, 1),
        (product(-1, 1), -1, 0),
        (product(2 * E18, 3 * E18), 6 * E18, 6 * E18),
        (exact(1).over(exact(3)), 333333333333333333, 333333333333333334),
        (exact(-1).over(Interval(3, 4)), -333333333333333334, -E18 // 4),
        (exact(-3).over(Interval(1, 2)), -3 * E18, -3 * E18 // 2),
        (exact(3).over(Interval(1, 2)), 3 * E18 // 2, 3 * E18),
        (exact(0).over(Interval(1, 2)), 0, 0),
        (Interval(-3, 3).over(Interval(1, 2)), -3 * E18, 3 * E18),
        (Interval(1, 5).at_most(Interval(2, 3)), 1, 3),
        (Interval(1, 5).at_least(Interval(2, 3)), 2, 5),
        (Interval(1, 3).hull(Interval(2, 5)), 1, 5),
        (Interval(-3, 2).loss(), -3, 0),
        (Interval(0, 2).loss(), -2, 0),
        (Interval(-2, 0).loss(), -2, 0),
        (Interval(-2, 3).loss(), -3, 0),
        (Interval(2, 3).loss(), -3, -2),
        (Interval(-3, -2).loss(), -3, -2),
        (Interval(-1, 1) * Interval(-1, 1), -1, 1),
        (Interval(2, 3).times(-E18), -3, -2),
        (ZERO + UNIT, E18, E18),
        (total([]), 0, 0),
    ],
)
def test_operation__by_hand__these_ends(got: Interval, low: int, high: int) -> None:
    assert got == Interval(low, high)


@pytest.mark.parametrize("divisor", [Interval(0, 1), Interval(-1, 1), Interval(-2, -1)])
def test_over__divisor_that_may_be_zero__refused(divisor: Interval) -> None:
    with pytest.raises(ValueError, match="zero"):
        exact(1).over(divisor)
