"""Metrics: how well an account's capital works, apart and together; ratios for display, rounded against the account.

| metric | is |
|---|---|
| capital efficiency | Σ |notional| / M_uni, at 1e18, down |
| utilisation | M_uni / Σ E, at 1e18, up |
| fragmentation cost | Σ_c (M_c - E_c)⁺ while Σ E >= M_uni: what must be bridged though all is solvent; else None |
| trapped excess | Σ_c (E_c - M_c)⁺ |
| haircut drag | excess without the haircuts of chains less excess with them: they cut equity, or raise M_uni |
| borrowing power, usage | what the collateral may borrow at most; debt / that, at 1e18, up |

A ratio without a positive denominator is None.
"""

from __future__ import annotations

from dataclasses import dataclass

from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, MarketData
from relayer.margin.engine.result import ratio_down, ratio_up
from relayer.margin.netting.groups import evaluate_groups, merged
from relayer.margin.netting.requirement import Netting
from relayer.margin.view import Purpose


@dataclass(frozen=True, slots=True)
class Metrics:
    """Hold the metrics of one netting; money in the rule set's unit."""

    capital_efficiency_e18: int | None
    utilisation_e18: int | None
    fragmentation_cost: int | None
    trapped_excess: int


@dataclass(frozen=True, slots=True)
class BorrowingPower:
    """Hold what the collateral may borrow, what is borrowed, and the share used at 1e18, up."""

    power: int
    borrowed: int
    usage_e18: int | None


def metrics(result: Netting) -> Metrics:
    """Return the metrics of one netting."""
    each = [part for _, part in result.isolated]
    equity, need = sum(part.equity for part in each), result.unified_requirement
    missing = sum(max(0, part.requirement - part.equity) for part in each)
    return Metrics(
        capital_efficiency_e18=ratio_down(sum(part.exposure for part in each), need),
        utilisation_e18=ratio_up(need, equity),
        fragmentation_cost=missing if equity >= need else None,
        trapped_excess=sum(max(0, part.equity - part.requirement) for part in each),
    )


def haircut_drag(
    account: Account,
    market: MarketData,
    rules: RuleSet,
    without_haircuts: RuleSet,
    purpose: Purpose = Purpose.MAINTENANCE,
) -> int:
    """Return the excess that haircuts cost: excess without them less excess with them; below 0 if they gave any."""
    whole = merged(account)
    with_them = evaluate_groups(whole, market, rules, purpose)
    return evaluate_groups(whole, market, without_haircuts, purpose).excess - with_them.excess


def borrowing_power(account: Account, market: MarketData, rules: RuleSet) -> BorrowingPower:
    """Return the borrowing power of a lending account: collateral less what INITIAL demands of it."""
    result = evaluate(account, market, rules, Purpose.INITIAL)
    power = max(0, result.collateral - result.requirement)
    return BorrowingPower(power, result.debt, ratio_up(result.debt, power))
