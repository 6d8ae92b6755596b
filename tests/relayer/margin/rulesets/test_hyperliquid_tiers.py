"""Tiered leverage by hand: no reference numbers are known, so edges, deductions and laws."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.rulesets.hyperliquid_tiers import (
    MarginTier,
    TieredFigures,
    TieredMargin,
    TieredPosition,
    account_figures,
    initial_requirement,
    maintenance_requirement,
    notional_up,
    profit_down,
    to_leaf_figures,
)

THREE = TieredMargin((MarginTier(0, 50), MarginTier(1_000, 25), MarginTier(5_000, 3)))


def position(size: int, mark: int, entry: int = 0, leverage: int = 10, decimals: int = 0) -> TieredPosition:
    return TieredPosition(THREE, size, decimals, mark, 6, entry, leverage)


@pytest.mark.parametrize(
    ("notional", "requirement"),
    [(0, 0), (1, 1), (100, 1), (101, 2), (999, 10), (1_000, 10), (1_001, 11), (5_000, 90), (5_001, 91), (8_000, 590)],
)
def test_maintenance__by_hand__is_continuous_at_both_edges(notional: int, requirement: int) -> None:
    """1 % up to 1000, 2 % - 10 up to 5000, then a sixth - 743.33: 1000 gives 10 and 5000 gives 90 on both sides."""
    assert maintenance_requirement(THREE, notional) == requirement


@given(st.integers(0, 20_000))
def test_maintenance__any__is_the_sum_of_marginal_brackets(notional: int) -> None:
    tiers = THREE.tiers
    exact = Fraction(0)
    for tier, above in zip(tiers, [*tiers[1:], MarginTier(10**9, 1)], strict=True):
        exact += max(0, min(notional, above.lower) - tier.lower) * Fraction(1, 2 * tier.leverage_max)

    assert maintenance_requirement(THREE, notional) == ceil(exact)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_maintenance__larger__never_less_and_never_below_two_halves(first: int, second: int) -> None:
    one, other, both = (maintenance_requirement(THREE, n) for n in (first, second, first + second))

    assert both >= max(one, other)
    assert both >= one + other - 2


def test_notional_and_profit__a_fraction__against_the_account() -> None:
    """3 of 10^-1 at 1.000005 dollars: 300001.5 micro-dollars."""
    long, short = (position(size, 1_000_005, decimals=1) for size in (3, -3))

    assert notional_up(long) == notional_up(short) == 300_002
    assert (profit_down(long), profit_down(short)) == (300_001, -300_002)


@pytest.mark.parametrize(
    ("leverage", "mark", "initial"), [(10, 1_000, 100), (60, 999, 20), (60, 1_000, 40), (10, 5_000, 1_667)]
)
def test_initial__leverage__is_at_most_that_of_the_tier(leverage: int, mark: int, initial: int) -> None:
    assert initial_requirement(position(1, mark, leverage=leverage)) == initial


@pytest.mark.parametrize(("cash", "is_healthy"), [(9, False), (10, True), (11, True)])
def test_boundary__one_unit__equality_is_healthy(cash: int, is_healthy: bool) -> None:
    figures = account_figures(cash, (position(1, 1_000, entry=1_000),))

    assert figures == TieredFigures(cash, 100, 10)
    assert figures.is_healthy is is_healthy
    assert (to_leaf_figures(figures).excess_usd >= 0) is is_healthy


def test_account__two_markets__add_up() -> None:
    figures = account_figures(-20, (position(1, 1_000, entry=900), position(-2, 500, entry=-1_100)))

    assert figures == TieredFigures(-20 + 100 + 100, 200, 20)


def test_leaf__loss__is_a_liability() -> None:
    leaf = to_leaf_figures(TieredFigures(-5, 7, 3))

    assert (leaf.collateral_usd, leaf.liability_usd, leaf.initial_usd, leaf.maintenance_usd) == (
        0,
        5 * 10**12,
        7 * 10**12,
        3 * 10**12,
    )


def test_tiers__leverage_of_one__is_the_least() -> None:
    assert TieredMargin((MarginTier(0, 2), MarginTier(10, 1))).tiers[-1].leverage_max == 1


@pytest.mark.parametrize(
    "tiers",
    [
        (),
        (MarginTier(1, 50),),
        (MarginTier(0, 0),),
        (MarginTier(0, 50), MarginTier(0, 25)),
        (MarginTier(0, 50), MarginTier(10, 50)),
        (MarginTier(0, 25), MarginTier(10, 50)),
    ],
)
def test_tiers__not_rising_or_not_falling__refused(tiers: tuple[MarginTier, ...]) -> None:
    with pytest.raises(ValueError):
        TieredMargin(tiers)
