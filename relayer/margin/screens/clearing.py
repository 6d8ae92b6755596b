"""Clearing: the lower bound of SPAN-style risk arrays, for `trees`.

    excess = Σ v - Σ commodities max(scan + calendar + delivery - credit, minimum)

| term | here |
|---|---|
| v | value of a unit at the low end, from the sample |
| scan, minimum | products of amounts and the published arrays; ⌊PnL⌋ and ⌈minimum⌉ lose 1 each |
| calendar, delivery | the venue's own order on net deltas: matched, used up, charged; 1 each |
| credit | from below by intervals, then at most ⌊scan · cap⌋; 1 for each leg of a spread and each cap |

Using up maps deltas (near X, far Y) to what is left: M = min(ΣX, ΣY) off either, first months first. On each of its
linear pieces one side vanishes and the other moves by the error of both, so errors add up to no more than they were,
Σ months. Matched and used are off by no more than that either, a charge by its rate times it: a delta's part of g is
2 Σ rates + Σ months (2 spread + 3 outright). h grows by 4 for each month, twice for each spread: it is counted by
taking g that many times. What is left is known to `slack`, (8 n + 256 + 16 (months (calendar + 1) + spreads)) u times
Σ |a·delta|.

Credit. Composite deltas Δ are known within slack, and spreads formed are monotone in what is left: both ends are
carried through the spreads in order, on the sides as written and reversed (one of both is nothing). Which scenario is
worst decides the price risk: it is the least of all scenarios within twice the band of the worst. Then

    credit >= price risk · least used · rate : (greatest |Δ|), less a rounding of everything in it (1 - 2⁻⁴⁰)

and ⌊spreads⌋, ⌊used⌋ lose one unit of 1e-54 each. The amounts of credit enter g as the scan does, for cap <= 1 or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from proofs.units import E18
from relayer.margin.engine.inputs import End, MarketData, Role
from relayer.margin.models.span import CONTRACT_ROLES, SpanRules
from relayer.margin.rulesets.span import CalendarSpread, Commodity, Contract, SpreadLeg
from relayer.margin.screens.columns import UNIT_ROUNDOFF, Floats, Part, Slot
from relayer.margin.screens.linear import UNKNOWN, Form
from relayer.margin.screens.trees import (
    BULK,
    Closer,
    factor_of,
    held_places,
    money_row,
    quotient,
    sample,
    share,
    tamed,
    weights_of,
)
from relayer.margin.view import Purpose

Places = NDArray[np.intp]
KEPT: Final = 1.0 - 2.0**-40
"""Less than the roundings of a credit leave of it."""
UNIT_SPARE: Final = 4.0
"""Units of 1e-54 that spreads and used deltas lose to rounding, at most two each."""


def span_form(slots: tuple[Slot, ...], rules: SpanRules, market: MarketData) -> Form:
    """Return the bound of SPAN-style arrays at the low ends; unit: 1e-18 of its money."""
    found = rules.weigh(sample(slots), market, Purpose.MAINTENANCE, End.LOW)
    value = money_row(slots)
    for line in found.lines:
        if line.leg and slots[int(line.leg)].part is Part.AMOUNT:
            value[int(line.leg)] = quotient(line.value, 10**line.decimals * BULK)
    tables = [_Table.of(commodity, slots) for commodity in rules.commodities]
    if len({commodity.name for commodity in rules.commodities}) != len(tables):
        return Form((UNKNOWN,) * len(slots))
    gross = np.abs(value) + sum((table.gross for table in tables), np.zeros(len(slots)))
    weights = tamed(weights_of(slots, found.gaps), gross, value, *(part for table in tables for part in table.parts))
    tree = _SpanTree(value, tuple(tables), rules.spreads)
    return Form(weights, Closer(tree, gross, factor_of(share(c.credit_cap) for c in rules.commodities)))


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Hold what one unit of each slot brings to a commodity: PnL by scenario, short-option minimum, delta by month.

    `months` are (tier, month) in the venue's order. Deltas are in units of 1e-54.
    """

    commodity: Commodity
    pnl: Floats
    minimum: Floats
    deltas: Floats
    months: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, commodity: Commodity, slots: Sequence[Slot]) -> _Table:
        known = {contract.name: contract for contract in commodity.contracts}
        months = tuple(sorted({(contract.tier, contract.month) for contract in commodity.contracts}))
        pnl = np.zeros((len(commodity.pairs), len(slots)))
        minimum, deltas = np.zeros(len(slots)), np.zeros((len(months), len(slots)))
        for place in held_places(slots, *CONTRACT_ROLES):
            slot, contract = slots[place], known.get(slots[place].asset)
            if contract is None:
                continue
            sign, unit = -1 if slot.is_negative else 1, 10**slot.decimals
            pnl[:, place] = [quotient(sign * gain, unit) for gain in contract.array]
            delta = quotient(sign * E18 * _delta(commodity, contract), unit)
            deltas[months.index((contract.tier, contract.month)), place] = delta
            if slot.is_negative and slot.role is Role.OPTION:
                minimum[place] = quotient(max(commodity.short_option_rate, 0), unit)
        return cls(commodity, pnl, minimum, deltas, months)

    @property
    def parts(self) -> tuple[Floats, Floats, Floats]:
        """Return the tables of the slots."""
        return self.pnl, self.minimum, self.deltas

    @property
    def gross(self) -> Floats:
        """Return what a unit brings to the magnitude: scan, credit of at most twice its cap, minimum, charges."""
        rule = self.commodity
        rates = sum(2 * abs(spread.rate) for spread in rule.calendar)
        rates += sum(2 * abs(one.spread_rate) + 3 * abs(one.outright_rate) for one in rule.delivery)
        turns = 1 + len(self.months) * (len(rule.calendar) + 1)
        charges = np.abs(self.deltas).sum(axis=0) * (quotient(rates * turns, E18**3))
        scans = np.abs(self.pnl).max(axis=0, initial=0.0) * (1.0 + 2.0 * abs(share(rule.credit_cap)))
        gross: Floats = scans + np.abs(self.minimum) + charges
        return gross


@dataclass(frozen=True, slots=True, eq=False)
class _Risk:
    """Hold the terms of a commodity for all accounts; the composite delta between ends, the price risk from below."""

    scan: Floats
    before: Floats
    minimum: Floats
    composite: tuple[Floats, Floats]
    price_risk: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _SpanTree:
    value: Floats
    tables: tuple[_Table, ...]
    spreads: tuple[tuple[SpreadLeg, ...], ...]

    def __call__(self, amounts: Floats, band: Floats) -> Floats:
        risks = {table.commodity.name: _risk(table, amounts, band, len(self.spreads)) for table in self.tables}
        credited = _credit_of(risks, self.spreads)
        excess: Floats = self.value @ amounts
        for table in self.tables:
            risk, cap = risks[table.commodity.name], share(table.commodity.credit_cap)
            credit = np.minimum(credited[table.commodity.name], risk.scan * cap)
            excess = excess - np.maximum(risk.before - credit, risk.minimum)
        return excess


def _risk(table: _Table, amounts: Floats, band: Floats, spreads: int) -> _Risk:
    rule, pnl, months = table.commodity, table.pnl @ amounts, table.deltas @ amounts
    scan = np.maximum(-pnl.min(axis=0), 0.0)
    left, charge = _calendar(table, months)
    charge = charge + _delivery(table, months, np.abs(months - left))
    first, second = rule.still
    twice = pnl[first] + pnl[second] - pnl - pnl[list(rule.pairs)]
    is_near = pnl <= pnl.min(axis=0) + 2.0 * band
    price_risk = np.where(is_near, twice, np.inf).min(axis=0) / 2.0 - 3.0 * band
    rounds = 8 * len(amounts) + 256 + 16 * (len(table.months) * (len(rule.calendar) + 1) + spreads)
    slack = rounds * UNIT_ROUNDOFF * (np.abs(table.deltas).sum(axis=0) @ amounts)
    composite = months.sum(axis=0)
    ends = (composite - slack, composite + slack)
    return _Risk(scan, scan + charge, table.minimum @ amounts, ends, np.maximum(price_risk, 0.0))


def _delta(commodity: Commodity, contract: Contract) -> int:
    return sum(w * d for w, d in zip(commodity.delta_weights, contract.deltas, strict=True))


# --- months ----------------------------------------------------------------------------------------------------------


def _calendar(table: _Table, months: Floats) -> tuple[Floats, Floats]:
    """Return what is left of the deltas of each month, and the charge."""
    left, charge = months.copy(), np.zeros(months.shape[1])
    for spread in table.commodity.calendar:
        for sign in (1.0, -1.0):
            if sign < 0 and spread.tier == spread.other_tier:
                continue
            near, far = _sides(table, spread)
            matched = np.minimum(_sum_of(left, near, sign), _sum_of(left, far, -sign))
            _take(left, near, sign, matched)
            _take(left, far, -sign, matched)
            charge += matched * quotient(spread.rate, E18**3)
    return left, charge


def _sides(table: _Table, spread: CalendarSpread) -> tuple[list[int], list[int]]:
    near = [row for row, (tier, _) in enumerate(table.months) if tier == spread.tier]
    far = [row for row, (tier, _) in enumerate(table.months) if tier == spread.other_tier]
    return near, far


def _sum_of(left: Floats, rows: list[int], sign: float) -> Floats:
    total: Floats = np.maximum(sign * left[rows], 0.0).sum(axis=0)
    return total


def _take(left: Floats, rows: list[int], sign: float, matched: Floats) -> None:
    """Use up deltas of one side, months in order."""
    amount = matched.copy()
    for row in rows:
        part = np.minimum(np.maximum(sign * left[row], 0.0), amount)
        left[row] -= sign * part
        amount -= part


def _delivery(table: _Table, months: Floats, used: Floats) -> Floats:
    charge = np.zeros(months.shape[1])
    for rule in table.commodity.delivery:
        for row, (_, month) in enumerate(table.months):
            if month == rule.month:
                outright = np.abs(months[row]) - used[row]
                charge += used[row] * quotient(rule.spread_rate, E18**3)
                charge += outright * quotient(rule.outright_rate, E18**3)
    return charge


# --- across commodities ----------------------------------------------------------------------------------------------


def _credit_of(risks: dict[str, _Risk], spreads: Sequence[Sequence[SpreadLeg]]) -> dict[str, Floats]:
    """Return each commodity's credit from below, before its cap."""
    left = {name: risk.composite for name, risk in risks.items()}
    credit = {name: np.zeros_like(risk.scan) for name, risk in risks.items()}
    for legs in spreads:
        for sign in (1.0, -1.0):
            formed = _formed(legs, left, sign)
            for leg in legs:
                least, most = (end * share(leg.ratio) for end in formed)
                least = np.maximum(least * KEPT - UNIT_SPARE, 0.0)
                low, high = left[leg.commodity]
                left[leg.commodity] = (low - most, high - least) if sign * leg.side > 0 else (low + least, high + most)
                credit[leg.commodity] += _worth(risks[leg.commodity], least, share(leg.rate))
    return credit


def _formed(legs: Sequence[SpreadLeg], left: dict[str, tuple[Floats, Floats]], sign: float) -> tuple[Floats, Floats]:
    """Return the least and the greatest number of spreads that the deltas allow."""
    lows, highs = [], []
    for leg in legs:
        low, high = left[leg.commodity]
        if sign * leg.side < 0:
            low, high = -high, -low
        lows.append(np.maximum(low, 0.0) / share(leg.ratio) * KEPT)
        highs.append(np.maximum(high, 0.0) / share(leg.ratio) / KEPT)
    least: Floats = np.minimum.reduce(lows)
    most: Floats = np.minimum.reduce(highs)
    return np.maximum(least - UNIT_SPARE, 0.0), most


def _worth(risk: _Risk, used: Floats, rate: float) -> Floats:
    low, high = risk.composite
    greatest = np.maximum(np.abs(low), np.abs(high))
    with np.errstate(divide="ignore", invalid="ignore"):
        worth: Floats = np.where(used > 0.0, risk.price_risk * used / greatest * (rate * KEPT), 0.0)
    return worth
