"""Screen: one door to the screens of all rule sets that weigh engine accounts.

    screen(columns_of(accounts), rules, market) -> Candidates

Whoever is not among the candidates is certainly healthy for maintenance at the low ends: `evaluate` would say so.
Everybody in the band, and everybody who is flagged, is to be evaluated exactly. A rule set that nobody wrote a bound
for makes everybody a candidate: slow, never wrong.

| rule set | bound | columns made |
|---|---|---|
| aave, comet, morpho, dydx, tiers | one product (`linear`), closer looks where it is too rough | plainly |
| haircut | the same | by lot |
| span, grid, derive_srm, derive_pmrm 1 and 2 | a tree of sums, least and greatest (`trees`) | plainly |
| cross_perp | `unified`, the screen of the signed view | by name |
| overlays over any of these | none: everybody who holds anything | - |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from relayer.margin.engine.evaluate import RuleSet
from relayer.margin.engine.inputs import MarketData
from relayer.margin.models.aave import AaveRules
from relayer.margin.models.comet import CometRules
from relayer.margin.models.cross_perp import CrossPerpRules
from relayer.margin.models.derive_pmrm import DerivePmrm
from relayer.margin.models.derive_pmrm2 import DerivePmrm2
from relayer.margin.models.derive_srm import DeriveSrm
from relayer.margin.models.dydx import DydxRules
from relayer.margin.models.grid import GridRules
from relayer.margin.models.haircut import HaircutRules
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.models.span import SpanRules
from relayer.margin.models.tiers import TiersRules
from relayer.margin.screens.clearing import span_form
from relayer.margin.screens.columns import Candidates, Columns, Slot, merged
from relayer.margin.screens.cross_perps import cross_perp_form
from relayer.margin.screens.derive import pmrm2_form, pmrm_form
from relayer.margin.screens.grids import grid_form
from relayer.margin.screens.haircuts import haircut_form
from relayer.margin.screens.lending import aave_form, comet_form, morpho_form
from relayer.margin.screens.linear import UNKNOWN, Form, Ticker, Weight, suspects
from relayer.margin.screens.positions import dydx_form, tiers_form
from relayer.margin.screens.standard import srm_form

WEIGHT_MAX: Final = Fraction(2) ** 400
WEIGHT_MIN: Final = Fraction(1, 2**400)


def screen(book: Sequence[Columns], rules: RuleSet, market: MarketData) -> Candidates:
    """Return everybody who may be unhealthy or unknown at these prices; nobody else."""
    return merged(suspects(columns, form_of(columns, rules, market)) for columns in book)


def form_of(columns: Columns, rules: RuleSet, market: MarketData) -> Form:
    """Return the bound of a rule set at one market for the slots of some columns."""
    form = _form(columns.slots, columns.mode, rules, market)
    return replace(form, weights=tuple(_bounded(weight) for weight in form.weights))


class Tickers:
    """Keep a book between prices; each tick reads what moved, and answers as `screen` would or with a few more."""

    def __init__(self, book: Sequence[Columns], rules: RuleSet, market: MarketData) -> None:
        self._rules = rules
        self._parts = [(columns, Ticker(columns, form_of(columns, rules, market))) for columns in book]

    @property
    def full_sums(self) -> int:
        """Return how often all columns were summed anew."""
        return sum(ticker.full_sums for _, ticker in self._parts)

    def tick(self, market: MarketData) -> Candidates:
        """Return the candidates at other prices."""
        return merged(ticker.tick(form_of(columns, self._rules, market)) for columns, ticker in self._parts)


def _form(slots: tuple[Slot, ...], mode: int, rules: RuleSet, market: MarketData) -> Form:
    if isinstance(rules, AaveRules):
        return aave_form(slots, mode, rules, market)
    if isinstance(rules, CometRules):
        return comet_form(slots, mode, rules, market)
    if isinstance(rules, MorphoRules):
        return morpho_form(slots, mode, rules, market)
    if isinstance(rules, DydxRules):
        return dydx_form(slots, mode, rules, market)
    if isinstance(rules, HaircutRules):
        return haircut_form(slots, mode, rules, market)
    if isinstance(rules, TiersRules):
        return tiers_form(slots, mode, rules, market)
    return _tree_form(slots, rules, market)


def _tree_form(slots: tuple[Slot, ...], rules: RuleSet, market: MarketData) -> Form:
    """Return the bound of a rule set that is not linear."""
    if isinstance(rules, CrossPerpRules):
        return cross_perp_form(slots, rules, market)
    if isinstance(rules, SpanRules):
        return span_form(slots, rules, market)
    if isinstance(rules, GridRules):
        return grid_form(slots, rules, market)
    if isinstance(rules, DeriveSrm):
        return srm_form(slots, rules, market)
    if isinstance(rules, DerivePmrm):
        return pmrm_form(slots, rules, market)
    if isinstance(rules, DerivePmrm2):
        return pmrm2_form(slots, rules, market)
    return Form((UNKNOWN,) * len(slots))


def _bounded(weight: Weight) -> Weight:
    """Return a weight that floats hold with room to spare; what they might not is judged exactly."""
    size = abs(weight.per_unit)
    if size > WEIGHT_MAX or weight.lost > WEIGHT_MAX or 0 < size < WEIGHT_MIN:
        return UNKNOWN
    return weight
