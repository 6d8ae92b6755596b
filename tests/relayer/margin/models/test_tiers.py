"""Tiers with deductions through the engine, by hand, and the laws of `ABOUT`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.types import ChainId
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.models.tiers import ABOUT, TiersRules
from relayer.margin.rulesets.hyperliquid_tiers import MarginTier, TieredMargin
from relayer.margin.view import Purpose

CHAIN = ChainId("eip155:1")
MARGIN = TieredMargin((MarginTier(0, 50), MarginTier(1_000, 25), MarginTier(5_000, 3)))
RULES = TiersRules({"X": MARGIN, "Y": TieredMargin((MarginTier(0, 10),))})


def cash(amount: int, asset: str = "USDC") -> Leg:
    return Leg("cash", Role.CASH, asset, amount, CHAIN, decimals=6)


def perp(asset: str, size: int, entry: int = 0, leverage: int = 0, accrued: int = 0) -> Leg:
    return Leg(asset, Role.PERP, asset, size, CHAIN, 0, 0, entry, accrued, own_limit=leverage)


def at(low: int, high: int | None = None) -> MarketData:
    """Prices in millionths of a dollar: one unit is worth `low` units of money."""
    price = Price(low, low if high is None else high, 6)
    return MarketData(1, {"X": price, "Y": price})


def weighed(market: MarketData, *legs: Leg, purpose: Purpose = Purpose.MAINTENANCE) -> Evaluation:
    return evaluate(Account("a", legs), market, RULES, purpose)


def test_about__no_reference__says_that_it_is_experimental() -> None:
    assert (ABOUT[0].name, ABOUT[0].is_experimental, ABOUT[0].is_mirrored) == ("tiers@1", True, False)


@pytest.mark.parametrize(
    ("notional", "requirement"), [(999, 10), (1_000, 10), (1_001, 11), (4_999, 90), (5_000, 90), (5_001, 91)]
)
def test_maintenance__around_the_edges__is_continuous(notional: int, requirement: int) -> None:
    """1 % to 1,000, then 2 % - 10 to 5,000, then a sixth - 743.33."""
    assert weighed(at(notional), perp("X", 1, notional)).requirement == requirement


@pytest.mark.parametrize(("leverage", "requirement"), [(0, 40), (10, 100), (40, 40)])
def test_initial__chosen_leverage__is_at_most_the_tier_s(leverage: int, requirement: int) -> None:
    """At 1,000 the tier allows 25: none chosen means that, 40 is too much, 10 asks for more."""
    result = weighed(at(1_000), perp("X", 1, 1_000, leverage), purpose=Purpose.INITIAL)

    assert result.requirement == requirement


def test_equity__entry_and_accrued__count_with_their_signs() -> None:
    """Long 2 for 150, now 200: + 50 + 7; short 1 for -90 (received), now 100: - 10."""
    result = weighed(at(100), cash(5), perp("X", 2, 150, accrued=7), perp("Y", -1, -90))

    assert result.equity == 5 + 57 - 10
    assert result.requirement == 2 + 5  # 1 % of 200, 5 % of 100


@pytest.mark.parametrize(("amount", "verdict"), [(9, "unhealthy"), (10, "healthy"), (11, "healthy")])
def test_boundary__one_unit__equality_is_healthy(amount: int, verdict: str) -> None:
    result = weighed(at(1_000), cash(amount), perp("X", 1, 1_000))

    assert (result.excess, str(result.verdict)) == (amount - 10, verdict)


@pytest.mark.parametrize("leg", [perp("Z", 1), cash(1, "DAI"), Leg("c", Role.COLLATERAL, "X", 1, CHAIN)])
def test_leg__without_a_rule__is_unknown(leg: Leg) -> None:
    assert weighed(at(1), leg).verdict is Verdict.UNKNOWN


def test_price__missing__is_unknown_unless_the_position_is_closed() -> None:
    market = MarketData(1, {})

    assert weighed(market, perp("X", 1)).verdict is Verdict.UNKNOWN
    assert weighed(market, perp("X", 0, 5, accrued=9)).equity == 4


def test_interval__each_side__takes_its_worse_end() -> None:
    long, short = (weighed(at(900, 1_000), perp("X", size)) for size in (1, -1))

    assert (long.equity, long.requirement) == (900, 10)
    assert (short.equity, short.requirement) == (-1_000, 10)
    assert (long.excess_high, short.excess_high) == (1_000 - 9, -900 - 9)


AMOUNTS = st.integers(-20_000, 20_000)
BOOKS = st.tuples(AMOUNTS, st.integers(-5, 5), AMOUNTS, st.integers(-5, 5), AMOUNTS, st.integers(1, 6_000))
PURPOSES = st.sampled_from((Purpose.INITIAL, Purpose.MAINTENANCE))


@given(BOOKS, st.integers(0, 2_000), PURPOSES, st.integers(0, 5_000))
def test_laws__any_book__hold_as_about_says(book: tuple[int, ...], width: int, purpose: Purpose, more: int) -> None:
    money, size_x, entry_x, size_y, entry_y, price = book
    legs = (cash(money), perp("X", size_x, entry_x), perp("Y", size_y, entry_y, leverage=5))
    richer = (cash(money + more), *legs[1:])
    dearer = (legs[0], replace(legs[1], entry_value=entry_x + more), legs[2])

    result = weighed(at(price, price + width), *legs, purpose=purpose)

    assert sum(line.value for line in result.lines) == result.equity
    assert sum(line.requirement for line in result.lines) == result.requirement
    assert (result.verdict is Verdict.HEALTHY) == (result.excess >= 0)
    assert result.excess <= result.excess_high
    assert weighed(at(price), *legs, purpose=purpose).excess >= result.excess
    assert weighed(at(price, price + width), *richer, purpose=purpose).excess >= result.excess
    assert weighed(at(price, price + width), *dearer, purpose=purpose).excess <= result.excess
    assert weighed(at(price, price + width), *reversed(legs), purpose=purpose).excess == result.excess


@pytest.mark.parametrize(
    ("first", "second", "requirement"), [(0, 5, 20), (5, 0, 20), (10, 5, 20), (5, 10, 20), (0, 0, 2), (4, 4, 25)]
)
def test_initial__two_legs_of_a_market__are_one_at_the_lower_leverage(
    first: int, second: int, requirement: int
) -> None:
    """100 in all; 0 sets none, the market's own is 50."""
    legs = perp("X", 60, 60, first), replace(perp("X", 40, 40, second), name="more")

    assert weighed(at(1), *legs, purpose=Purpose.INITIAL).requirement == requirement
