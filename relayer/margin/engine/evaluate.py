"""Evaluate one account under one rule set: pure, exact, the same bytes on every machine.

A rule set is versioned data with one pure function, `weigh`. It is asked twice where prices are intervals: at the worst
ends, which decide, and at the best ends, which only say how wide the truth may be.

| purpose | the requirement is |
|---|---|
| initial | what opening or withdrawing demands |
| maintenance | what holding demands: below it the account is flagged |
| liquidation_end | what lifts a flag: of a venue without such a rule `buffer_ppm` times maintenance, or health factor |
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from proofs.units import PPM
from relayer.margin.engine.inputs import Account, End, MarketData
from relayer.margin.engine.result import Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.view import Purpose, Rounding

BUFFER_PPM: Final = 1_050_000
"""Default buffer: a flag lifts at 1.05 times the maintenance requirement."""


class RuleSet(Protocol):
    """Weigh accounts as one version of one venue does, or as our own formulas do."""

    @property
    def name(self) -> str:
        """Return `family@version`."""

    @property
    def unit(self) -> Unit:
        """Return the money of its figures."""

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account for `initial` or `maintenance` at one end of all intervals.

        Bad inputs of a leg are gaps, not exceptions. Raises: ValueError for rules that contradict themselves.
        """


def evaluate(
    account: Account, market: MarketData, rules: RuleSet, purpose: Purpose, *, buffer_ppm: int = BUFFER_PPM
) -> Evaluation:
    """Evaluate an account; `buffer_ppm` serves `liquidation_end` alone."""
    factor_ppm = buffer_ppm if purpose is Purpose.LIQUIDATION_END else PPM
    low = _judged(_weighed(account, market, rules, purpose, (End.LOW, buffer_ppm)), account, factor_ppm)
    if low.gaps:
        return low
    high = _weighed(account, market, rules, purpose, (End.HIGH, buffer_ppm)) if has_width(market) else low
    return replace(low, excess_high=max(low.excess, high.excess))


def buffered(result: Evaluation, buffer_ppm: int) -> Evaluation:
    """Return a maintenance result for `liquidation_end`: a buffer on the requirement, or on the debt; up.

    Equality is healthy.
    """
    base, stress = result.requirement if result.buffer_on is None else result.buffer_on, result.stress_requirement
    extra = _extra(base, buffer_ppm)
    line = TermLine("buffer above maintenance", "", "", None, 0, 0, 0, 0, 0, 0, extra, Rounding.UP)
    required = result.requirement + extra
    exposure = sum(line.exposure for line in result.lines)
    verdict = Verdict.HEALTHY if result.equity >= required else Verdict.UNHEALTHY
    return replace(
        result,
        purpose=Purpose.LIQUIDATION_END,
        requirement=required,
        verdict=verdict if result.verdict is Verdict.HEALTHY else result.verdict,
        health=replace(
            health_of(result.equity, required, result.collateral, result.debt, exposure),
            health_factor=result.health.health_factor,
        ),
        lines=(*result.lines, line),
        stress_requirement=None if stress is None else stress + _extra(stress, buffer_ppm),
    )


def _extra(requirement: int, buffer_ppm: int) -> int:
    return max(0, -(-requirement * (buffer_ppm - PPM) // PPM))


def _weighed(
    account: Account, market: MarketData, rules: RuleSet, purpose: Purpose, end_and_buffer: tuple[End, int]
) -> Evaluation:
    """Weigh for any purpose at one end."""
    end, buffer_ppm = end_and_buffer
    if purpose is not Purpose.LIQUIDATION_END:
        return rules.weigh(account, market, purpose, end)
    return buffered(rules.weigh(account, market, Purpose.MAINTENANCE, end), buffer_ppm)


def _judged(result: Evaluation, account: Account, factor_ppm: int) -> Evaluation:
    """Add what was never read: without collateral the figures stand, without a debt the verdict is unknown."""
    gaps = result.gaps + account.unread
    if factor_ppm > result.zero_is_worst_to_ppm:
        gaps = tuple(replace(gap, is_collateral=False) for gap in gaps)
    is_unknown = any(not gap.is_collateral for gap in gaps)
    if not is_unknown and gaps and result.verdict is Verdict.UNHEALTHY:
        is_unknown = True
    return replace(result, gaps=gaps, verdict=Verdict.UNKNOWN if is_unknown else result.verdict)


def has_width(market: MarketData) -> bool:
    """Tell whether the best ends may differ: an interval has a width, or options are priced between bounds."""
    if market.expiries:
        return True
    prices = (*market.prices.values(), *market.average_prices.values())
    return any(price.low != price.high for price in prices)
