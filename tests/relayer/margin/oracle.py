"""An independent oracle for cross_perp@1: whole accounts in exact fractions, written from the rules and not the code.

Dollars are Fractions here; only at the stated places is anything rounded, to units of 1e-18.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from proofs.types import Assurance, Status
from relayer.margin.account import Portfolio
from relayer.margin.market import Market, Price
from relayer.margin.rules import MarginRules

UNIT = Fraction(1, 10**18)
MAXIMUM = 2**128 - 1
BEYOND = 2**300
"""More than any band names."""


@dataclass
class Verdict:
    """Hold the four figures in units of 1e-18 and the status."""

    collateral: int = 0
    liability: int = 0
    initial: int = 0
    maintenance: int = 0
    marked: int = 0
    lost_assets: int = 0
    lost_positions: int = 0
    best: int | None = 0
    equity_best: int | None = None
    status: Status = Status.UNKNOWN
    notes: list[str] = field(default_factory=list)

    @property
    def equity(self) -> int:
        return self.collateral - self.liability

    @property
    def equity_high(self) -> int | None:
        return None if self.best is None else self.equity + self.best

    def lose(self, best: int | None) -> None:
        """Add what something missing could add at best; nothing bounds the sum once one of them is not bounded."""
        self.best = None if self.best is None or best is None else self.best + best


def judge(portfolio: Portfolio, market: Market, rules: MarginRules) -> Verdict:
    verdict = Verdict()
    verdict.lost_assets = sum(1 for gap in portfolio.missing if gap.is_collateral)
    verdict.lost_positions = sum(1 for gap in portfolio.missing if not gap.is_collateral)
    for gap in portfolio.missing:
        verdict.lose(gap.best_usd)
    for held in portfolio.holdings:
        _asset(verdict, held, market, rules)
    for held in portfolio.positions:
        _position(verdict, held, market, rules)
    verdict.status, verdict.equity_best = _status(verdict, rules), verdict.equity_high
    if verdict.lost_positions:
        verdict.liability = verdict.initial = verdict.maintenance = MAXIMUM
    return verdict


def _asset(verdict: Verdict, held, market: Market, rules: MarginRules) -> None:
    keep_maintenance, keep_initial = _kept(held, rules)
    if held.amount_raw == 0 or keep_maintenance == 0:
        return
    tokens = Fraction(held.amount_raw, 10**held.source.decimals)
    price = market.prices.get(held.source.symbol)
    if not isinstance(price, Price):
        last = Fraction(getattr(price, "last_e18", 0), 10**18)
        is_dust = last > 0 and _up(tokens * last) < rules.dust_usd
        if not is_dust:
            verdict.lost_assets += 1
            verdict.lose(_most(held.assurance, rules, keep_maintenance))
        return
    dollars = tokens * price.low_e18 * UNIT
    value = _down(dollars * keep_maintenance)
    if value == 0 or value < rules.dust_usd:
        return
    level = min(held.assurance, price.assurance)
    limit = _largest(level, rules)
    if limit == 0:
        verdict.lost_assets += 1
        verdict.lose(_most(held.assurance, rules, keep_maintenance))
        return
    opening = _down(dollars * keep_initial)
    for_opening, for_holding = _most(level, rules, keep_initial), _most(level, rules, keep_maintenance)
    if limit is not None:
        value, opening = min(value, for_holding), min(opening, for_opening)
    verdict.collateral += value
    verdict.marked += _down(dollars) if limit is None else min(_down(dollars), limit)
    verdict.initial += value - opening


def _position(verdict: Verdict, held, market: Market, rules: MarginRules) -> None:
    if held.size_e18 == held.entry_value_usd == held.accrued_usd == 0:
        return
    size, worth, notional, level = Fraction(held.size_e18, 10**18), Fraction(0), 0, held.assurance
    if size:
        price = market.prices.get(held.source.symbol)
        if not isinstance(price, Price):
            verdict.lost_positions += 1
            verdict.lose(_best_of(held, rules))
            return
        level = min(level, price.assurance)
        worth = size * UNIT * (price.low_e18 if size > 0 else price.high_e18)
        notional = _up(abs(size) * price.high_e18 * UNIT)
    if level < _demanded(notional, rules):
        verdict.lost_positions += 1
        verdict.lose(_best_of(held, rules))
        return
    gain = _down(worth - (held.entry_value_usd - held.accrued_usd) * UNIT)
    verdict.collateral += max(gain, 0)
    verdict.marked += max(gain, 0)
    verdict.liability += max(-gain, 0)
    verdict.initial += math.ceil(Fraction(notional * held.source.initial_margin_ppm, 10**6))
    verdict.maintenance += math.ceil(Fraction(notional * held.source.maintenance_margin_ppm, 10**6))


def _kept(held, rules: MarginRules) -> tuple[Fraction, Fraction]:
    weights = dict(rules.encumbrance_ppm)
    rule = next(rule for rule in rules.assets if rule.symbol == held.source.symbol)
    kept = []
    for haircut in (rule.haircut_maintenance_ppm, rule.haircut_initial_ppm):
        keep = Fraction(10**6 - haircut, 10**6) * Fraction(10**6 - held.source.bridge_haircut_ppm, 10**6)
        keep *= Fraction(weights.get(held.source.encumbrance, 0), 10**6)
        kept.append(Fraction(math.floor(keep * 10**6), 10**6))  # the haircut is rounded up to whole ppm
    return kept[0], kept[1]


def _demanded(marked: int, rules: MarginRules) -> Assurance:
    for band in rules.assurance:
        if band.up_to_usd is None or marked <= band.up_to_usd:
            return band.level
    return Assurance.AUTHENTICATED_HEADER if rules.assurance else Assurance.SINGLE_RPC


def _largest(level: Assurance, rules: MarginRules) -> int | None:
    """Return the largest value that a level may carry: the supremum of all values that demand no more."""
    if _demanded(BEYOND, rules) <= level:
        return None
    edges = [band.up_to_usd for band in rules.assurance if band.up_to_usd is not None]
    return max((edge for edge in edges if _demanded(edge, rules) <= level), default=0)


def _most(level: Assurance, rules: MarginRules, keep: Fraction) -> int | None:
    limit = _largest(level, rules)
    return None if limit is None else math.floor(limit * keep)


def _best_of(held, rules: MarginRules) -> int | None:
    """Return what a position could bring at most: a short at a price of zero, if its evidence does for any value."""
    if held.size_e18 > 0 or held.assurance < _demanded(BEYOND, rules):
        return None
    return held.accrued_usd - held.entry_value_usd


def _status(verdict: Verdict, rules: MarginRules) -> Status:
    equity, need = Fraction(verdict.equity), Fraction(verdict.maintenance)
    has_bad_debt = verdict.liability > verdict.marked
    if verdict.lost_positions or (verdict.lost_assets and (equity < need or has_bad_debt)):
        best = verdict.equity_high
        return Status.LIQUIDATABLE if best is not None and best < need else Status.UNKNOWN
    if verdict.liability > verdict.marked:
        return Status.BAD_DEBT
    if equity < need:
        return Status.LIQUIDATABLE
    if equity < need * Fraction(rules.status.margin_call_ppm, 10**6):
        return Status.MARGIN_CALL
    if equity < need * Fraction(rules.status.warning_ppm, 10**6):
        return Status.WARNING
    return Status.HEALTHY


def _down(dollars: Fraction) -> int:
    return math.floor(dollars / UNIT)


def _up(dollars: Fraction) -> int:
    return math.ceil(dollars / UNIT)
