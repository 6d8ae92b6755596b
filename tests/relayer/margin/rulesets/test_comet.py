"""Comet accounts by hand: truncation, indices, the early stop, absorption."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import trunc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.fixed_point import WAD
from relayer.margin.rulesets.comet import (
    INDEX_ONE,
    Answer,
    CometAccount,
    CometBase,
    CometCollateral,
    absorb,
    account_figures,
    accrued_index,
    base_value,
    collateral_value,
    is_borrow_collateralized,
    is_liquidatable,
    present_value,
    principal_value,
    quote_collateral,
    to_leaf_figures,
)

HALF = WAD // 2


def base(principal: int, price: int | None = 1, decimals: int = 0, **indices: int) -> CometBase:
    terms = CometBase(principal, INDEX_ONE, INDEX_ONE, price, decimals)
    return replace(terms, **indices)


def leg(balance: int, price: int | None = 1, decimals: int = 0, **factors: int) -> CometCollateral:
    terms = CometCollateral(balance, price, decimals, HALF, HALF, WAD)
    return replace(terms, **factors)


def account(side: CometBase, *legs: CometCollateral) -> CometAccount:
    return CometAccount(side, legs)


# --- rounding --------------------------------------------------------------------------------------------------------


def test_present_value__borrow__grows_with_the_borrow_index_and_is_cut_toward_zero() -> None:
    """-3 · 1.5 = -4.5 → -4: floored it would be -5, with the other index -6, without any -3."""
    side = base(-3, borrow_index=3 * INDEX_ONE // 2, supply_index=2 * INDEX_ONE)

    assert present_value(side) == -4
    assert present_value(replace(side, principal=3)) == 6


def test_base_value__borrow__is_cut_toward_zero() -> None:
    """-7 · 5 / 10 = -3.5 → -3, not -4."""
    assert base_value(base(-7, 5, 1)) == -3
    assert base_value(base(7, 5, 1)) == 3


def test_collateral__value_and_weight__each_down() -> None:
    """9 · 7 / 10 = 6.3 → 6, half of it 3; 7 · 0.5 = 3.5 → 3: rounded up either would be 4."""
    assert collateral_value(leg(9, 7, 1)) == 6
    figures = account_figures(account(base(-3), leg(7)))

    assert figures.borrow_liquidity == 0
    assert is_borrow_collateralized(account(base(-4), leg(7))) is Answer.NO


def test_borrow_and_liquidation__factors_of_their_own() -> None:
    figures = account_figures(account(base(-6), leg(10, borrow_factor_wad=HALF, liquidate_factor_wad=7 * WAD // 10)))

    assert (figures.borrow_liquidity, figures.liquidation_liquidity) == (-1, 1)
    assert (figures.is_borrow_collateralized, figures.is_liquidatable) == (Answer.NO, Answer.NO)


@pytest.mark.parametrize(("debt", "covered"), [(4, Answer.YES), (5, Answer.YES), (6, Answer.NO)])
def test_boundary__one_unit_of_debt__equality_is_healthy(debt: int, covered: Answer) -> None:
    here = account(base(-debt), leg(10))

    assert is_borrow_collateralized(here) is covered
    assert is_liquidatable(here) is (Answer.YES if covered is Answer.NO else Answer.NO)
    assert to_leaf_figures(here).excess_usd == (5 - debt) * 10**10


# --- reading order ---------------------------------------------------------------------------------------------------


def test_early_stop__enough_before_the_failing_feed__it_is_not_read() -> None:
    here = account(base(-5), leg(10), leg(1, None))

    assert is_liquidatable(here) is Answer.NO
    assert is_liquidatable(account(base(-6), leg(10), leg(1, None))) is Answer.REVERTS
    assert is_liquidatable(account(base(-5), leg(1, None), leg(10))) is Answer.REVERTS


def test_early_stop__asset_without_balance__is_never_read() -> None:
    assert is_liquidatable(account(base(-6), leg(0, None), leg(10))) is Answer.YES


@pytest.mark.parametrize("principal", [0, 5])
def test_no_debt__no_feed_at_all__is_needed(principal: int) -> None:
    here = account(base(principal, None), leg(1, None))

    assert (is_borrow_collateralized(here), is_liquidatable(here)) == (Answer.YES, Answer.NO)
    assert account_figures(here).unreadable == 2


def test_debt__base_feed_fails__reverts_and_has_no_figures() -> None:
    here = account(base(-1, None), leg(10))

    assert is_liquidatable(here) is Answer.REVERTS
    with pytest.raises(ValueError):
        account_figures(here)
    with pytest.raises(ValueError):
        base_value(here.base)


def test_debt__too_small_to_have_value__is_healthy() -> None:
    """One unit at 0.1: the value truncates to zero, and zero is enough."""
    assert is_liquidatable(account(base(-1, 1, 1))) is Answer.NO


def test_figures__unreadable_collateral__counts_zero() -> None:
    figures = account_figures(account(base(-5), leg(10, None), leg(8), leg(0, None)))

    assert (figures.collateral_values, figures.unreadable, figures.liquidation_liquidity) == ((0, 8, 0), 1, -1)


# --- absorption and storefront ---------------------------------------------------------------------------------------


def test_absorb__liquidation_factor__reduces_what_is_credited() -> None:
    """95 % of 101 is 95.95 → 95 against a debt of 60 that half of 101 does not cover."""
    result = absorb(account(base(-60), leg(101, liquidation_factor_wad=95 * WAD // 100)))

    assert (result.seized_value, result.new_balance, result.new_principal, result.base_paid_out) == (95, 35, 35, 95)


def test_absorb__worth_less_than_the_debt__the_reserves_pay_all_of_it() -> None:
    result = absorb(account(base(-60, 3), leg(100, liquidation_factor_wad=WAD)))

    assert (result.seized_value, result.new_balance, result.base_paid_out) == (100, 0, 60)


def test_absorb__value_to_base_units__is_down() -> None:
    """200 of value at a price of 3 and one decimal: 200 · 10 / 3 = 666.67; 101 · 3 / 10 = 30 of debt."""
    result = absorb(account(base(-101, 30, 1), leg(200, liquidate_factor_wad=HALF, liquidation_factor_wad=WAD)))

    assert (result.base_paid_out, result.new_balance) == (101, 0)
    richer = absorb(account(base(-65, 31, 1), leg(202, liquidate_factor_wad=HALF * 99 // 100)))
    assert (richer.base_paid_out, richer.new_balance) == (65, 0)


def test_absorb__remainder__becomes_principal_at_the_supply_index() -> None:
    result = absorb(account(base(-60, supply_index=2 * INDEX_ONE), leg(101)))

    assert (result.new_balance, result.new_principal) == (41, 20)


def test_absorb__nothing_held_of_an_asset__is_neither_read_nor_credited() -> None:
    """Its feed fails; at a liquidation factor of one a single unit of value would count."""
    result = absorb(account(base(-6), leg(0, None, liquidation_factor_wad=WAD), leg(10)))

    assert (result.seized_value, result.base_paid_out) == (10, 10)


@pytest.mark.parametrize(
    "here", [account(base(-5), leg(10)), account(base(5)), account(base(-6), leg(10), leg(1, None))]
)
def test_absorb__not_liquidatable_or_unreadable__refused(here: CometAccount) -> None:
    with pytest.raises(ValueError):
        absorb(here)


def test_principal_value__supply_down_and_borrow_up() -> None:
    """7 / 2 = 3.5: a claim of 3, a debt of 4."""
    assert principal_value(7, 2 * INDEX_ONE, 2 * INDEX_ONE) == 3
    assert principal_value(-7, 2 * INDEX_ONE, 2 * INDEX_ONE) == -4
    assert principal_value(0, 2 * INDEX_ONE, 2 * INDEX_ONE) == 0


def test_quote__discount_is_the_storefront_share_of_the_penalty() -> None:
    """Penalty 10 %, half of it: price 1000 · 0.95 = 950; 100 buys 105.26 → 105 units of 10^-3."""
    asset = leg(0, 1_000, 3, liquidation_factor_wad=9 * WAD // 10)

    assert quote_collateral(base(0, 1), asset, 100, HALF) == 100 * 1_000 // 950
    assert quote_collateral(base(0, 1, 1), asset, 100, HALF) == 10


@pytest.mark.parametrize(("side", "asset"), [(base(0, None), leg(1)), (base(0), leg(1, None))])
def test_quote__unreadable_price__refused(side: CometBase, asset: CometCollateral) -> None:
    with pytest.raises(ValueError):
        quote_collateral(side, asset, 1, HALF)


def test_accrued_index__simple_within_one_step__down() -> None:
    assert accrued_index(INDEX_ONE, WAD // 100, 10) == 11 * INDEX_ONE // 10
    assert accrued_index(3, WAD // 100, 30) == 3


# --- laws ------------------------------------------------------------------------------------------------------------

FACTORS = st.integers(0, WAD)
LEGS = st.lists(
    st.builds(
        CometCollateral, st.integers(0, 10**24), st.integers(1, 10**13), st.integers(0, 18), FACTORS, FACTORS, FACTORS
    ),
    max_size=4,
)
BASES = st.builds(
    CometBase,
    st.integers(-(10**18), 10**18),
    st.integers(INDEX_ONE, 3 * INDEX_ONE),
    st.integers(INDEX_ONE, 3 * INDEX_ONE),
    st.integers(1, 10**13),
    st.integers(0, 18),
)


@given(BASES, LEGS)
def test_figures__any_account__are_those_of_fractions(side: CometBase, legs: list[CometCollateral]) -> None:
    index = side.supply_index if side.principal >= 0 else side.borrow_index
    balance = trunc(Fraction(side.principal * index, INDEX_ONE))
    liquidity = trunc(Fraction(balance * (side.price or 0), 10**side.decimals))
    for term in legs:
        value = trunc(Fraction(term.balance * (term.price or 0), 10**term.decimals))
        liquidity += trunc(Fraction(value * term.liquidate_factor_wad, WAD))

    figures = account_figures(account(side, *legs))

    assert figures.liquidation_liquidity == liquidity
    assert (figures.is_liquidatable is Answer.YES) is (liquidity < 0)


@given(BASES, LEGS)
def test_leaf__any_account__has_the_sign_of_the_answer(side: CometBase, legs: list[CometCollateral]) -> None:
    here = account(side, *legs)

    leaf = to_leaf_figures(here)

    assert (leaf.excess_usd < 0) is (is_liquidatable(here) is Answer.YES)
    assert (leaf.equity_usd - leaf.initial_usd < 0) is (is_borrow_collateralized(here) is Answer.NO)
    assert min(leaf.collateral_usd, leaf.liability_usd, leaf.initial_usd, leaf.maintenance_usd) >= 0


@given(BASES, LEGS, LEGS, st.integers(0, 10**18))
def test_liquidity__more_collateral_or_less_debt__never_falls(
    side: CometBase, legs: list[CometCollateral], more: list[CometCollateral], grown: int
) -> None:
    def liquidity(changed: CometBase, *changed_legs: CometCollateral) -> int:
        return account_figures(account(changed, *changed_legs)).liquidation_liquidity

    before = liquidity(side, *legs)

    assert liquidity(side, *legs, *more) >= before
    assert liquidity(replace(side, principal=side.principal - grown), *legs) <= before
    assert liquidity(replace(side, borrow_index=side.borrow_index + grown), *legs) <= before


@given(BASES, LEGS)
def test_answer__assets_in_any_order_with_all_feeds__is_the_same(side: CometBase, legs: list[CometCollateral]) -> None:
    assert is_liquidatable(account(side, *legs)) is is_liquidatable(account(side, *legs[::-1]))
