"""Carry a figure with its two bounds through a formula, at 1e18, every step rounded outward.

What cannot be known exactly (an option's price, a discount factor) is a pair low <= truth <= high. A formula computed
with these operations keeps that promise: the low end of an equity is what may be attested, the high end says how much
the rounding cost. Exact figures are intervals of width 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from proofs.units import E18


@dataclass(frozen=True, slots=True)
class Interval:
    """Hold low <= truth <= high, integers at 1e18."""

    low: int
    high: int

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.high - other.low)

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __mul__(self, other: Interval) -> Interval:
        ends = (self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high)
        return Interval(min(ends) // E18, -(-max(ends) // E18))

    def times(self, factor_e18: int) -> Interval:
        """Return the product with an exact factor of any sign."""
        ends = (self.low * factor_e18, self.high * factor_e18)
        return Interval(min(ends) // E18, -(-max(ends) // E18))

    def over(self, other: Interval) -> Interval:
        """Return the quotient by a figure that is positive throughout.

        Raises: ValueError when the divisor may be zero or less.
        """
        if other.low <= 0:
            raise ValueError(f"divisor may be zero: {other}")
        low = self.low * E18 // (other.high if self.low >= 0 else other.low)
        high = -(-self.high * E18 // (other.low if self.high >= 0 else other.high))
        return Interval(low, high)

    def at_most(self, limit: Interval) -> Interval:
        """Return the lesser of both."""
        return Interval(min(self.low, limit.low), min(self.high, limit.high))

    def at_least(self, limit: Interval) -> Interval:
        """Return the greater of both."""
        return Interval(max(self.low, limit.low), max(self.high, limit.high))

    def hull(self, other: Interval) -> Interval:
        """Return the least interval that holds both, for a case that the bounds cannot tell apart."""
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def loss(self) -> Interval:
        """Return -|x|."""
        if self.low >= 0:
            return -self
        return self if self.high <= 0 else Interval(min(self.low, -self.high), 0)


def exact(value: int) -> Interval:
    """Return a figure that is known to the unit."""
    return Interval(value, value)


ZERO = exact(0)
UNIT = exact(E18)


Figure = int | Interval
"""A figure at 1e18 that is known to the unit, or between bounds (a price that several feeds state)."""


def bounds(figure: Figure) -> Interval:
    """Return the bounds of a figure."""
    return figure if isinstance(figure, Interval) else exact(figure)


def shortfall(threshold: int, figure: Figure) -> Interval:
    """Return (threshold - x)⁺."""
    return (exact(threshold) - bounds(figure)).at_least(ZERO)


def product(*factors_e18: Figure) -> Interval:
    """Return the product, rounded once."""
    low, high, scale = 1, 1, 1
    for factor in map(bounds, factors_e18):
        ends = (low * factor.low, low * factor.high, high * factor.low, high * factor.high)
        low, high, scale = min(ends), max(ends), scale * E18
    scale //= E18
    return Interval(low // scale, -(-high // scale))


def total(terms: Iterable[Interval]) -> Interval:
    """Return the sum."""
    low = high = 0
    for term in terms:
        low, high = low + term.low, high + term.high
    return Interval(low, high)
