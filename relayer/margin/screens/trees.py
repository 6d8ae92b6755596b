"""Trees: lower bounds of rule sets that are not linear, for all accounts at once, from exact figures of each slot.

A slot's figures (its value, its value in each scenario) are read off the rule set itself, once, as the exact integers
of a sample leg: instruments are few, accounts are many. With them the excess is a tree: leaves Σ a·c over the slots,
inner nodes sums, differences, the least, the greatest, |x| and products with constants. What a rule set credits and a
screen leaves out only lifts the excess.

Derivation of the band. u = 2⁻⁵³, n slots, γ(m) = m·u : (1 - m·u). Each node has a g for every slot, and Σ |a|·g as its
magnitude: of a leaf |c|, of a sum or difference the sum of its children's, of a least or greatest the greatest of its
children's slot by slot, of |x| that of x, of k·x |k| times that of x.

    leaf   a: 2 roundings, c: one correctly rounded quotient, product 1, n terms in any order n - 1: γ(n + 3) of it
    node   if every child errs by at most γ(m) of its magnitude, then a sum or difference errs by at most γ(m + 1) of
           its own, k·x by γ(m + 2) for a float k, least, greatest and |x| by no more than their worst child
    root   h roundings on the longest way down: |float - real| <= γ(n + 3 + h) · magnitude

h: a sum over expiries, strikes or underlyings has at most n terms; no tree nests more than three of them and 64 other
nodes. The band is (8 n + 256)·u·Σ |a|·g > γ(4 n + 67)·magnitude for n < 2²⁰, where g is at least that of the root, and
is computed within γ(n + 64) of itself.

Integers. Each ⌊ ⌋, ⌈ ⌉ of the rule set moves its node by less than 1 unit, and the root by that times the constants on
the way: at most F, the product of all constants above 1. A figure per leg and, for each expiry or underlying, per
scenario: of one scenario's way to the root fewer than 64 (n + 16). So

    exact excess >= float excess - (8 n + 256)·u·Σ |a|·g - 64 (n + 16)·F,  F with its own roundings

Safe is who stays at or above zero. A figure beyond the floats makes its slot unknown, one that is not a number nobody
safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from proofs.types import ChainId
from proofs.units import E18
from relayer.margin.engine.inputs import Account, Gap, Leg, Role
from relayer.margin.interval import Interval
from relayer.margin.screens.columns import UNIT_ROUNDOFF, Bools, Floats, Part, Slot
from relayer.margin.screens.linear import COUNTS_NOTHING, NOTHING, UNKNOWN, Weight

BY_TREE: Final = Weight(lost=NOTHING + 1, is_owed=True)
"""A slot that no linear bound can judge: the first look always fails, the closer one decides."""
POSITIONS: Final = frozenset({Role.PERP, Role.FUTURE})
BULK: Final = 10**18
"""Whole units in a sample leg, so that what its value rounds away is nothing beside it."""
FIGURE_MAX: Final = 2.0**400
SAMPLE_CHAIN: Final = ChainId("eip155:1")

Tree = Callable[[Floats, Floats], Floats]
"""From amounts, shape (slots, accounts), and the band: the excess of each account."""


@dataclass(frozen=True, slots=True, eq=False)
class Closer:
    """Judge accounts by a tree: who is certainly healthy; `gross` are the g of the slots, `factor` is F."""

    tree: Tree
    gross: Floats
    factor: float

    def __call__(self, amounts: Floats) -> Bools:
        """Tell of amounts, shape (slots, accounts), who is certainly healthy."""
        count = len(amounts)
        lost = 64.0 * (count + 16) * self.factor
        with np.errstate(over="ignore", invalid="ignore"):
            band = (8 * count + 256) * UNIT_ROUNDOFF * (self.gross @ amounts) + lost
            is_certain: Bools = self.tree(amounts, band) >= band
        return is_certain


def tamed(weights: Sequence[Weight], gross: Floats, *tables: Floats) -> tuple[Weight, ...]:
    """Return the weights, slots of a vast magnitude unknown; what is beyond the floats becomes zero in all tables."""
    is_vast = ~(gross <= FIGURE_MAX)
    for table in (gross, *tables):
        table[~np.isfinite(table)] = 0.0
    return tuple(UNKNOWN if vast else one for one, vast in zip(weights, is_vast, strict=True))


# --- slots as legs ---------------------------------------------------------------------------------------------------


def sample(slots: Sequence[Slot]) -> Account:
    """Return an account that holds a bulk of each slot in a leg named by its place; money has no leg."""
    return Account("sample", tuple(_leg(str(place), slot) for place, slot in enumerate(slots) if is_leg(slot)))


def is_leg(slot: Slot) -> bool:
    """Tell whether a slot stands for legs, open or closed."""
    return slot.part in (Part.AMOUNT, Part.CLOSED)


def held_places(slots: Sequence[Slot], *roles: Role) -> list[int]:
    """Return the places of open legs of some roles."""
    return [place for place, slot in enumerate(slots) if slot.part is Part.AMOUNT and slot.role in roles]


def weights_of(slots: Sequence[Slot], gaps: Iterable[Gap]) -> list[Weight]:
    """Return how each slot is judged, from the gaps of the sample.

    Coins and cash that are held and cannot be weighed count zero; any other gap is for the exact look, and so are
    oddities: money that is no position's, a closed leg that is none.
    """
    found = {int(gap.leg): gap for gap in gaps}
    return [_weight(slot, found.get(place)) for place, slot in enumerate(slots)]


def _weight(slot: Slot, gap: Gap | None) -> Weight:
    is_odd = slot.part is not Part.AMOUNT and slot.role not in POSITIONS
    if is_odd or slot.decimals < 0:
        return UNKNOWN
    if gap is None:
        return BY_TREE
    is_zero = gap.is_collateral and slot.part is Part.AMOUNT and slot.role in (Role.COLLATERAL, Role.CASH)
    return COUNTS_NOTHING if is_zero else UNKNOWN


def _leg(name: str, slot: Slot) -> Leg:
    amount = 10 ** max(slot.decimals, 0) * BULK
    return Leg(
        name,
        slot.role,
        slot.asset,
        -amount if slot.is_negative else amount,
        SAMPLE_CHAIN,
        decimals=slot.decimals,
        option=slot.option,
    )


# --- figures as floats -----------------------------------------------------------------------------------------------


def quotient(numerator: int, denominator: int = 1) -> float:
    """Return a quotient of integers, rounded once; infinity where floats do not reach."""
    try:
        return numerator / denominator
    except OverflowError:
        return inf


def share(figure: int) -> float:
    """Return a constant at 1e18."""
    return quotient(figure, E18)


def money_row(slots: Sequence[Slot]) -> Floats:
    """Return what a unit of entry values and accruals adds to the excess."""
    row = np.zeros(len(slots))
    for place, slot in enumerate(slots):
        if slot.part in (Part.ENTRY, Part.ACCRUED) and slot.role in POSITIONS:
            row[place] = -1.0 if slot.is_negative is not (slot.part is Part.ENTRY) else 1.0
    return row


def size_of(slot: Slot) -> float:
    """Return a unit of a slot at 1e18, signed."""
    return quotient((-1 if slot.is_negative else 1) * 10**18, 10**slot.decimals)


def ends_of(slot: Slot, unit: Interval) -> tuple[float, float]:
    """Return the low and the high end of what a unit of a slot is worth, from the bounds of one whole unit."""
    low, high = (-unit.high, -unit.low) if slot.is_negative else (unit.low, unit.high)
    return quotient(low, 10**slot.decimals), quotient(high, 10**slot.decimals)


def factor_of(constants: Iterable[float]) -> float:
    """Return F: the product of all constants above one."""
    product = 1.0
    for constant in constants:
        product *= max(1.0, abs(constant))
    return product
