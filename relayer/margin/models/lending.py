"""Lending: what the lending models check of a leg before a venue's arithmetic sees it.

A bad leg is a gap, never an exception: the venue's kernels refuse what no contract could hold.
"""

from __future__ import annotations

from typing import Final

from proofs.units import rescale_down, rescale_up
from relayer.margin.engine.inputs import End, Gap, Leg, Price, Role

TOKEN_DECIMALS_MAX: Final = 77
"""10^77 is the largest power of ten below 2^256."""


def fault_of(leg: Leg) -> str:
    """Return why no contract could hold a leg, or the empty string. Cash may be negative, nothing else may."""
    if not 0 <= leg.decimals <= TOKEN_DECIMALS_MAX:
        return f"decimals outside 0..{TOKEN_DECIMALS_MAX}: {leg.decimals}"
    if leg.amount < 0 and leg.role is not Role.CASH:
        return f"a {leg.role} of {leg.amount}"
    return ""


def gap_of(leg: Leg, reason: str) -> Gap:
    """Return the gap of a leg that could not be weighed: what is held counts zero, what is owed is not known."""
    is_held = leg.role is Role.COLLATERAL or (leg.role is Role.CASH and leg.amount > 0)
    return Gap(leg.name, reason, is_held and leg.amount > 0)


def price_at(price: Price, decimals: int, end: End, *, is_owed: bool) -> int:
    """Return one end of a price at a number of decimals, outward: what `Price.scaled` and `at` say, for less work."""
    if price.decimals == decimals:
        return price.at(end, is_owed=is_owed)
    if (end is End.LOW) == is_owed:
        return rescale_up(price.high, price.decimals, decimals)
    return rescale_down(price.low, price.decimals, decimals)
