"""Price the options of an expiry once in each scenario of the second portfolio manager; portfolios are sums of these.

    V_s  = df · Black76(fixed + variable · s, K, vol_s), df = e^(-r τ), r floored at 0

| scenario | volatility |
|---|---|
| None | σ |
| Up | max(floor vol, σ (1 + up · h)), h = (30 d : max(t, floor))^(short power up to 30 d, else long power) |
| Down | σ max(0, 1 - down · h): no floor |
| LINEAR, ABS | σ max(0, 1 + x), x = min(cap, κ cap : k*) for κ >= 0, max(-cap, κ cap : k*) for κ < 0 |

    κ = ln(K : F), in ABS its absolute value     cap = base + cbase √τ     k* = max(least, √τ width (static + scale √τ))

A cap below zero turns the cut round, as at the venue: x is then the cap itself from κ = 0 on.
Skew scenarios leave the forward where it is. `settling` splits a forward in its last 30 minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proofs.units import E18
from relayer.margin.fixed_math import FINE, ln_bounds, sqrt_down, sqrt_up
from relayer.margin.interval import UNIT, ZERO, Interval, bounds, exact, product, total
from relayer.margin.rulesets.derive_common import VolShock, decay, option_value, shocked_vols, years
from relayer.margin.rulesets.derive_pmrm import ExpiryMarket, Option, Scenario, VolMove

SETTLING_S: Final = 1_800
"""30 minutes: the window over which the settlement price is averaged."""


@dataclass(frozen=True, slots=True)
class SkewShock:
    """Hold the skew parameters, at 1e18."""

    linear_cap: int
    linear_cbase: int
    abs_cap: int
    abs_cbase: int
    k_star_min: int
    width_scale: int
    vol_static: int
    vol_scale: int


@dataclass(frozen=True, slots=True)
class Shocks:
    """Hold how volatilities move; `vol_floor` is the least volatility after an up move."""

    vol: VolShock
    vol_floor: int
    skew: SkewShock


@dataclass(frozen=True, slots=True)
class _Vols:
    """Hold the factors of one expiry: up, down, and for each skew scenario (cap, k*)."""

    up: Interval
    down: Interval
    linear_cap: Interval
    abs_cap: Interval
    k_star: Interval


def expiry_values(
    market: ExpiryMarket, legs: Sequence[Option], scenarios: Sequence[Scenario], shocks: Shocks
) -> tuple[tuple[Interval, ...], ...]:
    """Return for each option the value of one unit in each scenario, discounted at the market's rate.

    Independent of amounts: the arrays of an instrument serve every portfolio that holds it.
    """
    seconds = max(market.seconds, 0)
    time = (seconds, decay(exact(max(market.rate, 0)), seconds))
    forwards = [_forward(market, scenario) for scenario in scenarios]
    vols = _vols(seconds, shocks)
    here = bounds(market.forward_variable) + exact(market.forward_fixed)
    return tuple(
        tuple(
            option_value(leg.is_call, forward, leg.strike, _shocked_vol(leg, here, scenario.vol, (vols, shocks)), time)
            for forward, scenario in zip(forwards, scenarios, strict=True)
        )
        for leg in legs
    )


def sums(values: Sequence[Sequence[Interval]], legs: Sequence[Option]) -> list[Interval]:
    """Return Σ amount · value in each scenario."""
    return [
        total(value.times(leg.amount) for value, leg in zip(column, legs, strict=True))
        for column in zip(*values, strict=True)
    ]


def settling(forward: int, seconds: int) -> tuple[int, int]:
    """Split a forward into (fixed, variable): in the last 30 minutes the part of the average that has passed is fixed.

    The fixed part is rounded down; both add up to the forward.
    """
    left = min(max(seconds, 0), SETTLING_S)
    fixed = forward * (SETTLING_S - left) // SETTLING_S
    return fixed, forward - fixed


def _forward(market: ExpiryMarket, scenario: Scenario) -> Interval:
    if scenario.vol in (VolMove.LINEAR, VolMove.ABS):
        return bounds(market.forward_variable) + exact(market.forward_fixed)
    return exact(market.forward_fixed) + product(market.forward_variable, scenario.spot)


def _vols(seconds: int, shocks: Shocks) -> _Vols:
    up, down = shocked_vols(shocks.vol, seconds)
    tau = years(seconds)
    root = Interval(sqrt_down(tau.low), sqrt_up(tau.high))
    skew = shocks.skew
    width = root.times(skew.width_scale) * (exact(skew.vol_static) + root.times(skew.vol_scale))
    return _Vols(
        up,
        down,
        exact(skew.linear_cap) + root.times(skew.linear_cbase),
        exact(skew.abs_cap) + root.times(skew.abs_cbase),
        exact(skew.k_star_min).at_least(width),
    )


def _shocked_vol(leg: Option, forward: Interval, move: VolMove, expiry: tuple[_Vols, Shocks]) -> Interval:
    vols, shocks = expiry
    if move is VolMove.UP:
        return (leg.vol * vols.up).at_least(exact(shocks.vol_floor))
    if move is VolMove.DOWN:
        return leg.vol * vols.down
    if move is VolMove.NONE or leg.strike == 0 or forward.low == 0:
        return leg.vol
    at = {forward.low, forward.high} | ({leg.strike} if forward.low < leg.strike < forward.high else set())
    turns = [_turned_vol(leg, end, move, vols) for end in sorted(at)]
    return Interval(min(turn.low for turn in turns), max(turn.high for turn in turns))


def _turned_vol(leg: Option, forward: int, move: VolMove, vols: _Vols) -> Interval:
    """Return the volatility after a turn of the skew; between the strike and an end it moves one way only."""
    low, high = ln_bounds(leg.strike, forward)
    log = Interval(low * E18 >> FINE, -((-high * E18) >> FINE))
    is_up = move is VolMove.ABS or leg.strike >= forward
    if move is VolMove.ABS and leg.strike < forward:
        log = -log
    cap = vols.linear_cap if move is VolMove.LINEAR else vols.abs_cap
    slope = (log * cap).over(vols.k_star)
    turn = slope.at_most(cap) if is_up else slope.at_least(-cap)
    return leg.vol * (UNIT + turn).at_least(ZERO)
