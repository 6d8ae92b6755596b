"""Weigh an engine account by an Aave v3 pool's rules (`rulesets.aave_v3` does the arithmetic).

| input | holds |
|---|---|
| collateral, debt leg | the scaled balance: amount / index, in token units; `decimals` are the token's |
| `market.indices[asset]` | (supply, borrow) index in ray, up to the block in question |
| `market.prices[asset]` | in the pool's base currency; used at 8 decimals, outward |
| `account.mode` | the account's e-mode category, 0 for none |

    equity = Σ c - Σ b        requirement = Σ c (1 - LT) for maintenance, Σ c (1 - LTV) for initial

| purpose | healthy when |
|---|---|
| maintenance | the health factor is at least 1 |
| initial | the debt is within the borrowing power, collateral times its floored average LTV |

So the initial verdict may be stricter than the sign of its excess, which is weighted leg by leg: by less than one basis
point of the collateral. A supply that the account does not use as collateral is no leg. A category that keeps assets
outside it from being borrowed against lists them in `modes` with LTV 0 and their own threshold.

| not usable | collateral | debt |
|---|---|---|
| no price, no index, no reserve | counts zero, gap; not known where weights are averaged | not known, gap |
| threshold 0, in 3.0 | counts zero, as in the pool | - |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Role
from relayer.margin.engine.lines import closed, leg_line
from relayer.margin.engine.result import ANY_PPM, USD, Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.fixed_point import PERCENT
from relayer.margin.models.lending import fault_of, gap_of, price_at
from relayer.margin.rulesets.aave_v3 import (
    AAVE_REVISIONS,
    BASE_TO_E18,
    AaveAccount,
    AaveCollateral,
    AaveDebt,
    AaveEmode,
    AaveFigures,
    ThresholdRule,
    account_figures,
    available_borrow,
    terms_bps,
    to_leaf_figures,
)
from relayer.margin.view import Purpose, Rounding

BASE_DECIMALS: Final = 8

Part = AaveCollateral | AaveDebt
Values = tuple[Iterator[int], Iterator[int]]


@dataclass(frozen=True, slots=True)
class AaveReserve:
    """Hold one reserve's terms in basis points; `modes` are its terms in the e-mode categories that contain it.

    Bonuses (10500 is 5 % above par, 0 where not given) and the protocol's fee on them serve liquidations alone.
    Raises: ValueError for an LTV or threshold outside 0 … 10,000.
    """

    ltv_bps: int
    threshold_bps: int
    modes: Mapping[int, AaveEmode] = field(default_factory=lambda: MappingProxyType({}))
    bonus_bps: int = 0
    mode_bonuses_bps: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    protocol_fee_bps: int = 0

    def __post_init__(self) -> None:
        figures = [self.ltv_bps, self.threshold_bps]
        figures += [bps for mode in self.modes.values() for bps in (mode.ltv_bps, mode.threshold_bps)]
        if not all(0 <= bps <= PERCENT for bps in figures):
            raise ValueError(f"LTV or threshold outside 0..{PERCENT} bps: {figures}")

    def bonus_in(self, mode: int) -> int:
        """Return the liquidation bonus for an account in this category, 0 for none."""
        return self.mode_bonuses_bps.get(mode, self.bonus_bps) if mode in self.modes else self.bonus_bps


@dataclass(frozen=True, slots=True)
class AaveForm:
    """Hold an account as the pool sees it, the leg of each part, and what is missing."""

    account: AaveAccount
    parts: tuple[tuple[Leg, Part], ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class AaveRules:
    """Hold the parameters of one pool of one revision (a key of `AAVE_REVISIONS`)."""

    name: str
    reserves: Mapping[str, AaveReserve]
    unit: Unit = USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`. Raises: KeyError for a revision that does not exist."""
        form = self.form(account, market, end)
        return self._evaluation(form, account_figures(form.account, AAVE_REVISIONS[self.name]), purpose, end)

    def form(self, account: Account, market: MarketData, end: End) -> AaveForm:
        """Return the account as the pool sees it at one end of the prices."""
        parts: list[tuple[Leg, Part]] = []
        gaps = []
        for leg in account.legs:
            if leg.amount == 0:
                continue
            part = self._part(leg, market, account.mode, end)
            if isinstance(part, str):
                gaps.append(gap_of(leg, part))
            else:
                parts.append((leg, part))
        mirror = AaveAccount(
            tuple(part for _, part in parts if isinstance(part, AaveCollateral)),
            tuple(part for _, part in parts if isinstance(part, AaveDebt)),
        )
        return AaveForm(mirror, tuple(parts), tuple(gaps))

    def _part(self, leg: Leg, market: MarketData, mode: int, end: End) -> Part | str:
        """Return the venue's form of a leg, or the reason why there is none."""
        if leg.role not in (Role.COLLATERAL, Role.DEBT):
            return f"a lending pool knows no leg of role {leg.role}"
        fault = fault_of(leg)
        if fault:
            return fault
        price, indices = market.prices.get(leg.asset), market.indices.get(leg.asset)
        if price is None or indices is None or min(indices.supply, indices.borrow) <= 0:
            return f"no {'price' if price is None else 'index'} of {leg.asset}"
        used = price_at(price, BASE_DECIMALS, end, is_owed=leg.role is Role.DEBT)
        if leg.role is Role.DEBT:
            return AaveDebt(leg.amount, indices.borrow, used, leg.decimals)
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

    def _evaluation(self, form: AaveForm, figures: AaveFigures, purpose: Purpose, end: End) -> Evaluation:
        leaf = to_leaf_figures(figures)
        is_initial = purpose is Purpose.INITIAL
        requirement = leaf.initial_usd if is_initial else leaf.maintenance_usd
        values = iter(figures.collateral_values), iter(figures.debt_values)
        lines = [self._line(leg, part, values, is_initial=is_initial) for leg, part in form.parts]
        is_met = _is_within_power(figures) if is_initial else figures.is_healthy
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
            buffer_on=leaf.liability_usd,
            verdict=Verdict.HEALTHY if is_met else Verdict.UNHEALTHY,
            health=health_of(
                leaf.equity_usd,
                requirement,
                leaf.collateral_usd,
                leaf.liability_usd,
                exposure,
                figures.health_factor_wad if figures.debt_base else None,
            ),
            lines=closed(lines, leaf.equity_usd, requirement, "rounding of the pool's own averages and health factor"),
            gaps=form.gaps,
            zero_is_worst_to_ppm=0 if self._is_averaged(purpose) else ANY_PPM,
        )

    def _is_averaged(self, purpose: Purpose) -> bool:
        """Tell whether one average weight, cut to a basis point, is that of all collateral: less may then be more."""
        return purpose is Purpose.INITIAL or AAVE_REVISIONS[self.name].thresholds is ThresholdRule.AVERAGES

    def _line(self, leg: Leg, part: Part, values: Values, *, is_initial: bool) -> TermLine:
        """Return the line of a leg; `values` are those of the collateral and debts that counted, in their order."""
        revision = AAVE_REVISIONS[self.name]
        price = (part.price, BASE_DECIMALS)
        if isinstance(part, AaveDebt):
            owed = next(values[1]) * BASE_TO_E18
            rounding = Rounding.DOWN if revision.thresholds is ThresholdRule.AVERAGES else Rounding.UP
            return leg_line(leg, f"{leg.asset} debt", price, (-owed, 0), rounding, owed)
        if part.threshold_bps == 0 and revision.thresholds is ThresholdRule.AVERAGES:
            return leg_line(leg, f"{leg.asset} with threshold 0 does not count", price, (0, 0), Rounding.EXACT)
        value = next(values[0]) * BASE_TO_E18
        ltv, threshold = terms_bps(part, revision)
        usable = ltv if is_initial else threshold
        required = value - value // PERCENT * usable
        label = f"{leg.asset} collateral at {'LTV' if is_initial else 'threshold'} {usable} bps"
        return leg_line(leg, label, price, (value, required), Rounding.DOWN, value)


def _is_within_power(figures: AaveFigures) -> bool:
    """Tell whether the pool lets the account keep its debt as a new borrow: debt <= collateral · average LTV."""
    without = available_borrow(figures.revision, figures.collateral_base, 0, figures.average_ltv_bps)
    return figures.debt_base <= without


def _about(name: str, title: str, exceptions: tuple[MonotoneInput, ...], rounding: str) -> RuleSetInfo:
    return RuleSetInfo(
        name=name,
        family=Family.COLLATERAL_FACTOR,
        title=title,
        formula="health factor = Σ c·LT : Σ b; initial: Σ b <= C · average LTV",
        rounding=rounding,
        equality="a health factor of exactly 1 is healthy",
        source="aave-dao/aave-v3-origin GenericLogic; @aave/core-v3 1.19.3 for 3.0",
        monotone=(
            MonotoneInput("debt amount, its price, borrow index", Trend.NEVER_RISES),
            *exceptions,
            MonotoneInput(
                "initial verdict, in collateral",
                Trend.NO_LAW,
                "100 at LTV 50 % lend 50; with 1 more at LTV 0 the average is 49.50 % and 101 lend 49",
            ),
        ),
        is_mirrored=True,
        is_experimental=name == "aave@3.7",
    )


_SUM_OF_PRODUCTS: Final = (MonotoneInput("collateral amount, its price, threshold, supply index", Trend.NEVER_FALLS),)
_AVERAGES: Final = (
    MonotoneInput(
        "collateral amount and price",
        Trend.NO_LAW,
        "20,000 at 80 % against 10,000: 1.6; with 1 more at 1 % the floored average is 79.99 %, and health 1.5999",
    ),
    MonotoneInput("threshold, supply index of the only collateral", Trend.NEVER_FALLS),
)
_NEW_ROUNDING: Final = "collateral down, debt up, health factor half up then down; bonus "

ABOUT: Final = (
    _about("aave@3.7", "Aave v3.7 pool", _SUM_OF_PRODUCTS, _NEW_ROUNDING + "down"),
    _about("aave@3.6", "Aave v3.6 pool", _SUM_OF_PRODUCTS, _NEW_ROUNDING + "half up"),
    _about("aave@3.0", "Aave v3.0 pool", _AVERAGES, "amounts and products half up, values and averages down"),
)
