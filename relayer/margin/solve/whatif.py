"""What-if: an account before and after changes, for every purpose, with the difference by line.

The figures after equal those of an account and a market that really changed so: there is one way to evaluate.
`relayer.whatif` asks the same of a frame's accounts, with their evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from relayer.margin.engine.evaluate import BUFFER_PPM, RuleSet, evaluate
from relayer.margin.engine.inputs import Account, MarketData
from relayer.margin.engine.result import Evaluation, TermLine, Verdict
from relayer.margin.solve.changes import Change, applied
from relayer.margin.view import Purpose

PURPOSES: Final = (Purpose.INITIAL, Purpose.MAINTENANCE, Purpose.LIQUIDATION_END)


@dataclass(frozen=True, slots=True)
class LineChange:
    """Hold what one leg, or one overlay (`leg` empty), added before and adds after; 0 where it was or is not there.

    All lines of a leg count together, lines of the whole account by their label.
    """

    leg: str
    label: str
    value_before: int
    value_after: int
    requirement_before: int
    requirement_after: int

    @property
    def excess_change(self) -> int:
        """Return what this line adds to the change of excess."""
        return self.value_after - self.value_before - self.requirement_after + self.requirement_before


@dataclass(frozen=True, slots=True)
class Comparison:
    """Hold one purpose before and after. Σ lines' `excess_change` = change of excess, to the unit, in one unit only."""

    purpose: Purpose
    before: Evaluation
    after: Evaluation
    lines: tuple[LineChange, ...]

    @property
    def is_flipped(self) -> bool:
        """Tell whether the verdict changed."""
        return self.before.verdict is not self.after.verdict


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Hold the inputs after the changes and one comparison for each purpose."""

    account: Account
    market: MarketData
    comparisons: tuple[Comparison, ...]

    def of(self, purpose: Purpose) -> Comparison:
        """Return the comparison of one purpose."""
        return next(one for one in self.comparisons if one.purpose is purpose)


@dataclass(frozen=True, slots=True)
class Flip:
    """Name an account whose verdict changes."""

    account: str
    before: Verdict
    after: Verdict


def whatif(
    account: Account,
    market: MarketData,
    rules: RuleSet,
    changes: Sequence[Change],
    new_rules: RuleSet | None = None,
    *,
    buffer_ppm: int = BUFFER_PPM,
) -> WhatIf:
    """Compare an account before and after changes of itself, the market and, with `new_rules`, the rules.

    Raises: ValueError for a change that cannot be made.
    """
    rules_after = rules if new_rules is None else new_rules
    account_after, market_after = applied(account, market, changes, rules.unit)
    comparisons = []
    for purpose in PURPOSES:
        before = evaluate(account, market, rules, purpose, buffer_ppm=buffer_ppm)
        after = evaluate(account_after, market_after, rules_after, purpose, buffer_ppm=buffer_ppm)
        comparisons.append(Comparison(purpose, before, after, line_changes(before.lines, after.lines)))
    return WhatIf(account_after, market_after, tuple(comparisons))


def flips(
    accounts: Iterable[Account],
    market: MarketData,
    rules: RuleSet,
    market_after: MarketData | None = None,
    rules_after: RuleSet | None = None,
    *,
    purpose: Purpose = Purpose.MAINTENANCE,
) -> tuple[Flip, ...]:
    """Return the accounts whose verdict another market or other rules would change, either way, in the given order."""
    found = []
    for account in accounts:
        before = evaluate(account, market, rules, purpose).verdict
        after = evaluate(account, market_after or market, rules_after or rules, purpose).verdict
        if before is not after:
            found.append(Flip(account.name, before, after))
    return tuple(found)


def line_changes(before: Sequence[TermLine], after: Sequence[TermLine]) -> tuple[LineChange, ...]:
    """Return the changes by leg and overlay: those of before in their order, then new ones."""
    old, new = _sums(before), _sums(after)
    changes = []
    for key in (*old, *(key for key in new if key not in old)):
        value_before, requirement_before, label_before = old.get(key, (0, 0, ""))
        value_after, requirement_after, label_after = new.get(key, (0, 0, ""))
        label = label_after or label_before
        changes.append(LineChange(key[0], label, value_before, value_after, requirement_before, requirement_after))
    return tuple(changes)


def _sums(lines: Sequence[TermLine]) -> dict[tuple[str, str], tuple[int, int, str]]:
    sums: dict[tuple[str, str], tuple[int, int, str]] = {}
    for line in lines:
        key = (line.leg, "" if line.leg else line.label)
        value, requirement, label = sums.get(key, (0, 0, line.label))
        sums[key] = (value + line.value, requirement + line.requirement, label)
    return sums
