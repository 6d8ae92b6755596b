"""comet@1: what a Compound v3 market says of an account, to the last unit.

Units: principals and balances in token units, prices in dollars with 8 decimals, values in dollars with 8 decimals,
factors in wad, base indices with 10^15 as one, rates in wad per second. A negative principal is a borrow.

    B = principal · index / 10^15                              supply index if >= 0, else borrow index; toward zero
    L = [B · p_b / s_b]₀ + Σ [ [b_i · p_i / s_i]₀ · f_i / 10^18 ]₀

[]₀ truncates toward zero, so a debt is shortened, not lengthened. s is 10^decimals.

| question | factor | answer | at equality |
|---|---|---|---|
| is borrow collateralized | borrow factor | principal >= 0, or L >= 0 | yes |
| is liquidatable | liquidate factor | principal < 0 and L < 0 | no |

The sum is taken in the order of the market's assets and stops as soon as it is >= 0: a feed behind that point is never
read, so its failure does not matter; a feed before it makes the market revert, and the answer is `REVERTS`. Assets
without balance are not read. An account without debt reads no feed at all.

| after absorption | figure | rounding |
|---|---|---|
| value | Σ [ [b_i · p_i / s_i]₀ · liquidation factor_i ]₀ | each step down |
| new balance | max(0, B + ⌊value · s_b / p_b⌋) | down |
| new principal | ⌊balance · 10^15 / supply index⌋ | down; borrow principals round up |
| storefront price | p_i · (1 - store factor · (1 - liquidation factor_i)) | each factor down |

Monotone without exception while all feeds are readable: collateral, its price and factors never lower L; borrow index,
base price and a larger borrow never raise it. Permuting assets keeps the verdict then; with a failing feed it may not.

Source: compound-finance/comet `Comet`, `CometCore`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from proofs.units import UsdE18, mul_div_down, mul_div_up, power_of_ten
from relayer.margin.fixed_point import WAD, mul_div_truncated, wad_mul_down
from relayer.margin.leaf_figures import LeafFigures

INDEX_ONE: Final = 10**15
VALUE_TO_E18: Final = 10**10
"""Prices have 8 decimals."""


class Answer(StrEnum):
    """Answer one of the market's questions; `REVERTS` where it would have to read a feed that fails."""

    YES = "yes"
    NO = "no"
    REVERTS = "reverts"


@dataclass(frozen=True, slots=True)
class CometBase:
    """Hold the account's principal and the market's base side; `price` is None where its feed fails."""

    principal: int
    supply_index: int
    borrow_index: int
    price: int | None
    decimals: int


@dataclass(frozen=True, slots=True)
class CometCollateral:
    """Hold one collateral balance and its asset's terms; `price` is None where its feed fails."""

    balance: int
    price: int | None
    decimals: int
    borrow_factor_wad: int
    liquidate_factor_wad: int
    liquidation_factor_wad: int


@dataclass(frozen=True, slots=True)
class CometAccount:
    """Hold an account: its base side and its collateral in the order of the market's assets."""

    base: CometBase
    collateral: tuple[CometCollateral, ...]


@dataclass(frozen=True, slots=True)
class CometFigures:
    """Hold the figures of one account, dollars with 8 decimals, and the market's two answers.

    Liquidities are over all readable legs, without the early stop; an unreadable collateral counts zero and is counted
    in `unreadable`. `base_balance` is in token units, signed.
    """

    base_balance: int
    base_value: int
    collateral_values: tuple[int, ...]
    borrow_liquidity: int
    liquidation_liquidity: int
    unreadable: int
    is_borrow_collateralized: Answer
    is_liquidatable: Answer


@dataclass(frozen=True, slots=True)
class CometAbsorption:
    """Hold what absorption leaves, token units of the base: balance, principal, and what the reserves paid."""

    new_balance: int
    new_principal: int
    base_paid_out: int
    seized_value: int


def account_figures(account: CometAccount) -> CometFigures:
    """Weigh one account; see the module docstring.

    Raises: ValueError for a borrow whose base price is unreadable: there is no figure for an unknown debt.
    """
    base = account.base
    balance = present_value(base)
    if base.price is None and balance < 0:
        raise ValueError("the base price of a borrow is unreadable")
    value = base_value(base) if base.price is not None else 0
    values = tuple(collateral_value(leg) or 0 for leg in account.collateral)
    legs = tuple(zip(values, account.collateral, strict=True))
    return CometFigures(
        base_balance=balance,
        base_value=value,
        collateral_values=values,
        borrow_liquidity=value + sum(wad_mul_down(worth, leg.borrow_factor_wad) for worth, leg in legs),
        liquidation_liquidity=value + sum(wad_mul_down(worth, leg.liquidate_factor_wad) for worth, leg in legs),
        unreadable=sum(leg.price is None and leg.balance > 0 for leg in account.collateral) + (base.price is None),
        is_borrow_collateralized=is_borrow_collateralized(account),
        is_liquidatable=is_liquidatable(account),
    )


def is_borrow_collateralized(account: CometAccount) -> Answer:
    """Ask whether the account may have borrowed this much."""
    return _is_covered(account, lambda leg: leg.borrow_factor_wad)


def is_liquidatable(account: CometAccount) -> Answer:
    """Ask whether the account may be absorbed."""
    covered = _is_covered(account, lambda leg: leg.liquidate_factor_wad)
    return {Answer.YES: Answer.NO, Answer.NO: Answer.YES, Answer.REVERTS: Answer.REVERTS}[covered]


def _is_covered(account: CometAccount, factor: Callable[[CometCollateral], int]) -> Answer:
    """Add up in the market's order, as far as it would."""
    if account.base.principal >= 0:
        return Answer.YES
    if account.base.price is None:
        return Answer.REVERTS
    liquidity = base_value(account.base)
    for leg in account.collateral:
        if leg.balance == 0:
            continue
        if liquidity >= 0:
            return Answer.YES
        value = collateral_value(leg)
        if value is None:
            return Answer.REVERTS
        liquidity += wad_mul_down(value, factor(leg))
    return Answer.YES if liquidity >= 0 else Answer.NO


def present_value(base: CometBase) -> int:
    """Return the account's base balance, signed, token units; truncated toward zero on both sides."""
    index = base.supply_index if base.principal >= 0 else base.borrow_index
    return mul_div_truncated(base.principal, index, INDEX_ONE)


def base_value(base: CometBase) -> int:
    """Return the value of the base balance, signed; truncated toward zero.

    Raises: ValueError for an unreadable price.
    """
    if base.price is None:
        raise ValueError("the base price is unreadable")
    return mul_div_truncated(present_value(base), base.price, power_of_ten(base.decimals))


def collateral_value(leg: CometCollateral) -> int | None:
    """Return a collateral's full value, down; None where its price is unreadable."""
    return None if leg.price is None else mul_div_down(leg.balance, leg.price, power_of_ten(leg.decimals))


def principal_value(balance: int, supply_index: int, borrow_index: int) -> int:
    """Return the principal of a present value: supplies down, borrows up."""
    if balance >= 0:
        return mul_div_down(balance, INDEX_ONE, supply_index)
    return -mul_div_up(-balance, INDEX_ONE, borrow_index)


def absorb(account: CometAccount) -> CometAbsorption:
    """Return what the market does to a liquidatable account: all collateral seized, all debt repaid by the reserves.

    Raises: ValueError for an account that is not liquidatable, or where a feed of a seized asset fails.
    """
    if is_liquidatable(account) is not Answer.YES:
        raise ValueError("the account is not liquidatable")
    seized = 0
    for leg in account.collateral:
        value = collateral_value(leg) if leg.balance else 0
        if value is None:
            raise ValueError("the price of a seized asset is unreadable")
        seized += wad_mul_down(value, leg.liquidation_factor_wad)
    base, old = account.base, present_value(account.base)
    price = base.price or 0
    new = max(0, old + mul_div_down(seized, power_of_ten(base.decimals), price))
    return CometAbsorption(
        new_balance=new,
        new_principal=principal_value(new, base.supply_index, base.borrow_index),
        base_paid_out=new - old,
        seized_value=seized,
    )


def quote_collateral(base: CometBase, asset: CometCollateral, base_amount: int, store_factor_wad: int) -> int:
    """Return how much of a seized asset `base_amount` buys at the storefront, token units, down twice.

    Raises: ValueError where one of the two prices is unreadable.
    """
    if base.price is None or asset.price is None:
        raise ValueError("a price is unreadable")
    discount = wad_mul_down(store_factor_wad, WAD - asset.liquidation_factor_wad)
    discounted = wad_mul_down(asset.price, WAD - discount)
    paid = mul_div_down(base.price * base_amount, power_of_ten(asset.decimals), discounted)
    return mul_div_down(paid, 1, power_of_ten(base.decimals))


def accrued_index(index: int, rate_wad: int, elapsed_s: int) -> int:
    """Return a base index after `elapsed_s` at a rate per second: index + ⌊index · rate · t / 10^18⌋."""
    return index + wad_mul_down(index, rate_wad * elapsed_s)


def to_leaf_figures(account: CometAccount) -> LeafFigures:
    """Return collateral Σ c + B⁺, liability B⁻, initial and maintenance Σ (c - [c · factor]₀); exact.

    Excess is the liquidation liquidity of the readable legs, so its sign is the market's answer; where the market would
    revert, unreadable collateral counts zero.
    """
    figures = account_figures(account)
    collateral, value = sum(figures.collateral_values), figures.base_value
    return LeafFigures(
        collateral_usd=UsdE18((collateral + max(0, value)) * VALUE_TO_E18),
        liability_usd=UsdE18(max(0, -value) * VALUE_TO_E18),
        initial_usd=UsdE18((collateral + value - figures.borrow_liquidity) * VALUE_TO_E18),
        maintenance_usd=UsdE18((collateral + value - figures.liquidation_liquidity) * VALUE_TO_E18),
    )
