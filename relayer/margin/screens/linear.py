"""Linear: a lower bound of everybody's margin in one product of a row of weights with all columns.

A rule set gives each slot a `Weight`: a rational w and what the venue's roundings may take from one leg, so that

    exact margin >= Σ a·w - Σ lost (over slots that are not 0) - fixed                                    (1)

and the account is healthy where the right side is not negative, or where nothing is owed. Let u = 2⁻⁵³, n slots.

    the float of an amount, from (hi, lo) words at worst       2 roundings
    the float of a weight: one correctly rounded quotient      1
    their product                                              1
    n terms added in any order, fused or not                   n - 1 at most of each
    so the float sum is Σ a·w·(1 + e), |e| <= γ(n + 3), γ(m) = m·u / (1 - m·u)

The band is in the weights themselves: w·(1 - K·u) for what is held, w·(1 + K·u) for what is owed, K = n + 8 > n + 4.
Since (1 - K·u)(1 + γ(m)) <= 1 and (1 + K·u)(1 - γ(m)) >= 1 for K > m and m < 2²⁰, no term of the float sum is above
its real one: the float sum never exceeds Σ a·w. It scales with the legs by n, with cancellation because each term
carries its own error, with dust by `lost`. One product, no temporaries: the band costs no second read.

First look: sum >= Σ lost over *all* slots. Whoever fails it is looked at closer: lost of the own legs only, debt
free, and the rule set's own sharper bound where it has one. Both tests are sound, so safe is certain in either.

Ticks. A price moves some weights; their rows alone are read: sum += a·d, d = new - old. While every weight stays
within [w/2, 2w] of the last full sum's and its sign, |a·d| <= 1.5·S and |sum| <= 2·S with S = Σ |a·w| of that sum, so
one move errs by at most (3 + 2 + 2)·u·S, and S <= 2·S of now. After T moves the drift is below 16·T·u·S: K of a ticker
is n + 8 + 16·T with T = 1,024, a relative 2·10⁻¹². A weight that leaves its bounds, or the move after T, sums anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, nextafter
from typing import Final

import numpy as np

from relayer.margin.screens.columns import Bools, Columns, Floats, Rows

ONE: Final = 2**53
SPARE: Final = 8
MOVES_MAX: Final = 1_024
BLOCK: Final = 1 << 15
"""Accounts of one step of a tick: what is added up stays in the cache."""
LOST_SLACK: Final = 1 + 2.0**-40
NOTHING: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class Weight:
    """Hold what one unit of a slot adds to the margin, and the most that rounding takes from the whole leg.

    A slot that `is_owed` can make an account unhealthy; without any of these it is healthy, whatever else it holds.
    Who owes and has a slot that `is_unknown` must be judged exactly.
    """

    per_unit: Fraction = NOTHING
    lost: Fraction = NOTHING
    is_owed: bool = False
    is_unknown: bool = False


COUNTS_NOTHING: Final = Weight()
UNREADABLE: Final = Weight(is_unknown=True)
UNKNOWN: Final = Weight(is_owed=True, is_unknown=True)

Closer = Callable[[Floats], Bools]


@dataclass(frozen=True, slots=True)
class Form:
    """Hold a rule set at one market for the slots of some columns.

    `closer` tells of amounts, shape (slots, accounts), who is certainly healthy by a sharper bound than (1). `fixed` is
    what whoever owes anything loses beside its legs.
    """

    weights: tuple[Weight, ...]
    closer: Closer | None = None
    fixed: Fraction = NOTHING

    @property
    def owed(self) -> list[int]:
        """Return the places of what can make an account unhealthy."""
        return [place for place, weight in enumerate(self.weights) if weight.is_owed]


def suspects(columns: Columns, form: Form) -> tuple[Rows, int]:
    """Return the numbers of the accounts that may be unhealthy or unknown, and how many were screened."""
    low, lost = low_weights(form.weights), lost_each(form.weights)
    sums = low @ columns.amounts
    near = np.flatnonzero(~(sums >= _total(lost, form)))
    near = near[~is_certain(columns.amounts, near, form, (low, lost))]
    return columns.rows[_with_always(near, columns, form)], len(columns.rows)


def low_weights(weights: Sequence[Weight], moves: int = 0) -> Floats:
    """Return the weights with the band in them; `moves` is how many may be made before the next full sum."""
    band = len(weights) + SPARE + 16 * moves
    return np.array([_low(weight.per_unit, band) for weight in weights], dtype=np.float64)


def lost_each(weights: Sequence[Weight]) -> Floats:
    """Return what rounding takes from each slot, as floats from above."""
    return np.array([up(weight.lost) for weight in weights], dtype=np.float64)


def is_certain(amounts: Floats, near: Rows, form: Form, bounds: tuple[Floats, Floats]) -> Bools:
    """Tell who of the near accounts is certainly healthy, looked at closer; in blocks, for they may be many."""
    certain = np.zeros(len(near), dtype=bool)
    for start in range(0, len(near), BLOCK):
        part = amounts[:, near[start : start + BLOCK]]
        certain[start : start + BLOCK] = _certain(part, form, bounds)
    return certain


def up(value: Fraction) -> float:
    """Return a float not below a fraction."""
    return nextafter(float(value), inf) if value else 0.0


def down(value: Fraction) -> float:
    """Return a float not above a fraction."""
    return nextafter(float(value), -inf) if value else 0.0


def _certain(part: Floats, form: Form, bounds: tuple[Floats, Floats]) -> Bools:
    low, lost = bounds
    is_held = part != 0
    is_safe: Bools = low @ part >= (lost @ is_held + up(form.fixed)) * LOST_SLACK
    is_safe |= ~is_held[form.owed].any(axis=0)
    if form.closer is not None and not is_safe.all():
        rest = np.flatnonzero(~is_safe)
        is_safe[rest] = form.closer(part[:, rest])
    return is_safe


def _low(per_unit: Fraction, band: int) -> float:
    share = Fraction(ONE - band if per_unit > 0 else ONE + band, ONE)
    return float(per_unit * share)


def _total(lost: Floats, form: Form) -> float:
    return (float(lost.sum()) + up(form.fixed)) * LOST_SLACK


def _with_always(near: Rows, columns: Columns, form: Form) -> Rows:
    """Return the near accounts with those that no bound can judge."""
    is_always = columns.is_always
    unknown = [place for place, weight in enumerate(form.weights) if weight.is_unknown]
    if unknown:
        is_always = is_always | (_any(columns.amounts, unknown) & _any(columns.amounts, form.owed))
    always = np.flatnonzero(is_always)
    return np.union1d(near, always) if len(always) else near


def _any(amounts: Floats, places: Sequence[int]) -> Bools:
    """Tell who has anything in one of the slots; row by row, without a copy of the rows."""
    has_any = np.zeros(amounts.shape[1], dtype=bool)
    for place in places:
        has_any |= amounts[place] != 0
    return has_any


# --- ticks -----------------------------------------------------------------------------------------------------------


class Ticker:
    """Keep everybody's sum of some columns between prices: a tick reads the rows whose weights moved, no others."""

    def __init__(self, columns: Columns, form: Form) -> None:
        self._columns = columns
        self._sums: Floats = np.empty(0)
        self._base: Floats = np.empty(0)
        self._low: Floats = np.empty(0)
        self._form = form
        self._moves = 0
        self.full_sums = 0
        self._resum(form)

    def tick(self, form: Form) -> tuple[Rows, int]:
        """Return the suspects at another market; the same as `suspects` of it, but for the wider band."""
        low = low_weights(form.weights, MOVES_MAX)
        lost = lost_each(form.weights)
        moved = np.flatnonzero(low != self._low)
        self._moves += len(moved)
        if self._moves > MOVES_MAX or self._is_far(form, low) or 2 * len(moved) > len(low):
            self._resum(form)
            moved = moved[:0]
        near = self._near(moved, low - self._low, _total(lost, form))
        self._low, self._form = low, form
        near = near[~is_certain(self._columns.amounts, near, form, (low, lost))]
        return self._columns.rows[_with_always(near, self._columns, form)], len(self._columns.rows)

    def _near(self, moved: Rows, change: Floats, lost: float) -> Rows:
        """Move all sums and return who is below; block by block, each read once."""
        parts = []
        amounts, sums = self._columns.amounts, self._sums
        for start in _starts(len(sums)):
            block = sums[start : start + BLOCK]
            for place in moved:
                block += amounts[place, start : start + BLOCK] * change[place]
            parts.append(np.flatnonzero(~(block >= lost)) + start)
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _is_far(self, form: Form, low: Floats) -> bool:
        """Tell whether a weight left its bounds since the last full sum, or what is owed is another."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = low / self._base
        is_near = (ratio >= 0.5) & (ratio <= 2) | (low == self._base)
        return not bool(is_near.all()) or form.owed != self._form.owed

    def _resum(self, form: Form) -> None:
        """Sum everything anew. Who owes nothing is lifted to infinity, where no price reaches."""
        self._low = self._base = low_weights(form.weights, MOVES_MAX)
        self._sums = self._low @ self._columns.amounts
        self._sums[~_any(self._columns.amounts, form.owed)] = np.inf
        self._moves = 0
        self.full_sums += 1


def _starts(count: int) -> Iterator[int]:
    return iter(range(0, count, BLOCK))
