"""Grids: the lower bound of a scenario grid of the user's own, for `trees`.

    excess = Σ v - max(R, stress (1 - cap)),  R = Σ outside classes standalone + Σ classes max over d of joint(d)
    joint(up) = Σ members max(up, still, (1 - rate) down), joint(down) its mirror; stress = Σ standalone

which is Σ standalone - credit of `correlation` written so that it rises with every loss: nothing is left out. For each
underlying the losses are a product of its legs' amounts and weight · (v - v_s), v the value of a unit, v_s that in
scenario s, both at the low ends: exact integers of the sample. A leg's roundings: v by less than 1, v_s by less than 1
either way; ⌈loss⌉, ⌈minimum⌉, ⌈kept⌉ and ⌊cap⌋ 1 each.

g of a leg: |v| + max_s weight |v - v_s| + short-option minimum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proofs.units import E18
from relayer.margin.engine.inputs import End, MarketData
from relayer.margin.models.correlation import CorrelationClass
from relayer.margin.models.grid import GridRules
from relayer.margin.models.grid_legs import GridLeg, Money, legs_of
from relayer.margin.rulesets.grid import GridPoint
from relayer.margin.screens.columns import Bools, Floats, Part, Slot
from relayer.margin.screens.linear import Form
from relayer.margin.screens.trees import BULK, Closer, money_row, quotient, sample, share, tamed, weights_of

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """Hold what one unit of an underlying's legs loses in each scenario, and its short-option minimum."""

    name: str
    places: Places
    losses: Floats
    minimum: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _GridTree:
    """Weigh accounts by the grid; `ways` are the scenarios of each direction (up, down, still)."""

    value: Floats
    scans: tuple[_Scan, ...]
    ways: tuple[Bools, Bools, Bools]
    classes: tuple[CorrelationClass, ...]
    cap: float

    def __call__(self, amounts: Floats, _band: Floats) -> Floats:
        risks = {scan.name: self._risk(scan, amounts) for scan in self.scans}
        stress = _sum((risk.max(axis=0) for risk in risks.values()), amounts)
        classed = {name for group in self.classes for name in group.members}
        required = _sum((risk.max(axis=0) for name, risk in risks.items() if name not in classed), amounts)
        for group in self.classes:
            members = [risks[name] for name in group.members if name in risks]
            required += _joint(members, share(E18 - group.rate_e18), amounts)
        excess: Floats = self.value @ amounts - np.maximum(required, stress * (1.0 - self.cap))
        return excess

    def _risk(self, scan: _Scan, amounts: Floats) -> Floats:
        """Return an underlying's losses where its price rises, falls and stays, a row each."""
        own = amounts[scan.places]
        losses, minimum = scan.losses @ own, scan.minimum @ own
        return np.array([losses[way].max(axis=0, initial=0.0) + minimum for way in self.ways])


def grid_form(slots: tuple[Slot, ...], rules: GridRules, market: MarketData) -> Form:
    """Return the bound of a scenario grid at the low ends; unit: 1e-18 of its money."""
    money = Money(rules.unit.symbol, rules.still, rules.points, rules.surface_age_s_max)
    legs, gaps = legs_of(sample(slots), market, money, End.LOW)
    value, losses, minimum = money_row(slots), np.zeros((len(rules.points), len(slots))), np.zeros(len(slots))
    assets: dict[str, list[int]] = {}
    for leg in legs:
        place = int(leg.leg.name)
        if slots[place].part is not Part.AMOUNT:
            continue
        unit = 10**leg.leg.decimals * BULK
        value[place] = quotient(leg.value, unit)
        if leg.shocked:
            assets.setdefault(leg.leg.asset, []).append(place)
            losses[:, place] = [_loss(leg, index, point, unit) for index, point in enumerate(rules.points)]
            minimum[place] = quotient(leg.short_options * rules.short_option_minimum, unit * E18)
    gross = np.abs(value) + np.abs(losses).max(axis=0) + minimum
    weights = tamed(weights_of(slots, gaps), gross, value, losses, minimum)
    scans = tuple(
        _Scan(name, np.array(places, dtype=np.intp), losses[:, places], minimum[places])
        for name, places in sorted(assets.items())
    )
    tree = _GridTree(value, scans, _ways(rules.points), rules.correlation.classes, share(rules.correlation.cap_e18))
    return Form(weights, Closer(tree, gross, 1.0))


def _ways(points: Iterable[GridPoint]) -> tuple[Bools, Bools, Bools]:
    shifts = np.sign([quotient(point.shift) for point in points])
    return shifts > 0, shifts < 0, shifts == 0


def _loss(leg: GridLeg, index: int, point: GridPoint, unit: int) -> float:
    return quotient(point.weight * (leg.value - leg.shocked[index]), unit * E18)


def _joint(members: list[Floats], kept: float, amounts: Floats) -> Floats:
    ups = (np.maximum(np.maximum(up, still), kept * down) for up, down, still in members)
    downs = (np.maximum(np.maximum(down, still), kept * up) for up, down, still in members)
    return np.maximum(_sum(ups, amounts), _sum(downs, amounts))


def _sum(terms: Iterable[Floats], amounts: Floats) -> Floats:
    total = np.zeros(amounts.shape[1])
    for term in terms:
        total = total + term
    return total
