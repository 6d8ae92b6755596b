"""Groups: an account in parts, and risk groups that never help each other.

A part keeps the order of its legs. What could not be read belongs to no leg, so it is missing in every part: nothing
is certain there that depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from relayer.margin.engine.evaluate import BUFFER_PPM, RuleSet, evaluate
from relayer.margin.engine.inputs import Account, Leg, MarketData
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.solve.changes import TRADED
from relayer.margin.solve.without import By, key_of
from relayer.margin.view import Purpose


@dataclass(frozen=True, slots=True)
class Grouped:
    """Hold the evaluation of each risk group by itself, and their sums; the verdict is that of the worst group."""

    groups: tuple[tuple[str, Evaluation], ...]
    equity: int
    requirement: int
    verdict: Verdict

    @property
    def excess(self) -> int:
        """Return the sum of the groups' excess; it may be positive though one group is in breach."""
        return self.equity - self.requirement

    @property
    def has_gaps(self) -> bool:
        """Tell whether anything in it could not be weighed."""
        return any(result.gaps for _, result in self.groups)

    @property
    def exposure(self) -> int:
        """Return the sum of all notionals."""
        return sum(line.exposure for _, result in self.groups for line in result.lines)


WORST_FIRST: Final = (Verdict.UNHEALTHY, Verdict.UNKNOWN, Verdict.HEALTHY)


def parts(account: Account, by: By) -> tuple[tuple[str, Account], ...]:
    """Return the account divided, in the order in which the parts' first legs stand; one part for no legs."""
    keys = dict.fromkeys(key_of(leg, by) for leg in account.legs) or {"": None}
    return tuple(
        (key, replace(account, legs=tuple(leg for leg in account.legs if key_of(leg, by) == key))) for key in keys
    )


def evaluate_groups(
    account: Account, market: MarketData, rules: RuleSet, purpose: Purpose, *, buffer_ppm: int = BUFFER_PPM
) -> Grouped:
    """Evaluate each risk group by itself and add up."""
    results = tuple(
        (key, evaluate(part, market, rules, purpose, buffer_ppm=buffer_ppm)) for key, part in parts(account, By.GROUP)
    )
    verdicts = {result.verdict for _, result in results}
    return Grouped(
        results,
        sum(result.equity for _, result in results),
        sum(result.requirement for _, result in results),
        next(verdict for verdict in WORST_FIRST if verdict in verdicts),
    )


def merged(account: Account) -> Account:
    """Return the account with positions in one instrument and group made one, as if one venue held them all.

    Amounts, entry values and accruals add up. The merged leg has the name, place and chain of the first, and
    no venue where the venues differ. Positions with different limits of their own stay apart, as do collateral, debt
    and cash.
    """
    joined: dict[object, Leg] = {}
    for leg in account.legs:
        key = _instrument(leg)
        joined[key] = _joined(joined[key], leg) if key in joined else leg
    return replace(account, legs=tuple(joined.values()))


def _instrument(leg: Leg) -> object:
    if leg.role not in TRADED:
        return leg.name
    return leg.role, leg.asset, leg.decimals, leg.option, leg.expiry_s, leg.own_limit, leg.group


def _joined(first: Leg, other: Leg) -> Leg:
    return replace(
        first,
        amount=first.amount + other.amount,
        entry_value=first.entry_value + other.entry_value,
        accrued=first.accrued + other.accrued,
        block_number=min(first.block_number, other.block_number) if first.chain == other.chain else first.block_number,
        block_time_s=min(first.block_time_s, other.block_time_s),
        venue=first.venue if first.venue == other.venue else "",
    )
