"""aave@3.7, aave@3.6, aave@3.0: what an Aave v3 pool says of an account, to the last unit.

Units: amounts in token units, balances and debts scaled (amount / index), indices in ray, prices and values in the
pool's base currency (8 decimals where it is the dollar), LTV and thresholds in basis points, health factor in wad.

| figure | 3.6 and 3.7 | 3.0 |
|---|---|---|
| collateral c | ⌊⌊a·I⌋ · p / 10^d⌋ | ⌊⟨a·I⟩ · p / 10^d⌋ |
| debt b | ⌈⌈v·J⌉ · p / 10^d⌉ | ⌊⟨v·J⟩ · p / 10^d⌋ |
| C, D | Σ c, Σ b | Σ c of reserves with LT > 0, Σ b |
| average LTV, LT | ⌊Σ c·LTV / C⌋, ⌊Σ c·LT / C⌋ | the same |
| health factor | ⌊⟨Σ c·LT · 10^18 / D⟩ / 10^4⌋ | ⟨⟨C · average LT / 10^4⟩ · 10^18 / D⟩ |
| available borrow | (⌊C · LTV / 10^4⌋ - D)⁺ | (⟨C · LTV / 10^4⟩ - D)⁺ |

⌊⌋ down, ⌈⌉ up, ⟨⟩ half up. No debt: health factor 2^256 - 1. Healthy iff health factor >= 10^18: equality is healthy.

Efficiency mode: a leg carries the terms of the account's category if the category's collateral bitmap (3.0: the
reserve's category) has the reserve. From 3.6 they replace the reserve's LTV and LT outright, and `is_ltv_zero` is the
category's own bit. In 3.0 a reserve with LT 0 does not count and one with LTV 0 keeps it. A category's own price is
the caller's to pass as the leg's price.

Not restated: 3.1 to 3.5, whose rounding changed piece by piece, and stable-rate debt, which 3.2 removed. Pools of those
revisions have no rule set here rather than a nearly right one. The numbers of 3.7 come from its published tests; no
package carries its contracts, so unlike 3.6 and 3.0 it is not compared with deployed code.

| input that grows | health factor | exceptions |
|---|---|---|
| collateral, its price, its LT | never falls | in 3.0 the average LT is floored: more of a collateral can lower it |
| debt, its price | never rises | none |
| available borrow, in collateral | no law | LTV 0 collateral lowers the average, and with it what may be borrowed |

Source: aave-dao/aave-v3-origin `GenericLogic`, `WadRayMath`, `PercentageMath`; @aave/core-v3 1.19.3 for 3.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from proofs.units import UINT256_MAX, UsdE18, mul_div_down, mul_div_up, power_of_ten
from relayer.margin.fixed_point import (
    PERCENT,
    WAD,
    percent_div_down,
    percent_div_half_up,
    percent_div_up,
    percent_mul_down,
    percent_mul_half_up,
    percent_mul_up,
    ray_div_down,
    ray_div_half_up,
    ray_div_up,
    ray_mul_down,
    ray_mul_half_up,
    ray_mul_up,
    wad_div_half_up,
)
from relayer.margin.leaf_figures import LeafFigures, agreeing_figures

HEALTHY_WAD: Final = WAD
BASE_TO_E18: Final = 10**10
"""The base currency has 8 decimals."""

Rounded = Callable[[int, int], int]


class ThresholdRule(StrEnum):
    """Say how a reserve's threshold and the category's meet, and how the health factor comes from them."""

    PRODUCTS = "sum of products; a category replaces both figures; threshold 0 counts"
    AVERAGES = "product of averages; LTV 0 survives a category; threshold 0 does not count"


class CloseRule(StrEnum):
    """Say how much of a debt one liquidation may repay."""

    HALF_OF_ACCOUNT = "half of all debt, all of it below the size limit or at 0.95 and below"
    HALF_OF_RESERVE = "half of the reserve's debt, all of it at 0.95 and below"


class ExhaustionRule(StrEnum):
    """Say when a liquidation left no collateral, so that the rest of the debt becomes the pool's deficit."""

    SCALED = "the scaled balance is consumed and nothing else was collateral"
    BASE_VALUE = "the value seized is the value of all collateral"
    NEVER = "no deficit is booked"


@dataclass(frozen=True, slots=True)
class AaveRevision:
    """Hold the rounding of one pool revision; every entry is a function whose name says which way."""

    name: str
    pool_revision: int
    collateral_amount: Rounded
    debt_amount: Rounded
    debt_value: Callable[[int, int, int], int]
    borrow_limit: Rounded
    thresholds: ThresholdRule
    seized: Rounded
    seized_base: Rounded
    protocol_fee: Rounded
    needed_debt: Rounded
    burned_collateral: Rounded
    burned_debt: Rounded
    close: CloseRule
    exhaustion: ExhaustionRule
    keeps_dust: bool


AAVE_REVISIONS: Final[Mapping[str, AaveRevision]] = MappingProxyType(
    {
        "aave@3.7": AaveRevision(
            name="aave@3.7",
            pool_revision=11,
            collateral_amount=ray_mul_down,
            debt_amount=ray_mul_up,
            debt_value=mul_div_up,
            borrow_limit=percent_mul_down,
            thresholds=ThresholdRule.PRODUCTS,
            seized=percent_mul_down,
            seized_base=percent_div_down,
            protocol_fee=percent_mul_up,
            needed_debt=percent_div_up,
            burned_collateral=ray_div_up,
            burned_debt=ray_div_down,
            close=CloseRule.HALF_OF_ACCOUNT,
            exhaustion=ExhaustionRule.SCALED,
            keeps_dust=False,
        ),
        "aave@3.6": AaveRevision(
            name="aave@3.6",
            pool_revision=10,
            collateral_amount=ray_mul_down,
            debt_amount=ray_mul_up,
            debt_value=mul_div_up,
            borrow_limit=percent_mul_down,
            thresholds=ThresholdRule.PRODUCTS,
            seized=percent_mul_half_up,
            seized_base=percent_div_half_up,
            protocol_fee=percent_mul_half_up,
            needed_debt=percent_div_up,
            burned_collateral=ray_div_up,
            burned_debt=ray_div_down,
            close=CloseRule.HALF_OF_ACCOUNT,
            exhaustion=ExhaustionRule.BASE_VALUE,
            keeps_dust=False,
        ),
        "aave@3.0": AaveRevision(
            name="aave@3.0",
            pool_revision=1,
            collateral_amount=ray_mul_half_up,
            debt_amount=ray_mul_half_up,
            debt_value=mul_div_down,
            borrow_limit=percent_mul_half_up,
            thresholds=ThresholdRule.AVERAGES,
            seized=percent_mul_half_up,
            seized_base=percent_div_half_up,
            protocol_fee=percent_mul_half_up,
            needed_debt=percent_div_half_up,
            burned_collateral=ray_div_half_up,
            burned_debt=ray_div_half_up,
            close=CloseRule.HALF_OF_RESERVE,
            exhaustion=ExhaustionRule.NEVER,
            keeps_dust=True,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class AaveEmode:
    """Hold the terms of the account's efficiency mode for one reserve, in basis points."""

    ltv_bps: int
    threshold_bps: int
    is_ltv_zero: bool = False


@dataclass(frozen=True, slots=True)
class AaveCollateral:
    """Hold one supplied asset that the account uses as collateral; `emode` is None outside the category."""

    scaled: int
    index_ray: int
    price: int
    decimals: int
    ltv_bps: int
    threshold_bps: int
    emode: AaveEmode | None = None


@dataclass(frozen=True, slots=True)
class AaveDebt:
    """Hold one variable-rate debt."""

    scaled: int
    index_ray: int
    price: int
    decimals: int


@dataclass(frozen=True, slots=True)
class AaveAccount:
    """Hold what one account supplied as collateral and borrowed, in the order of the pool's reserves."""

    collateral: tuple[AaveCollateral, ...]
    debt: tuple[AaveDebt, ...]


@dataclass(frozen=True, slots=True)
class AaveFigures:
    """Hold what the pool's getter returns, and the terms it is made of (base currency, one per leg, in order).

    `weighted_ltv` and `weighted_threshold` are Σ c·LTV and Σ c·LT over the legs that count.
    """

    revision: AaveRevision
    collateral_values: tuple[int, ...]
    debt_values: tuple[int, ...]
    weighted_ltv: int
    weighted_threshold: int

    @property
    def collateral_base(self) -> int:
        """Return the total collateral."""
        return sum(self.collateral_values)

    @property
    def debt_base(self) -> int:
        """Return the total debt."""
        return sum(self.debt_values)

    @property
    def average_ltv_bps(self) -> int:
        """Return the average LTV, floored; 0 without collateral."""
        return self.weighted_ltv // self.collateral_base if self.collateral_base else 0

    @property
    def average_threshold_bps(self) -> int:
        """Return the average liquidation threshold, floored; 0 without collateral."""
        return self.weighted_threshold // self.collateral_base if self.collateral_base else 0

    @property
    def health_factor_wad(self) -> int:
        """Return the health factor, 2^256 - 1 without debt."""
        if self.debt_base == 0:
            return UINT256_MAX
        if self.revision.thresholds is ThresholdRule.PRODUCTS:
            return wad_div_half_up(self.weighted_threshold, self.debt_base) // PERCENT
        weighted = percent_mul_half_up(self.collateral_base, self.average_threshold_bps)
        return wad_div_half_up(weighted, self.debt_base)

    @property
    def is_healthy(self) -> bool:
        """Tell whether the pool refuses to liquidate: a health factor of exactly 1 is healthy."""
        return self.health_factor_wad >= HEALTHY_WAD

    @property
    def available_base(self) -> int:
        """Return what may still be borrowed, in the base currency."""
        return available_borrow(self.revision, self.collateral_base, self.debt_base, self.average_ltv_bps)


def account_figures(account: AaveAccount, revision: AaveRevision) -> AaveFigures:
    """Weigh one account as the pool of that revision does; see the module docstring.

    An account without any position gives zeros and the health factor of no debt.
    """
    legs = [leg for leg in account.collateral if _counts(leg, revision)]
    values = tuple(collateral_value(leg, revision) for leg in legs)
    terms = [terms_bps(leg, revision) for leg in legs]
    return AaveFigures(
        revision=revision,
        collateral_values=values,
        debt_values=tuple(debt_value(leg, revision) for leg in account.debt),
        weighted_ltv=sum(value * ltv for value, (ltv, _) in zip(values, terms, strict=True)),
        weighted_threshold=sum(value * threshold for value, (_, threshold) in zip(values, terms, strict=True)),
    )


def collateral_value(leg: AaveCollateral, revision: AaveRevision) -> int:
    """Return a collateral's value in the base currency; the last rounding is down in every revision."""
    amount = revision.collateral_amount(leg.scaled, leg.index_ray)
    return mul_div_down(amount, leg.price, power_of_ten(leg.decimals))


def debt_value(leg: AaveDebt, revision: AaveRevision) -> int:
    """Return a debt's value in the base currency."""
    amount = revision.debt_amount(leg.scaled, leg.index_ray)
    return revision.debt_value(amount, leg.price, power_of_ten(leg.decimals))


def terms_bps(leg: AaveCollateral, revision: AaveRevision) -> tuple[int, int]:
    """Return the LTV and the liquidation threshold that apply to a collateral."""
    emode = leg.emode
    if emode is None:
        return leg.ltv_bps, leg.threshold_bps
    if revision.thresholds is ThresholdRule.PRODUCTS:
        return (0 if emode.is_ltv_zero else emode.ltv_bps), emode.threshold_bps
    return (0 if leg.ltv_bps == 0 else emode.ltv_bps), emode.threshold_bps


def available_borrow(revision: AaveRevision, collateral_base: int, debt_base: int, ltv_bps: int) -> int:
    """Return what may still be borrowed against this much collateral at this average LTV."""
    return max(0, revision.borrow_limit(collateral_base, ltv_bps) - debt_base)


def to_leaf_figures(figures: AaveFigures) -> LeafFigures:
    """Return collateral Σ c, liability Σ b, initial Σ c(1 - LTV), maintenance Σ c(1 - LT), of a pool in US dollars.

    Exact from 3.6 on: Σ c·(10^4 - LT)·10^10 / 10^4 is an integer. In 3.0 the weighted collateral is ⟨C · average⟩, as
    in its health factor. Where the last half-up rounding alone makes an account healthy (debts beyond 2·10^10 dollars)
    the requirement gives it back; see `relayer.margin.leaf_figures`.
    """
    collateral = figures.collateral_base * BASE_TO_E18
    if figures.revision.thresholds is ThresholdRule.PRODUCTS:
        per_bps = BASE_TO_E18 // PERCENT
        usable, borrowable = figures.weighted_threshold * per_bps, figures.weighted_ltv * per_bps
    else:
        base = figures.collateral_base
        usable = percent_mul_half_up(base, figures.average_threshold_bps) * BASE_TO_E18
        borrowable = percent_mul_half_up(base, figures.average_ltv_bps) * BASE_TO_E18
    exact = LeafFigures(
        collateral_usd=UsdE18(collateral),
        liability_usd=UsdE18(figures.debt_base * BASE_TO_E18),
        initial_usd=UsdE18(collateral - borrowable),
        maintenance_usd=UsdE18(collateral - usable),
    )
    return agreeing_figures(exact, is_healthy=figures.is_healthy)


def _counts(leg: AaveCollateral, revision: AaveRevision) -> bool:
    return revision.thresholds is ThresholdRule.PRODUCTS or leg.threshold_bps != 0
