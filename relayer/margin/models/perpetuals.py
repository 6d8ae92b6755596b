"""Perpetuals: what the models of perpetual venues share: each leg has its line or its gap, and the sums decide.

    equity = Σ value, requirement = Σ requirement; excess 0 is healthy; one gap makes the verdict unknown

Money and positions alike may be owed: no gap here counts as one of collateral.
"""

from __future__ import annotations

from collections.abc import Callable

from relayer.margin.engine.inputs import Account, End, Gap, Leg
from relayer.margin.engine.result import Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.view import Purpose


def weighed_by_leg(
    about: tuple[str, Unit], account: Account, asked: tuple[Purpose, End], line_of: Callable[[Leg], TermLine | str]
) -> Evaluation:
    """Weigh leg by leg; `about` is (rule set, unit), `line_of` returns a leg's line or the reason why it has none.

    A leg without amount, entry value and accrual adds nothing and is not asked for.
    """
    lines, gaps = [], []
    for leg in account.legs:
        if not (leg.amount or leg.entry_value or leg.accrued):
            continue
        line = line_of(leg)
        if isinstance(line, str):
            gaps.append(Gap(leg.name, line, is_collateral=False))
        else:
            lines.append(line)
    equity, requirement = sum(line.value for line in lines), sum(line.requirement for line in lines)
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
        lines=tuple(lines),
        gaps=tuple(gaps),
    )
