"""Weigh an engine account by an Aave v3 pool's rules (`rulesets.aave_v3` does the arithmetic).

| input | holds |
|---|---|
| collateral, debt leg | the scaled balance: amount / index, in token units; `decimals` are the token's |
| `market.indices[asset]` | (supply, borrow) index in ray, up to the block in question |
| `market.prices[asset]` | in the pool's base currency; used at 8 decimals, outward |
| `account.mode` | the account's e-mode category, 0 for none |

    equity = Σ c - Σ b        requirement = Σ c (1 - LT) for maintenance, Σ c (1 - LTV) for initial

The verdict for maintenance is the health factor's; for initial it is whether debt is within the borrowing power. An
unpriced or unindexed collateral counts zero, the same of a debt makes the verdict unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Role
from relayer.margin.engine.lines import closed, leg_line
from relayer.margin.engine.result import USD, Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.fixed_point import PERCENT
from relayer.margin.rulesets.aave_v3 import (
    AAVE_REVISIONS,
    BASE_TO_E18,
    AaveAccount,
    AaveCollateral,
    AaveDebt,
    AaveEmode,
    AaveFigures,
    account_figures,
    collateral_value,
    debt_value,
    terms_bps,
    to_leaf_figures,
)
from relayer.margin.view import Purpose, Rounding

BASE_DECIMALS: Final = 8

Parts = list[tuple[Leg, AaveCollateral | AaveDebt]]


@dataclass(frozen=True, slots=True)
class AaveReserve:
    """Hold one reserve's terms in basis points; `modes` are its terms in the e-mode categories that contain it."""

    ltv_bps: int
    threshold_bps: int
    modes: Mapping[int, AaveEmode]


@dataclass(frozen=True, slots=True)
class AaveRules:
    """Hold the parameters of one pool of one revision (a key of `AAVE_REVISIONS`)."""

    name: str
    reserves: Mapping[str, AaveReserve]
    unit: Unit = USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`. Raises: KeyError for a revision that does not exist."""
        parts, gaps = self._parts(account, market, end)
        mirror = AaveAccount(
            tuple(part for _, part in parts if isinstance(part, AaveCollateral)),
            tuple(part for _, part in parts if isinstance(part, AaveDebt)),
        )
        figures = account_figures(mirror, AAVE_REVISIONS[self.name])
        return self._evaluation(figures, parts, purpose, end, gaps)

    def _parts(self, account: Account, market: MarketData, end: End) -> tuple[Parts, tuple[Gap, ...]]:
        parts: Parts = []
        gaps = []
        for leg in account.legs:
            if leg.amount == 0:
                continue
            part = self._part(leg, market, account.mode, end)
            if isinstance(part, str):
                gaps.append(Gap(leg.name, part, leg.role is Role.COLLATERAL))
            else:
                parts.append((leg, part))
        return parts, tuple(gaps)

    def _part(self, leg: Leg, market: MarketData, mode: int, end: End) -> AaveCollateral | AaveDebt | str:
        """Return the venue's form of a leg, or the reason why there is none."""
        price, indices = market.prices.get(leg.asset), market.indices.get(leg.asset)
        if leg.role not in (Role.COLLATERAL, Role.DEBT):
            return f"a lending pool knows no leg of role {leg.role}"
        if price is None or indices is None:
            return f"no {'price' if price is None else 'index'} of {leg.asset}"
        if leg.role is Role.DEBT:
            used = price.scaled(BASE_DECIMALS).at(end, is_owed=True)
            return AaveDebt(leg.amount, indices.borrow, used, leg.decimals)
        used = price.scaled(BASE_DECIMALS).at(end, is_owed=False)
        reserve = self.reserves.get(leg.asset)
        if reserve is None:
            return f"no reserve of {leg.asset}"
        return AaveCollateral(
            scaled=leg.amount,
            index_ray=indices.supply,
            price=used,
            decimals=leg.decimals,
            ltv_bps=reserve.ltv_bps,
            threshold_bps=reserve.threshold_bps,
            emode=reserve.modes.get(mode) if mode else None,
        )

    def _evaluation(
        self, figures: AaveFigures, parts: Parts, purpose: Purpose, end: End, gaps: tuple[Gap, ...]
    ) -> Evaluation:
        leaf = to_leaf_figures(figures)
        is_initial = purpose is Purpose.INITIAL
        requirement = leaf.initial_usd if is_initial else leaf.maintenance_usd
        lines = [self._line(leg, part, is_initial=is_initial) for leg, part in parts]
        is_met = leaf.equity_usd >= requirement if is_initial else figures.is_healthy
        exposure = sum(line.exposure for line in lines)
        return Evaluation(
            rule_set=self.name,
            purpose=purpose,
            end=end,
            unit=self.unit,
            equity=leaf.equity_usd,
            requirement=requirement,
            collateral=leaf.collateral_usd,
            debt=leaf.liability_usd,
            verdict=Verdict.HEALTHY if is_met else Verdict.UNHEALTHY,
            health=health_of(
                leaf.equity_usd,
                requirement,
                leaf.collateral_usd,
                leaf.liability_usd,
                exposure,
                figures.health_factor_wad if figures.debt_base else None,
            ),
            lines=closed(lines, leaf.equity_usd, requirement, "rounding of the venue's own health factor"),
            gaps=gaps,
        )

    def _line(self, leg: Leg, part: AaveCollateral | AaveDebt, *, is_initial: bool) -> TermLine:
        revision = AAVE_REVISIONS[self.name]
        if isinstance(part, AaveDebt):
            owed = debt_value(part, revision) * BASE_TO_E18
            return leg_line(leg, f"{leg.asset} debt", (part.price, BASE_DECIMALS), (-owed, 0), Rounding.UP, owed)
        value = collateral_value(part, revision) * BASE_TO_E18
        ltv, threshold = terms_bps(part, revision)
        usable = ltv if is_initial else threshold
        required = value - value // PERCENT * usable
        label = f"{leg.asset} collateral at {'LTV' if is_initial else 'threshold'} {usable} bps"
        return leg_line(leg, label, (part.price, BASE_DECIMALS), (value, required), Rounding.DOWN, value)
