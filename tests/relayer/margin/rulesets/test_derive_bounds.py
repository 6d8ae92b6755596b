"""Prices between bounds in Derive's kernels: a margin encloses that of every price inside; a wider one is wider."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.interval import UNIT, Interval, bounds, exact, product, shortfall
from relayer.margin.rulesets import derive_pmrm2 as pmrm2
from relayer.margin.rulesets import derive_srm as srm
from relayer.margin.rulesets.black76 import YEAR_S
from relayer.margin.rulesets.derive_common import option_value
from relayer.margin.rulesets.derive_pmrm import Scenario, VolMove
from relayer.margin.view import Purpose
from tests.relayer.margin.rulesets import test_derive_pmrm as first
from tests.relayer.margin.rulesets import test_derive_pmrm2 as second
from tests.relayer.margin.rulesets import test_derive_srm as standard

E18 = 10**18
NUMBERS = st.integers(-(10**24), 10**24)
SLACKS = st.integers(0, 10**20)


def holds(outer: Interval, inner: Interval) -> bool:
    return outer.low <= inner.low and inner.high <= outer.high


@given(st.lists(st.tuples(NUMBERS, SLACKS, st.integers(0, 100)), min_size=1, max_size=4))
def test_product__figures_between_bounds__holds_every_product(drawn: list[tuple[int, int, int]]) -> None:
    wide = [Interval(low, low + slack) for low, slack, _ in drawn]
    inside = [low + slack * share // 100 for low, slack, share in drawn]
    truth = Fraction(E18)
    for factor in inside:
        truth *= Fraction(factor, E18)

    assert product(*wide).low <= truth <= product(*wide).high
    assert holds(product(*wide), product(*inside))
    assert product(*(exact(factor) for factor in inside)) == product(*inside)


def test_shortfall__around_the_threshold__by_hand() -> None:
    assert shortfall(98, 97) == exact(1)
    assert shortfall(98, 98) == shortfall(98, 120) == exact(0)
    assert shortfall(98, Interval(95, 97)) == Interval(1, 3)
    assert shortfall(98, Interval(95, 99)) == Interval(0, 3)
    assert bounds(5) == exact(5)


@given(
    st.booleans(),
    st.integers(100, 2_000),
    st.sampled_from([0, 1, 2, 10, E18, 50 * E18]),
    st.sampled_from([0, 1, 2, 10, E18, 50 * E18]),
    st.sampled_from([0, E18 // 100, E18 // 2, 2 * E18]),
)
def test_option_value__wider_forward__wider_value(is_call: bool, strike: int, below: int, above: int, vol: int) -> None:
    """From one unit of rounding to a dollar: the way of computing changes, the enclosure does not break."""
    middle = 1_000 * E18
    time = (YEAR_S // 12, UNIT)

    def value(low: int, high: int) -> Interval:
        return option_value(is_call, Interval(low, high), strike * E18, exact(vol), time)

    here, wide, wider = (
        value(middle, middle),
        value(middle - below, middle + above),
        value(middle - below - 1, middle + above + 1),
    )

    assert holds(wide, here)
    assert holds(wider, wide)
    assert holds(wide, value(middle - below, middle - below))
    assert holds(wide, value(middle + above, middle + above))


def test_option_value__wide_forward__each_side_at_its_own_ends() -> None:
    """No volatility, strike 1000, forward in [990, 1030]: the call in [0, 30], the put in [0, 10]."""
    forward = Interval(990 * E18, 1_030 * E18)

    call, put = (option_value(side, forward, 1_000 * E18, exact(0), (YEAR_S, UNIT)) for side in (True, False))

    assert (call.low, put.low) == (0, 0)
    assert abs(call.high - 30 * E18) <= 3
    assert abs(put.high - 10 * E18) <= 3


@pytest.mark.parametrize("strike", range(1_000, 2_000, 50))
@pytest.mark.parametrize("is_call", [True, False])
def test_option_value__from_one_unit_of_width_to_three__never_narrower(strike: int, is_call: bool) -> None:
    """Up to one unit the slope widens the price at the low end, beyond it both ends are priced."""
    start, time = 1_000 * E18, (YEAR_S // 12, UNIT)

    narrow, wide = (
        option_value(is_call, Interval(start, start + width), strike * E18, exact(E18 // 2), time) for width in (1, 2)
    )

    assert holds(wide, narrow)


def test_standard__spot_between_bounds__own_requirement_by_hand() -> None:
    """Short put of 1900, spot in [1950, 2050], out of the money by 50 to 150; forward 2000, so it is worth nothing.

    max(0.1 · 1950, 0.15 · 1950 - 150) = 195; max(0.1 · 2050, 0.15 · 2050 - 50) = 257.5.
    """
    feed = replace(standard.FEED, spot=Interval(1_950 * E18, 2_050 * E18))

    got = standard.margined(Purpose.INITIAL, standard.put(1_900), feed=feed).margin

    assert abs(got.low + 2_575 * E18 // 10) <= 20
    assert abs(got.high + 195 * E18) <= 20


def test_second_version__absolute_skew_turning_inside_the_forward__may_lose_nothing() -> None:
    """k* is 0.01: at either end, 1 % off, volatility is up by the whole cap; at the strike it does not move at all."""
    rules = second.under(Scenario(E18, VolMove.ABS))
    steep = replace(rules.shocks.skew, width_scale=0)
    rules = replace(rules, shocks=replace(rules.shocks, skew=steep))
    forward = Interval(990 * E18, 1_010 * E18)
    book = replace(
        second.EMPTY,
        options=(second.option(1_000, True, 1, "0.5"),),
        expiries=(replace(second.MARKET, forward_variable=forward),),
    )

    got = pmrm2.margin(book, rules).scenario_pnl[0]

    assert got.high == 0
    assert got.low < -20 * E18


@pytest.mark.parametrize("move", [VolMove.LINEAR, VolMove.ABS])
@given(st.integers(-120, 120), st.integers(0, 100), st.integers(0, 100), st.integers(1, 99))
@settings(max_examples=15)
def test_second_version__skew_with_the_strike_inside_the_forward__encloses(
    move: VolMove, offset: int, below: int, above: int, share: int
) -> None:
    """The absolute skew turns round at the strike: its least turn lies between the ends, not at one of them."""
    rules = second.under(Scenario(E18, move))
    low, high = (1_000 + offset - below) * E18, (1_000 + offset + above) * E18
    inside = low + (high - low) * share // 100
    legs = (second.option(1_000, True, 2, "0.5"), second.option(900, False, -3, "0.6"))

    wide, one = (
        pmrm2.margin(replace(second.EMPTY, options=legs, expiries=(replace(second.MARKET, forward_variable=f),)), rules)
        for f in (Interval(low, high), inside)
    )

    assert holds(wide.scenario_pnl[0], one.scenario_pnl[0])
    assert holds(wide.maintenance, one.maintenance)


AMOUNTS = st.integers(-4, 4)
WIDTHS = st.tuples(*[st.integers(0, 60)] * 4)
SHARES = st.tuples(*[st.integers(0, 100)] * 4)


def spread(middle: int, width: int) -> Interval:
    return Interval((middle - width) * E18, (middle + width) * E18)


def inside_of(interval: Interval, share: int) -> int:
    return interval.low + (interval.high - interval.low) * share // 100


def figures(widths: tuple[int, ...], shares: tuple[int, ...]) -> tuple[list[Interval], list[int]]:
    """Return spot, perp, forward around 1000 and a stable price around 0.98, wide and one inside."""
    wide = [spread(1_000, width) for width in widths[:3]]
    wide.append(Interval((980 - widths[3]) * E18 // 1_000, (980 + widths[3]) * E18 // 1_000))
    return wide, [inside_of(one, share) for one, share in zip(wide, shares, strict=True)]


def first_of(at: Any, amounts: tuple[int, ...]) -> list[Interval]:
    spot, perp, forward, stable = at
    legs = (first.option(900, True, amounts[0], "0.5"), first.option(1_100, False, amounts[1], "0.6"))
    changes = {"spot": spot, "perp_price": perp, "stable_price": stable, "base": abs(amounts[2]) * E18}
    expiry = replace(first.MARKET, forward_variable=forward)
    got = first.margined(*legs, expiries=(expiry,), perp=amounts[3] * E18, **changes)
    return [got.initial, got.maintenance, got.mtm]


def second_of(at: Any, amounts: tuple[int, ...]) -> list[Interval]:
    spot, perp, forward, stable = at
    legs = (second.option(900, True, amounts[0], "0.5"), second.option(1_100, False, amounts[1], "0.6"))
    coin = pmrm2.Collateral(abs(amounts[2]) * E18, spot, E18, E18 // 10, E18 // 20, True)
    changes = {"spot": spot, "stable_price": stable, "collaterals": (coin,)}
    changes["perp"] = pmrm2.Perp(amounts[3] * E18, perp, E18, product(amounts[3] * E18, perp))
    got = second.margined(*legs, expiries=(replace(second.MARKET, forward_variable=forward),), **changes)
    return [got.initial, got.maintenance, got.mtm]


def standard_of(at: Any, amounts: tuple[int, ...]) -> list[Interval]:
    spot, perp, forward, stable = at
    feed = srm.MarketFeed(spot, E18, perp, E18, (srm.ExpiryFeed(YEAR_S, forward, E18, E18),))
    legs = tuple(
        srm.OptionLeg(YEAR_S, strike * E18, is_call, amount * E18, E18 // 2)
        for strike, is_call, amount in ((900, True, amounts[0]), (1_100, False, amounts[1]), (1_000, False, amounts[3]))
    )
    holding = srm.MarketHolding(feed, legs, amounts[3] * E18, product(amounts[3] * E18, perp), abs(amounts[2]) * E18)
    results = [srm.margin([("ETH", holding)], 0, stable, standard.RULES, purpose) for purpose in Purpose]
    return [result.margin for result in results] + [results[0].mtm]


@pytest.mark.parametrize("weigh", [first_of, second_of, standard_of])
@settings(max_examples=15)
@given(amounts=st.tuples(*[AMOUNTS] * 4), widths=WIDTHS, shares=SHARES)
def test_law__prices_between_bounds__every_figure_encloses_that_of_each_price_inside(
    weigh: Any, amounts: tuple[int, ...], widths: tuple[int, ...], shares: tuple[int, ...]
) -> None:
    wide, one = figures(widths, shares)

    for outer, inner in zip(weigh(wide, amounts), weigh(one, amounts), strict=True):
        assert holds(outer, inner)


@pytest.mark.parametrize("weigh", [first_of, second_of, standard_of])
@settings(max_examples=10)
@given(amounts=st.tuples(*[AMOUNTS] * 4), widths=WIDTHS, place=st.integers(0, 3), more=st.sampled_from([1, 10**18]))
def test_law__one_interval_wider__every_figure_wider(
    weigh: Any, amounts: tuple[int, ...], widths: tuple[int, ...], place: int, more: int
) -> None:
    wide, _ = figures(widths, (0, 0, 0, 0))
    extra = more if place < 3 else min(more, 10**16)
    wider = [Interval(w.low - extra, w.high + extra) if n == place else w for n, w in enumerate(wide)]

    for outer, inner in zip(weigh(wider, amounts), weigh(wide, amounts), strict=True):
        assert holds(outer, inner)


def test_results__values_of_legs_and_parts_add_up() -> None:
    """The order of the options is kept although the kernels work by expiry."""
    late = replace(first.option(600, True, 2), seconds=2 * YEAR_S)
    markets = (first.MARKET, replace(first.MARKET, seconds=2 * YEAR_S))
    got = first.margined(late, first.option(700, True, 1), first.option(900, True, -1), expiries=markets, base=E18)

    assert [round(Fraction(value.low, E18)) for value in got.option_values] == [800, 300, -100]
    assert got.base_value == exact(1_000 * E18)
    assert got.mtm.low == sum(value.low for value in got.option_values) + got.base_value.low
