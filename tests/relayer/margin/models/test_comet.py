"""Comet behind the engine: the early stop, truncation, gaps, laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.about import Trend
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Gap, Indices, Leg, MarketData, Price, Role
from relayer.margin.engine.result import TermLine, Verdict
from relayer.margin.fixed_point import WAD
from relayer.margin.models.comet import ABOUT, CometAsset, CometRules
from relayer.margin.rulesets.comet import INDEX_ONE, Answer, is_borrow_collateralized, is_liquidatable
from relayer.margin.view import Purpose, Rounding

from .lending_build import (
    AMOUNTS,
    CHAIN,
    DECIMALS,
    HEALTHY,
    INITIAL,
    MAINTENANCE,
    PRICES,
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

RULES = CometRules(
    "USDC",
    (
        CometAsset("A", 5 * WAD // 10, 6 * WAD // 10, 9 * WAD // 10),
        CometAsset("B", 7 * WAD // 10, 8 * WAD // 10, 9 * WAD // 10),
    ),
)
ONE = Indices(INDEX_ONE, INDEX_ONE)
UNIT = 10**10
"""One unit of a price with 8 decimals, in the evaluation's unit."""


def here(indices: Indices = ONE, **prices: Price | None) -> MarketData:
    """All prices are one unit of 10^-8 unless said otherwise; None takes a price away."""
    known = {"USDC": at(1), "A": at(1), "B": at(1), **prices}
    return market({name: price for name, price in known.items() if price is not None}, {"USDC": indices})


@pytest.mark.parametrize(("purpose", "required"), [(INITIAL, 50), (MAINTENANCE, 40)])
def test_lines__of_a_borrower__to_the_field(purpose: Purpose, required: int) -> None:
    """100 of A at a factor of 0.5 or 0.6; 30 owed require nothing more."""
    result = judged(account(held("A", 100), cash("USDC", -30)), here(), RULES, purpose)

    assert [line._replace(label="") for line in result.lines] == [
        TermLine("", "USDC cash", "USDC", CHAIN, 0, -30, 0, 1, 8, -30 * UNIT, 0, Rounding.DOWN, 30 * UNIT),
        TermLine("", "A held", "A", CHAIN, 0, 100, 0, 1, 8, 100 * UNIT, required * UNIT, Rounding.DOWN, 100 * UNIT),
    ]
    assert (result.end, result.purpose) == (End.LOW, purpose)


# --- boundaries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("debt", "verdict"), [(59, HEALTHY), (60, HEALTHY), (61, UNHEALTHY)])
def test_maintenance__one_unit_of_debt__equality_is_healthy(debt: int, verdict: Verdict) -> None:
    """100 of A at a liquidate factor of 0.6 carry 60."""
    result = judged(account(held("A", 100), cash("USDC", -debt)), here(), RULES)

    assert result.verdict is verdict
    assert result.excess == (60 - debt) * UNIT


@pytest.mark.parametrize(("debt", "verdict"), [(49, HEALTHY), (50, HEALTHY), (51, UNHEALTHY)])
def test_initial__one_unit_of_debt__by_the_borrow_factor(debt: int, verdict: Verdict) -> None:
    result = judged(account(held("A", 100), cash("USDC", -debt)), here(), RULES, INITIAL)

    assert result.verdict is verdict
    assert result.excess == (50 - debt) * UNIT


# --- rounding --------------------------------------------------------------------------------------------------------


def test_borrow__index_and_price__are_both_cut_toward_zero() -> None:
    """-3 · 1.5 = -4.5 → -4; -4 · 7 / 10 = -2.8 → -2. Floored -3 and -4; without the index -2.1 → -2 of -3."""
    indices = Indices(2 * INDEX_ONE, 3 * INDEX_ONE // 2)

    result = judged(account(cash("USDC", -3, 1), held("A", 4)), here(indices, USDC=at(7)), RULES)

    assert result.debt == 2 * UNIT
    assert result.excess == 0
    assert result.verdict is HEALTHY


def test_borrow__grown_index__turns_it_unhealthy() -> None:
    """60 against 60; at a borrow index of 1.02 it is 61.2 → 61. The supply index says nothing of a borrow."""
    legs = account(held("A", 100), cash("USDC", -60))

    assert judged(legs, here(Indices(INDEX_ONE, 102 * INDEX_ONE // 100)), RULES).verdict is UNHEALTHY
    assert judged(legs, here(Indices(102 * INDEX_ONE // 100, INDEX_ONE)), RULES).verdict is HEALTHY


def test_supplied_base__grown_index__counts_in_full() -> None:
    """7 · 1.5 = 10.5 → 10, in full: it needs no margin."""
    result = judged(account(cash("USDC", 7)), here(Indices(3 * INDEX_ONE // 2, INDEX_ONE)), RULES)

    assert (result.equity, result.requirement, result.debt) == (10 * UNIT, 0, 0)
    assert result.health.health_factor is None


def test_collateral__value_and_weight__each_down() -> None:
    """99 · 7 / 10 = 69.3 → 69; 69 · 0.6 = 41.4 → 41: 41 are carried, 42 are not."""
    legs = (held("A", 99, 1),)

    assert judged(account(*legs, cash("USDC", -41)), here(A=at(7)), RULES).excess == 0
    assert judged(account(*legs, cash("USDC", -42)), here(A=at(7)), RULES).verdict is UNHEALTHY


# --- the early stop --------------------------------------------------------------------------------------------------


def test_stop__unreadable_feed_behind_it__does_not_matter() -> None:
    legs = account(held("B", 1), held("A", 100), cash("USDC", -60))

    result = judged(legs, here(B=None), RULES)

    assert result.verdict is HEALTHY
    assert result.gaps == (Gap("B held", "no price of B", True),)


def test_stop__unreadable_feed_before_it__is_unknown_however_the_legs_are_ordered() -> None:
    """The market reads A first. 100 of B carry 80 on their own, so the sum without A would be enough."""
    legs = [held("A", 1), held("B", 100), cash("USDC", -60)]

    for order in (legs, legs[::-1]):
        result = judged(account(*order), here(A=None), RULES)
        assert result.verdict is UNKNOWN
        assert result.excess == 20 * UNIT


def test_stop__order_of_the_rules__decides() -> None:
    legs = account(held("A", 1), held("B", 100), cash("USDC", -60))

    turned = replace(RULES, assets=RULES.assets[::-1])

    assert judged(legs, here(A=None), RULES).verdict is UNKNOWN
    assert judged(legs, here(A=None), turned).verdict is HEALTHY


def test_stop__one_unit_short_before_the_unreadable_feed__is_unknown() -> None:
    legs = account(held("A", 100), held("B", 1), cash("USDC", -61))

    assert judged(legs, here(B=None), RULES).verdict is UNKNOWN


def test_no_debt__no_feed__is_healthy() -> None:
    result = judged(account(held("A", 5), cash("USDC", 5)), here(A=None, USDC=None), RULES)

    assert result.verdict is HEALTHY
    assert {gap.leg: gap.is_collateral for gap in result.gaps} == {"A held": True, "USDC cash": True}
    assert result.equity == 0


# --- what is missing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", ["price", "index"])
def test_borrow__without_price_or_index__is_unknown(gone: str) -> None:
    full = here(USDC=None) if gone == "price" else market({"USDC": at(1), "A": at(1)})

    result = judged(account(held("A", 100), cash("USDC", -1)), full, RULES)

    assert result.verdict is UNKNOWN
    assert result.gaps == (Gap("USDC cash", f"no {gone} of USDC", False),)


@pytest.mark.parametrize(
    ("leg", "is_collateral"),
    [
        (held("C", 1), True),
        (owed("A", 1), False),
        (held("USDC", 1), True),
        (replace(cash("A", 1), name="x"), True),
        (replace(held("A", 1), amount=-1), False),
        (held("A", 1, 78), True),
        (Leg("p", Role.PERP, "A", 1, CHAIN), False),
    ],
)
def test_leg__that_the_market_has_no_place_for__is_a_gap(leg: Leg, is_collateral: bool) -> None:
    result = judged(account(leg), here(), RULES)

    (gap,) = result.gaps
    assert gap.is_collateral is is_collateral
    assert result.equity == 0
    assert result.verdict is (HEALTHY if is_collateral else UNKNOWN)


def test_legs__of_one_asset__are_one_balance() -> None:
    """7 / 10 twice is 1.4 → 1, not 0; -3 + 1 owed is a borrow of 2 at the borrow index: -2 · 1.5 = -3."""
    half = replace(held("A", 7, 1), name="more A")
    legs = account(held("A", 7, 1), half, cash("USDC", -3), replace(cash("USDC", 1), name="back"))

    result = judged(legs, here(Indices(INDEX_ONE, 3 * INDEX_ONE // 2)), RULES)

    assert (result.collateral, result.debt) == (UNIT, 3 * UNIT)
    assert result.lines[-1].label == "several legs of one balance"


def test_legs__of_one_asset_with_other_decimals__are_a_gap() -> None:
    result = judged(account(held("A", 7, 1), replace(held("A", 7, 2), name="odd")), here(), RULES)

    assert [gap.leg for gap in result.gaps] == ["odd"]


def test_legs__of_the_base_that_cancel__are_nothing() -> None:
    result = judged(account(cash("USDC", -3), replace(cash("USDC", 3), name="back")), here(USDC=None), RULES)

    assert (result.lines, result.gaps, result.verdict) == ((), (), HEALTHY)


def test_price__interval__debt_high_and_collateral_low() -> None:
    legs = account(held("A", 100), cash("USDC", -10))

    result = judged(legs, here(A=at(1, high=2), USDC=at(3, high=4)), RULES)

    assert result.excess == (60 - 40) * UNIT
    assert result.excess_high == (120 - 30) * UNIT


# --- laws ------------------------------------------------------------------------------------------------------------

INDEX = st.integers(INDEX_ONE, 3 * INDEX_ONE)
FACTOR = st.integers(0, WAD)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Account, MarketData, CometRules]:
    names = ("A", "B", "C")
    assets = tuple(CometAsset(name, low := draw(FACTOR), draw(st.integers(low, WAD)), WAD) for name in names)
    legs = [held(name, draw(AMOUNTS), draw(DECIMALS)) for name in names]
    signed = draw(st.integers(-(10**12), 10**12))
    legs.append(cash("USDC", signed, draw(DECIMALS)))
    prices = {name: draw(PRICES) for name in (*names, "USDC")}
    return account(*legs), market(prices, {"USDC": Indices(draw(INDEX), draw(INDEX))}), CometRules("USDC", assets)


@given(cases())
def test_evaluation__any_account__is_the_kernels(case: tuple[Account, MarketData, CometRules]) -> None:
    legs, now, rules = case
    kernel = rules.form(legs, now, End.LOW).account

    maintenance, initial = judged(legs, now, rules), judged(legs, now, rules, INITIAL)

    assert (maintenance.verdict is UNHEALTHY) is (is_liquidatable(kernel) is Answer.YES)
    assert (initial.verdict is HEALTHY) is (is_borrow_collateralized(kernel) is Answer.YES)
    assert (initial.excess >= 0) is (initial.verdict is HEALTHY)


@given(cases(), st.permutations(range(4)), st.sets(st.sampled_from(("A", "B", "C"))))
def test_verdict__legs_in_any_order_and_feeds_gone__is_the_same(
    case: tuple[Account, MarketData, CometRules], order: list[int], gone: set[str]
) -> None:
    legs, now, rules = case
    left = replace(now, prices={name: price for name, price in now.prices.items() if name not in gone})
    shuffled = account(*(legs.legs[place] for place in order))

    one, other = judged(legs, left, rules), judged(shuffled, left, rules)

    assert (one.verdict, one.excess) == (other.verdict, other.excess)


@given(cases(), st.integers(0, 3), st.integers(1, 10**15))
def test_law__amounts_prices_and_indices__in_the_claimed_directions(
    case: tuple[Account, MarketData, CometRules], place: int, grown: int
) -> None:
    legs, now, rules = case
    before = evaluate(legs, now, rules, MAINTENANCE).excess
    leg = legs.legs[place]

    more = evaluate(legs.with_amount(leg.name, leg.amount + grown), now, rules, MAINTENANCE)
    assert more.excess >= before

    price = now.prices[leg.asset]
    dearer = now.with_price(leg.asset, replace(price, low=price.low + grown, high=price.high + grown))
    after = evaluate(legs, dearer, rules, MAINTENANCE).excess
    assert after <= before if leg.amount < 0 else after >= before

    indices = now.indices["USDC"]
    for changed, is_better in (
        (replace(indices, borrow=indices.borrow + grown), False),
        (replace(indices, supply=indices.supply + grown), True),
    ):
        after = evaluate(legs, replace(now, indices={"USDC": changed}), rules, MAINTENANCE).excess
        assert after >= before if is_better else after <= before


@given(cases(), st.integers(0, 2), st.integers(0, WAD))
def test_law__a_larger_factor__never_lowers_excess(
    case: tuple[Account, MarketData, CometRules], place: int, grown: int
) -> None:
    legs, now, rules = case
    assets = list(rules.assets)
    assets[place] = replace(assets[place], liquidate_factor_wad=assets[place].liquidate_factor_wad + grown)

    after = evaluate(legs, now, replace(rules, assets=tuple(assets)), MAINTENANCE)

    assert after.excess >= evaluate(legs, now, rules, MAINTENANCE).excess


@given(cases(), st.sampled_from(("A", "B", "C", "USDC")), st.integers(0, 10**6), st.integers(0, 10**6))
def test_interval__widened__never_raises_the_low_end(
    case: tuple[Account, MarketData, CometRules], name: str, below: int, above: int
) -> None:
    legs, now, rules = case
    price = now.prices[name]
    wide = now.with_price(name, replace(price, low=max(1, price.low - below), high=price.high + above))

    assert evaluate(legs, wide, rules, MAINTENANCE).excess <= evaluate(legs, now, rules, MAINTENANCE).excess


@given(cases(), st.integers(1, 6))
def test_decimals__more_of_them__change_nothing(case: tuple[Account, MarketData, CometRules], shift: int) -> None:
    """An amount times 10^k with k more decimals has the same value in every step but that of the principal's index."""
    legs, now, rules = case
    flat = replace(now, indices={"USDC": ONE})
    moved = account(*(replace(leg, amount=leg.amount * 10**shift, decimals=leg.decimals + shift) for leg in legs.legs))

    one, other = judged(legs, flat, rules), judged(moved, flat, rules)

    assert (one.excess, one.verdict) == (other.excess, other.verdict)


def test_exception__balance_of_an_unreadable_asset_before_the_stop__turns_healthy_into_unknown() -> None:
    """The counter-example of `ABOUT`: one unit more of A, and the market reverts."""
    legs, now = (held("B", 100), cash("USDC", -60)), here(A=None)

    assert judged(account(*legs), now, RULES).verdict is HEALTHY
    assert judged(account(held("A", 1), *legs), now, RULES).verdict is UNKNOWN
    assert [one.what for one in ABOUT[0].monotone if one.trend is Trend.NO_LAW]
