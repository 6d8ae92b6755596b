"""Lines: how models write the terms of an evaluation, so that they add up to the unit."""

from __future__ import annotations

from collections.abc import Sequence

from relayer.margin.engine.inputs import Leg
from relayer.margin.engine.result import TermLine
from relayer.margin.view import Rounding


def leg_line(
    leg: Leg, label: str, price: tuple[int, int], money: tuple[int, int], rounding: Rounding, exposure: int = 0
) -> TermLine:
    """Return the line of one leg; `price` is (used, decimals), `money` is (value, requirement)."""
    return TermLine(
        label=label,
        leg=leg.name,
        asset=leg.asset,
        chain=leg.chain,
        block_number=leg.block_number,
        amount=leg.amount,
        decimals=leg.decimals,
        price=price[0],
        price_decimals=price[1],
        value=money[0],
        requirement=money[1],
        rounding=rounding,
        exposure=exposure,
    )


def overlay_line(label: str, value: int, requirement: int, rounding: Rounding = Rounding.UP) -> TermLine:
    """Return a line of the whole account: a charge, a credit, a rounding."""
    return TermLine(label, "", "", None, 0, 0, 0, 0, 0, value, requirement, rounding)


def closed(lines: Sequence[TermLine], equity: int, requirement: int, label: str) -> tuple[TermLine, ...]:
    """Return the lines with one more that carries what they lack to the sums, if anything."""
    value = equity - sum(line.value for line in lines)
    required = requirement - sum(line.requirement for line in lines)
    if value == 0 and required == 0:
        return tuple(lines)
    return (*lines, overlay_line(label, value, required, Rounding.EXACT))
