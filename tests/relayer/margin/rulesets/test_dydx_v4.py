"""dYdX subaccounts by hand: truncation, two ceilings, open interest, order of risk."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, trunc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.rulesets.dydx_v4 import (
    DydxMarket,
    DydxPosition,
    DydxRisk,
    LiquidityTier,
    compare_risk,
    initial_requirement,
    maintenance_ppm,
    maintenance_requirement,
    notional,
    position_risk,
    scaled_initial_ppm,
    subaccount_risk,
    to_leaf_figures,
)

TIER = LiquidityTier(10_000, 600_000)
UNIT = DydxMarket(TIER, -6, 1, 0)
"""One quantum is worth one quote quantum."""


# --- rounding --------------------------------------------------------------------------------------------------------


def test_notional__short__is_cut_toward_zero() -> None:
    """1.5 quote quantums: a short is -1, floored it would be -2."""
    market = replace(UNIT, price=15, exponent=-1)

    assert (notional(market, 1), notional(market, -1)) == (1, -1)


def test_notional__positive_exponent__multiplies() -> None:
    assert notional(DydxMarket(TIER, -2, 7, -1), 3) == 21_000


def test_maintenance__two_ceilings__not_one() -> None:
    """101 · 1 % = 1.01 → 2; 2 · 60 % = 1.2 → 2. Once: 101 · 0.6 % = 0.606 → 1."""
    assert maintenance_requirement(TIER, 101) == 2
    assert maintenance_requirement(TIER, 100) == 1
    assert initial_requirement(TIER, 101, 0) == 2


def test_maintenance__of_a_crowded_market__is_that_of_an_empty_one() -> None:
    crowded = replace(UNIT, tier=replace(TIER, open_interest_lower=10, open_interest_upper=20), open_interest=15)

    empty, full = (position_risk(DydxPosition(market, 1_000)) for market in (UNIT, crowded))

    assert (empty.initial, full.initial) == (10, 505)
    assert empty.maintenance == full.maintenance == 6


def test_initial__own_fraction__is_a_floor_below_the_scaled_one() -> None:
    assert initial_requirement(TIER, 1_000, 0, own_initial_ppm=50_000) == 50
    assert initial_requirement(TIER, 1_000, 0, own_initial_ppm=5_000) == 10


@pytest.mark.parametrize(
    ("interest", "ppm"),
    [(9, 10_000), (10, 10_000), (11, 109_000), (15, 505_000), (19, 901_000), (20, 10**6), (99, 10**6)],
)
def test_open_interest__between_the_caps__is_linear(interest: int, ppm: int) -> None:
    tier = replace(TIER, open_interest_lower=10, open_interest_upper=20)

    assert scaled_initial_ppm(tier, interest) == ppm


def test_open_interest__no_upper_cap__does_not_scale() -> None:
    assert scaled_initial_ppm(replace(TIER, open_interest_lower=10), 99) == 10_000
    assert scaled_initial_ppm(TIER, 99) == 10_000


def test_open_interest__is_valued_like_a_position() -> None:
    """15 open quantums at 2 are 30 quote quantums: beyond the upper cap of 20."""
    market = DydxMarket(replace(TIER, open_interest_lower=10, open_interest_upper=20), -6, 2, 0, open_interest=15)

    assert position_risk(DydxPosition(market, 100)).initial == 200


def test_maintenance_ppm__for_display__is_down() -> None:
    assert maintenance_ppm(LiquidityTier(33_333, 500_000)) == 16_666


# --- subaccount ------------------------------------------------------------------------------------------------------


def test_subaccount__quote_balance__counts() -> None:
    positions = (DydxPosition(UNIT, 1_000, -900), DydxPosition(UNIT, -500, 600))

    risk = subaccount_risk(-50, positions)

    assert risk == DydxRisk(-50 + 1_000 - 900 - 500 + 600, 15, 9)


@pytest.mark.parametrize(("usdc", "excess"), [(-995, -1), (-994, 0), (-993, 1)])
def test_boundary__one_unit__equality_is_healthy(usdc: int, excess: int) -> None:
    risk = subaccount_risk(usdc, (DydxPosition(UNIT, 1_000),))

    assert risk.is_liquidatable is (excess < 0)
    assert risk.is_maintenance_collateralized is (excess >= 0)
    assert to_leaf_figures(risk).excess_usd == excess * 10**12


@pytest.mark.parametrize(("net", "is_covered"), [(9, False), (10, True), (11, True)])
def test_initial__one_unit__equality_may_open(net: int, is_covered: bool) -> None:
    assert DydxRisk(net, 10, 6).is_initial_collateralized is is_covered


def test_no_requirement__below_zero__is_not_liquidatable_and_has_no_excess() -> None:
    risk = subaccount_risk(-1, ())

    assert not risk.is_liquidatable
    assert not risk.is_maintenance_collateralized
    leaf = to_leaf_figures(risk)
    assert (leaf.collateral_usd, leaf.liability_usd, leaf.excess_usd) == (0, 10**12, -(10**12))


def test_leaf__amounts__are_exact() -> None:
    leaf = to_leaf_figures(DydxRisk(7, 5, 3))

    assert (leaf.collateral_usd, leaf.liability_usd, leaf.initial_usd, leaf.maintenance_usd) == (
        7 * 10**12,
        0,
        5 * 10**12,
        3 * 10**12,
    )


# --- order of risk ---------------------------------------------------------------------------------------------------


def test_compare__both_below_zero__larger_requirement_ranks_safer_as_at_the_venue() -> None:
    assert compare_risk(DydxRisk(-100, 0, 150), DydxRisk(-100, 0, 100)) == -1


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [
        ((99, 50), (100, 50), 1),
        ((100, 50), (100, 50), 0),
        ((100, 51), (102, 51), 1),
        ((200, 100), (100, 50), 1),
        ((1, 0), (2, 0), 1),
    ],
)
def test_compare__by_ratio_then_requirement_then_collateral(
    first: tuple[int, int], second: tuple[int, int], order: int
) -> None:
    one, other = (DydxRisk(net, 0, requirement) for net, requirement in (first, second))

    assert compare_risk(one, other) == order
    assert compare_risk(other, one) == -order


# --- laws ------------------------------------------------------------------------------------------------------------

PPMS = st.integers(0, 10**6)
TIERS = st.builds(
    LiquidityTier, PPMS, PPMS, st.integers(0, 10**15), st.one_of(st.just(0), st.integers(10**15 + 1, 10**16))
)
MARKETS = st.builds(
    DydxMarket, TIERS, st.integers(-12, 2), st.integers(1, 10**12), st.integers(-10, 2), st.integers(0, 10**15)
)
POSITIONS = st.lists(
    st.builds(DydxPosition, MARKETS, st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15), PPMS), max_size=4
)


@given(st.integers(-(10**15), 10**15), POSITIONS)
def test_risk__any_subaccount__is_that_of_fractions(usdc: int, positions: list[DydxPosition]) -> None:
    net, initial, maintenance = usdc, 0, 0
    for position in positions:
        market, tier = position.market, position.market.tier
        unit = Fraction(market.price) * Fraction(10) ** (market.exponent + market.atomic_resolution + 6)
        value = trunc(position.quantums * unit)
        interest = trunc(market.open_interest * unit)
        share = Fraction(tier.initial_ppm)
        if tier.open_interest_upper and interest > tier.open_interest_lower:
            span = tier.open_interest_upper - tier.open_interest_lower
            share = min(Fraction(10**6), share + (10**6 - share) * Fraction(interest - tier.open_interest_lower, span))
        net += value + position.quote_balance
        initial += ceil(Fraction(abs(value) * max(trunc(share), position.own_initial_ppm), 10**6))
        first = ceil(Fraction(abs(value) * tier.initial_ppm, 10**6))
        maintenance += ceil(Fraction(first * tier.maintenance_fraction_ppm, 10**6))

    assert subaccount_risk(usdc, tuple(positions)) == DydxRisk(net, initial, maintenance)


@given(st.integers(-(10**15), 10**15), POSITIONS, st.integers(0, 10**15))
def test_excess__more_cash_never_lowers_and_crowding_never_touches_it(
    usdc: int, positions: list[DydxPosition], grown: int
) -> None:
    before = subaccount_risk(usdc, tuple(positions))
    crowded = tuple(
        replace(position, market=replace(position.market, open_interest=position.market.open_interest + grown))
        for position in positions
    )

    richer, fuller = subaccount_risk(usdc + grown, tuple(positions)), subaccount_risk(usdc, crowded)

    assert richer.net_collateral - richer.maintenance >= before.net_collateral - before.maintenance
    assert (fuller.net_collateral, fuller.maintenance) == (before.net_collateral, before.maintenance)
    assert fuller.initial >= before.initial
