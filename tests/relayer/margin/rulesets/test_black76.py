"""Option prices between bounds: against decimal arithmetic, at every limit, and in every direction they must move."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relayer.margin.interval import Interval, exact
from relayer.margin.rulesets.black76 import YEAR_S, price, prices
from tests.relayer.margin import decimal_oracle as oracle

E18 = 10**18
DAY = 86_400
AMOUNTS = st.integers(1, 10**24)
VOLS = st.integers(E18 // 1000, 10 * E18)
TIMES = st.integers(1, 3 * YEAR_S)
DISCOUNTS = st.integers(E18 // 2, E18)


def holds(interval: Interval, truth: Fraction, slack: Fraction = Fraction(0)) -> bool:
    return interval.low <= truth * E18 + slack and truth * E18 - slack <= interval.high


@given(AMOUNTS, st.integers(1, 1000), VOLS, TIMES, DISCOUNTS)
@example(1000 * E18, 120, 25 * E18 // 100, 30 * DAY, E18)
def test_price__any__encloses_the_truth_tightly(forward: int, percent: int, vol: int, seconds: int, df: int) -> None:
    strike = max(forward * percent // 100, 1)
    inputs = [Fraction(forward, E18), Fraction(strike, E18), Fraction(vol, E18), seconds, Fraction(df, E18)]
    call, put = oracle.black76(*inputs)  # type: ignore[arg-type]
    is_huge = Fraction(vol, E18) ** 2 * seconds >= 23**2 * YEAR_S

    got = price(forward, strike, vol, seconds, df)

    slack = Fraction(forward, 10**14) if is_huge else Fraction(1, 10**60)
    assert holds(got.call, call, slack)
    assert holds(got.put, put, slack)
    assert got.call.high - got.call.low <= 2
    assert got.put.high - got.put.low <= 2


def test_price__textbook_put_on_a_future__one_point_twelve() -> None:
    """F = K = 20, 25 %, 4 months, 9 %: a textbook's put is 1.12; the discount factor is e^(-0.03)."""
    got = price(20 * E18, 20 * E18, E18 // 4, YEAR_S * 4 // 12, 970445533548508177)

    assert got.put.low // 10**16 == 111
    assert abs(got.put.low - 1116641455588838000) < 10**13
    assert abs(got.call.low - got.put.low) <= 1


@pytest.mark.parametrize(
    ("forward", "strike", "vol", "seconds", "call", "put"),
    [
        (0, 5, 1, YEAR_S, 0, 5),
        (5, 0, 1, YEAR_S, 5, 0),
        (0, 0, 1, YEAR_S, 0, 0),
        (7, 5, 24, YEAR_S, 7, 5),
        (5, 7, 24, YEAR_S, 5, 7),
        (5, 7, 100, YEAR_S, 5, 7),
        (7, 5, 0, YEAR_S, 2, 0),
        (5, 7, 0, YEAR_S, 0, 2),
        (7, 5, 1, 0, 2, 0),
        (5, 7, 1, 0, 0, 2),
    ],
)
def test_price__limit__is_its_formula(forward: int, strike: int, vol: int, seconds: int, call: int, put: int) -> None:
    got = price(forward * E18, strike * E18, vol * E18, seconds, E18 // 2)

    assert holds(got.call, Fraction(call, 2))
    assert holds(got.put, Fraction(put, 2))
    assert max(got.call.high - got.call.low, got.put.high - got.put.low) <= 1


def test_price__total_vol_around_twenty_four__cap_begins_at_it() -> None:
    below = price(E18, 10**6 * E18, 24 * E18 - 10**13, YEAR_S)
    at = price(E18, 10**6 * E18, 24 * E18, YEAR_S)

    assert at.call == exact(E18)
    assert at.put == exact(10**6 * E18)
    assert below.call.low < E18


def test_price__no_volatility_at_the_money__is_the_least_volatility_and_not_nothing() -> None:
    """v = 1e-18: call = F (2 N(v/2) - 1) = F v φ(0) = 0.3989 units for F = 1, and 398,942 for F = 1e6."""
    got = price(10**6 * E18, 10**6 * E18, 0, YEAR_S)

    assert got.call.low <= 398_942 < got.call.high + 1
    assert got.call.high - got.call.low <= 2
    assert got.put == got.call


@given(AMOUNTS, AMOUNTS, VOLS, TIMES, DISCOUNTS)
def test_price__any__stays_within_its_bounds(forward: int, strike: int, vol: int, seconds: int, df: int) -> None:
    got = price(forward, strike, vol, seconds, df)

    assert max(forward - strike, 0) * df // E18 <= got.call.low <= got.call.high <= -(-forward * df // E18)
    assert max(strike - forward, 0) * df // E18 <= got.put.low <= got.put.high <= -(-strike * df // E18)
    parity = Fraction((forward - strike) * df, E18)
    assert got.call.low - got.put.high - 2 <= parity <= got.call.high - got.put.low + 2
    assert 0 <= got.call_delta.low <= got.call_delta.high <= E18


@given(AMOUNTS, AMOUNTS, VOLS, TIMES, st.integers(1, E18))
def test_price__more_of_one_input__never_moves_the_wrong_way(
    forward: int, strike: int, vol: int, seconds: int, step: int
) -> None:
    base = price(forward, strike, vol, seconds)
    calmer, longer = price(forward, strike, vol + step, seconds), price(forward, strike, vol, seconds + step % DAY)
    higher, dearer = price(forward + step, strike, vol, seconds), price(forward, strike + step, vol, seconds)

    for more in (calmer, longer):
        assert more.call.high >= base.call.low
        assert more.put.high >= base.put.low
    assert higher.call.high >= base.call.low
    assert higher.put.low <= base.put.high
    assert dearer.call.low <= base.call.high
    assert dearer.put.high >= base.put.low


@given(AMOUNTS, AMOUNTS, VOLS, TIMES, st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)))
def test_prices__uncertain_inputs__hold_the_prices_of_both_ends(
    forward: int, strike: int, vol: int, seconds: int, slack: tuple[int, int, int]
) -> None:
    f, v, d = slack

    got = prices(Interval(forward, forward + f), strike, Interval(vol, vol + v), seconds, Interval(E18 - d, E18))

    for end in (price(forward, strike, vol, seconds, E18 - d), price(forward + f, strike, vol + v, seconds)):
        assert got.call.low <= end.call.high
        assert end.call.low <= got.call.high
        assert got.put.low <= end.put.high
        assert end.put.low <= got.put.high


def test_prices__uncertain_volatility__holds_the_prices_of_both_ends_and_little_more() -> None:
    """At the money a vol wider by 1e-6 moves the call by 0.38 · 1000 · 1e-6; the bound says at most 0.4."""
    got = prices(exact(1000 * E18), 1000 * E18, Interval(E18 // 5, E18 // 5 + 10**12), YEAR_S)
    low, high = (price(1000 * E18, 1000 * E18, vol, YEAR_S) for vol in (E18 // 5, E18 // 5 + 10**12))

    assert got.call.low <= low.call.low < high.call.high <= got.call.high
    assert got.put.low <= low.put.low < high.put.high <= got.put.high
    assert got.call.high - got.call.low < 41 * 10**13


def test_prices__volatility_that_may_reach_the_cap__upper_end_is_the_cap() -> None:
    got = prices(exact(E18), 10**6 * E18, Interval(23 * E18, 24 * E18), YEAR_S)

    assert got.call.high == E18
    assert got.call.low < E18
    assert got.put.high == 10**6 * E18


@given(AMOUNTS, st.integers(0, 10**9))
def test_prices__uncertain_forward_near_zero__no_price_below_zero(strike: int, slack: int) -> None:
    got = prices(Interval(0, slack), strike, exact(E18), YEAR_S)

    assert (got.call.low, got.put.high) == (0, strike)
    assert got.call.high >= slack
    assert got.put.low == max(strike - slack, 0)


@pytest.mark.parametrize(("forward", "strike", "delta"), [(1, 0, E18), (7, 0, E18), (0, 0, 0), (0, 7, 0)])
def test_price__forward_or_strike_of_nothing__is_the_other_one(forward: int, strike: int, delta: int) -> None:
    got = price(forward, strike, E18, YEAR_S)

    assert (got.call, got.put, got.call_delta) == (exact(forward), exact(strike), exact(delta))


@pytest.mark.parametrize("place", range(5))
def test_prices__negative_input__refused(place: int) -> None:
    inputs = [E18, E18, E18, YEAR_S, E18]
    inputs[place] = -1

    with pytest.raises(ValueError, match="negative"):
        price(*inputs)
