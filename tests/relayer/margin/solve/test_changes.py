"""Changes: what they do to the unit, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.units import E18
from relayer.margin.engine.inputs import Account, ExpiryQuote, Leg, OptionTerms, Price, Role
from relayer.margin.engine.result import Unit
from relayer.margin.solve.changes import (
    AddLeg,
    Borrow,
    Deposit,
    Remove,
    Repay,
    SetPrice,
    Shock,
    Trade,
    Withdraw,
    applied,
)
from tests.relayer.margin.solve.build import MARKET, ONE, at, borrower, trader

MICRO = Unit("USDC", 6)
CALL = Leg("call", Role.OPTION, "ETH", 2 * E18, ONE, option=OptionTerms(3_000 * E18, 10**9, is_call=True))


def after(account: Account, *changes, unit: Unit = MICRO) -> Account:
    return applied(account, MARKET, changes, unit)[0]


@pytest.mark.parametrize(
    ("change", "leg", "amount"),
    [
        (Deposit("usdc", 1), "usdc", 20_000 * 10**6 + 1),
        (Withdraw("eth", 10 * E18), "eth", 0),
        (Repay("debt", 30_000 * 10**6), "debt", 0),
        (Borrow("debt", 5), "debt", 30_000 * 10**6 + 5),
    ],
)
def test_amount__changed__is_that_of_the_leg_alone(change, leg: str, amount: int) -> None:
    account = borrower(30_000)

    changed = after(account, change)

    assert changed == account.with_amount(leg, amount)


def test_cash__withdrawn_below_zero__is_borrowed() -> None:
    assert after(trader(0, 5), Withdraw("cash", 7)).leg("cash").amount == -2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Withdraw("eth", 10 * E18 + 1), "cannot withdraw"),
        (Repay("debt", 30_000 * 10**6 + 1), "is owed"),
        (Deposit("eth", 0), "above 0"),
        (Withdraw("eth", -1), "above 0"),
        (Borrow("debt", 0), "above 0"),
        (Deposit("nobody", 1), "no leg of that name"),
        (Remove("nobody"), "no leg of that name"),
        (Deposit("debt", 1), "takes a"),
        (Repay("eth", 1), "takes a debt leg"),
        (Trade("eth", 1, 1), "takes a"),
        (AddLeg(Leg("eth", Role.COLLATERAL, "ETH", 1, ONE)), "already"),
        (AddLeg(Leg("less", Role.DEBT, "ETH", -1, ONE)), ">= 0"),
        (Shock(-1_000_000), "cannot fall to zero"),
        (Shock(1, ("DOGE",)), "no price"),
        (SetPrice("ETH", Price(0, 1)), "0 < low <= high"),
        (SetPrice("ETH", Price(2, 1)), "0 < low <= high"),
    ],
)
def test_change__impossible__refused_with_the_rule(change, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        applied(borrower(30_000), MARKET, [change])


@pytest.mark.parametrize(("size", "price"), [(0, 1), (1, -1)])
def test_trade__of_nothing_or_below_zero__refused(size: int, price: int) -> None:
    with pytest.raises(ValueError, match="a trade has"):
        after(trader(1, 0), Trade("perp", size, price))


def test_trade__of_a_perp__moves_entry_value_by_size_times_price() -> None:
    """Buy 2 ETH at 3,000.5: 6,001 dollars; sell 3 at 3,100: -9,300."""
    bought = after(trader(0, 0), Trade("perp", 2 * 10**9, 30_005, 1))
    sold = after(bought, Trade("perp", -3 * 10**9, 3_100, 0))

    assert (bought.leg("perp").amount, bought.leg("perp").entry_value) == (2 * 10**9, 6_001 * 10**6)
    assert (sold.leg("perp").amount, sold.leg("perp").entry_value) == (-(10**9), (6_001 - 9_300) * 10**6)


@pytest.mark.parametrize(("size", "entry"), [(1, 4), (-1, -3)])
def test_trade__between_two_units__is_rounded_against_the_account(size: int, entry: int) -> None:
    """10^-9 ETH at 3,500 is 3.5 micro-dollars."""
    assert after(trader(0, 0), Trade("perp", size, 3_500, 0)).leg("perp").entry_value == entry


@pytest.mark.parametrize(("decimals", "entry"), [(0, 8), (6, 7_200_000), (1, 72)])
def test_trade__of_whole_units__in_money_of_any_decimals(decimals: int, entry: int) -> None:
    """3 at 2.4 dollars are 7.2: up to 8 where money has no decimals."""
    account = Account("t", (Leg("perp", Role.PERP, "ETH", 0, ONE, decimals=0),))

    assert after(account, Trade("perp", 3, 24, 1), unit=Unit("U", decimals)).leg("perp").entry_value == entry


def test_trade__of_an_option__is_paid_from_cash() -> None:
    account = trader(0, 1_000 * 10**6).with_leg(CALL)

    changed = after(account, Trade("call", -E18, 125, 0, "cash"))

    assert (changed.leg("call").amount, changed.leg("cash").amount) == (E18, 1_125 * 10**6)
    assert changed.leg("call").entry_value == 0


def test_trade__of_an_option_for_nothing__needs_no_cash() -> None:
    assert after(borrower(1).with_leg(CALL), Trade("call", E18, 0)).leg("call").amount == 3 * E18


def test_trade__of_an_option_without_cash__refused() -> None:
    with pytest.raises(ValueError, match="no leg of that name"):
        after(borrower(1).with_leg(CALL), Trade("call", E18, 1))


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**20), st.integers(0, 18))
def test_trade__there_and_back_at_one_price__never_gains(size: int, price: int, decimals: int) -> None:
    if size == 0:
        return

    there = after(trader(7, 0, 11), Trade("perp", size, price, decimals))
    back = after(there, Trade("perp", -size, price, decimals))

    assert back.leg("perp").amount == 7
    assert 11 <= back.leg("perp").entry_value <= 12


@pytest.mark.parametrize(
    "leg",
    [
        Leg("short", Role.PERP, "ETH", -1, ONE),
        Leg("loan", Role.CASH, "USDC", -1, ONE),
        Leg("empty", Role.COLLATERAL, "ETH", 0, ONE),
        Leg("repaid", Role.DEBT, "ETH", 0, ONE),
    ],
)
def test_leg__short_or_empty__may_be_added(leg: Leg) -> None:
    assert after(borrower(1), AddLeg(leg)).leg(leg.name) == leg


def test_leg__added_and_removed__leaves_the_account() -> None:
    assert after(borrower(1), AddLeg(CALL), Remove("call")) == borrower(1)


def test_shock__of_all__moves_every_price_outward() -> None:
    """3 · 0.9 = 2.7: from 2 to 3."""
    market = replace(MARKET, prices={"A": Price(3, 3, 0), "B": Price(1_000, 2_000, 2)})

    _, shocked = applied(borrower(1), market, [Shock(-100_000)])

    assert shocked.prices == {"A": Price(2, 3, 0), "B": Price(900, 1_800, 2)}


def test_shock__of_the_smallest_price__keeps_it_above_zero() -> None:
    _, shocked = applied(borrower(1), at(1), [Shock(-999_999, ("ETH",))])

    assert shocked.prices["ETH"] == Price(1, 1, 8)


def test_shock__of_one__moves_its_forwards_and_nothing_else() -> None:
    quotes = {("ETH", 1): ExpiryQuote(Price(200, 300)), ("BTC", 1): ExpiryQuote(Price(7, 7))}
    market = replace(at(100), expiries=quotes)

    _, shocked = applied(borrower(1), market, [Shock(100_000, ("ETH",))])

    assert shocked.expiries["ETH", 1].forward == Price(220, 330)
    assert shocked.expiries["BTC", 1].forward == Price(7, 7)
    assert shocked.prices["USDC"] == market.prices["USDC"]


def test_price__of_an_asset_without_one__is_given() -> None:
    _, priced = applied(borrower(1), MARKET, [SetPrice("DOGE", Price(1, 2, 3))])

    assert priced.prices == {**MARKET.prices, "DOGE": Price(1, 2, 3)}


def test_changes__in_order__each_on_what_the_one_before_left() -> None:
    changed = after(borrower(1), Deposit("usdc", 5), Withdraw("usdc", 20_000 * 10**6 + 5))

    assert changed.leg("usdc").amount == 0
