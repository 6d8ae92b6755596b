"""Pre-liquidation of a Morpho Blue position: thresholds between the pre-liquidation LTV and the market's.

Units as in `morpho`. An offered contract has its own lower threshold `pre` and two pairs of factors; between `pre` and
LLTV close factor and incentive factor grow linearly:

    ltv = ⌈borrowed / collateral value⌉,  q = ⌊(ltv - pre) / (LLTV - pre)⌋,  factor = x₁ + ⌊q (x₂ - x₁)⌋      (in wad)

| borrowed | state |
|---|---|
| <= ⌊value · pre⌋ | healthy: equality is healthy |
| <= ⌊value · LLTV⌋ | may be pre-liquidated, up to the close factor of its shares |
| more | the market's own liquidation: pre-liquidation says nothing |

The figures of a position (health, price, usage, borrowable, withdrawable) are taken with `pre` in place of LLTV.

Source: morpho-org/sdks `PreLiquidationPosition`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from proofs.units import mul_div_down
from relayer.margin.fixed_point import wad_div_down, wad_div_up, wad_mul_down
from relayer.margin.rulesets.morpho import (
    ORACLE_ONE,
    MorphoFigures,
    MorphoMarket,
    MorphoPosition,
    assets_down,
    position_figures,
)


class PreLiquidationState(StrEnum):
    """Say on which side of the two thresholds a position lies."""

    HEALTHY = "healthy"
    PRE_LIQUIDATABLE = "pre_liquidatable"
    LIQUIDATABLE = "liquidatable"


@dataclass(frozen=True, slots=True)
class PreLiquidationTerms:
    """Hold the terms of one offered contract, in wad: threshold, close factors, incentive factors."""

    pre_lltv_wad: int
    close_factors_wad: tuple[int, int]
    incentive_factors_wad: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PreLiquidationFigures:
    """Hold the state, what may be seized (collateral units), and the figures at the lower threshold."""

    state: PreLiquidationState
    seizable_collateral: int
    repayable_shares: int
    at_threshold: MorphoFigures


def pre_liquidation_figures(
    market: MorphoMarket, position: MorphoPosition, terms: PreLiquidationTerms
) -> PreLiquidationFigures:
    """Weigh one position against an offered contract; see the module docstring.

    Raises: ValueError for a threshold that does not lie below the market's.
    """
    if not 0 < terms.pre_lltv_wad < market.lltv_wad:
        raise ValueError(f"pre-liquidation at {terms.pre_lltv_wad}, market at {market.lltv_wad}")
    lower = position_figures(replace(market, lltv_wad=terms.pre_lltv_wad), position)
    state = _state(market, lower)
    if state is not PreLiquidationState.PRE_LIQUIDATABLE:
        return PreLiquidationFigures(state, 0, 0, lower)
    ltv = wad_div_up(lower.borrowed, lower.collateral_value)
    quotient = wad_div_down(ltv - terms.pre_lltv_wad, market.lltv_wad - terms.pre_lltv_wad)
    shares = wad_mul_down(position.borrow_shares, _between(terms.close_factors_wad, quotient))
    repaid = assets_down(shares, market.borrow_assets, market.borrow_shares)
    quoted = wad_mul_down(repaid, _between(terms.incentive_factors_wad, quotient))
    return PreLiquidationFigures(state, mul_div_down(quoted, ORACLE_ONE, market.price), shares, lower)


def _state(market: MorphoMarket, lower: MorphoFigures) -> PreLiquidationState:
    if lower.borrowed > wad_mul_down(lower.collateral_value, market.lltv_wad):
        return PreLiquidationState.LIQUIDATABLE
    return PreLiquidationState.HEALTHY if lower.is_healthy else PreLiquidationState.PRE_LIQUIDATABLE


def _between(ends: tuple[int, int], quotient_wad: int) -> int:
    low, high = ends
    return low + wad_mul_down(quotient_wad, high - low)
