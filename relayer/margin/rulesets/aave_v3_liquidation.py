"""Aave v3: the amounts of one liquidation, to the last unit.

Units as in `aave_v3`: balances scaled, indices in ray, prices and totals in the base currency (8 decimals), bonus and
fee in basis points (10500 is 5 % above par; the fee is a share of the bonus part), amounts in token units.

| step | 3.7 | 3.6 | 3.0 |
|---|---|---|---|
| may be repaid | all, or ⟨half of all debt⟩ (see below) | the same | all, or ⟨half of the reserve's⟩ |
| base = debt price · repaid / collateral price, in units | down | down | down |
| seized = base · bonus | down | half up | half up |
| beyond the balance: repaid = value of the balance / bonus | up | up | half up |
| fee = (seized - seized / bonus) · fee | down, up | half up, half up | half up, half up |
| leftover | debt and collateral 0 or >= 1000 each, else refused | the same | no rule |
| scaled collateral after | s - ⌈actual / I⌉ - ⌈fee / I⌉, not below 0 | the same | ⟨⟩, ⟨⟩ |
| scaled debt after | v - ⌊repaid / J⌋ | the same | ⟨⟩ |
| no collateral left | the scaled balance is consumed, no other counts | value seized = value of all | never asked |

Half is the limit where the health factor is above 0.95; from 3.6 on also only where the collateral and the debt of the
pair are worth 2000 or more each. With no collateral left the whole debt of the reserve is burned, and what was not
repaid, here and in other reserves, becomes the pool's deficit.

Source: aave-dao/aave-v3-origin `LiquidationLogic` and docs/3.7; @aave/core-v3 1.19.3 `LiquidationLogic`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofs.units import mul_div_down, power_of_ten
from relayer.margin.fixed_point import percent_mul_half_up
from relayer.margin.rulesets.aave_v3 import HEALTHY_WAD, AaveRevision, CloseRule, ExhaustionRule

CLOSE_FACTOR_BPS: Final = 5_000
FULL_CLOSE_HEALTH_WAD: Final = 95 * 10**16
FULL_CLOSE_BASE: Final = 2_000 * 10**8
LEFTOVER_BASE: Final = 1_000 * 10**8


@dataclass(frozen=True, slots=True)
class AavePair:
    """Hold the collateral and the debt of one liquidation, as of its block."""

    scaled_collateral: int
    collateral_index_ray: int
    collateral_price: int
    collateral_decimals: int
    bonus_bps: int
    protocol_fee_bps: int
    scaled_debt: int
    debt_index_ray: int
    debt_price: int
    debt_decimals: int


@dataclass(frozen=True, slots=True)
class AaveTotals:
    """Hold the account's totals before the liquidation, as `aave_v3.account_figures` gives them."""

    collateral_base: int
    debt_base: int
    health_factor_wad: int


@dataclass(frozen=True, slots=True)
class AaveSeizure:
    """Hold what one liquidation moves, in token units.

    `collateral` and `debt` are the balances before. `leaves_dust`: the pool refuses this amount. `deficit` is the
    unpaid debt of this reserve that the pool books; `creates_deficit` counts other reserves too.
    """

    collateral: int
    debt: int
    repaid: int
    actual_collateral: int
    protocol_fee: int
    scaled_collateral_after: int
    scaled_debt_after: int
    debt_after: int
    deficit: int
    is_reserve_consumed: bool
    creates_deficit: bool
    leaves_dust: bool


@dataclass(frozen=True, slots=True)
class _Values:
    """Hold the pair in token units and in the base currency."""

    collateral: int
    debt: int
    collateral_base: int
    debt_base: int


@dataclass(frozen=True, slots=True)
class _Move:
    """Hold what the liquidation takes (fee included), what it repays, and the fee, in token units."""

    seized: int
    repaid: int
    fee: int


def liquidate(revision: AaveRevision, pair: AavePair, totals: AaveTotals, debt_to_cover: int | None) -> AaveSeizure:
    """Return the amounts of a liquidation that offers `debt_to_cover` token units (None: as much as allowed).

    Raises: ValueError for an account that the pool calls healthy, or a pair without debt or collateral.
    """
    if totals.health_factor_wad >= HEALTHY_WAD:
        raise ValueError(f"a health factor of {totals.health_factor_wad} is not liquidatable")
    values = _values(revision, pair)
    if values.debt == 0 or values.collateral == 0:
        raise ValueError("the pair has no debt or no collateral")
    allowed = maximum_repayment(revision, pair, totals)
    offered = allowed if debt_to_cover is None else min(debt_to_cover, allowed)
    seized, repaid = _seized(revision, pair, values.collateral, offered)
    move = _Move(seized, repaid, _protocol_fee(revision, pair, seized))
    return _outcome(revision, pair, totals, values, move)


def maximum_repayment(revision: AaveRevision, pair: AavePair, totals: AaveTotals) -> int:
    """Return how much of the pair's debt one liquidation may repay, in token units."""
    values = _values(revision, pair)
    if totals.health_factor_wad <= FULL_CLOSE_HEALTH_WAD:
        return values.debt
    if revision.close is CloseRule.HALF_OF_RESERVE:
        return percent_mul_half_up(values.debt, CLOSE_FACTOR_BPS)
    if min(values.collateral_base, values.debt_base) < FULL_CLOSE_BASE:
        return values.debt
    half_base = percent_mul_half_up(totals.debt_base, CLOSE_FACTOR_BPS)
    if values.debt_base <= half_base:
        return values.debt
    return mul_div_down(half_base, power_of_ten(pair.debt_decimals), pair.debt_price)


def _values(revision: AaveRevision, pair: AavePair) -> _Values:
    collateral = revision.collateral_amount(pair.scaled_collateral, pair.collateral_index_ray)
    debt = revision.debt_amount(pair.scaled_debt, pair.debt_index_ray)
    return _Values(
        collateral=collateral,
        debt=debt,
        collateral_base=_collateral_base(pair, collateral),
        debt_base=_debt_base(revision, pair, debt),
    )


def _seized(revision: AaveRevision, pair: AavePair, balance: int, offered: int) -> tuple[int, int]:
    """Return the collateral taken, fee included, and the debt repaid for it."""
    collateral_unit, debt_unit = power_of_ten(pair.collateral_decimals), power_of_ten(pair.debt_decimals)
    base = mul_div_down(pair.debt_price * offered, collateral_unit, pair.collateral_price * debt_unit)
    wanted = revision.seized(base, pair.bonus_bps)
    if wanted <= balance:
        return wanted, offered
    value = mul_div_down(pair.collateral_price * balance, debt_unit, pair.debt_price * collateral_unit)
    return balance, revision.needed_debt(value, pair.bonus_bps)


def _protocol_fee(revision: AaveRevision, pair: AavePair, seized: int) -> int:
    if pair.protocol_fee_bps == 0:
        return 0
    bonus = seized - revision.seized_base(seized, pair.bonus_bps)
    return revision.protocol_fee(bonus, pair.protocol_fee_bps)


def _outcome(revision: AaveRevision, pair: AavePair, totals: AaveTotals, values: _Values, move: _Move) -> AaveSeizure:
    index, actual = pair.collateral_index_ray, move.seized - move.fee
    consumed = revision.burned_collateral(actual, index) + revision.burned_collateral(move.fee, index)
    is_consumed = consumed >= pair.scaled_collateral
    if revision.exhaustion is ExhaustionRule.SCALED:
        is_bare = is_consumed and totals.collateral_base == values.collateral_base
    else:
        seized_base = _collateral_base(pair, move.seized)
        is_bare = revision.exhaustion is ExhaustionRule.BASE_VALUE and totals.collateral_base == seized_base
    unpaid = values.debt - move.repaid
    burned = values.debt if is_bare else move.repaid
    scaled_debt = pair.scaled_debt - revision.burned_debt(burned, pair.debt_index_ray)
    return AaveSeizure(
        collateral=values.collateral,
        debt=values.debt,
        repaid=move.repaid,
        actual_collateral=actual,
        protocol_fee=move.fee,
        scaled_collateral_after=max(0, pair.scaled_collateral - consumed),
        scaled_debt_after=scaled_debt,
        debt_after=revision.debt_amount(scaled_debt, pair.debt_index_ray),
        deficit=unpaid if is_bare else 0,
        is_reserve_consumed=is_consumed,
        creates_deficit=is_bare and (unpaid > 0 or totals.debt_base > values.debt_base),
        leaves_dust=_leaves_dust(revision, pair, unpaid, values.collateral - move.seized),
    )


def _leaves_dust(revision: AaveRevision, pair: AavePair, debt_left: int, collateral_left: int) -> bool:
    if revision.keeps_dust or debt_left == 0 or collateral_left == 0:
        return False
    left = (_debt_base(revision, pair, debt_left), _collateral_base(pair, collateral_left))
    return min(left) < LEFTOVER_BASE


def _collateral_base(pair: AavePair, amount: int) -> int:
    return mul_div_down(amount, pair.collateral_price, power_of_ten(pair.collateral_decimals))


def _debt_base(revision: AaveRevision, pair: AavePair, amount: int) -> int:
    return revision.debt_value(amount, pair.debt_price, power_of_ten(pair.debt_decimals))
