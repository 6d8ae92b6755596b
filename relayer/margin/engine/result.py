"""Result: what an evaluation says, the same shape for every rule set.

    excess = equity - requirement          Σ lines' value = equity, Σ lines' requirement = requirement, to the unit

The decision is `verdict`: the venue's own where the rule set mirrors one, `excess >= 0` in ours. Ratios are for
display; none decides anything, none is signed. A ratio without a denominator is None and reads as infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from proofs.types import ChainId, Quality
from proofs.units import E18
from relayer.margin.engine.inputs import End, Gap
from relayer.margin.view import Purpose, Rounding


class Verdict(StrEnum):
    """Answer whether the account meets the purpose; unknown where what is owed could not be weighed."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Unit:
    """Name the money that all figures of an evaluation are in, and its decimals."""

    symbol: str
    decimals: int


USD: Final = Unit("USD", 18)
ANY_PPM: Final = 10**12
"""More than any buffer."""


class TermLine(NamedTuple):
    """Explain one term: a leg (`leg` is its name), or an overlay of the whole account (`leg` empty).

    `value` adds to equity, `requirement` to the requirement, both in the evaluation's unit, signed. `price` is the one
    used, at `price_decimals`, 0 where none was needed. `exposure` is the unsigned notional, 0 for what has none.
    A tuple, because explaining a book makes millions of them: a frozen class takes seven times as long.
    """

    label: str
    leg: str
    asset: str
    chain: ChainId | None
    block_number: int
    amount: int
    decimals: int
    price: int
    price_decimals: int
    value: int
    requirement: int
    rounding: Rounding
    exposure: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """Hold the account's health in every convention of the field, at 1e18, rounded against the account.

    | field | is | healthy |
    |---|---|---|
    | margin_ratio | equity : requirement, down | >= 1 |
    | health_factor | the venue's own, else weighted collateral : debt, down | >= 1 |
    | ltv | debt : collateral, up | - |
    | gearing | Σ exposure : equity, up; None also where equity is not positive | - |
    """

    margin_ratio: int | None
    health_factor: int | None
    ltv: int | None
    gearing: int | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Hold the result for one account, purpose and end of the price intervals.

    `excess_high` is the excess at the best ends, so that [excess, excess_high] holds the truth whatever the prices
    inside their intervals are; None where nothing bounds it. `worst` names the scenario that set the requirement.
    `stress_requirement` is the requirement with every correlation gone, None where none earns a credit.
    `buffer_on` is what a buffer is a share of, None for the requirement: in lending it is the debt, because there the
    requirement grows with collateral; 1.05 then is a health factor.
    `zero_is_worst_to_ppm`: nothing held may count below zero while the requirement is multiplied by at most this.
    Beyond it counting zero for what is missing would help, so that any gap makes the verdict unknown.
    """

    rule_set: str
    purpose: Purpose
    end: End
    unit: Unit
    equity: int
    requirement: int
    collateral: int
    debt: int
    verdict: Verdict
    health: Health
    lines: tuple[TermLine, ...]
    gaps: tuple[Gap, ...] = ()
    quality: Quality = Quality.NONE
    worst: str = ""
    excess_high: int | None = None
    stress_requirement: int | None = None
    zero_is_worst_to_ppm: int = ANY_PPM
    buffer_on: int | None = None

    @property
    def excess(self) -> int:
        """Return equity less requirement: what may be lost before the purpose fails."""
        return self.equity - self.requirement

    @property
    def is_healthy(self) -> bool:
        """Tell whether the account meets the purpose for certain."""
        return self.verdict is Verdict.HEALTHY


def ratio_down(numerator: int, denominator: int) -> int | None:
    """Return a ratio at 1e18 toward negative infinity; None where the denominator is not positive."""
    return numerator * E18 // denominator if denominator > 0 else None


def ratio_up(numerator: int, denominator: int) -> int | None:
    """Return a ratio at 1e18 toward positive infinity; None where the denominator is not positive."""
    return -(-numerator * E18 // denominator) if denominator > 0 else None


def health_of(
    equity: int, requirement: int, collateral: int, debt: int, exposure: int, health_factor: int | None = None
) -> Health:
    """Return the four conventions from the sums; `health_factor` is the venue's own where it has one."""
    return Health(
        margin_ratio=ratio_down(equity, requirement),
        health_factor=ratio_down(equity + debt - requirement, debt) if health_factor is None else health_factor,
        ltv=ratio_up(debt, collateral),
        gearing=ratio_up(exposure, equity),
    )
