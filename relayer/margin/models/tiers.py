"""Weigh an engine account by tiers with deductions (`rulesets.hyperliquid_tiers` does the arithmetic). Experimental.

| input | holds |
|---|---|
| cash leg | 10^-6 dollars, negative is borrowed |
| perp leg | size in base units at `decimals`, negative is short; `entry_value`, `accrued` in 10^-6 dollars |
| `leg.own_limit` | the leverage that the account chose, 0 for the highest that the tier allows |
| `market.prices[asset]` | mark in dollars |

    equity = cash + Σ size · mark - entry value + accrued       requirement = Σ IM for initial, Σ MM for maintenance

Longs are marked at the low price and shorts at the high one, requirements are those of the high one. Experimental: no
deployed code and no reference numbers are known to us, so nothing is mirrored; rounding and equality are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Role
from relayer.margin.engine.lines import leg_line
from relayer.margin.engine.result import Evaluation, TermLine, Unit
from relayer.margin.models.perpetuals import weighed_by_leg
from relayer.margin.rulesets.hyperliquid_tiers import (
    USD_DECIMALS,
    TieredMargin,
    TieredPosition,
    initial_requirement,
    maintenance_requirement,
    notional_up,
    profit_down,
)
from relayer.margin.view import Purpose, Rounding

MICRO_USD: Final = Unit("USD", USD_DECIMALS)


@dataclass(frozen=True, slots=True)
class TiersRules:
    """Hold the tiers of each market by the name of its asset, and the name of the cash that counts as dollars."""

    markets: Mapping[str, TieredMargin]
    cash: str = "USDC"
    name: str = "tiers@1"
    unit: Unit = MICRO_USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh a cross-margin account; see `engine.evaluate.RuleSet`."""

        def line_of(leg: Leg) -> TermLine | str:
            return self._line(leg, market, purpose, end)

        return weighed_by_leg((self.name, self.unit), account, (purpose, end), line_of, _lower)

    def _line(self, leg: Leg, market: MarketData, purpose: Purpose, end: End) -> TermLine | str:
        if leg.role is Role.CASH and leg.asset == self.cash:
            return leg_line(leg, self.cash, (0, 0), (leg.amount, 0), Rounding.EXACT)
        margin = self.markets.get(leg.asset)
        if leg.role is not Role.PERP or margin is None:
            return f"no rule for {leg.asset} as {leg.role}"
        if leg.amount == 0:
            money = (leg.accrued - leg.entry_value, 0)
            return leg_line(leg, f"{leg.asset} closed: accrued - entry value", (0, 0), money, Rounding.EXACT)
        price = market.prices.get(leg.asset)
        if price is None:
            return f"no price of {leg.asset}"
        leverage = leg.own_limit or margin.tiers[0].leverage_max
        used = price.at(end, is_owed=leg.amount < 0)
        marked = TieredPosition(
            margin, leg.amount, leg.decimals, used, price.decimals, leg.entry_value - leg.accrued, leverage
        )
        at_notional = replace(marked, mark=price.at(end, is_owed=True))
        notional = notional_up(at_notional)
        is_initial = purpose is Purpose.INITIAL
        required = initial_requirement(at_notional) if is_initial else maintenance_requirement(margin, notional)
        label = f"{leg.asset} {'long' if leg.amount > 0 else 'short'}: size x mark - entry value + accrued"
        money = (profit_down(marked), required)
        return leg_line(leg, label, (used, price.decimals), money, Rounding.DOWN, notional)


def _lower(one: int, other: int) -> int:
    """Return the lower of two leverages; 0 is none."""
    return min(one or other, other or one)


ABOUT: Final = (
    RuleSetInfo(
        name="tiers@1",
        family=Family.POSITION,
        title="maintenance margin by tiers with deductions, as Hyperliquid documents them",
        formula=(
            "MM = N r_n - d_n, r_n = 1 / (2 max leverage_n), d_n = d_(n-1) + lower_n (r_n - r_(n-1)); "
            "IM = N / leverage, at most the tier's; equity = cash + sum of size mark - entry value + accrued"
        ),
        rounding="N, MM, IM up; profit down; rates and deductions are exact fractions",
        equality="healthy (ours: the venue publishes none)",
        source="the venue's public documentation of margin tiers; no code, no reference numbers",
        monotone=(
            MonotoneInput("cash", Trend.NEVER_FALLS),
            MonotoneInput("accrued", Trend.NEVER_FALLS),
            MonotoneInput("entry value", Trend.NEVER_RISES),
            MonotoneInput("a tier's highest leverage", Trend.NEVER_FALLS),
            MonotoneInput("the account's own leverage", Trend.NEVER_FALLS, "maintenance does not know it"),
            MonotoneInput("price interval's width", Trend.NEVER_RISES),
            MonotoneInput(
                "position size",
                Trend.NO_LAW,
                "long 1 at 100 without entry value gains 100 of equity and 1 of MM; bought at 100 it loses 1",
            ),
            MonotoneInput("price", Trend.NO_LAW, "a long gains by more than its requirement grows, a short loses"),
        ),
        is_mirrored=False,
        is_experimental=True,
    ),
)
