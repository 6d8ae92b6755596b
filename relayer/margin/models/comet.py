"""Weigh an engine account by a Compound v3 market's rules (`rulesets.comet` does the arithmetic).

| input | holds |
|---|---|
| cash leg of the base asset | the signed principal: balance / index, in token units; negative is a borrow |
| collateral leg | the balance of one of the market's assets, in token units |
| `market.indices[base]` | (supply, borrow) index, 10^15 is one, up to the block in question |
| `market.prices[asset]` | in US dollars; used at 8 decimals, outward |

    equity = Σ c + B        requirement = Σ (c - [c · f]₀), f the liquidate factor for maintenance, the borrow factor
                            for initial, so that excess is the liquidity L of `rulesets.comet`

The verdict is the market's own. It reads its assets in the order of the rules, whatever the order of the legs, and
stops as soon as L >= 0:

| no price of a collateral | verdict | figures |
|---|---|---|
| behind the stop, or without debt | the market's: it never reads that feed | it counts zero, and is a gap |
| before the stop | unknown: the market would revert | it counts zero, and is a gap |

Several legs of one asset are one balance, as in the market. Of a borrow without price or index nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from proofs.units import format_decimal
from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Role
from relayer.margin.engine.lines import closed, leg_line
from relayer.margin.engine.result import USD, Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.fixed_point import wad_mul_down
from relayer.margin.models.lending import fault_of, gap_of, price_at
from relayer.margin.rulesets.comet import (
    VALUE_TO_E18,
    Answer,
    CometAccount,
    CometBase,
    CometCollateral,
    CometFigures,
    account_figures,
    base_value,
    collateral_value,
)
from relayer.margin.view import Purpose, Rounding

PRICE_DECIMALS: Final = 8
NO_BASE: Final = CometBase(0, 0, 0, None, 0)

Part = CometBase | CometCollateral


@dataclass(frozen=True, slots=True)
class CometAsset:
    """Hold one collateral asset's terms in wad; the liquidation factor is what absorption credits."""

    asset: str
    borrow_factor_wad: int
    liquidate_factor_wad: int
    liquidation_factor_wad: int = 0


@dataclass(frozen=True, slots=True)
class CometForm:
    """Hold an account as the market sees it, each leg as if it were the only one of its asset, and what is missing."""

    account: CometAccount
    parts: tuple[tuple[Leg, Part], ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class CometRules:
    """Hold the terms of one market; `assets` in the order in which the market reads them."""

    base: str
    assets: tuple[CometAsset, ...]
    name: str = "comet@1"
    unit: Unit = USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`."""
        form = self.form(account, market, end)
        figures = account_figures(form.account)
        is_initial = purpose is Purpose.INITIAL
        lines = [_line(leg, part, is_initial=is_initial) for leg, part in form.parts]
        collateral, base = sum(figures.collateral_values), figures.base_value
        liquidity = figures.borrow_liquidity if is_initial else figures.liquidation_liquidity
        equity = (collateral + base) * VALUE_TO_E18
        requirement = equity - liquidity * VALUE_TO_E18
        held, owed = (collateral + max(0, base)) * VALUE_TO_E18, max(0, -base) * VALUE_TO_E18
        return Evaluation(
            rule_set=self.name,
            purpose=purpose,
            end=end,
            unit=self.unit,
            equity=equity,
            requirement=requirement,
            collateral=held,
            debt=owed,
            buffer_on=owed,
            verdict=_verdict(figures, is_initial=is_initial),
            health=health_of(equity, requirement, held, owed, sum(line.exposure for line in lines)),
            lines=closed(lines, equity, requirement, "several legs of one balance"),
            gaps=form.gaps,
        )

    def form(self, account: Account, market: MarketData, end: End) -> CometForm:
        """Return the account as the market sees it at one end of the prices."""
        balances, gaps = self._balances(account)
        base, held = NO_BASE, []
        parts: list[tuple[Leg, Part]] = []
        for asset, legs in balances.items():
            part, reason = self._part(asset, legs, market, end)
            if reason:
                is_held = sum(leg.amount for leg in legs) > 0
                gaps += [Gap(leg.name, reason, is_held) for leg in legs]
            if isinstance(part, CometBase):
                base = part
                parts += [(leg, replace(part, principal=leg.amount)) for leg in legs]
            elif part is not None:
                held.append(part)
                parts += [(leg, replace(part, balance=leg.amount)) for leg in legs]
        return CometForm(CometAccount(base, tuple(held)), tuple(parts), tuple(gaps))

    def _balances(self, account: Account) -> tuple[Mapping[str, Sequence[Leg]], list[Gap]]:
        """Return the legs by asset in the market's order, and those that it has no place for."""
        gaps: list[Gap] = []
        places: dict[str, list[Leg]] = {asset: [] for asset in (self.base, *(one.asset for one in self.assets))}
        for leg in account.legs:
            if leg.amount == 0:
                continue
            reason = fault_of(leg) or self._misfit(leg, places.get(leg.asset))
            if reason:
                gaps.append(gap_of(leg, reason))
            else:
                places[leg.asset].append(leg)
        return {asset: legs for asset, legs in places.items() if sum(leg.amount for leg in legs)}, gaps

    def _misfit(self, leg: Leg, others: Sequence[Leg] | None) -> str:
        role = Role.CASH if leg.asset == self.base else Role.COLLATERAL
        if others is None:
            return f"the market has no asset {leg.asset}"
        if leg.role is not role:
            return f"the market keeps {leg.asset} as {role}, not as {leg.role}"
        if others and others[0].decimals != leg.decimals:
            return f"{leg.asset} with {leg.decimals} decimals and with {others[0].decimals}"
        return ""

    def _part(self, asset: str, legs: Sequence[Leg], market: MarketData, end: End) -> tuple[Part | None, str]:
        """Return the venue's form of one balance, None where nothing is known of it, and what is missing."""
        amount, decimals = sum(leg.amount for leg in legs), legs[0].decimals
        price = market.prices.get(asset)
        used = None if price is None else price_at(price, PRICE_DECIMALS, end, is_owed=amount < 0)
        reason = f"no price of {asset}" if used is None else ""
        if asset != self.base:
            (one,) = (one for one in self.assets if one.asset == asset)
            factors = one.borrow_factor_wad, one.liquidate_factor_wad, one.liquidation_factor_wad
            return CometCollateral(amount, used, decimals, *factors), reason
        indices = market.indices.get(asset)
        if indices is None or min(indices.supply, indices.borrow) <= 0:
            return None, f"no index of {asset}"
        if used is None and amount < 0:
            return None, reason
        return CometBase(amount, indices.supply, indices.borrow, used, decimals), reason


def _verdict(figures: CometFigures, *, is_initial: bool) -> Verdict:
    answer = figures.is_borrow_collateralized if is_initial else figures.is_liquidatable
    if answer is Answer.REVERTS:
        return Verdict.UNKNOWN
    return Verdict.HEALTHY if (answer is Answer.YES) is is_initial else Verdict.UNHEALTHY


def _line(leg: Leg, part: Part, *, is_initial: bool) -> TermLine:
    price = (part.price or 0, PRICE_DECIMALS)
    if isinstance(part, CometBase):
        value = base_value(part) * VALUE_TO_E18 if part.price is not None else 0
        label = f"{leg.asset} {'borrowed' if leg.amount < 0 else 'supplied'}, toward zero"
        return leg_line(leg, label, price, (value, 0), Rounding.DOWN, abs(value))
    worth = collateral_value(part) or 0
    factor = part.borrow_factor_wad if is_initial else part.liquidate_factor_wad
    required = (worth - wad_mul_down(worth, factor)) * VALUE_TO_E18
    name = "borrow" if is_initial else "liquidate"
    label = f"{leg.asset} collateral at {name} factor {format_decimal(factor, 18)}"
    return leg_line(leg, label, price, (worth * VALUE_TO_E18, required), Rounding.DOWN, worth * VALUE_TO_E18)


ABOUT: Final = (
    RuleSetInfo(
        name="comet@1",
        family=Family.COLLATERAL_FACTOR,
        title="Compound v3 (Comet), one market",
        formula="L = [B·p/s]₀ + Σ [[b·p/s]₀·f]₀; f is the liquidate factor (initial: the borrow factor)",
        rounding="every step toward zero, so a debt is shortened; present value by the index toward zero",
        equality="L = 0 is healthy",
        source="compound-finance/comet Comet, CometCore",
        monotone=(
            MonotoneInput("collateral amount, price, factor", Trend.NEVER_FALLS),
            MonotoneInput("principal (signed), supply index", Trend.NEVER_FALLS),
            MonotoneInput("borrow index", Trend.NEVER_RISES),
            MonotoneInput("price of the base asset of a borrower", Trend.NEVER_RISES),
            MonotoneInput(
                "verdict, in an asset whose feed fails",
                Trend.NO_LAW,
                "a balance of 1 of an asset read before the stop whose feed fails turns healthy into unknown",
            ),
        ),
        is_mirrored=True,
    ),
)
