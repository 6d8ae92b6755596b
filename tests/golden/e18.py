"""Turn figures of the reference files into integers at 1e18, and intervals into what the judge compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from relayer.margin.interval import Interval

E18 = 10**18


def e18(value: str | float) -> int:
    """Return a decimal text, or a JSON number as the decimal it is written with, at 1e18.

    A number with more than 18 decimals (some doubles below 0.1) is rounded half-even in the last of them.
    """
    return round(Fraction(str(value)) * E18)


def fields(source: Mapping[str, Any], names: Iterable[str]) -> list[int]:
    """Return some fields of an object at 1e18, in the order of the names."""
    return [e18(source[name]) for name in names]


def ends(figures: Mapping[str, Interval | Iterable[Interval]]) -> list[dict[str, Any]]:
    """Return the figures twice, as their low and as their high ends: both must meet the reference."""
    return [{key: _end(figure, side) for key, figure in figures.items()} for side in ("low", "high")]


def _end(figure: Interval | Iterable[Interval], side: str) -> Fraction | list[Fraction]:
    if isinstance(figure, Interval):
        return Fraction(getattr(figure, side), E18)
    return [Fraction(getattr(entry, side), E18) for entry in figure]
