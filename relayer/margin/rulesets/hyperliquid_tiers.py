"""hyperliquid_tiers@1, experimental: maintenance margin by tiers with deductions, as Hyperliquid documents them.

Experimental: no reference numbers and no deployed code to compare with are known to us; the venue's own rounding and
equality are not published, so ours are the cautious ones. Its portfolio margin is not restated at all.

Units: sizes and prices as integers with their decimals, amounts in 10^-6 dollars.

    r_n = 1 / (2 · max leverage_n)                        maintenance rate of tier n: half of its initial rate
    d_n = d_{n-1} + lower_n · (r_n - r_{n-1}),  d_0 = 0   deduction: the requirement is continuous at every edge
    MM  = ⌈N · r_n - d_n⌉,  n the last tier with lower_n <= N
    IM  = ⌈N / leverage⌉, the leverage that the account chose, at most that of the tier

| figure | rounding |
|---|---|
| notional N = abs(size) · mark | up |
| equity: cash + Σ size · mark - entry value | down |
| MM, IM | up; rates and deductions are exact fractions |

Healthy iff equity >= MM: equality is healthy. MM grows with notional, is continuous, and convex where leverage falls
from tier to tier, which `TieredMargin` demands. Source: the venue's public documentation, margin tiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import Final

from proofs.units import UsdE18, mul_div_down, mul_div_up, power_of_ten
from relayer.margin.leaf_figures import LeafFigures

USD_DECIMALS: Final = 6
USD_TO_E18: Final = 10**12


@dataclass(frozen=True, slots=True)
class MarginTier:
    """Hold one tier: the notional it begins at (10^-6 dollars, inclusive) and its highest leverage."""

    lower: int
    leverage_max: int


@dataclass(frozen=True, slots=True)
class TieredMargin:
    """Hold the tiers of one market, lowest first, beginning at 0, leverage falling.

    Raises: ValueError for tiers of another shape.
    """

    tiers: tuple[MarginTier, ...]

    def __post_init__(self) -> None:
        """Refuse tiers that would not be continuous and convex."""
        if not self.tiers or self.tiers[0].lower != 0 or self.tiers[-1].leverage_max < 1:
            raise ValueError("tiers begin at 0 and leverage is at least 1")
        for below, above in zip(self.tiers, self.tiers[1:], strict=False):
            if below.lower >= above.lower or below.leverage_max <= above.leverage_max:
                raise ValueError(f"tiers must rise and leverage must fall: {below}, {above}")


@dataclass(frozen=True, slots=True)
class TieredPosition:
    """Hold one position: signed size, entry value of it all (10^-6 dollars, signed as the size), leverage."""

    margin: TieredMargin
    size: int
    size_decimals: int
    mark: int
    mark_decimals: int
    entry_value: int
    leverage: int


@dataclass(frozen=True, slots=True)
class TieredFigures:
    """Hold equity and both requirements of an account, 10^-6 dollars."""

    equity: int
    initial: int
    maintenance: int

    @property
    def is_healthy(self) -> bool:
        """Tell whether equity covers the maintenance requirement; equality does."""
        return self.equity >= self.maintenance


def account_figures(cash: int, positions: tuple[TieredPosition, ...]) -> TieredFigures:
    """Weigh a cross-margin account: cash in 10^-6 dollars (signed) and its positions."""
    return TieredFigures(
        equity=cash + sum(profit_down(position) for position in positions),
        initial=sum(initial_requirement(position) for position in positions),
        maintenance=sum(maintenance_requirement(position.margin, notional_up(position)) for position in positions),
    )


def notional_up(position: TieredPosition) -> int:
    """Return a position's notional, up."""
    scale = power_of_ten(position.size_decimals + position.mark_decimals)
    return mul_div_up(abs(position.size) * position.mark, power_of_ten(USD_DECIMALS), scale)


def profit_down(position: TieredPosition) -> int:
    """Return a position's profit at its mark, signed, toward negative infinity."""
    scale = power_of_ten(position.size_decimals + position.mark_decimals)
    return mul_div_down(position.size * position.mark, power_of_ten(USD_DECIMALS), scale) - position.entry_value


def maintenance_requirement(margin: TieredMargin, notional: int) -> int:
    """Return the maintenance requirement of a notional, up.

    Over the common denominator of all rates: every rate and deduction is an integer there.
    """
    common = lcm(*(2 * tier.leverage_max for tier in margin.tiers))
    rate = common // (2 * margin.tiers[0].leverage_max)
    deduction = 0
    for tier in margin.tiers[1:]:
        if notional < tier.lower:
            break
        next_rate = common // (2 * tier.leverage_max)
        deduction += tier.lower * (next_rate - rate)
        rate = next_rate
    return mul_div_up(notional * rate - deduction, 1, common)


def initial_requirement(position: TieredPosition) -> int:
    """Return what opening demands, up, at the account's leverage or the highest of the tier, whichever is lower."""
    notional = notional_up(position)
    highest = [tier.leverage_max for tier in position.margin.tiers if tier.lower <= notional][-1]
    return mul_div_up(notional, 1, min(position.leverage, highest))


def to_leaf_figures(figures: TieredFigures) -> LeafFigures:
    """Return equity split by sign and both requirements; exact."""
    return LeafFigures(
        collateral_usd=UsdE18(max(0, figures.equity) * USD_TO_E18),
        liability_usd=UsdE18(max(0, -figures.equity) * USD_TO_E18),
        initial_usd=UsdE18(figures.initial * USD_TO_E18),
        maintenance_usd=UsdE18(figures.maintenance * USD_TO_E18),
    )
