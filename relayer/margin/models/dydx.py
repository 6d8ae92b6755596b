"""Weigh an engine account by the dYdX v4 chain's rules (`rulesets.dydx_v4` does the arithmetic).

| input | holds |
|---|---|
| cash leg | USDC in quote quantums (10^-6 dollars), negative is borrowed |
| perp leg | base quantums, negative is short; quote balance = `accrued` - `entry_value` in quote quantums |
| `leg.own_limit` | the account's own initial fraction in ppm, 0 for none |
| `market.prices[asset]` | dollars; its number of decimals is the negative of the chain's price exponent |
| `market.open_interest[asset]` | base quantums; needed for `initial` where the tier has an upper cap |

    equity NC = USDC + Σ N + Σ quote balances        requirement = Σ IMR for initial, Σ MMR for maintenance

At the low end a long is worth its low price and a short its high one, and both requirements are those of the high one:
with intervals of no width all figures are the chain's own. What the chain has no rule for (other cash, collateral) is
an error there and an unknown verdict here, never zero.

The verdict for maintenance is the chain's `is_maintenance_collateralized`. It parts from "not liquidatable" in one
place: below zero without any requirement there is nothing to liquidate, and yet the account does not cover itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Role
from relayer.margin.engine.lines import leg_line
from relayer.margin.engine.result import Evaluation, TermLine, Unit
from relayer.margin.models.perpetuals import weighed_by_leg
from relayer.margin.rulesets.dydx_v4 import (
    QUOTE_EXPONENT,
    DydxMarket,
    DydxPosition,
    DydxRisk,
    LiquidityTier,
    notional,
    position_risk,
)
from relayer.margin.view import Purpose, Rounding

QUOTE_QUANTUMS: Final = Unit("USDC", QUOTE_EXPONENT)
USDC: Final = "USDC"


@dataclass(frozen=True, slots=True)
class DydxTerms:
    """Hold the terms of one perpetual market: its liquidity tier and the power of ten of one base quantum."""

    tier: LiquidityTier
    atomic_resolution: int


@dataclass(frozen=True, slots=True)
class DydxRules:
    """Hold the parameters of the chain: its markets by the name of their asset."""

    markets: Mapping[str, DydxTerms]
    name: str = "dydx@4"
    unit: Unit = QUOTE_QUANTUMS

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh a subaccount; see `engine.evaluate.RuleSet`."""

        def line_of(leg: Leg) -> TermLine | str:
            return self._line(leg, market, purpose, end)

        return weighed_by_leg((self.name, self.unit), account, (purpose, end), line_of, max)

    def _line(self, leg: Leg, market: MarketData, purpose: Purpose, end: End) -> TermLine | str:
        """Return the line of a leg, or the reason why the chain's rules do not weigh it."""
        if leg.role is Role.CASH:
            if leg.asset != USDC:
                return f"the chain has no rule for cash in {leg.asset}"
            return leg_line(leg, USDC, (0, 0), (leg.amount, 0), Rounding.EXACT)
        terms = self.markets.get(leg.asset)
        if leg.role is not Role.PERP or terms is None:
            return f"the chain has no rule for {leg.asset} as {leg.role}"
        return _perp_line(leg, terms, market, purpose, end)


def _perp_line(leg: Leg, terms: DydxTerms, market: MarketData, purpose: Purpose, end: End) -> TermLine | str:
    quote_balance = leg.accrued - leg.entry_value
    if leg.amount == 0:
        return leg_line(leg, f"{leg.asset} closed: quote balance", (0, 0), (quote_balance, 0), Rounding.EXACT)
    price = market.prices.get(leg.asset)
    if price is None:
        return f"no price of {leg.asset}"
    interest = market.open_interest.get(leg.asset)
    is_initial = purpose is Purpose.INITIAL
    if interest is None and is_initial and terms.tier.open_interest_upper:
        return f"no open interest of {leg.asset}"
    marked_at, required_at = price.at(end, is_owed=leg.amount < 0), price.at(end, is_owed=True)

    def risk_at(used: int) -> DydxRisk:
        venue = DydxMarket(terms.tier, terms.atomic_resolution, used, -price.decimals, interest or 0)
        return position_risk(DydxPosition(venue, leg.amount, quote_balance, leg.own_limit))

    required = risk_at(required_at)
    exposed = DydxMarket(terms.tier, terms.atomic_resolution, required_at, -price.decimals)
    side = "long" if leg.amount > 0 else "short"
    return leg_line(
        leg,
        f"{leg.asset} {side}: notional + quote balance",
        (marked_at, price.decimals),
        (risk_at(marked_at).net_collateral, required.initial if is_initial else required.maintenance),
        Rounding.EXACT,  # toward zero: down for a long, up for a short
        abs(notional(exposed, leg.amount)),
    )


ABOUT: Final = (
    RuleSetInfo(
        name="dydx@4",
        family=Family.POSITION,
        title="dYdX v4 subaccount: perpetuals against USDC, open interest scales what opening demands",
        formula=(
            "NC = USDC + sum of N + quote balances, N = q p 10^(exponent + resolution + 6); "
            "IMR = |N| max(F, own), F = f + (1 - f)(OI - lower) / (upper - lower) between the caps; "
            "MMR = |N| f maintenance_fraction, without open interest"
        ),
        rounding="N toward zero; F down; IMR up; MMR up twice (|N| f, then times the fraction)",
        equality="healthy; below zero without a requirement is unhealthy here and not liquidatable at the chain",
        source="dydxprotocol/v4-chain 84d4664b, lib/margin and x/perpetuals (numbers and formulas restated)",
        monotone=(
            MonotoneInput("USDC", Trend.NEVER_FALLS),
            MonotoneInput("quote balance", Trend.NEVER_FALLS),
            MonotoneInput("initial fraction f", Trend.NEVER_RISES),
            MonotoneInput("maintenance fraction", Trend.NEVER_RISES),
            MonotoneInput("the account's own initial fraction", Trend.NEVER_RISES, "maintenance does not know it"),
            MonotoneInput(
                "open interest",
                Trend.NEVER_RISES,
                "of initial alone: maintenance is that of an empty market, however crowded",
            ),
            MonotoneInput("price interval's width", Trend.NEVER_RISES),
            MonotoneInput(
                "position size",
                Trend.NO_LAW,
                "long 1 at 100 with quote balance 0 gains 100 of NC and only 5 of MMR; bought at 100 it loses 5",
            ),
            MonotoneInput(
                "price",
                Trend.NO_LAW,
                "a long gains by more than its requirement grows, a short loses both ways",
            ),
        ),
        is_mirrored=True,
    ),
)
