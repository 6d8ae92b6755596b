"""Requirement: what the parts of an account need each by itself (isolated) and all as one (unified).

    M_iso = Σ_c M(P_c)        M_uni = M(∪ P_c), positions in one instrument merged
    credit = M_iso - M_uni    benefit = credit / M_iso, signed

Nothing says that together is cheaper: size premia and pairings of one venue may make the whole need more than its
parts. Then credit is negative, the benefit is reported as it is, and the advice is to keep the parts apart.

A credit between two places is worth what can be enforced in both. The positive credit is shared out to the pairs of
parts in proportion to what each pair saves by itself, and of each share counts

    pair_ppm · min(enforceability of one, of the other), rounded down; 0 while one is stale or has gaps

so that `requirement` = M_iso - Σ what counts lies between M_uni and M_iso. A credit that no pair earns by itself counts
at the weakest of all pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations
from types import MappingProxyType
from typing import Final

from proofs.units import PPM
from relayer.margin.engine.evaluate import RuleSet
from relayer.margin.engine.inputs import Account, MarketData
from relayer.margin.netting.groups import Grouped, evaluate_groups, merged, parts
from relayer.margin.solve.without import By, key_of
from relayer.margin.view import Purpose

PARTS_MAX: Final = 32
"""Pairs are evaluated one by one: 496 of them."""


class Advice(StrEnum):
    """Say what to do with the parts."""

    MERGE = "merge: together they need less"
    EITHER = "no difference"
    SEPARATE = "keep the parts apart: together they need more"


@dataclass(frozen=True, slots=True)
class Enforceability:
    """Say how far close-out can be enforced, in ppm, by part and by pair of parts (either order).

    What is not named is enforceable wholly. `stale` names the parts whose figures are too old for any credit.
    """

    parts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    pairs: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    stale: frozenset[str] = frozenset()

    def of(self, one: str, other: str) -> int:
        """Return what may be credited between two parts, ppm, down. Raises: ValueError outside 0 … 1_000_000."""
        if one in self.stale or other in self.stale:
            return 0
        pair = self.pairs.get((one, other), self.pairs.get((other, one), PPM))
        weaker = min(self.parts.get(one, PPM), self.parts.get(other, PPM))
        if not (0 <= pair <= PPM and 0 <= weaker <= PPM):
            raise ValueError(f"enforceability of {one} and {other} must be 0 … {PPM} ppm")
        return pair * weaker // PPM


ALL_ENFORCEABLE: Final = Enforceability()


@dataclass(frozen=True, slots=True)
class PairCredit:
    """Hold what two parts save each other, its share of the whole credit, and what of that counts."""

    one: str
    other: str
    saved: int
    share: int
    counted: int


@dataclass(frozen=True, slots=True)
class Netting:
    """Hold both requirements, and the one that may be relied on."""

    by: By
    purpose: Purpose
    isolated: tuple[tuple[str, Grouped], ...]
    unified: Grouped
    pairs: tuple[PairCredit, ...]
    counted: int

    @property
    def isolated_requirement(self) -> int:
        """Return M_iso."""
        return sum(part.requirement for _, part in self.isolated)

    @property
    def unified_requirement(self) -> int:
        """Return M_uni."""
        return self.unified.requirement

    @property
    def credit(self) -> int:
        """Return M_iso - M_uni, signed."""
        return self.isolated_requirement - self.unified_requirement

    @property
    def requirement(self) -> int:
        """Return what is needed together, with the credit that counts; M_uni where that is the greater of both."""
        return self.isolated_requirement - (self.counted if self.credit > 0 else self.credit)

    @property
    def benefit_ppm(self) -> int | None:
        """Return 1 - M_uni / M_iso in ppm, down, signed; None where the parts need nothing."""
        isolated = self.isolated_requirement
        return self.credit * PPM // isolated if isolated > 0 else None

    @property
    def advice(self) -> Advice:
        """Say whether together is cheaper."""
        if self.credit == 0:
            return Advice.EITHER
        return Advice.MERGE if self.credit > 0 else Advice.SEPARATE


@dataclass(frozen=True, slots=True)
class NettingTerms:
    """Hold how an account is divided, the rule sets of parts that keep their own, and what can be enforced."""

    by: By = By.CHAIN
    own_rules: Mapping[str, RuleSet] = field(default_factory=lambda: MappingProxyType({}))
    enforceability: Enforceability = ALL_ENFORCEABLE


DEFAULT_TERMS: Final = NettingTerms()


def netting(
    account: Account,
    market: MarketData,
    rules: RuleSet,
    purpose: Purpose = Purpose.MAINTENANCE,
    terms: NettingTerms = DEFAULT_TERMS,
) -> Netting:
    """Return what the parts need apart and together under `rules`; parts in `terms.own_rules` keep theirs when apart.

    Raises: ValueError for rule sets in different money, or more than `PARTS_MAX` parts.
    """
    divided = parts(account, terms.by)
    if len(divided) > PARTS_MAX:
        raise ValueError(f"{len(divided)} parts, {PARTS_MAX} are the most")
    isolated = []
    for key, part in divided:
        own = terms.own_rules.get(key, rules)
        if own.unit != rules.unit:
            raise ValueError(f"{key}: {own.name} counts in {own.unit.symbol}, {rules.name} in {rules.unit.symbol}")
        isolated.append((key, evaluate_groups(merged(part), market, own, purpose)))
    unified = evaluate_groups(merged(account), market, rules, purpose)
    result = Netting(terms.by, purpose, tuple(isolated), unified, (), 0)
    if result.credit <= 0:
        return result

    def together(one: str, other: str) -> int:
        legs = tuple(leg for leg in account.legs if key_of(leg, terms.by) in (one, other))
        return evaluate_groups(merged(replace(account, legs=legs)), market, rules, purpose).requirement

    needs = {key: part.requirement for key, part in isolated}
    saved = {
        (one, other): max(0, needs[one] + needs[other] - together(one, other)) for one, other in combinations(needs, 2)
    }
    return _with_credit(result, saved, terms.enforceability)


def _with_credit(result: Netting, saved: Mapping[tuple[str, str], int], limits: Enforceability) -> Netting:
    """Share the credit out to pairs, rounded down; what rounding leaves is not credited.

    Where the whole has gaps that no part has, it needs less because it was not weighed: nothing counts.
    """
    if result.unified.has_gaps and not any(part.has_gaps for _, part in result.isolated):
        return result
    total, missing = sum(saved.values()), {key for key, part in result.isolated if part.has_gaps}

    def enforceable(one: str, other: str) -> int:
        return 0 if {one, other} & missing else limits.of(one, other)

    if total == 0:
        weakest = min((enforceable(one, other) for one, other in saved), default=0)
        return replace(result, counted=result.credit * weakest // PPM)
    pairs = []
    for (one, other), amount in saved.items():
        share = result.credit * amount // total
        pairs.append(PairCredit(one, other, amount, share, share * enforceable(one, other) // PPM))
    return replace(result, pairs=tuple(pairs), counted=sum(pair.counted for pair in pairs))
