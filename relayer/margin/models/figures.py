"""Figures: turn a kernel's intervals into the lines and the evaluation of one end.

    margin in [low, high]        excess at an end = that end of the margin, equity = that end of the mark-to-market

The requirement is the difference, so that what is uncertain in a value weighs in it as well. A gain is taken at the
end asked for, a cost at the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proofs.units import PPM
from relayer.margin.engine.inputs import End, Gap, Leg
from relayer.margin.engine.lines import closed, leg_line, overlay_line
from relayer.margin.engine.result import Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.interval import Interval, product
from relayer.margin.models.quotes import DECIMALS
from relayer.margin.view import Purpose, Rounding


@dataclass(frozen=True, slots=True)
class Weighed:
    """Hold what a model found: margin and mark-to-market between bounds, lines, gaps, the worst scenario's name.

    `zero_is_worst_to_ppm` is that of `Evaluation`: a scenario takes a long option's whole value at most, a buffer more.
    """

    margin: Interval
    mtm: Interval
    lines: Sequence[TermLine]
    gaps: tuple[Gap, ...]
    worst: str = ""
    zero_is_worst_to_ppm: int = PPM


def gain(figure: Interval, end: End) -> int:
    """Return the end of what helps the account."""
    return figure.low if end is End.LOW else figure.high


def cost(figure: Interval, end: End) -> int:
    """Return the end of what burdens the account."""
    return gain(-figure, end) * -1


def value_line(leg: Leg, label: str, price: Interval, value: Interval, end: End) -> TermLine:
    """Return the line of what a leg is worth; its exposure is the notional at the upper price."""
    used = gain(price, end) if leg.amount >= 0 else cost(price, end)
    size = product(abs(leg.amount) * 10 ** (DECIMALS - leg.decimals), price)
    return leg_line(leg, label, (used, DECIMALS), (gain(value, end), 0), Rounding.DOWN, size.high)


def cash_line(leg: Leg, value: int) -> TermLine:
    """Return the line of cash, exact and without exposure."""
    return leg_line(leg, f"{leg.asset} cash", (0, DECIMALS), (value, 0), Rounding.EXACT)


def cost_lines(terms: Sequence[tuple[str, int]]) -> list[TermLine]:
    """Return a line for each requirement (label, amount) that is not zero."""
    return [overlay_line(label, 0, amount) for label, amount in terms if amount]


def evaluation(about: tuple[str, Unit], purpose: Purpose, end: End, weighed: Weighed) -> Evaluation:
    """Return the evaluation at one end; `about` is (rule set, unit). Zero excess is healthy."""
    equity, excess = gain(weighed.mtm, end), gain(weighed.margin, end)
    requirement = equity - excess
    lines = closed(weighed.lines, equity, requirement, "rounding")
    assets = sum(line.value for line in lines if line.value > 0)
    debts = assets - equity
    exposure = sum(line.exposure for line in lines)
    return Evaluation(
        rule_set=about[0],
        purpose=purpose,
        end=end,
        unit=about[1],
        equity=equity,
        requirement=requirement,
        collateral=assets,
        debt=debts,
        verdict=Verdict.HEALTHY if excess >= 0 else Verdict.UNHEALTHY,
        health=health_of(equity, requirement, assets, debts, exposure),
        lines=lines,
        gaps=weighed.gaps,
        worst=weighed.worst,
        zero_is_worst_to_ppm=weighed.zero_is_worst_to_ppm,
    )


def leg_end_line(leg: Leg, label: str, price: int, value: int, exposure: int) -> TermLine:
    """Return the line of a leg whose figures were taken at one end already."""
    return leg_line(leg, label, (price, DECIMALS), (value, 0), Rounding.DOWN, exposure)
