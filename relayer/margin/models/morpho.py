"""Weigh an engine account by one Morpho Blue market's rules (`rulesets.morpho` does the arithmetic).

| input | holds |
|---|---|
| collateral leg of the collateral token | the amount, in token units |
| debt leg of the loan token | borrow shares; `decimals` are those of the loan token, shares have six more |
| `market.totals[market]` | the market's totals, interest included up to the block in question (`accrued_totals`) |
| `market.prices[market]` | loan units per collateral unit; used at 36 decimals, outward |

    equity = collateral value - borrowed        requirement = collateral value - limit        in units of the loan token

The market knows one limit, for holding and for borrowing alike, so both purposes are the same. Several legs of one side
are one position. Without totals a debt is not known; without a price collateral counts zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from proofs.units import format_decimal, mul_div_down
from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Role, Totals
from relayer.margin.engine.lines import closed, leg_line
from relayer.margin.engine.result import Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.fixed_point import wad_mul_down
from relayer.margin.models.lending import fault_of, gap_of, price_at
from relayer.margin.rulesets.morpho import (
    ORACLE_ONE,
    MorphoMarket,
    MorphoPosition,
    accrued,
    assets_up,
    position_figures,
)
from relayer.margin.rulesets.morpho_preliquidation import PreLiquidationTerms
from relayer.margin.view import Purpose, Rounding

PRICE_DECIMALS: Final = 36
NO_TOTALS: Final = Totals(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class MorphoForm:
    """Hold a position as the market sees it, the legs that made it, and what is missing."""

    market: MorphoMarket
    position: MorphoPosition
    legs: tuple[Leg, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class MorphoRules:
    """Hold the terms of one market; `market` is its name in prices and totals, `unit` that of the loan token.

    `pre` is an offered pre-liquidation contract, None for none; it does not decide the verdict.
    """

    market: str
    collateral: str
    loan: str
    lltv_wad: int
    unit: Unit
    pre: PreLiquidationTerms | None = None
    name: str = "morpho@1"

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`."""
        form = self.form(account, market, end)
        figures = position_figures(form.market, form.position)
        equity = figures.collateral_value - figures.borrowed
        requirement = figures.collateral_value - figures.limit
        lines = [_line(leg, form.market) for leg in form.legs]
        return Evaluation(
            rule_set=self.name,
            purpose=purpose,
            end=end,
            unit=self.unit,
            equity=equity,
            requirement=requirement,
            collateral=figures.collateral_value,
            debt=figures.borrowed,
            buffer_on=figures.borrowed,
            verdict=Verdict.HEALTHY if figures.is_healthy else Verdict.UNHEALTHY,
            health=health_of(
                equity,
                requirement,
                figures.collateral_value,
                figures.borrowed,
                sum(line.exposure for line in lines),
                figures.health_factor_wad if figures.borrowed else None,
            ),
            lines=closed(lines, equity, requirement, "several legs of one position"),
            gaps=form.gaps,
        )

    def form(self, account: Account, market: MarketData, end: End) -> MorphoForm:
        """Return the position as the market sees it at one end of the price."""
        price, totals = market.prices.get(self.market), market.totals.get(self.market)
        legs, gaps = [], []
        for leg in account.legs:
            if leg.amount == 0:
                continue
            reason = fault_of(leg) or self._misfit(leg)
            if not reason and leg.role is Role.DEBT and totals is None:
                reason = f"no totals of {self.market}"
            if reason:
                gaps.append(gap_of(leg, reason))
                continue
            if leg.role is Role.COLLATERAL and price is None:
                gaps.append(gap_of(leg, f"no price of {self.market}"))
            legs.append(leg)
        known = totals or NO_TOTALS
        used = 0 if price is None else price_at(price, PRICE_DECIMALS, end, is_owed=False)
        position = MorphoPosition(_sum(legs, Role.COLLATERAL), _sum(legs, Role.DEBT))
        return MorphoForm(_market(known, used, self.lltv_wad), position, tuple(legs), tuple(gaps))

    def _misfit(self, leg: Leg) -> str:
        sides = {Role.COLLATERAL: self.collateral, Role.DEBT: self.loan}
        if sides.get(leg.role) == leg.asset:
            return ""
        return f"the market has no {leg.role} in {leg.asset}"


def accrued_totals(totals: Totals, rate_wad: int, elapsed_s: int, fee_wad: int = 0) -> Totals:
    """Return a market's totals with the interest of `elapsed_s` at a borrow rate per second in wad, fee included."""
    after = accrued(replace(_market(totals, 0, 0), fee_wad=fee_wad), rate_wad, elapsed_s)
    return Totals(after.supply_assets, after.supply_shares, after.borrow_assets, after.borrow_shares)


def _market(totals: Totals, price: int, lltv_wad: int) -> MorphoMarket:
    return MorphoMarket(
        supply_assets=totals.supply_assets,
        supply_shares=totals.supply_shares,
        borrow_assets=totals.borrow_assets,
        borrow_shares=totals.borrow_shares,
        price=price,
        lltv_wad=lltv_wad,
    )


def _sum(legs: Sequence[Leg], role: Role) -> int:
    return sum(leg.amount for leg in legs if leg.role is role)


def _line(leg: Leg, market: MorphoMarket) -> TermLine:
    if leg.role is Role.DEBT:
        owed = assets_up(leg.amount, market.borrow_assets, market.borrow_shares)
        return leg_line(leg, f"{leg.asset} borrowed, from shares", (0, 0), (-owed, 0), Rounding.UP, owed)
    value = mul_div_down(leg.amount, market.price, ORACLE_ONE)
    required = value - wad_mul_down(value, market.lltv_wad)
    label = f"{leg.asset} collateral at LLTV {format_decimal(market.lltv_wad, 18)}"
    return leg_line(leg, label, (market.price, PRICE_DECIMALS), (value, required), Rounding.DOWN, value)


ABOUT: Final = (
    RuleSetInfo(
        name="morpho@1",
        family=Family.COLLATERAL_FACTOR,
        title="Morpho Blue, one market",
        formula="⌊⌊collateral·price/10^36⌋·LLTV⌋ against ⌈shares·(B + 1)/(N + 10^6)⌉, in the loan token",
        rounding="collateral value and limit down, debt up; virtual asset and shares in every conversion",
        equality="limit = borrowed is healthy; no shares are always healthy",
        source="morpho-org/morpho-blue",
        monotone=(
            MonotoneInput("collateral amount, price, LLTV", Trend.NEVER_FALLS),
            MonotoneInput("borrow shares, total borrowed assets (interest, time)", Trend.NEVER_RISES),
            MonotoneInput("total borrow shares at the same borrowed assets", Trend.NEVER_FALLS),
        ),
        is_mirrored=True,
    ),
)
