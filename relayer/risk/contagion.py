"""Contagion: how a loss spreads over claims before and after defaults, and who can hit whom.

Units: one currency; claims [i][j] = amount that i has lent to j (the other way round where a function says so).

| model | worth of a claim on j, as a share of its face |
|---|---|
| Furfine | 0 if equity of j <= 0, else 1: a default pays nothing |
| linear DebtRank | equity of j / equity of j before the shock, within 0 … 1: losses spread before anybody defaults |

Equity is assets - liabilities with claims at their worth; the fixed point is the one reached from full worth downwards.
Eisenberg-Noe belongs to `clearing`: it has an exact algorithm. Furfine settles after at most n rounds, DebtRank
converges geometrically or slower; both stop after `ROUNDS_MAX` rounds and say so. Equity within 10^-12 of the size of a
balance sheet is zero, hence a default. A node that had no equity before the shock has claims worth nothing.

| measure | definition |
|---|---|
| impact [i][j] | what a default of i takes from j's buffer, capped at 1 |
| V | binary impact: 1 where the whole buffer is gone |
| communicability | e^V: weighted number of walks; with zero diagonal where measures say C |
| susceptibility of j | column sum of C / column sum of V, 0 where V has none; above 1: exposed to the remote |
| fluidity | the mean susceptibility |
| diffusion of q | row sums of (C - C without row q of V)⁺ / row sum q of V: own row start, others intermediate |

The exponential is Taylor's series of degree 16 of A / 2^s, the 1-norm of which is at most a half, squared s times. Its
error in the 1-norm is at most e^‖A‖ · 2^s · (17 (n + 2) · 2^-53 + 3·10^-20): rounding of at most 17 products of length
n and one more per squaring, each squaring doubling what it was given; the dropped rest of the series is below
2 · 2^-17 / 17!. There is no cancellation where A is not negative, as here.

Source: Furfine (2003); Bardoscia et al. (2015), linear DebtRank; Silva, de Souza and Tabak (2015), impact measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

ROUNDS_MAX: Final = 10_000
STEP_TOLERANCE: Final = 1e-15
ZERO_TOLERANCE: Final = 1e-12
TAYLOR_DEGREE: Final = 16


@dataclass(frozen=True, slots=True)
class BalanceSheets:
    """Hold the balance sheets of n nodes: external assets and liabilities, and claims [i][j] = lent by i to j.

    Raises: ValueError for other shapes, or claims that are negative or not finite.
    """

    external_assets: Vector
    external_liabilities: Vector
    claims: Matrix

    def __post_init__(self) -> None:
        """Refuse what are no balance sheets."""
        nodes = np.size(self.external_assets)
        if np.shape(self.external_liabilities) != (nodes,) or np.shape(self.claims) != (nodes, nodes):
            raise ValueError("two vectors and a square matrix of one size")
        if not np.isfinite(self.claims).all() or (self.claims < 0).any():
            raise ValueError("claims must be finite and not negative")

    def equity(self, shock: Vector, worth: Vector) -> Vector:
        """Return equity after a shock to external assets, with claims on each node at this share of their face."""
        outside = self.external_assets - shock - self.external_liabilities
        result: Vector = outside + self.claims @ worth - self.claims.sum(axis=0)
        return result

    @property
    def size(self) -> Vector:
        """Return the size of each balance sheet, the scale of its rounding."""
        sides = np.abs(self.external_assets) + np.abs(self.external_liabilities)
        result: Vector = sides + self.claims.sum(axis=1) + self.claims.sum(axis=0)
        return result


@dataclass(frozen=True, slots=True)
class Contagion:
    """Hold equity at the fixed point, the worth of claims on each node, the rounds, and whether it was reached."""

    equity: Vector
    worth: Vector
    rounds: int
    is_converged: bool


def furfine(sheets: BalanceSheets, shock: Vector) -> Contagion:
    """Spread defaults: a claim on a node without equity is worth nothing."""
    floor = ZERO_TOLERANCE * sheets.size
    return _fixed_point(sheets, shock, lambda equity: np.where(equity <= floor, 0.0, 1.0))


def linear_debt_rank(sheets: BalanceSheets, shock: Vector) -> Contagion:
    """Spread losses in proportion: a claim keeps the share of equity that its debtor keeps."""
    before = sheets.equity(np.zeros_like(shock), np.ones_like(shock))
    has_equity = before > ZERO_TOLERANCE * sheets.size
    safe = np.where(has_equity, before, 1.0)
    return _fixed_point(sheets, shock, lambda equity: np.where(has_equity, np.clip(equity / safe, 0.0, 1.0), 0.0))


def _fixed_point(sheets: BalanceSheets, shock: Vector, worth_of: Callable[[Vector], Vector]) -> Contagion:
    worth = np.ones(np.size(sheets.external_assets))
    equity = sheets.equity(shock, worth)
    for count in range(1, ROUNDS_MAX + 1):
        following = np.minimum(worth, worth_of(equity))
        moved = float(np.abs(following - worth).max(initial=0.0))
        worth, equity = following, sheets.equity(shock, following)
        if moved <= STEP_TOLERANCE:
            return Contagion(equity, worth, count, is_converged=True)
    return Contagion(equity, worth, ROUNDS_MAX, is_converged=False)


# --- measures of a network -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Diffusion:
    """Hold the influence of each node on the spread of impacts: where it starts it, and where it passes it on."""

    start: Vector
    intermediate: Vector

    @property
    def total(self) -> Vector:
        """Return both together."""
        result: Vector = self.start + self.intermediate
        return result


def impact_matrix(liabilities: Matrix, buffer: Vector) -> Matrix:
    """Return the impact [i][j] = liabilities[i][j] / buffer[j], capped at 1; what i owes to j is what j loses.

    A node without buffer is hit in full by any loss.
    """
    owed = np.asarray(liabilities, dtype=np.float64)
    capital = np.broadcast_to(np.asarray(buffer, dtype=np.float64), owed.shape)
    ratio = np.divide(owed, capital, out=np.where(owed > 0, np.inf, 0.0), where=capital > 0)
    return np.minimum(ratio, 1.0)


def binary_impact(claims: Matrix, buffer: Vector) -> Matrix:
    """Return V from claims [i][j] = what i has lent to j: 1 where a default of the row takes the column's buffer."""
    held = np.asarray(claims, dtype=np.float64)
    result: Matrix = (impact_matrix(held.T, buffer) >= 1.0).astype(np.float64)
    return result


def communicability(matrix: Matrix) -> Matrix:
    """Return e^matrix; see the module docstring for its error.

    Raises: ValueError for a matrix that is not square and finite.
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not np.isfinite(values).all():
        raise ValueError("a square, finite matrix")
    norm = float(np.abs(values).sum(axis=0).max(initial=0.0))
    squarings = max(0, ceil(log2(norm)) + 1) if norm > 0 else 0
    scaled = values / 2.0**squarings
    result = term = np.eye(values.shape[0])
    for degree in range(1, TAYLOR_DEGREE + 1):
        term = term @ scaled / degree
        result = result + term
    for _ in range(squarings):
        result = result @ result
    return result


def impact_susceptibility(claims: Matrix, buffer: Vector) -> Vector:
    """Return the susceptibility of each node."""
    impact = binary_impact(claims, buffer)
    return _ratio(_walks(impact).sum(axis=0), impact.sum(axis=0))


def impact_fluidity(claims: Matrix, buffer: Vector) -> float:
    """Return the mean susceptibility; 0 of an empty network."""
    susceptibility = impact_susceptibility(claims, buffer)
    return float(susceptibility.mean()) if susceptibility.size else 0.0


def impact_diffusion(claims: Matrix, buffer: Vector) -> Diffusion:
    """Return the diffusion of each node."""
    impact = binary_impact(claims, buffer)
    all_walks, reach = _walks(impact), impact.sum(axis=1)
    start, intermediate = np.zeros_like(reach), np.zeros_like(reach)
    for node in np.flatnonzero(reach):
        silenced = impact.copy()
        silenced[node] = 0.0
        lost = np.maximum(0.0, all_walks - _walks(silenced)).sum(axis=1) / reach[node]
        start[node] = lost[node]
        intermediate[node] = lost.sum() - lost[node]
    return Diffusion(start, intermediate)


def _walks(impact: Matrix) -> Matrix:
    walks = communicability(impact)
    np.fill_diagonal(walks, 0.0)
    return walks


def _ratio(numerator: Vector, denominator: Vector) -> Vector:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
