"""Aave accounts by hand: each rounding where it shows, each boundary, each law with its exceptions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.units import UINT256_MAX
from relayer.margin.fixed_point import RAY, WAD
from relayer.margin.rulesets.aave_v3 import (
    AAVE_REVISIONS,
    AaveAccount,
    AaveCollateral,
    AaveDebt,
    AaveEmode,
    AaveFigures,
    account_figures,
    available_borrow,
    collateral_value,
    debt_value,
    to_leaf_figures,
)

NEW, MIDDLE, OLD = (AAVE_REVISIONS[name] for name in ("aave@3.7", "aave@3.6", "aave@3.0"))
REVISIONS = tuple(AAVE_REVISIONS.values())
INDEX = 3 * RAY // 2


def held(value: int, threshold_bps: int = 8_000, ltv_bps: int = 7_500) -> AaveCollateral:
    """A collateral worth `value` in the base currency."""
    return AaveCollateral(value, RAY, 1, 0, ltv_bps, threshold_bps)


def owed(value: int) -> AaveDebt:
    return AaveDebt(value, RAY, 1, 0)


def weigh(collateral: list[AaveCollateral], debt: list[AaveDebt], revision: str = "aave@3.7") -> AaveFigures:
    return account_figures(AaveAccount(tuple(collateral), tuple(debt)), AAVE_REVISIONS[revision])


# --- rounding --------------------------------------------------------------------------------------------------------


def test_collateral_value__both_steps_cut__rounded_down_twice() -> None:
    """3 · 1.5 = 4.5 → 4; 4 · 7 / 10 = 2.8 → 2. Half up onto the index: 5 · 7 / 10 → 3."""
    leg = AaveCollateral(3, INDEX, 7, 1, 0, 0)

    assert [collateral_value(leg, revision) for revision in (NEW, MIDDLE, OLD)] == [2, 2, 3]


def test_debt_value__both_steps_cut__rounded_up_twice() -> None:
    """3 · 1.5 = 4.5 → 5; 5 · 7 / 10 = 3.5 → 4. In 3.0 5 · 7 / 10 → 3."""
    leg = AaveDebt(3, INDEX, 7, 1)

    assert [debt_value(leg, revision) for revision in (NEW, MIDDLE, OLD)] == [4, 4, 3]


def test_index__below_a_half__is_up_for_debts_and_down_for_collateral_and_nearest_before() -> None:
    """1 · 1.25: a debt owes 2, a collateral has 1, and 3.0 says 1 of both."""
    index = 5 * RAY // 4

    assert debt_value(AaveDebt(1, index, 1, 0), NEW) == 2
    assert debt_value(AaveDebt(1, index, 1, 0), OLD) == 1
    assert collateral_value(AaveCollateral(1, index, 1, 0, 0, 0), NEW) == 1


def test_debt_value__dust__is_never_nothing() -> None:
    dust = AaveDebt(1, RAY, 1, 18)

    assert (debt_value(dust, NEW), debt_value(dust, OLD)) == (1, 0)


def test_health_factor__last_two_steps__half_up_then_down() -> None:
    """2 · 10^4 · 10^18 / 3 = 6666666666666666666666.67 → …667, then / 10^4 down."""
    assert weigh([held(2, 10_000)], [owed(3)]).health_factor_wad == 666_666_666_666_666_666


def test_health_factor__old__from_the_floored_average() -> None:
    """C = 3, average LT ⌊(2 · 8000 + 1 · 5000) / 3⌋ = 7000, ⟨3 · 0.7⟩ = 2, 2 / 1; from products 2.1."""
    legs = [held(2), held(1, 5_000)]

    assert weigh(legs, [owed(1)], "aave@3.0").health_factor_wad == 2 * WAD
    assert weigh(legs, [owed(1)]).health_factor_wad == 21 * WAD // 10


def test_worked_check__ten_eth_and_dollars__as_published() -> None:
    """10 ETH at 3000 with LT 0.825, 20,000 dollars with 0.78, debt 30,000: (24,750 + 15,600) / 30,000."""
    eth = AaveCollateral(10**19, RAY, 3_000 * 10**8, 18, 8_000, 8_250)
    usd = AaveCollateral(20_000 * 10**6, RAY, 10**8, 6, 7_500, 7_800)

    figures = weigh([eth, usd], [AaveDebt(30_000 * 10**6, RAY, 10**8, 6)])

    assert figures.health_factor_wad == 1_345 * 10**15
    assert (figures.average_ltv_bps, figures.average_threshold_bps) == (7_800, 8_070)
    assert figures.available_base == 9_000 * 10**8


# --- what counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", AAVE_REVISIONS)
def test_account__without_position__zeros_and_the_highest_health(revision: str) -> None:
    figures = weigh([], [], revision)

    assert figures.health_factor_wad == UINT256_MAX
    assert (figures.collateral_base, figures.debt_base, figures.available_base, figures.average_ltv_bps) == (0,) * 4
    assert figures.is_healthy


@pytest.mark.parametrize("revision", AAVE_REVISIONS)
def test_account__debt_alone__has_health_zero(revision: str) -> None:
    figures = weigh([], [owed(1)], revision)

    assert figures.health_factor_wad == 0
    assert not figures.is_healthy


def test_threshold_zero__counts_as_collateral_since_it_may_be_a_category_of_its_own__not_before() -> None:
    legs = [held(100), held(100, 0, 0)]

    assert weigh(legs, [owed(1)]).collateral_base == 200
    assert weigh(legs, [owed(1)], "aave@3.0").collateral_base == 100


def test_emode__inside__replaces_both_figures() -> None:
    leg = replace(held(100), emode=AaveEmode(9_000, 9_300))

    figures = weigh([leg], [owed(93)])

    assert (figures.average_ltv_bps, figures.average_threshold_bps) == (9_000, 9_300)
    assert figures.health_factor_wad == WAD


def test_emode__ltv_zero_of_the_category__keeps_the_threshold() -> None:
    figures = weigh([replace(held(100), emode=AaveEmode(9_000, 9_300, is_ltv_zero=True))], [])

    assert (figures.average_ltv_bps, figures.average_threshold_bps) == (0, 9_300)


def test_emode__ltv_zero_of_the_reserve__survives_in_the_old_rules_only() -> None:
    leg = replace(held(100, 8_000, 0), emode=AaveEmode(9_000, 9_300))

    assert weigh([leg], []).average_ltv_bps == 9_000
    assert weigh([leg], [], "aave@3.0").average_ltv_bps == 0
    assert weigh([leg], [], "aave@3.0").average_threshold_bps == 9_300


@pytest.mark.parametrize(
    ("revision", "expected"), [("aave@3.7", [0, 0, 1]), ("aave@3.6", [0, 0, 1]), ("aave@3.0", [0, 1, 2])]
)
def test_available_borrow__around_the_debt__limit_down_or_half_up(revision: str, expected: list[int]) -> None:
    """15 · 0.7 = 10.5 against debts of 11, 10 and 9: the limit is 10, and was 11."""
    rules = AAVE_REVISIONS[revision]

    assert [available_borrow(rules, 15, debt, 7_000) for debt in (11, 10, 9)] == expected


# --- boundaries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("debt", "is_healthy"), [(79, True), (80, True), (81, False)])
@pytest.mark.parametrize("revision", AAVE_REVISIONS)
def test_boundary__one_unit_of_debt__equality_is_healthy(revision: str, debt: int, is_healthy: bool) -> None:
    figures = weigh([held(100)], [owed(debt)], revision)

    assert figures.is_healthy is is_healthy
    assert (to_leaf_figures(figures).excess_usd >= 0) is is_healthy
    assert to_leaf_figures(figures).excess_usd == (80 - debt) * 10**10


def test_leaf__of_the_new_rules__splits_into_four_exact_amounts() -> None:
    leaf = to_leaf_figures(weigh([held(100), held(7, 5_001, 3)], [owed(50)]))

    assert leaf.collateral_usd == 107 * 10**10
    assert leaf.liability_usd == 50 * 10**10
    assert leaf.initial_usd == (100 * 2_500 + 7 * 9_997) * 10**6
    assert leaf.maintenance_usd == (100 * 2_000 + 7 * 4_999) * 10**6


def test_leaf__of_the_old_rules__weighs_the_averages_half_up() -> None:
    """3 at 50 % and 25 %: ⟨1.5⟩ = 2 are usable and ⟨0.75⟩ = 1 borrowable, so 1 and 2 are required."""
    leaf = to_leaf_figures(weigh([held(3, 5_000, 2_500)], [], "aave@3.0"))

    assert (leaf.maintenance_usd, leaf.initial_usd) == (10**10, 2 * 10**10)


@pytest.mark.parametrize("revision", AAVE_REVISIONS)
def test_leaf__healthy_by_the_last_half_alone__has_excess_zero(revision: str) -> None:
    """Σ c·LT one part below 10^4 · D, D = 4·10^18 (40 billion dollars): the quotient rounds up to exactly 1."""
    debt = 4 * 10**18
    short = [held(debt - 1, 10_000)]

    figures = weigh(short, [owed(debt)], revision)

    if revision == "aave@3.0":
        assert figures.health_factor_wad == WAD
        assert to_leaf_figures(figures).excess_usd == 0
    else:
        assert figures.health_factor_wad == WAD - 1
        assert to_leaf_figures(figures).excess_usd < 0


def test_leaf__one_weighted_unit_short_at_forty_billions__venue_decides() -> None:
    debt = 4 * 10**18
    figures = weigh([held(debt - 1, 10_000), held(1, 9_999)], [owed(debt)])

    assert figures.weighted_threshold == debt * 10_000 - 1
    assert figures.health_factor_wad == WAD
    assert to_leaf_figures(figures).excess_usd == 0


# --- laws and their exceptions ---------------------------------------------------------------------------------------

AMOUNTS = st.integers(0, 10**24)
INDICES = st.integers(RAY, 3 * RAY)
PRICES = st.integers(1, 10**13)
DECIMALS = st.integers(2, 18)
THRESHOLDS = st.integers(0, 10_000)
COLLATERAL = st.builds(AaveCollateral, AMOUNTS, INDICES, PRICES, DECIMALS, THRESHOLDS, THRESHOLDS)
DEBT = st.builds(AaveDebt, AMOUNTS, INDICES, PRICES, DECIMALS)
BOOKS = st.tuples(st.lists(COLLATERAL, max_size=4), st.lists(DEBT, min_size=1, max_size=4))


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


@given(BOOKS)
def test_figures__any_account__are_those_of_fractions(book: tuple[list[AaveCollateral], list[AaveDebt]]) -> None:
    collateral, debt = book
    values = [
        floor(Fraction(floor(Fraction(leg.scaled * leg.index_ray, RAY)) * leg.price, 10**leg.decimals))
        for leg in collateral
    ]
    debts = [
        ceil(Fraction(ceil(Fraction(leg.scaled * leg.index_ray, RAY)) * leg.price, 10**leg.decimals)) for leg in debt
    ]
    weighted = sum(value * leg.threshold_bps for value, leg in zip(values, collateral, strict=True))
    ltv = sum(value * leg.ltv_bps for value, leg in zip(values, collateral, strict=True))

    figures = weigh(collateral, debt)

    assert (list(figures.collateral_values), list(figures.debt_values)) == (values, debts)
    total = sum(debts)
    health = half_up(Fraction(weighted * WAD, total)) // 10_000 if total else UINT256_MAX
    assert figures.health_factor_wad == health
    assert figures.average_ltv_bps == (ltv // sum(values) if sum(values) else 0)
    assert figures.available_base == max(0, sum(values) * figures.average_ltv_bps // 10_000 - total)


@given(BOOKS)
def test_leaf__any_account__has_the_sign_of_the_verdict(book: tuple[list[AaveCollateral], list[AaveDebt]]) -> None:
    for revision in AAVE_REVISIONS:
        figures = weigh(*book, revision)

        leaf = to_leaf_figures(figures)

        assert (leaf.excess_usd >= 0) is figures.is_healthy
        assert min(leaf.collateral_usd, leaf.liability_usd, leaf.initial_usd, leaf.maintenance_usd) >= 0


@given(BOOKS, COLLATERAL, DEBT, st.integers(0, 10**20))
def test_health__more_collateral_or_less_debt__never_falls(
    book: tuple[list[AaveCollateral], list[AaveDebt]], more: AaveCollateral, further: AaveDebt, grown: int
) -> None:
    collateral, debt = book
    health = weigh(collateral, debt).health_factor_wad

    assert weigh([*collateral, more], debt).health_factor_wad >= health
    assert weigh(collateral, [*debt, further]).health_factor_wad <= health
    for name in ("scaled", "price", "index_ray"):
        dearer = [replace(debt[0], **{name: getattr(debt[0], name) + grown}), *debt[1:]]
        assert weigh(collateral, dearer).health_factor_wad <= health
        if collateral:
            richer = [replace(collateral[0], **{name: getattr(collateral[0], name) + grown}), *collateral[1:]]
            assert weigh(richer, debt).health_factor_wad >= health


def test_health__old_rules__more_collateral_can_lower_it() -> None:
    """20,000 at 80 % and one more at 1 %: the average falls below 8000 by a fraction and is floored to 7999."""
    before, after = (
        weigh(legs, [owed(10_000)], "aave@3.0").health_factor_wad
        for legs in ([held(20_000)], [held(20_000), held(1, 100)])
    )

    assert (before, after) == (16 * WAD // 10, 15_999 * WAD // 10_000)


def test_available_borrow__more_collateral_without_ltv__can_lower_it() -> None:
    """100 at 50 % lend 50; with 1 more at 0 % the average is 4950, and 101 · 0.495 = 49.995."""
    before, after = weigh([held(100, 8_000, 5_000)], []), weigh([held(100, 8_000, 5_000), held(1, 8_000, 0)], [])

    assert (before.available_base, after.available_base) == (50, 49)


@given(BOOKS)
def test_verdict__legs_in_any_order__is_the_same(book: tuple[list[AaveCollateral], list[AaveDebt]]) -> None:
    for revision in AAVE_REVISIONS:
        forward, backward = weigh(*book, revision), weigh(book[0][::-1], book[1][::-1], revision)

        assert forward.health_factor_wad == backward.health_factor_wad
