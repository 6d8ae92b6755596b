"""Scan a portfolio over scenarios: arrays are data, whoever made them.

An array says what one whole unit of an instrument gains in each scenario of a grid. A portfolio is a sparse product of
amounts and arrays, so instruments are priced once per scenario and any number of portfolios follow by addition. The
grid is whatever the arrays have: 16 scenarios of SPAN, those of a portfolio-margin rule set, or a user's own.

    PnL_s = ⌊Σ amount · array_s⌋        scan = max(0, max_s -PnL_s)

Adding a scenario never lowers the scan, removing one never raises it. A sum of minima is at most the minimum of the
sum, so the scan of a merged portfolio is at most the sum of the scans of its parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proofs.units import E18


@dataclass(frozen=True, slots=True)
class RiskArray:
    """Hold the profit of one whole unit of an instrument in each scenario, UsdE18, gains positive.

    `pnl_high` is the upper bound of each where the array was priced (a short position counts at it); empty where the
    array is published and the gains are what they are.
    """

    instrument: str
    pnl: tuple[int, ...]
    pnl_high: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Holding:
    """Hold an amount at 1e18 of an instrument, negative when short."""

    instrument: str
    amount: int


@dataclass(frozen=True, slots=True)
class Scan:
    """Hold the PnL in each scenario (down), the index of the worst (the first of equals), and its loss, at least 0."""

    pnl: tuple[int, ...]
    worst: int
    risk: int


def scan(arrays: Sequence[RiskArray], holdings: Sequence[Holding]) -> Scan:
    """Find the worst scenario of a portfolio; an instrument may be held in several pieces.

    Raises: ValueError for no arrays, arrays of different lengths, two of one instrument, or a holding without one.
    """
    by_name = {array.instrument: array for array in arrays}
    lengths = {len(array.pnl) for array in arrays} | {len(array.pnl_high) for array in arrays if array.pnl_high}
    if len(by_name) != len(arrays) or len(lengths) != 1 or 0 in lengths:
        raise ValueError("arrays must be of one length, one for each instrument")
    sums = [0] * lengths.pop()
    for instrument, amount in net_amounts(holdings):
        array = by_name.get(instrument)
        if array is None:
            raise ValueError(f"no array of {instrument}")
        for index, gain in enumerate(array.pnl if amount >= 0 else array.pnl_high or array.pnl):
            sums[index] += amount * gain
    return worst_of([gain // E18 for gain in sums])


def net_amounts(holdings: Sequence[Holding]) -> tuple[tuple[str, int], ...]:
    """Return the net amount of each instrument, in order of first appearance."""
    amounts: dict[str, int] = {}
    for holding in holdings:
        amounts[holding.instrument] = amounts.get(holding.instrument, 0) + holding.amount
    return tuple(amounts.items())


def worst_of(pnl: Sequence[int]) -> Scan:
    """Return the scan of a portfolio whose PnL in each scenario is known.

    Raises: ValueError for no scenario at all.
    """
    if not pnl:
        raise ValueError("a scan needs a scenario")
    worst = min(range(len(pnl)), key=pnl.__getitem__)
    return Scan(tuple(pnl), worst, max(-pnl[worst], 0))
