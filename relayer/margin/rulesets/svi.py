"""Read volatilities off an SVI surface, in integers, between bounds, and check the surface before it is used.

    k = ln(K : F) clamped to ± 4 √(a + b σ)
    w = min(a + b (ρ (k - m) + √((k - m)² + σ²)), 144)     vol = √(w : τ)

| check | a slice passes when |
|---|---|
| parameters | b >= 0, abs(ρ) < 1, σ > 0, τ > 0, F > 0, and a + b σ >= 0 |
| variance | its least total variance, a + b σ √(1 - ρ²), is >= 0 |
| wings | b (1 + abs(ρ)) <= 2: steeper total variance is an arbitrage whatever the rest says (Lee) |
| butterfly | g(k) >= 0 at every grid point of the clamp range (Durrleman's condition) |
| calendar | its total variance is at least that of every earlier slice at every grid point |
| age | it was observed at most `age_max_s` before `as_of`, and not after |

    g(k) = (1 - k w' : 2 w)² - w'² (1 : w + 1 : 4) : 4 + w'' : 2

Butterfly and calendar are tried on a grid: a pass is evidence, not a proof; a refusal is a proof, up to `TOLERANCE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isqrt
from typing import Final

from proofs.units import E18
from relayer.margin.fixed_math import FINE, isqrt_up, ln_bounds, sqrt_down
from relayer.margin.interval import Interval

CLAMP: Final = 4
TOTAL_VARIANCE_MAX: Final = 144 * E18 * E18
"""12² at 1e36: the square of the total volatility that the surface may say at most."""
GRID: Final = 32
"""Grid points on each side of the forward."""
TOLERANCE: Final = 10**9
"""1e-9 in g and 1e-9 of total variance: what truncation may cost the checks."""


class SurfaceFault(StrEnum):
    """Name a check that a surface failed."""

    PARAMETERS = "parameters"
    VARIANCE = "variance"
    WINGS = "wings"
    BUTTERFLY = "butterfly"
    CALENDAR = "calendar"
    AGE = "age"


@dataclass(frozen=True, slots=True)
class Svi:
    """Hold one expiry's slice; all at 1e18, τ in years."""

    a: int
    b: int
    rho: int
    m: int
    sigma: int
    forward: int
    tau: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Hold a slice with the time it was observed, Unix seconds."""

    svi: Svi
    observed_at: int


def vol(svi: Svi, strike_e18: int) -> Interval:
    """Return the volatility at a strike; 0 at strike 0, as the venue has it.

    Raises: ValueError for parameters out of range, or for a total variance that may be negative here.
    """
    if not _is_formed(svi) or strike_e18 < 0:
        raise ValueError(f"surface cannot be read at strike {strike_e18}: {svi}")
    if strike_e18 == 0:
        return Interval(0, 0)
    k = _clamped_log(svi, strike_e18)
    low, high = _variance_e36(svi, k)
    if low < 0:
        raise ValueError(f"negative total variance at strike {strike_e18}: {svi}")
    return Interval(isqrt(low * E18 // svi.tau), isqrt_up(-(-high * E18 // svi.tau)))


def total_variance(svi: Svi, k_e18: int) -> Interval:
    """Return w at 1e18 for a log-moneyness, at most 144; not floored at 0."""
    low, high = _variance_e36(svi, Interval(k_e18, k_e18))
    return Interval(low // E18, -(-high // E18))


def faults(slices: tuple[Slice, ...], as_of: int, age_max_s: int) -> tuple[tuple[SurfaceFault, int], ...]:
    """Return (check, index of the slice) for every check that fails; slices in order of expiry."""
    found: list[tuple[SurfaceFault, int]] = []
    for index, observed in enumerate(slices):
        if not 0 <= as_of - observed.observed_at <= age_max_s:
            found.append((SurfaceFault.AGE, index))
        own = slice_faults(observed.svi)
        found += [(fault, index) for fault in own]
        if index and not own and not slice_faults(slices[index - 1].svi):
            found += [(SurfaceFault.CALENDAR, index)] * crosses(slices[index - 1].svi, observed.svi)
    return tuple(found)


def slice_faults(svi: Svi) -> tuple[SurfaceFault, ...]:
    """Return the checks that one slice fails by itself."""
    if not _is_formed(svi):
        return (SurfaceFault.PARAMETERS,)
    found = []
    if svi.a < 0 and svi.a**2 * E18**4 > svi.b**2 * svi.sigma**2 * (E18**2 - svi.rho**2):
        return (SurfaceFault.VARIANCE,)
    if svi.b * (E18 + abs(svi.rho)) > 2 * E18 * E18:
        found.append(SurfaceFault.WINGS)
    if any(_butterfly(svi, k) < -TOLERANCE for k in grid(svi)):
        found.append(SurfaceFault.BUTTERFLY)
    return tuple(found)


def crosses(earlier: Svi, later: Svi) -> bool:
    """Tell whether the later slice says less total variance somewhere on the grid."""
    return any(total_variance(later, k).high + TOLERANCE < total_variance(earlier, k).low for k in grid(later))


def grid(svi: Svi) -> tuple[int, ...]:
    """Return log-moneyness at the grid points of the clamp range, at 1e18."""
    limit = CLAMP * sqrt_down(svi.a + svi.b * svi.sigma // E18)
    return tuple(limit * step // GRID for step in range(-GRID, GRID + 1))


def _is_formed(svi: Svi) -> bool:
    ranges = svi.b >= 0 and abs(svi.rho) < E18 and min(svi.sigma, svi.tau, svi.forward) > 0
    return ranges and svi.a * E18 + svi.b * svi.sigma >= 0


def _clamped_log(svi: Svi, strike: int) -> Interval:
    low, high = ln_bounds(strike, svi.forward)
    square = (svi.a * E18 + svi.b * svi.sigma) * CLAMP * CLAMP
    limit_low, limit_high = isqrt(square), isqrt_up(square)
    fine = Interval(low * E18 >> FINE, -(-high * E18 >> FINE))
    return fine.at_least(Interval(-limit_high, -limit_low)).at_most(Interval(limit_low, limit_high))


def _variance_e36(svi: Svi, k: Interval) -> tuple[int, int]:
    """Return bounds of w at 1e36 for a k between bounds.

    Computed at the low end of k, with 32 bits to spare in the root; w moves by at most b (1 + abs(ρ)) <= 2 b, either
    way, for each unit of k.
    """
    x = k.low - svi.m
    root = isqrt((x * x + svi.sigma * svi.sigma) << 64)
    here = (svi.a * E18 << 32) + svi.b * ((svi.rho * x // E18 << 32) + root)
    slope = svi.b * (2 * (k.high - k.low) << 32)
    low, high = here - slope, here + svi.b * ((1 << 32) + 1) + slope
    return min(low >> 32, TOTAL_VARIANCE_MAX), min(-(-high >> 32), TOTAL_VARIANCE_MAX)


def _butterfly(svi: Svi, k: int) -> int:
    """Return g(k) at 1e18, truncated; a slice without variance here counts as failed."""
    w = total_variance(svi, k).low
    if w <= 0:
        return -E18
    x = k - svi.m
    root = isqrt(x * x + svi.sigma * svi.sigma)
    slope = svi.b * (svi.rho + x * E18 // root) // E18
    curvature = svi.b * svi.sigma * svi.sigma * E18 // root**3
    first = E18 - k * slope // (2 * w)
    return first * first // E18 - slope * slope * (E18 * E18 // w + E18 // 4) // (4 * E18 * E18) + curvature // 2
