"""Positions: the lower bounds of dYdX and of tiers with deductions, for `linear`.

A position has two rows, longs and shorts, because its requirement is one of the magnitude. LOW ends: a long at the low
price p, a short at the high one P, requirements at P. s is the value of one size unit at a price of one.

| rule set | margin, >= 0 is healthy | long: per unit, lost | short: per unit, lost |
|---|---|---|---|
| dydx | NC - Σ MMR | s·(p - P·f·m), 2 + m | -s·P·(1 + f·m), 1 + m |
| tiers | equity - Σ MM | s·(p - P·r), 2 + r | -s·P·(1 + r), 2 + r |

- dYdX: N truncates, a long's loses less than 1, a short's owes no more than the real one; MMR = ⌈⌈|N|·f⌉·m⌉ is less
  than 1 + m above its real figure, and |N| never exceeds its real one.
- Tiers: profit floors (1); N rounds up by less than 1, so MM by less than r, and rounds up itself (1). MM(N) is convex
  and the greatest of N·r_n - d_n, so N·r at the highest rate is above it: a rough line, good for most. The closer look
  takes the greatest of all tiers at N from above.

Cash, accruals and entry values are integers of the margin's own unit: 1 or -1 a unit, nothing lost.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from proofs.units import PPM
from relayer.margin.engine.inputs import End, MarketData, Role
from relayer.margin.models.dydx import USDC, DydxRules
from relayer.margin.models.tiers import TiersRules
from relayer.margin.rulesets.dydx_v4 import QUOTE_EXPONENT
from relayer.margin.rulesets.hyperliquid_tiers import USD_DECIMALS, TieredMargin
from relayer.margin.screens.columns import UNIT_ROUNDOFF, Bools, Floats, Part, Slot
from relayer.margin.screens.linear import COUNTS_NOTHING, UNKNOWN, Form, Weight, up

ONE: Final = Fraction(1)
CLOSER_ROUNDINGS: Final = 64


def dydx_form(slots: tuple[Slot, ...], _mode: int, rules: DydxRules, market: MarketData) -> Form:
    """Return the bound of the chain's maintenance test at the low ends; unit: quote quantums."""
    return Form(tuple(_dydx_weight(slot, rules, market) for slot in slots))


def _dydx_weight(slot: Slot, rules: DydxRules, market: MarketData) -> Weight:
    money = _money(slot, USDC, rules.markets)
    if money is not None:
        return money
    price, terms = market.prices.get(slot.asset), rules.markets[slot.asset]
    if price is None:
        return UNKNOWN
    scale = _power(terms.atomic_resolution + QUOTE_EXPONENT - price.decimals)
    maintenance = Fraction(terms.tier.maintenance_fraction_ppm, PPM)
    requirement = Fraction(terms.tier.initial_ppm, PPM) * maintenance
    used, high = price.at(End.LOW, is_owed=slot.is_negative), price.at(End.LOW, is_owed=True)
    sign = -1 if slot.is_negative else 1
    return Weight(scale * (sign * used - high * requirement), 2 + maintenance, is_owed=True)


# --- tiers -----------------------------------------------------------------------------------------------------------


def tiers_form(slots: tuple[Slot, ...], _mode: int, rules: TiersRules, market: MarketData) -> Form:
    """Return the bound of tiers with deductions at the low ends; unit: 10^-6 dollars."""
    legs = [_tier_leg(slot, rules, market) for slot in slots]
    weights = tuple(leg if isinstance(leg, Weight) else leg.rough for leg in legs)
    return Form(weights, TierCurves.of(legs))


@dataclass(frozen=True, slots=True)
class TierLeg:
    """Hold one row of positions: value of one size unit for the account, notional of it, and the tiers' lines."""

    value: Fraction
    notional: Fraction
    lines: tuple[tuple[Fraction, Fraction], ...]

    @property
    def rough(self) -> Weight:
        """Return the one line above all: no deduction, the highest rate."""
        rate = self.lines[-1][0]
        return Weight(self.value - self.notional * rate, 2 + rate, is_owed=True)


def _tier_leg(slot: Slot, rules: TiersRules, market: MarketData) -> TierLeg | Weight:
    money = _money(slot, rules.cash, rules.markets)
    if money is not None:
        return money
    price, margin = market.prices.get(slot.asset), rules.markets[slot.asset]
    if price is None:
        return UNKNOWN
    scale = _power(USD_DECIMALS - slot.decimals - price.decimals)
    used, high = price.at(End.LOW, is_owed=slot.is_negative), price.at(End.LOW, is_owed=True)
    return TierLeg(scale * (-used if slot.is_negative else used), scale * high, tier_lines(margin))


def tier_lines(margin: TieredMargin) -> tuple[tuple[Fraction, Fraction], ...]:
    """Return (rate, deduction) of each tier, exact."""
    lines = [(Fraction(1, 2 * margin.tiers[0].leverage_max), Fraction(0))]
    for tier in margin.tiers[1:]:
        rate, deduction = Fraction(1, 2 * tier.leverage_max), lines[-1][1]
        lines.append((rate, deduction + tier.lower * (rate - lines[-1][0])))
    return tuple(lines)


@dataclass(frozen=True, slots=True, eq=False)
class TierCurves:
    """Look closer at accounts with tiers: the greatest line of each position at its notional from above.

    N·r - d cancels; its parts are each within (1 ± 64 u), so the difference is taken with the band on the parts. The
    sum of all terms is then tested against (n + 64)·u of the sum of their magnitudes, and what rounding loses.
    """

    value: Floats
    curves: tuple[tuple[int, float, tuple[tuple[float, float], ...]], ...]

    @classmethod
    def of(cls, legs: list[TierLeg | Weight]) -> TierCurves:
        """Return the closer look of these slots."""
        above = Fraction(1) + Fraction(CLOSER_ROUNDINGS, 2**53)
        curves = [
            (
                place,
                up(leg.notional * above),
                tuple((up(rate * above), float(deduction / above)) for rate, deduction in leg.lines),
            )
            for place, leg in enumerate(legs)
            if isinstance(leg, TierLeg)
        ]
        values = [leg.per_unit if isinstance(leg, Weight) else leg.value for leg in legs]
        return cls(np.array([float(value) for value in values]), tuple(curves))

    def __call__(self, part: Floats) -> Bools:
        """Tell who is certainly healthy."""
        margin: Floats = self.value @ part
        magnitude: Floats = np.abs(self.value) @ part
        lost = np.zeros(part.shape[1])
        for place, notional, lines in self.curves:
            amounts = part[place]
            held = amounts * notional + 1
            required = np.zeros(part.shape[1])
            for rate, deduction in lines:
                required = np.maximum(required, held * rate - deduction)
            required = np.where(amounts != 0, required, 0.0)
            margin, magnitude = margin - required, magnitude + required
            lost += np.where(amounts != 0, 2.0, 0.0)
        slack = 2 * (len(self.value) + len(self.curves) + CLOSER_ROUNDINGS) * UNIT_ROUNDOFF
        is_safe: Bools = margin >= magnitude * slack + lost * (1 + slack)
        return is_safe


# --- both ------------------------------------------------------------------------------------------------------------


def _money(slot: Slot, cash: str, markets: Collection[str]) -> Weight | None:
    """Return the weight of whatever is not the amount of a position in a known market; None for such a one."""
    if slot.role is Role.CASH:
        is_known = slot.asset == cash and slot.part is Part.AMOUNT
    elif slot.role is Role.PERP and slot.part in (Part.AMOUNT, Part.CLOSED):
        if slot.asset in markets:
            return None if slot.part is Part.AMOUNT else COUNTS_NOTHING
        is_known = False
    else:
        is_known = slot.role is Role.PERP
    if not is_known:
        return UNKNOWN
    is_owed = slot.is_negative is not (slot.part is Part.ENTRY)
    return Weight(-ONE if is_owed else ONE, is_owed=is_owed)


def _power(exponent: int) -> Fraction:
    return Fraction(10) ** exponent
