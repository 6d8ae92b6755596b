"""haircut@1: the value of lots and debts on several chains. Our own formula: no venue has one, and no standard.

Units: prices in dollars times 10^18 per whole token, amounts in token units, haircuts at 10^18 (10^18 is all of it),
parameters in ppm, times in seconds, a year of 365 days.

| figure | formula | rounding |
|---|---|---|
| latency haircut | z · σ · √(τ / year), at most 1 | up, once |
| depeg haircut | factor · (threshold - price)⁺ in dollars, at most 1 | up |
| composite haircut, for show | 1 - Π (1 - h) | up, once |
| lot V | ⌊amount · price · Π (1 - h) · weight / 10^d⌋ | down, once |
| debt D | ⌈amount · price · (1 + rate · age / year) · liability factor / 10^d⌉ | up, once |
| stable price | min(price, cap): one-sided, a depeg passes through | exact |
| staking-token price | min(price, ⌊(snapshot + g·t) · underlying's price⌋), g = ⌊snapshot · growth / year⌋ | down |

τ is the age of the proven block plus finality, relay, proof and liquidation time of the chain: how long the price may
move before anybody can sell. Age is also how long a debt has grown since it was read.

| cap | counted |
|---|---|
| depth | min(Σ V of the asset, exit liquidity of the asset) |
| concentration | min(V, max(free amount, ⌊share · T⌋)), T the greatest total for which T = Σ of that (`counted`) |

T is a share of what counts, not of what is held: a flood of a capped asset never lifts its own cap.

Monotone without exception: more of an asset, a higher price of what is held, never lower equity; a larger haircut, age,
volatility, z, debt, rate, factor, a tighter cap never raise it.

Source: ours; the root-of-time rule as in Basel's holding-period haircut, the growth cap as in bgd-labs/aave-capo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from proofs.units import E18, PPM, mul_div_down, mul_div_up, power_of_ten
from relayer.margin.fixed_math import isqrt_up
from relayer.margin.fixed_point import YEAR_S

PPM_TO_E18: Final = 10**12
ONE_PPM: Final = Fraction(1, PPM)


@dataclass(frozen=True, slots=True)
class DebtGrowth:
    """Hold how a debt is lifted: yearly rate (ppm), seconds since it was read, liability factor (ppm, >= 10^6)."""

    rate_ppm: int
    age_s: int
    factor_ppm: int


@dataclass(frozen=True, slots=True)
class ShareLimit:
    """Hold one asset's concentration limit: its largest share of what counts (ppm), and what counts in any case."""

    share_ppm: int
    free: int = 0


def latency_haircut_up(z_ppm: int, sigma_ppm: int, tau_s: int) -> int:
    """Return z · σ · √(τ / year) at 10^18, up, at most 10^18; τ below zero counts as zero.

    The least n with n² >= (z · σ)² · τ · 10^12 / year is the root of the ceiling: no digit is lost on the way.
    """
    square = mul_div_up((z_ppm * sigma_ppm) ** 2 * max(0, tau_s), PPM_TO_E18, YEAR_S)
    return min(E18, isqrt_up(square))


def depeg_haircut_up(price_e18: int, threshold_e18: int, factor_ppm: int) -> int:
    """Return factor · (threshold - price)⁺ at 10^18, up, at most 10^18: a factor of 4 takes 4 % for each cent."""
    return min(E18, mul_div_up(max(0, threshold_e18 - price_e18), factor_ppm, PPM))


def composite_haircut_up(haircuts_e18: Sequence[int]) -> int:
    """Return 1 - Π (1 - h) at 10^18, up. Raises: ValueError for a haircut outside 0 … 10^18."""
    keep, scale = _kept(haircuts_e18)
    return E18 - mul_div_down(E18, keep, scale)


def lot_value_down(amount: int, price_e18: int, decimals: int, haircuts_e18: Sequence[int], weight_ppm: int) -> int:
    """Return what a lot is worth after all haircuts and its weight, UsdE18, rounded down once.

    Raises: ValueError for a haircut outside 0 … 10^18.
    """
    keep, scale = _kept(haircuts_e18)
    return mul_div_down(amount * price_e18, keep * weight_ppm, power_of_ten(decimals) * scale * PPM)


def debt_value_up(amount: int, price_e18: int, decimals: int, growth: DebtGrowth) -> int:
    """Return what a debt is worth with what it has grown since it was read, UsdE18, rounded up once."""
    factor = PPM * YEAR_S + growth.rate_ppm * max(0, growth.age_s)
    scale = power_of_ten(decimals) * PPM * YEAR_S * PPM
    return mul_div_up(amount * price_e18, factor * max(PPM, growth.factor_ppm), scale)


def growth_capped_down(snapshot_e18: int, growth_ppm: int, age_s: int, underlying_e18: int) -> int:
    """Return the highest price that a staking token may count at, dollars at 10^18; a ratio below zero is zero."""
    per_second = snapshot_e18 * growth_ppm // (PPM * YEAR_S)
    ratio = max(0, snapshot_e18 + per_second * max(0, age_s))
    return mul_div_down(ratio, underlying_e18, E18)


def counted(values: Sequence[int], limits: Sequence[ShareLimit]) -> tuple[int, ...]:
    """Return what of each asset's value counts under the concentration limits; exact and of no order."""
    pairs = tuple(zip(values, limits, strict=True))
    total = _counted_total(pairs)
    return tuple(min(value, max(limit.free, floor(limit.share_ppm * total * ONE_PPM))) for value, limit in pairs)


def _counted_total(pairs: Sequence[tuple[int, ShareLimit]]) -> Fraction:
    """Return the greatest fixed point of f(T) = Σ min(V, max(free, share · T)).

    f never falls and is a line between its edges, V : share and free : share. Right of the highest edge with f >= T it
    falls below T, so the shares that still follow T add up to less than 1 there and the line meets T once.
    """
    edges = {Fraction(PPM * end, one.share_ppm) for value, one in pairs if one.share_ppm for end in (value, one.free)}
    total = Fraction(0)
    for edge in sorted(edges | {total}, reverse=True):
        fixed, shares_ppm = _line_after(edge, pairs)
        if fixed * PPM + shares_ppm * edge >= PPM * edge:
            total = Fraction(fixed * PPM, PPM - shares_ppm)
            break
    return total


def _line_after(edge: Fraction, pairs: Sequence[tuple[int, ShareLimit]]) -> tuple[int, int]:
    """Return (what counts whatever T is, Σ share in ppm) of the line that begins at an edge."""
    fixed, shares_ppm = 0, 0
    for value, limit in pairs:
        share = limit.share_ppm * edge * ONE_PPM
        if limit.share_ppm == 0 or share < limit.free:
            fixed += min(value, limit.free)
        elif share >= value:
            fixed += value
        else:
            shares_ppm += limit.share_ppm
    return fixed, shares_ppm


def _kept(haircuts_e18: Sequence[int]) -> tuple[int, int]:
    """Return Π (1 - h) as a fraction."""
    keep, scale = 1, 1
    for haircut in haircuts_e18:
        if not 0 <= haircut <= E18:
            raise ValueError(f"haircut outside 0..{E18}: {haircut}")
        keep, scale = keep * (E18 - haircut), scale * E18
    return keep, scale
