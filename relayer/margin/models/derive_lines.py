"""Lines of the legs that Derive's managers know: what each is worth, nothing required for it alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from proofs.units import E18
from relayer.margin.engine.inputs import End
from relayer.margin.engine.result import TermLine
from relayer.margin.interval import ZERO, Interval, product
from relayer.margin.models.derive_parts import Part, Parts
from relayer.margin.models.figures import cash_line, value_line
from relayer.margin.models.quotes import OptionQuote, percent
from relayer.margin.rulesets.derive_pmrm import Scenario


def part_lines(parts: Parts, options: Sequence[Interval], coins: Sequence[Interval], end: End) -> list[TermLine]:
    """Return the line of every leg, from the values of the options and the coins in their order."""
    return [
        *(cash_line(part.leg, part.amount) for part in parts.cash),
        *_value_lines("{} in stable units", parts.coins, coins, end),
        *_value_lines("{} perp, unrealised", parts.perps, [part.unrealised or ZERO for part in parts.perps], end),
        *(
            value_line(part.leg, option_label(part, quote), part.price, value, end)
            for (part, quote), value in zip(parts.quotes(), options, strict=True)
        ),
    ]


def _value_lines(label: str, parts: Sequence[Part], values: Sequence[Interval], end: End) -> Iterable[TermLine]:
    for part, value in zip(parts, values, strict=True):
        yield value_line(part.leg, label.format(part.leg.asset), part.price, value, end)


def base_values(parts: Parts) -> list[Interval]:
    """Return what each coin is worth in the stable one."""
    return [product(part.amount, part.spot).over(parts.stable_price) for part in parts.coins]


def option_label(part: Part, quote: OptionQuote) -> str:
    """Return an option's name: underlying, strike in whole units, side, time left."""
    side = "call" if quote.terms.is_call else "put"
    return f"{part.leg.asset} {quote.terms.strike_e18 // E18} {side}, {quote.seconds} s left"


def scenario_name(scenarios: Sequence[Scenario], worst: int | None) -> str:
    """Return what the worst scenario does, or that it is the basis contingency."""
    if worst is None:
        return "basis contingency"
    scenario = scenarios[worst]
    damped = "" if scenario.damping == E18 else f", counted at {percent(scenario.damping)[1:]}"
    return f"spot {percent(scenario.spot - E18)}, vol {scenario.vol.value.lower()}{damped}"
