"""Price options on a forward by Black-76, in integers, between bounds.

    v = σ √τ,  τ = seconds : 31,536,000     d1 = ln(F : K) : v + v : 2     d2 = d1 - v
    call = df (F N(d1) - K N(d2))           put = max(call - df (F - K), 0)

| limit | value |
|---|---|
| v >= 24 | call = df F, put = df K |
| v < 1e-18, zero included | v = 1e-18, the convention of the venue |
| K = 0 | call = df F, put 0 |
| F = 0 | call 0, put = df K |
| always | df max(F - K, 0) <= call <= df F, 0 <= put <= df K |

Bounds: ln, √ and N come from `fixed_math` in units of 2^-192; the error of d1 moves N by less than 0.4 of it; only the
product with the discount factor is rounded to 1e18, outward. Uncertain inputs widen the result by the largest slope:
N(d1) <= 1 in the forward, F φ(d1) < 0.4 F in v.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Final

from proofs.units import E18
from relayer.margin.fixed_math import FINE, ONE, Bounds, isqrt_up, ln_bounds, normal_cdf_bounds
from relayer.margin.interval import UNIT, Interval, exact

YEAR_S: Final = 31_536_000
"""365 days of 86,400 s."""
TOTAL_VOL_MAX: Final = 24 * ONE
TOTAL_VOL_MIN: Final = ONE // E18
CUT: Final = 40 * ONE
"""Where ln(F : K) : v is cut: as v : 2 < 12, both d stay beyond 28, where the tail bound of N holds as before."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Hold a call's and a put's discounted price at 1e18, and N(d1), undiscounted, at the low ends of the inputs."""

    call: Interval
    put: Interval
    call_delta: Interval


def prices(forward: Interval, strike_e18: int, vol: Interval, seconds: int, discount: Interval = UNIT) -> Prices:
    """Price the call and the put of one strike.

    Raises: ValueError for a negative input.
    """
    if min(forward.low, strike_e18, vol.low, seconds, discount.low) < 0:
        raise ValueError("negative input of an option price")
    base, strike, slack = forward.low, strike_e18, forward.high - forward.low
    if strike == 0 or base == 0:
        call, put, delta = _degenerate(base, strike)
    else:
        call, put, delta = _undiscounted(base, strike, _total_vol_bounds(vol, seconds))
    shift = slack << FINE
    return Prices(
        _discounted((call[0], call[1] + shift), discount),
        _discounted((max(put[0] - shift, 0), put[1]), discount),
        Interval(delta[0] * E18 >> FINE, -(-delta[1] * E18 >> FINE)),
    )


def price(forward_e18: int, strike_e18: int, vol_e18: int, seconds: int, discount_e18: int = E18) -> Prices:
    """Price the call and the put of one strike from exact inputs."""
    return prices(exact(forward_e18), strike_e18, exact(vol_e18), seconds, exact(discount_e18))


def _degenerate(forward: int, strike: int) -> tuple[Bounds, Bounds, Bounds]:
    """Return undiscounted (call, put, N(d1)) where the forward or the strike is zero."""
    call, put = forward << FINE, strike << FINE
    delta = ONE if forward > 0 else 0
    return (call, call), (put, put), (delta, delta)


def _total_vol_bounds(vol: Interval, seconds: int) -> Bounds:
    """Return bounds of σ √τ in units of 2^-192: the root of σ² seconds : year."""
    low = isqrt((vol.low * vol.low * seconds << (2 * FINE)) // (YEAR_S * E18 * E18))
    high = isqrt_up(-(-(vol.high * vol.high * seconds << (2 * FINE)) // (YEAR_S * E18 * E18)))
    return max(low, TOTAL_VOL_MIN), max(high, TOTAL_VOL_MIN + 1)


def _undiscounted(forward: int, strike: int, total_vol: Bounds) -> tuple[Bounds, Bounds, Bounds]:
    """Return undiscounted (call, put, N(d1)), prices in units of 1e-18 · 2^-192."""
    v, v_high = total_vol
    top_call, top_put = forward << FINE, strike << FINE
    if v >= TOTAL_VOL_MAX:
        return (top_call, top_call), (top_put, top_put), (ONE, ONE)
    log_low, log_high = ln_bounds(forward, strike)
    width = v_high - v
    d1 = _quotient_bounds(log_low, log_high, v)
    near, far = _cdf(d1[0] + (v >> 1), d1[1] + (v >> 1) + 1), _cdf(d1[0] - (v >> 1) - 1, d1[1] - (v >> 1))
    call_low = forward * near[0] - strike * far[1]
    call_high = forward * near[1] - strike * far[0] + (2 * forward * width) // 5 + 1
    parity = top_call - top_put
    call = (max(call_low, parity, 0), top_call if v_high >= TOTAL_VOL_MAX else min(call_high, top_call))
    call_high = call[1]
    put = (max(call_low - parity, -parity, 0), min(max(call_high - parity, 0), top_put))
    return call, put, near


def _quotient_bounds(low: int, high: int, v: int) -> Bounds:
    """Return bounds of ln(F : K) : v, cut at ± CUT."""
    return _cut((low << FINE) // v), _cut(-(-(high << FINE) // v))


def _cut(quotient: int) -> int:
    return max(-CUT, min(quotient, CUT))


def _cdf(low: int, high: int) -> Bounds:
    """Return bounds of N over [low, high]: N(low), and its slope of less than 0.4 times the width."""
    first, last = normal_cdf_bounds(low)
    return first, min(last + (2 * (high - low)) // 5 + 1, ONE)


def _discounted(amount: Bounds, discount: Interval) -> Interval:
    low, high = amount[0] * discount.low, amount[1] * discount.high
    return Interval((low // E18) >> FINE, -((-high // E18) >> FINE))
