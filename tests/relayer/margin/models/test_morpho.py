"""Morpho Blue behind the engine: shares, limits, gaps, accrual, laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Price, Role, Totals
from relayer.margin.engine.result import Unit, Verdict
from relayer.margin.fixed_point import WAD
from relayer.margin.models.morpho import MorphoRules, accrued_totals
from relayer.margin.rulesets.morpho import VIRTUAL_SHARES, position_figures

from .lending_build import (
    AMOUNTS,
    CHAIN,
    HEALTHY,
    INITIAL,
    MAINTENANCE,
    UNHEALTHY,
    UNKNOWN,
    account,
    at,
    cash,
    held,
    judged,
    market,
    owed,
)

ONE = VIRTUAL_SHARES
RULES = MorphoRules("pool", "WETH", "USDC", 8 * WAD // 10, Unit("USDC", 6))
TOTALS = Totals(2_000, 2_000 * ONE, 1_000, 1_000 * ONE)
"""(1000 + 1) assets for (1000 + 1) million shares: a million shares are one asset, exactly."""
AT_ONE = at(10**36, 36)


def here(price: Price | None = AT_ONE, totals: Totals | None = TOTALS) -> MarketData:
    return market({"pool": price} if price else {}, totals={"pool": totals} if totals else {})


# --- boundaries and rounding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("debt", "verdict"), [(79, HEALTHY), (80, HEALTHY), (81, UNHEALTHY)])
def test_limit__one_unit_of_debt__equality_is_healthy_for_both_purposes(debt: int, verdict: Verdict) -> None:
    for purpose in (MAINTENANCE, INITIAL):
        result = judged(account(held("WETH", 100), owed("USDC", debt * ONE)), here(), RULES, purpose)

        assert (result.verdict, result.excess, result.debt) == (verdict, 80 - debt, debt)


def test_limit__one_share_beyond_it__is_unhealthy() -> None:
    """80 million shares are 80 assets; one share more is owed as 81."""
    assert judged(account(held("WETH", 100), owed("USDC", 80 * ONE + 1)), here(), RULES).verdict is UNHEALTHY


def test_borrowed__fraction__is_up() -> None:
    """Half a million shares are half an asset, owed as 1: floored it would be nothing."""
    result = judged(account(owed("USDC", ONE // 2)), here(), RULES)

    assert (result.debt, result.verdict) == (1, UNHEALTHY)


def test_borrowed__virtual_shares__are_counted() -> None:
    """10 million of 19 million shares of 9 assets: 10 · (9 + 1) / (19 + 1) = 5; without them 10 · 9 / 19 = 4.7.

    3 of 4 million shares of 999: 3 · 1000 / 5 = 600; without the virtual ones 3 · 999 / 4 = 749.25 → 750.
    """
    few, some = Totals(0, 0, 9, 19 * ONE), Totals(0, 0, 999, 4 * ONE)

    assert judged(account(owed("USDC", 10 * ONE)), here(totals=few), RULES).debt == 5
    assert judged(account(owed("USDC", 3 * ONE)), here(totals=some), RULES).debt == 600


def test_limit__value_and_weight__each_down() -> None:
    """9 at 0.75 = 6.75 → 6; 6 · 0.8 = 4.8 → 4: a debt of 4 is at the limit, 5 beyond."""
    price = at(75, 2)

    assert judged(account(held("WETH", 9), owed("USDC", 4 * ONE)), here(price), RULES).excess == 0
    assert judged(account(held("WETH", 9), owed("USDC", 5 * ONE)), here(price), RULES).verdict is UNHEALTHY


def test_health__of_a_position__is_the_venues() -> None:
    """80 : 30 down; without debt there is none."""
    legs = (held("WETH", 100), owed("USDC", 30 * ONE))

    assert judged(account(*legs), here(), RULES).health.health_factor == 80 * WAD // 30
    assert judged(account(legs[0]), here(), RULES).health.health_factor is None


def test_lines__of_a_position__say_what_they_are() -> None:
    result = judged(account(held("WETH", 100), owed("USDC", 30 * ONE)), here(), RULES)

    assert [(line.label, line.value, line.requirement) for line in result.lines] == [
        ("WETH collateral at LLTV 0.8", 100, 20),
        ("USDC borrowed, from shares", -30, 0),
    ]
    assert result.unit == Unit("USDC", 6)


def test_legs__of_one_side__are_one_position() -> None:
    """Half a million shares twice are one asset, not two."""
    half = owed("USDC", ONE // 2)

    result = judged(account(held("WETH", 2), half, replace(half, name="more")), here(), RULES)

    assert result.debt == 1
    assert result.lines[-1].label == "several legs of one position"


def test_price__interval__low_for_collateral() -> None:
    result = judged(account(held("WETH", 100), owed("USDC", 80 * ONE)), here(at(9, 1, high=11)), RULES)

    assert (result.excess, result.excess_high, result.verdict) == (72 - 80, 88 - 80, UNHEALTHY)


# --- what is missing -------------------------------------------------------------------------------------------------


def test_price__missing__collateral_counts_zero() -> None:
    result = judged(account(held("WETH", 100), owed("USDC", ONE)), here(None), RULES)

    assert result.gaps == (Gap("WETH held", "no price of pool", True),)
    assert (result.collateral, result.excess, result.verdict) == (0, -1, UNKNOWN)
    assert judged(account(held("WETH", 100)), here(None), RULES).verdict is HEALTHY


def test_totals__missing__debt_is_unknown() -> None:
    result = judged(account(held("WETH", 100), owed("USDC", ONE)), here(totals=None), RULES)

    assert result.gaps == (Gap("USDC owed", "no totals of pool", False),)
    assert result.verdict is UNKNOWN
    assert judged(account(held("WETH", 100)), here(totals=None), RULES).verdict is HEALTHY


@pytest.mark.parametrize(
    "leg",
    [
        held("USDC", 1),
        owed("WETH", 1),
        cash("USDC", 1),
        Leg("p", Role.PERP, "WETH", 1, CHAIN),
        owed("USDC", -1),
        held("WETH", 1, 99),
    ],
)
def test_leg__that_the_market_has_no_place_for__is_a_gap(leg: Leg) -> None:
    result = judged(account(leg), here(), RULES)

    assert [gap.leg for gap in result.gaps] == [leg.name]
    assert (result.equity, result.lines) == (0, ())
    assert (result.verdict is UNKNOWN) is (leg.role not in (Role.COLLATERAL, Role.CASH))


def test_leg__of_amount_zero__adds_nothing() -> None:
    assert judged(account(held("WETH", 0), owed("USDC", 0)), here(None, None), RULES).gaps == ()


# --- accrual ---------------------------------------------------------------------------------------------------------


def test_accrued__ten_percent__three_terms_and_fee_shares() -> None:
    """e^0.1 - 1 by three terms is 0.105166…: 1000 grow by 105; a fee of a tenth is 10, as shares of 2105 - 10."""
    after = accrued_totals(TOTALS, WAD // 10, 1, WAD // 10)

    fee_shares = 10 * (2_000 * ONE + ONE) // (2_095 + 1)
    assert after == Totals(2_105, 2_000 * ONE + fee_shares, 1_105, 1_000 * ONE)
    assert accrued_totals(TOTALS, WAD // 10, 0) == TOTALS


def test_accrued__stale_totals__hide_a_breach() -> None:
    """79 of 80; with 10.5 % of interest 79 million shares are ⌈79 · 1106 / 1001⌉ = ⌈87.3⌉ = 88."""
    legs = account(held("WETH", 100), owed("USDC", 79 * ONE))

    assert judged(legs, here(), RULES).verdict is HEALTHY
    later = judged(legs, here(totals=accrued_totals(TOTALS, WAD // 10, 1)), RULES)
    assert (later.debt, later.verdict) == (88, UNHEALTHY)


# --- laws ------------------------------------------------------------------------------------------------------------

TOTAL = st.builds(Totals, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
PRICE = st.builds(
    lambda low, width: Price(low, low + width, 36),
    st.integers(1, 10**40),
    st.one_of(st.just(0), st.integers(0, 10**38)),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Account, MarketData, MorphoRules]:
    legs = account(held("WETH", draw(AMOUNTS), 18), owed("USDC", draw(AMOUNTS), 6))
    return legs, here(draw(PRICE), draw(TOTAL)), replace(RULES, lltv_wad=draw(st.integers(0, WAD)))


@given(cases())
def test_evaluation__any_position__is_the_kernels(case: tuple[Account, MarketData, MorphoRules]) -> None:
    legs, now, rules = case
    form = rules.form(legs, now, End.LOW)
    figures = position_figures(form.market, form.position)

    result = judged(legs, now, rules)

    assert (result.verdict is HEALTHY) is figures.is_healthy
    assert (result.excess, result.debt) == (figures.limit - figures.borrowed, figures.borrowed)


@given(cases(), st.integers(1, 10**24))
def test_law__each_input__in_the_claimed_direction(case: tuple[Account, MarketData, MorphoRules], grown: int) -> None:
    legs, now, rules = case
    (collateral, debt), price, totals = legs.legs, now.prices["pool"], now.totals["pool"]

    def excess(a: Account, b: MarketData = now, c: MorphoRules = rules) -> int:
        return evaluate(a, b, c, MAINTENANCE).excess

    before = excess(legs)
    dearer = replace(price, low=price.low + grown, high=price.high + grown)
    assert excess(legs.with_amount(collateral.name, collateral.amount + grown)) >= before
    assert excess(legs, here(dearer, totals)) >= before
    assert excess(legs, now, replace(rules, lltv_wad=rules.lltv_wad + grown)) >= before
    assert excess(legs.with_amount(debt.name, debt.amount + grown)) <= before
    assert excess(legs, here(price, replace(totals, borrow_assets=totals.borrow_assets + grown))) <= before
    assert excess(legs, here(price, replace(totals, borrow_shares=totals.borrow_shares + grown))) >= before
    wide = replace(price, low=max(1, price.low - grown), high=price.high + grown)
    assert excess(legs, here(wide, totals)) <= before


@given(cases(), st.integers(0, 10**12), st.integers(0, 10**7))
def test_law__time__never_raises_excess(
    case: tuple[Account, MarketData, MorphoRules], rate_wad: int, elapsed_s: int
) -> None:
    legs, now, rules = case
    later = here(now.prices["pool"], accrued_totals(now.totals["pool"], rate_wad, elapsed_s))

    assert evaluate(legs, later, rules, MAINTENANCE).excess <= evaluate(legs, now, rules, MAINTENANCE).excess


@given(cases(), st.integers(1, 6))
def test_decimals__price_with_more_of_them__changes_nothing(
    case: tuple[Account, MarketData, MorphoRules], shift: int
) -> None:
    """Collateral with k more decimals and as much more of it, at a price that much lower."""
    legs, now, rules = case
    price = now.prices["pool"]
    broad = Price(price.low * 10**shift, price.high * 10**shift, 36)
    fine = legs.with_amount("WETH held", legs.legs[0].amount * 10**shift)

    one, other = judged(legs, here(broad, now.totals["pool"]), rules), judged(fine, now, rules)

    assert (one.excess, one.verdict) == (other.excess, other.verdict)


@given(cases(), AMOUNTS)
def test_verdict__legs_in_any_order__is_the_same(case: tuple[Account, MarketData, MorphoRules], more: int) -> None:
    legs, now, rules = case
    all_legs = (*legs.legs, replace(owed("USDC", more, 6), name="more"))

    one, other = judged(account(*all_legs), now, rules), judged(account(*all_legs[::-1]), now, rules)

    assert (one.verdict, one.excess) == (other.verdict, other.excess)
