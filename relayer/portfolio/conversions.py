"""What people count in and what a rule set counts in: balances and its own units, prices and its own scale.

| rule set | a leg's amount is | its balance is |
|---|---|---|
| aave | scaled: balance / index in ray | amount x index; collateral down, debt up |
| comet, cash | principal | amount x index / 10^15, toward zero |
| morpho, debt | borrow shares | what the shares owe, up |
| any other | the balance | the amount |

A Morpho market's price is written per whole tokens and used per base units: times 10^(loan decimals - collateral's).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from relayer.margin.engine.inputs import Indices, Leg, MarketData, Price, Role
from relayer.margin.fixed_point import RAY, mul_div_truncated
from relayer.margin.models.aave import AaveRules
from relayer.margin.models.comet import CometRules
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.rulesets.comet import INDEX_ONE, principal_value
from relayer.margin.rulesets.morpho import assets_up, shares_down, shares_up

DECIMALS_DEFAULT: Final = 18


def balance_of(leg: Leg, amount: int, market: MarketData, rules: Any) -> int | None:
    """Return what an amount of a leg is worth in its asset's units; None where the market does not say."""
    indices = market.indices.get(leg.asset)
    if isinstance(rules, AaveRules):
        if indices is None:
            return None
        if leg.role is Role.DEBT:
            return -(-amount * indices.borrow // RAY)
        return amount * indices.supply // RAY
    if isinstance(rules, CometRules) and leg.role is Role.CASH:
        if indices is None:
            return None
        return mul_div_truncated(amount, indices.supply if amount >= 0 else indices.borrow, INDEX_ONE)
    if isinstance(rules, MorphoRules) and leg.role is Role.DEBT:
        totals = market.totals.get(rules.market)
        return None if totals is None else assets_up(amount, totals.borrow_assets, totals.borrow_shares)
    return amount


def amount_of(leg: Leg, balance: int, market: MarketData, rules: Any) -> int:
    """Return the amount of a leg that stands for a balance: of what is held at most, of what is owed at least that.

    Raises: ValueError where the market does not say what a balance is.
    """
    return _amount(leg, balance, market, rules, up=leg.role is Role.DEBT)


def amount_change(leg: Leg, change: int, market: MarketData, rules: Any) -> int:
    """Return by how much a leg's amount changes when its balance does (negative: withdrawn, repaid), never in favour.

    Raises: ValueError where the market does not say what a balance is.
    """
    if isinstance(rules, CometRules) and leg.role is Role.CASH:
        before = balance_of(leg, leg.amount, market, rules) or 0
        return amount_of(leg, before + change, market, rules) - leg.amount
    moved = _amount(leg, abs(change), market, rules, up=(change > 0) == (leg.role is Role.DEBT))
    return moved if change > 0 else -moved


def balance_for(leg: Leg, amount: int, market: MarketData, rules: Any, *, is_owed: bool) -> int | None:
    """Return the least balance whose deposit, or repayment, moves at least that amount; None where it is not known."""
    balance = balance_of(leg, amount, market, rules)
    if balance is None:
        return None
    while abs(amount_change(leg, -balance if is_owed else balance, market, rules)) < amount:
        balance += 1
    return balance


def _amount(leg: Leg, balance: int, market: MarketData, rules: Any, *, up: bool) -> int:
    if isinstance(rules, AaveRules):
        indices = _indices(leg, market)
        numerator, index = balance * RAY, indices.borrow if leg.role is Role.DEBT else indices.supply
        return -(-numerator // index) if up else numerator // index
    if isinstance(rules, CometRules) and leg.role is Role.CASH:
        indices = _indices(leg, market)
        return principal_value(balance, indices.supply, indices.borrow)
    if isinstance(rules, MorphoRules) and leg.role is Role.DEBT:
        totals = market.totals.get(rules.market)
        if totals is None:
            raise ValueError(
                f"no totals of {rules.market} to turn a balance into shares; add them, or write the amount"
            )
        return (shares_up if up else shares_down)(balance, totals.borrow_assets, totals.borrow_shares)
    return balance


def _indices(leg: Leg, market: MarketData) -> Indices:
    indices = market.indices.get(leg.asset)
    if indices is None:
        raise ValueError(f"no index of {leg.asset} to turn a balance into an amount; add it, or write the amount")
    return indices


def price_shift(rules: Any, decimals: Mapping[str, int]) -> int:
    """Return the power of ten from a written price to the rule set's own."""
    if not isinstance(rules, MorphoRules):
        return 0
    return decimals.get(rules.loan, DECIMALS_DEFAULT) - decimals.get(rules.collateral, DECIMALS_DEFAULT)


def shifted(price: Price, shift: int) -> Price:
    """Return a price times 10^shift, exactly. Raises: ValueError for one with more digits than the rule set's price."""
    if shift == 0:
        return price
    at = price.decimals - shift
    if at < 0:
        return replace(price, low=price.low * 10**-at, high=price.high * 10**-at, decimals=0)
    return replace(price, decimals=at)
