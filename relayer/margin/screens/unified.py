"""Screen all accounts of the cross-chain view in float64 columns: name those that only an exact look can judge.

Nothing computed here is attested, stored or flagged. An account is *safe* when the lower end of its screened margin is
positive; everybody else is a *candidate* for `relayer.margin.evaluate`. Unusable collateral counts zero; an unusable
position, a value that does not fit a word and figures near the 128-bit limit make a candidate.

Derivation of the band. u = 2⁻⁵³; the margin at a line is M = Σ V + Σ P - line · Σ MM, in UsdE18 units.

    a term is a rational c times an integer a of at most 128 bits
      a     hi · 2⁶⁴ + lo: one rounding in either half, one in their sum               2 u
      c     one correctly rounded quotient of integers                                  1 u
      c·a   one product                                                                 1 u
    n terms added in any order: at most n - 1 roundings of each                         (n - 1) u
    so |float - real| <= γ(n + 3) · S with S = Σ |term| and γ(k) = k·u / (1 - k·u)
    S itself is computed with the same γ, the band with 3 more roundings: (n + 8) · u covers all for n < 2²⁰

    exact - real: every ⌊ ⌋ and ⌈ ⌉ of the rule set moves against the account, by less than
      1 per holding, 1 per position's ⌊size · mark⌋, and per requirement (mm + 1) · line for ⌈⌈|size| · high⌉ · mm⌉

Safe: M_float >= (n + 8) · 2⁻⁵³ · S_float + A, with A the sum of the absolute parts of terms that are not zero. Signed
terms enter S by magnitude, because cancellation leaves their errors standing. The dust rule is a step: a holding within
its own error of it counts zero, its low side. The value limit of an assurance is none: the lesser of two numbers has no
larger relative error than they have. A position within its error of a band that demands more makes a candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from proofs.types import Assurance
from proofs.units import E18, PPM
from relayer.margin.account import Holding
from relayer.margin.market import Market, NoPrice, Price
from relayer.margin.rules import CollateralSource, MarginRules, PositionSource
from relayer.margin.rulesets.position import haircuts_up, value_max
from relayer.margin.screens.columns import UNIT_ROUNDOFF, Bools, Candidates, Floats

Levels = NDArray[np.uint8]

STEP_ROUNDINGS: Final = 8
"""Relative slack in roundings around a step (dust, assurance band): 4 of the term, 3 of the comparison, 1 spare."""
FIGURE_MAX: Final = 2.0**110
"""Above it a candidate: 2^10 sources below it cannot bring a figure beyond 128 bits."""


@dataclass(frozen=True, slots=True)
class CollateralColumn:
    """Hold one source's amounts of all accounts; where `is_read` is False the amount is 0."""

    source: CollateralSource
    amount: Floats
    level: Levels
    is_read: Bools


@dataclass(frozen=True, slots=True)
class PositionColumn:
    """Hold one market's positions of all accounts; where `is_read` is False the words are 0."""

    source: PositionSource
    size: Floats
    entry_value: Floats
    accrued: Floats
    level: Levels
    is_read: Bools


@dataclass(frozen=True, slots=True)
class ScreenColumns:
    """Hold all columns of a book. `is_always` marks accounts that only an exact look can judge."""

    count: int
    collateral: tuple[CollateralColumn, ...]
    positions: tuple[PositionColumn, ...]
    is_always: Bools


def screen(columns: ScreenColumns, market: Market, rules: MarginRules, line_ppm: int = PPM) -> Candidates:
    """Return everybody who may have equity < line x maintenance margin, or may be unknown; nobody else."""
    ledger = _Ledger.empty(columns)
    for column in columns.collateral:
        _add_collateral(ledger, column, market.price(column.source.symbol), rules)
    for position in columns.positions:
        _add_position(ledger, position, market.price(position.source.symbol), rules, line_ppm)
    band = (ledger.terms + 8) * UNIT_ROUNDOFF * ledger.magnitude + ledger.absolute
    is_safe = (ledger.margin >= band) & (ledger.magnitude < FIGURE_MAX) & ~ledger.is_candidate
    return Candidates(tuple(np.flatnonzero(~is_safe).tolist()), columns.count)


# --- the sum ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Ledger:
    """Add up margin, Σ|term|, the number of terms and the absolute part, for one call of `screen`."""

    margin: Floats
    magnitude: Floats
    absolute: Floats
    is_candidate: Bools
    terms: int

    @classmethod
    def empty(cls, columns: ScreenColumns) -> _Ledger:
        zeros = np.zeros(columns.count)
        return cls(zeros, zeros, zeros, columns.is_always, 0)

    def add(self, term: Floats, absolute: int) -> None:
        self.margin = self.margin + term
        self.magnitude = self.magnitude + np.abs(term)
        self.terms += 1
        self.absolute = self.absolute + np.where(term != 0, float(absolute), 0.0)

    def suspect(self, who: Bools) -> None:
        self.is_candidate = self.is_candidate | who


def _add_collateral(ledger: _Ledger, column: CollateralColumn, price: Price | NoPrice, rules: MarginRules) -> None:
    if isinstance(price, NoPrice):
        return
    source = column.source
    haircut, _ = haircuts_up(Holding(source, 0, Assurance.SINGLE_RPC, 0), rules)
    unit = 10**source.decimals
    value = column.amount * (price.low_e18 * (PPM - haircut) / (unit * PPM))
    level = np.minimum(column.level, np.uint8(price.assurance))
    is_above_dust = value * (1 - STEP_ROUNDINGS * UNIT_ROUNDOFF) - 2 >= float(rules.dust_usd)
    counted = np.minimum(value, _values_max(rules, haircut)[level])
    ledger.add(np.where(column.is_read & is_above_dust, counted, 0.0), 1)


def _add_position(
    ledger: _Ledger, column: PositionColumn, price: Price | NoPrice, rules: MarginRules, line_ppm: int
) -> None:
    source, is_open = column.source, column.size != 0
    ledger.suspect(~column.is_read)
    low, high = (0, 0) if isinstance(price, NoPrice) else (price.low_e18, price.high_e18)
    if isinstance(price, NoPrice):
        ledger.suspect(is_open)
        level = column.level
    else:
        level = np.where(is_open, np.minimum(column.level, np.uint8(price.assurance)), column.level)
    notional = np.abs(column.size) * (high / E18)
    widest = max(source.initial_margin_ppm, source.maintenance_margin_ppm, PPM) / PPM
    ledger.suspect(_is_too_weak(notional, level, rules) | ~(notional * widest < FIGURE_MAX))
    ledger.add(column.size * np.where(column.size > 0, low / E18, high / E18), 1)
    ledger.add(-column.entry_value, 0)
    ledger.add(column.accrued, 0)
    maintenance = high * source.maintenance_margin_ppm * line_ppm / (E18 * PPM * PPM)
    ledger.add(-np.abs(column.size) * maintenance, -(-(source.maintenance_margin_ppm + PPM) * line_ppm // PPM**2))


def _values_max(rules: MarginRules, haircut: int) -> Floats:
    """Return the most that a holding counts for, by the assurance of its evidence."""
    values = (value_max(rules, level, haircut) for level in Assurance)
    return np.array([np.inf if value is None else float(value) for value in values])


def _is_too_weak(marked: Floats, level: Levels, rules: MarginRules) -> Bools:
    """Tell whose evidence may be below what the policy demands of a value, the value taken with its error."""
    is_too_weak = np.zeros(marked.shape, dtype=bool)
    slack = STEP_ROUNDINGS * UNIT_ROUNDOFF
    lowest, highest = marked * (1 - slack) - 2, marked * (1 + slack) + 2
    for above, up_to, required in _bands(rules):
        is_inside = (highest > above) & (lowest <= up_to)
        is_too_weak |= is_inside & (level < np.uint8(required))
    return is_too_weak


def _bands(rules: MarginRules) -> Iterator[tuple[float, float, Assurance]]:
    """Yield (above, up to, level) of the policy's bands; what lies beyond the last demands the highest level."""
    above = -np.inf
    for band in rules.assurance:
        up_to = np.inf if band.up_to_usd is None else float(band.up_to_usd)
        yield above, up_to, band.level
        above = max(above, up_to)
    if rules.assurance and above < np.inf:
        yield above, np.inf, Assurance.AUTHENTICATED_HEADER
