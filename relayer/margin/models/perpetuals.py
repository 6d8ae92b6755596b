"""Perpetuals: what the models of perpetual venues share: each leg has its line or its gap, and the sums decide.

    equity = Σ value, requirement = Σ requirement; excess 0 is healthy; one gap makes the verdict unknown

A venue holds one position in a market: legs of one asset are weighed as their sum, under the tightest of their own
limits, so that parting a position changes nothing. Each keeps a line of its own, and one more has the difference.

Money and positions alike may be owed: no gap here counts as one of collateral.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from relayer.margin.engine.inputs import Account, End, Gap, Leg, Role
from relayer.margin.engine.lines import closed
from relayer.margin.engine.result import Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.view import Purpose

LineOf = Callable[[Leg], TermLine | str]
Tightest = Callable[[int, int], int]


def weighed_by_leg(
    about: tuple[str, Unit], account: Account, asked: tuple[Purpose, End], line_of: LineOf, tightest: Tightest
) -> Evaluation:
    """Weigh leg by leg; `about` is (rule set, unit), `line_of` returns a leg's line or the reason why it has none.

    `tightest` returns the stricter of two limits of the account's own.
    A leg without amount, entry value and accrual adds nothing and is not asked for.
    """
    lines, legs, gaps = [], [], []
    for leg in account.legs:
        if not (leg.amount or leg.entry_value or leg.accrued):
            continue
        line = line_of(leg)
        if isinstance(line, str):
            gaps.append(Gap(leg.name, line, is_collateral=False))
        else:
            lines.append(line)
            legs.append(leg)
    positions = _positions(legs, tightest)
    held = (
        lines
        if len(positions) == len(legs)
        else [one for leg in positions if isinstance(one := line_of(leg), TermLine)]
    )
    equity, requirement = sum(line.value for line in held), sum(line.requirement for line in held)
    verdict = Verdict.HEALTHY if equity >= requirement else Verdict.UNHEALTHY
    collateral, debt = max(0, equity), max(0, -equity)
    exposure = sum(line.exposure for line in lines)
    return Evaluation(
        rule_set=about[0],
        purpose=asked[0],
        end=asked[1],
        unit=about[1],
        equity=equity,
        requirement=requirement,
        collateral=collateral,
        debt=debt,
        verdict=Verdict.UNKNOWN if gaps else verdict,
        health=health_of(equity, requirement, collateral, debt, exposure),
        lines=closed(lines, equity, requirement, "several legs of one position"),
        gaps=tuple(gaps),
    )


def _positions(legs: Sequence[Leg], tightest: Tightest) -> tuple[Leg, ...]:
    """Return the legs with perpetuals of one asset made one, in the place of the first."""
    found: dict[object, Leg] = {}
    for leg in legs:
        key: object = (leg.asset, leg.decimals) if leg.role is Role.PERP else leg.name
        first = found.get(key)
        found[key] = leg if first is None else _joined(first, leg, tightest)
    return tuple(found.values())


def _joined(first: Leg, other: Leg, tightest: Tightest) -> Leg:
    return replace(
        first,
        amount=first.amount + other.amount,
        entry_value=first.entry_value + other.entry_value,
        accrued=first.accrued + other.accrued,
        own_limit=tightest(first.own_limit, other.own_limit),
    )
