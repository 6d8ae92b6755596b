"""Lending: the lower bounds of Aave, Comet and Morpho, one weight a leg, for `linear`.

Real figures are without any rounding; u = p / 10^d is the value of one token unit. LOW ends: held at the low, owed at
the high price, in the venue's own decimals, as the models take them.

| rule set | margin, >= 0 is healthy | held: per unit, lost | owed: per unit, lost |
|---|---|---|---|
| aave 3.6, 3.7 | Σ c·LT - 10^4 Σ b | I·p·LT / (RAY 10^d), (1 + u)·LT | -10^4 J·p / (RAY 10^d), 10^4 (1 + u) |
| aave 3.0 | C·avg - 5·10^3 - 10^4 Σ b | with LT - 1, (1 + u)·LT | the same, 10^4 (1 + u) + 5·10^3 |
| comet | L | p·f / (10^d 10^18), 1 + f / 10^18 | -J·p / (10^15 10^d), 0 |
| morpho | limit - borrowed | p·LLTV / 10^54, 1 + LLTV / 10^18 | -(B + 1) / (N + 10^6), 1 |

- Aave rounds an amount to a token unit (u of value) and the value to 10^-8 dollars (1), each against the account at
  worst; LT weighs both. Its health factor is at least 1 where Σ c·LT >= 10^4 Σ b: the half-up quotient only adds.
- Aave 3.0 floors the average threshold, avg > Σ c·LT / C - 1, and halves up C·avg / 10^4: at worst 5·10^3 below. With
  one threshold the average is exact, so the closer look takes max(least LT held, ⌊lowest Σ c·LT / highest C⌋). A
  reserve that counts and has LT 0 in the category lowers the average: its weight is -1.
- Comet shortens a debt (toward zero) and loses nothing there; [[b·p/s]₀·f]₀ loses f of the first, 1 of the second.
- Morpho: ⌊⌊coll·p⌋·LLTV⌋ loses LLTV and 1, ⌈shares⌉ less than 1.

Several legs that the venue adds up before it rounds lose less than the sum of their losses. What nobody could price:
a collateral of Aave and Morpho counts zero as in their models; Comet may have to revert, so who owes is a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeGuard

import numpy as np

from relayer.margin.engine.inputs import End, Indices, MarketData, Price, Role
from relayer.margin.fixed_point import PERCENT, RAY, WAD
from relayer.margin.models.aave import BASE_DECIMALS, AaveReserve, AaveRules
from relayer.margin.models.comet import CometRules
from relayer.margin.models.lending import TOKEN_DECIMALS_MAX
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS, ThresholdRule
from relayer.margin.rulesets.comet import INDEX_ONE
from relayer.margin.rulesets.morpho import ORACLE_ONE, VIRTUAL_ASSETS, VIRTUAL_SHARES
from relayer.margin.screens.columns import UNIT_ROUNDOFF, Bools, Floats, Part, Slot
from relayer.margin.screens.linear import COUNTS_NOTHING, UNKNOWN, UNREADABLE, Form, Weight, down, up

PRICE_DECIMALS: Final = 8
ORACLE_DECIMALS: Final = 36
HALF_PERCENT: Final = PERCENT // 2
AVERAGE_ROUNDINGS: Final = 64
"""More than the roundings of any chain of operations in the closer look of one slot; n slots add n."""


def is_sound(slot: Slot) -> bool:
    """Tell whether a slot is a leg that a lending contract could hold."""
    is_signed = slot.role is Role.CASH
    return slot.part is Part.AMOUNT and (is_signed or not slot.is_negative) and 0 <= slot.decimals <= TOKEN_DECIMALS_MAX


# --- Aave ------------------------------------------------------------------------------------------------------------


def aave_form(slots: tuple[Slot, ...], mode: int, rules: AaveRules, market: MarketData) -> Form:
    """Return the bound of a pool at the low ends, for accounts of one e-mode category; unit: base currency · bps."""
    legs = [_aave_leg(slot, mode, rules, market) for slot in slots]
    is_average = AAVE_REVISIONS[rules.name].thresholds is ThresholdRule.AVERAGES
    weights = tuple(_aave_weight(leg, is_average=is_average) if isinstance(leg, AaveLeg) else leg for leg in legs)
    return Form(weights, AverageThreshold.of(legs) if is_average else None)


@dataclass(frozen=True, slots=True)
class AaveLeg:
    """Hold one slot: value of an amount in the base currency, of one token unit, threshold; None where it is owed.

    `counts` tells whether it is part of C.
    """

    value: Fraction
    unit: Fraction
    threshold_bps: int | None
    counts: bool = True

    @property
    def is_owed(self) -> bool:
        """Tell whether the slot is a debt."""
        return self.threshold_bps is None


def _aave_leg(slot: Slot, mode: int, rules: AaveRules, market: MarketData) -> AaveLeg | Weight:
    price, indices = market.prices.get(slot.asset), market.indices.get(slot.asset)
    if slot.role not in (Role.COLLATERAL, Role.DEBT) or not is_sound(slot):
        return UNKNOWN
    is_owed = slot.role is Role.DEBT
    reserve = rules.reserves.get(slot.asset)
    if price is None or not _is_usable(indices) or (reserve is None and not is_owed):
        is_averaged = AAVE_REVISIONS[rules.name].thresholds is ThresholdRule.AVERAGES
        return UNKNOWN if is_owed or is_averaged else COUNTS_NOTHING
    unit = _unit_value(price, BASE_DECIMALS, slot.decimals, is_owed=is_owed)
    if is_owed or reserve is None:
        return AaveLeg(unit * indices.borrow / RAY, unit, None)
    threshold = _threshold(reserve, mode)
    return AaveLeg(unit * indices.supply / RAY, unit, threshold, reserve.threshold_bps != 0)


def _threshold(reserve: AaveReserve, mode: int) -> int:
    emode = reserve.modes.get(mode) if mode else None
    return reserve.threshold_bps if emode is None else emode.threshold_bps


def _aave_weight(leg: AaveLeg, *, is_average: bool) -> Weight:
    if leg.threshold_bps is None:
        half = HALF_PERCENT if is_average else 0
        return Weight(-PERCENT * leg.value, PERCENT * (1 + leg.unit) + half, is_owed=True)
    if is_average and not leg.counts:
        return COUNTS_NOTHING
    usable = leg.threshold_bps - 1 if is_average else leg.threshold_bps
    return Weight(leg.value * usable, (1 + leg.unit) * max(1, leg.threshold_bps))


@dataclass(frozen=True, slots=True, eq=False)
class AverageThreshold:
    """Look closer at accounts of Aave 3.0: the floored average threshold, bounded from below.

    C and Σ c·LT are sums of n terms of one sign, so each is within a factor 1 ± (n + 64)·u of its real figure, and the
    real ones within `lost` of the venue's. The floor of the lowest quotient, or the least threshold held, is certain.
    """

    low: Floats
    high: Floats
    debt: Floats
    lost: Floats
    debt_lost: Floats
    thresholds: Floats
    slack: float

    @classmethod
    def of(cls, legs: list[AaveLeg | Weight]) -> AverageThreshold:
        """Return the closer look of these slots; what does not count has no threshold."""
        nothing = AaveLeg(Fraction(0), Fraction(0), 0, counts=False)
        known = [leg if isinstance(leg, AaveLeg) else nothing for leg in legs]
        pairs = [(leg, leg.counts and not leg.is_owed) for leg in known]
        return cls(
            low=np.array([down(leg.value) if is_held else 0.0 for leg, is_held in pairs]),
            high=np.array([up(leg.value) if is_held else 0.0 for leg, is_held in pairs]),
            debt=np.array([up(leg.value) if leg.is_owed else 0.0 for leg in known]),
            lost=np.array([up(1 + leg.unit) if is_held else 0.0 for leg, is_held in pairs]),
            debt_lost=np.array([up(1 + leg.unit) if leg.is_owed else 0.0 for leg in known]),
            thresholds=np.array([float(leg.threshold_bps or 0) if is_held else np.inf for leg, is_held in pairs]),
            slack=(len(known) + AVERAGE_ROUNDINGS) * UNIT_ROUNDOFF,
        )

    def __call__(self, part: Floats) -> Bools:
        """Tell who is certainly healthy."""
        below, above = 1 - self.slack, 1 + self.slack
        is_held = part != 0
        lost = self.lost @ is_held
        lowest = np.maximum(self.low @ part * below - lost * above, 0)
        highest = self.high @ part * above + lost * above
        finite = np.where(np.isfinite(self.thresholds), self.thresholds, 0)
        weighted = np.maximum((self.low * finite) @ part * below - (self.lost * finite) @ is_held * above, 0)
        quotient = np.divide(weighted, highest, out=np.zeros_like(weighted), where=highest > 0)
        least = np.where(is_held, self.thresholds[:, None], np.inf).min(axis=0, initial=np.inf)
        average = np.maximum(np.floor(quotient * below), np.where(np.isfinite(least), least, 0))
        owed = (self.debt @ part * above + self.debt_lost @ is_held * above) * PERCENT
        is_safe: Bools = lowest * average * below >= (owed + HALF_PERCENT) * above
        return is_safe


# --- Comet, Morpho ---------------------------------------------------------------------------------------------------


def comet_form(slots: tuple[Slot, ...], _mode: int, rules: CometRules, market: MarketData) -> Form:
    """Return the bound of one Comet market at the low ends; unit: dollars with 8 decimals."""
    return Form(tuple(_comet_weight(slot, rules, market) for slot in slots))


def _comet_weight(slot: Slot, rules: CometRules, market: MarketData) -> Weight:
    factors = {one.asset: one.liquidate_factor_wad for one in rules.assets}
    price, indices = market.prices.get(slot.asset), market.indices.get(slot.asset)
    if not is_sound(slot) or (slot.role is Role.CASH) is not (slot.asset == rules.base):
        return UNKNOWN
    if slot.asset == rules.base:
        if not slot.is_negative:
            return COUNTS_NOTHING
        if price is None or not _is_usable(indices):
            return UNKNOWN
        unit = _unit_value(price, PRICE_DECIMALS, slot.decimals, is_owed=True)
        return Weight(-unit * indices.borrow / INDEX_ONE, is_owed=True)
    if slot.role is not Role.COLLATERAL or slot.asset not in factors:
        return UNKNOWN
    if price is None:
        return UNREADABLE
    factor = Fraction(factors[slot.asset], WAD)
    return Weight(_unit_value(price, PRICE_DECIMALS, slot.decimals, is_owed=False) * factor, 1 + factor)


def morpho_form(slots: tuple[Slot, ...], _mode: int, rules: MorphoRules, market: MarketData) -> Form:
    """Return the bound of one Morpho market at the low ends; unit: loan token units."""
    return Form(tuple(_morpho_weight(slot, rules, market) for slot in slots))


def _morpho_weight(slot: Slot, rules: MorphoRules, market: MarketData) -> Weight:
    side = {Role.COLLATERAL: rules.collateral, Role.DEBT: rules.loan}
    if not is_sound(slot) or side.get(slot.role) != slot.asset:
        return UNKNOWN
    price, totals = market.prices.get(rules.market), market.totals.get(rules.market)
    if slot.role is Role.DEBT:
        if totals is None:
            return UNKNOWN
        share = Fraction(totals.borrow_assets + VIRTUAL_ASSETS, totals.borrow_shares + VIRTUAL_SHARES)
        return Weight(-share, Fraction(1), is_owed=True)
    if price is None:
        return COUNTS_NOTHING
    used = price.scaled(ORACLE_DECIMALS).at(End.LOW, is_owed=False)
    factor = Fraction(rules.lltv_wad, WAD)
    return Weight(Fraction(used, ORACLE_ONE) * factor, 1 + factor)


def _is_usable(indices: Indices | None) -> TypeGuard[Indices]:
    return indices is not None and min(indices.supply, indices.borrow) > 0


def _unit_value(price: Price, price_decimals: int, token_decimals: int, *, is_owed: bool) -> Fraction:
    """Return the value of one token unit at the price that the venue would use."""
    return Fraction(price.scaled(price_decimals).at(End.LOW, is_owed=is_owed), 10**token_decimals)
