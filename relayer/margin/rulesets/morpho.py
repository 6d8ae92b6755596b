"""morpho@1: what a Morpho Blue market says of a position, to the last unit.

Units: amounts in token units, shares with 6 virtual decimals, prices in loan units per collateral unit times 10^36,
LLTV, factors, rates per second and health in wad. S supplied, B borrowed, N borrow shares of the whole market.

| figure | formula | rounding |
|---|---|---|
| borrowed | shares · (B + 1) / (N + 10^6) | up |
| collateral value | collateral · price / 10^36 | down |
| limit | collateral value · LLTV | down |
| incentive factor | min(1.15, 1 / (1 - 0.3 (1 - LLTV))) | each step down |
| health factor | limit / borrowed; 2^256 - 1 without debt | down |
| liquidation price | borrowed · 10^36 / ⌊collateral · LLTV⌋ | up |

Healthy iff limit >= borrowed: equality is healthy, and no shares are always healthy. Interest first: a position means
nothing on stale totals (`accrued`). The virtual asset and shares are part of every conversion, in an empty market too.

| liquidation | formula | rounding |
|---|---|---|
| by shares | repaid = shares as assets; seized = ⌊⌊the same, down⌋ · factor⌋ · 10^36 / price | up; down |
| by assets | shares = ⌈⌈assets · price / 10^36⌉ / factor⌉ as shares; repaid as above | up |
| after | without collateral left, what is still owed is lost by the suppliers | up, at most B |

| to utilisation U | amount, not below 0 | at U = 0 |
|---|---|---|
| supply | ⌈B / U⌉ - S | 2^256 - 1 (0 if utilisation is 0: ⌊B / S⌋ in wad) |
| withdraw | S - ⌈B / U⌉ | 0 (S if B = 0) |
| borrow, repay | ⌊S · U⌋ - B, B - ⌊S · U⌋ | same |

Monotone without exception at fixed totals: collateral, price and LLTV never lower the limit; shares never lower what is
borrowed. Source: morpho-org/morpho-blue; morpho-org/sdks for targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofs.units import UINT256_MAX, UsdE18, mul_div_down, mul_div_up, value_down, value_up
from relayer.margin.fixed_point import WAD, wad_div_down, wad_div_up, wad_mul_down
from relayer.margin.leaf_figures import LeafFigures, agreeing_figures

ORACLE_ONE: Final = 10**36
VIRTUAL_SHARES: Final = 10**6
VIRTUAL_ASSETS: Final = 1
INCENTIVE_CURSOR_WAD: Final = 3 * 10**17
INCENTIVE_MAX_WAD: Final = 115 * 10**16


@dataclass(frozen=True, slots=True)
class MorphoMarket:
    """Hold the totals of one market, with interest up to the block in question, and its terms."""

    supply_assets: int
    supply_shares: int
    borrow_assets: int
    borrow_shares: int
    price: int
    lltv_wad: int
    fee_wad: int = 0


@dataclass(frozen=True, slots=True)
class MorphoPosition:
    """Hold one borrower's position in a market."""

    collateral: int
    borrow_shares: int


@dataclass(frozen=True, slots=True)
class MorphoFigures:
    """Hold the figures of one position; amounts in loan units unless named otherwise.

    `usage_wad` is the used share of the limit, 1 / health rounded up: 0 without debt, 2^256 - 1 without a limit.
    """

    borrowed: int
    collateral_value: int
    limit: int
    health_factor_wad: int
    liquidation_price: int | None
    usage_wad: int
    borrowable: int
    withdrawable_collateral: int
    is_healthy: bool


@dataclass(frozen=True, slots=True)
class MorphoSeizure:
    """Hold what one liquidation moves: collateral out, loan in, shares burned, and what suppliers lose."""

    seized_collateral: int
    repaid_assets: int
    repaid_shares: int
    bad_debt_assets: int


def position_figures(market: MorphoMarket, position: MorphoPosition) -> MorphoFigures:
    """Weigh one position; see the module docstring."""
    borrowed = assets_up(position.borrow_shares, market.borrow_assets, market.borrow_shares)
    value = mul_div_down(position.collateral, market.price, ORACLE_ONE)
    limit = wad_mul_down(value, market.lltv_wad)
    health = wad_div_down(limit, borrowed) if borrowed else UINT256_MAX
    return MorphoFigures(
        borrowed=borrowed,
        collateral_value=value,
        limit=limit,
        health_factor_wad=health,
        liquidation_price=_liquidation_price(market, position, borrowed),
        usage_wad=_usage(borrowed, health),
        borrowable=max(0, limit - borrowed),
        withdrawable_collateral=_withdrawable(market, position, borrowed),
        is_healthy=position.borrow_shares == 0 or limit >= borrowed,
    )


def _liquidation_price(market: MorphoMarket, position: MorphoPosition, borrowed: int) -> int | None:
    """Return the price at which the position is at its limit; None without debt, 2^256 - 1 without collateral."""
    if position.borrow_shares == 0:
        return None
    power = wad_mul_down(position.collateral, market.lltv_wad)
    return mul_div_up(borrowed, ORACLE_ONE, power) if power else UINT256_MAX


def _usage(borrowed: int, health: int) -> int:
    if borrowed == 0:
        return 0
    return wad_div_up(WAD, health) if health else UINT256_MAX


def _withdrawable(market: MorphoMarket, position: MorphoPosition, borrowed: int) -> int:
    if borrowed == 0:
        return position.collateral
    if market.price == 0 or market.lltv_wad == 0:
        return 0
    needed = wad_div_up(mul_div_up(borrowed, ORACLE_ONE, market.price), market.lltv_wad)
    return max(0, position.collateral - needed)


# --- shares ----------------------------------------------------------------------------------------------------------


def assets_up(shares: int, total_assets: int, total_shares: int) -> int:
    """Return what shares are worth, up: for debts."""
    return mul_div_up(shares, total_assets + VIRTUAL_ASSETS, total_shares + VIRTUAL_SHARES)


def assets_down(shares: int, total_assets: int, total_shares: int) -> int:
    """Return what shares are worth, down: for claims."""
    return mul_div_down(shares, total_assets + VIRTUAL_ASSETS, total_shares + VIRTUAL_SHARES)


def shares_up(assets: int, total_assets: int, total_shares: int) -> int:
    """Return the shares of an amount, up: for debts taken and claims burned."""
    return mul_div_up(assets, total_shares + VIRTUAL_SHARES, total_assets + VIRTUAL_ASSETS)


def shares_down(assets: int, total_assets: int, total_shares: int) -> int:
    """Return the shares of an amount, down: for debts repaid and claims issued."""
    return mul_div_down(assets, total_shares + VIRTUAL_SHARES, total_assets + VIRTUAL_ASSETS)


# --- interest --------------------------------------------------------------------------------------------------------


def compounded_wad(rate_wad: int, elapsed_s: int) -> int:
    """Return e^(rate · t) - 1 by three terms of its series, each down: x + ⌊x² / 2⌋ + ⌊⌊x² / 2⌋ · x / 3⌋, in wad."""
    first = rate_wad * elapsed_s
    second = mul_div_down(first, first, 2 * WAD)
    return first + second + mul_div_down(second, first, 3 * WAD)


def accrued(market: MorphoMarket, rate_wad: int, elapsed_s: int) -> MorphoMarket:
    """Return the market with the interest of `elapsed_s` seconds at a borrow rate per second, fee shares included."""
    interest = wad_mul_down(market.borrow_assets, compounded_wad(rate_wad, elapsed_s))
    supply = market.supply_assets + interest
    fee = wad_mul_down(interest, market.fee_wad)
    return MorphoMarket(
        supply_assets=supply,
        supply_shares=market.supply_shares + shares_down(fee, supply - fee, market.supply_shares),
        borrow_assets=market.borrow_assets + interest,
        borrow_shares=market.borrow_shares,
        price=market.price,
        lltv_wad=market.lltv_wad,
        fee_wad=market.fee_wad,
    )


# --- liquidation -----------------------------------------------------------------------------------------------------


def incentive_factor_wad(lltv_wad: int) -> int:
    """Return the liquidation incentive factor of a market, at most 1.15."""
    discounted = WAD - wad_mul_down(INCENTIVE_CURSOR_WAD, WAD - lltv_wad)
    return min(INCENTIVE_MAX_WAD, wad_div_down(WAD, discounted))


def seizure_by_shares(market: MorphoMarket, position: MorphoPosition, repaid_shares: int) -> MorphoSeizure:
    """Return what repaying these shares moves.

    Raises: ValueError for a healthy position, or more than the position holds.
    """
    _require_unhealthy(market, position)
    repaid = assets_down(repaid_shares, market.borrow_assets, market.borrow_shares)
    quoted = wad_mul_down(repaid, incentive_factor_wad(market.lltv_wad))
    return _seizure(market, position, mul_div_down(quoted, ORACLE_ONE, market.price), repaid_shares)


def seizure_by_assets(market: MorphoMarket, position: MorphoPosition, seized_collateral: int) -> MorphoSeizure:
    """Return what seizing this much collateral moves.

    Raises: ValueError for a healthy position, or more than the position holds.
    """
    _require_unhealthy(market, position)
    quoted = mul_div_up(seized_collateral, market.price, ORACLE_ONE)
    repaid = wad_div_up(quoted, incentive_factor_wad(market.lltv_wad))
    shares = shares_up(repaid, market.borrow_assets, market.borrow_shares)
    return _seizure(market, position, seized_collateral, shares)


def _require_unhealthy(market: MorphoMarket, position: MorphoPosition) -> None:
    if position_figures(market, position).is_healthy:
        raise ValueError("the position is healthy")


def _seizure(market: MorphoMarket, position: MorphoPosition, seized: int, shares: int) -> MorphoSeizure:
    if seized > position.collateral or shares > position.borrow_shares:
        raise ValueError(f"{seized} of {position.collateral} collateral, {shares} of {position.borrow_shares} shares")
    repaid = assets_up(shares, market.borrow_assets, market.borrow_shares)
    left_assets = max(0, market.borrow_assets - repaid)
    left_shares = position.borrow_shares - shares
    bad = 0
    if seized == position.collateral:
        bad = min(left_assets, assets_up(left_shares, left_assets, market.borrow_shares - shares))
    return MorphoSeizure(seized_collateral=seized, repaid_assets=repaid, repaid_shares=shares, bad_debt_assets=bad)


# --- utilisation -----------------------------------------------------------------------------------------------------


def utilisation_wad(supply_assets: int, borrow_assets: int) -> int:
    """Return B / S, down; 2^256 - 1 for a debt without supply."""
    if supply_assets == 0:
        return UINT256_MAX if borrow_assets else 0
    return wad_div_down(borrow_assets, supply_assets)


def supply_to_utilisation(supply_assets: int, borrow_assets: int, target_wad: int) -> int:
    """Return the least supply that brings utilisation down to the target; 2^256 - 1 where none does."""
    if target_wad == 0:
        return UINT256_MAX if utilisation_wad(supply_assets, borrow_assets) else 0
    return max(0, wad_div_up(borrow_assets, target_wad) - supply_assets)


def withdraw_to_utilisation(supply_assets: int, borrow_assets: int, target_wad: int) -> int:
    """Return the most that can be withdrawn up to the target."""
    if target_wad == 0:
        return 0 if borrow_assets else supply_assets
    return max(0, supply_assets - wad_div_up(borrow_assets, target_wad))


def borrow_to_utilisation(supply_assets: int, borrow_assets: int, target_wad: int) -> int:
    """Return the most that can be borrowed up to the target."""
    return max(0, wad_mul_down(supply_assets, target_wad) - borrow_assets)


def repay_to_utilisation(supply_assets: int, borrow_assets: int, target_wad: int) -> int:
    """Return the least repayment that brings utilisation down to the target."""
    return max(0, borrow_assets - wad_mul_down(supply_assets, target_wad))


# --- leaf ------------------------------------------------------------------------------------------------------------


def to_leaf_figures(figures: MorphoFigures, loan_price_e18: int, loan_decimals: int) -> LeafFigures:
    """Return collateral, liability, and collateral less limit for both requirements, in the loan token's dollars.

    Collateral is rounded down, the others up; a healthy position at its very limit gets the lost unit back.
    """
    haircut = value_up(figures.collateral_value - figures.limit, loan_price_e18, loan_decimals)
    rounded = LeafFigures(
        collateral_usd=value_down(figures.collateral_value, loan_price_e18, loan_decimals),
        liability_usd=value_up(figures.borrowed, loan_price_e18, loan_decimals),
        initial_usd=UsdE18(haircut),
        maintenance_usd=UsdE18(haircut),
    )
    return agreeing_figures(rounded, is_healthy=figures.is_healthy)
