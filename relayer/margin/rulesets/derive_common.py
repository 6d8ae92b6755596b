"""Say what the Derive rule sets share: options, confidence, naked shorts, volatility shocks. All figures at 1e18."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from proofs.units import E18
from relayer.margin.fixed_math import FINE, exp_bounds, pow_down, pow_up
from relayer.margin.interval import UNIT, ZERO, Figure, Interval, exact, product
from relayer.margin.rulesets.black76 import YEAR_S, prices

SHORT_TERM_S: Final = 30 * 86_400
"""30 days: where the short-term power ends, and the numerator of the term structure of volatility shocks."""


@dataclass(frozen=True, slots=True)
class VolShock:
    """Hold the volatility shocks: ranges, powers of (30 days : max(t, floor)), and the floor in seconds."""

    range_up: int
    range_down: int
    short_term_power: int
    long_term_power: int
    dte_floor_s: int


@dataclass(frozen=True, slots=True)
class BasisContingency:
    """Hold the two forward shocks, and the factors of the worse loss: add + mult · years."""

    spot_up: int
    spot_down: int
    add_factor: int
    mult_factor: int


def years(seconds: int) -> Interval:
    """Return a time in years."""
    return Interval(seconds * E18 // YEAR_S, -(-seconds * E18 // YEAR_S))


def decay(rate: Interval, seconds: int) -> Interval:
    """Return e^(-rate · years) for a rate that is at least 0."""
    return Interval(_exp(-rate.high, seconds)[0], _exp(-rate.low, seconds)[1])


def growth(rate: Interval, seconds: int) -> Interval:
    """Return e^(rate · years) for a rate that is at least 0."""
    return Interval(_exp(rate.low, seconds)[0], _exp(rate.high, seconds)[1])


def _exp(rate_e18: int, seconds: int) -> tuple[int, int]:
    low, high = exp_bounds(rate_e18 * seconds, E18 * YEAR_S)
    return low * E18 >> FINE, -((-high * E18) >> FINE)


def shocked_vols(shock: VolShock, seconds: int) -> tuple[Interval, Interval]:
    """Return the factors on volatility (up, down) of an expiry: 1 + up · k, max(0, 1 - down · k)."""
    base = SHORT_TERM_S * E18
    time = max(seconds, shock.dte_floor_s, 1)
    power = shock.short_term_power if seconds <= SHORT_TERM_S else shock.long_term_power
    k = Interval(pow_down(base // time, power), pow_up(-(-base // time), power))
    return UNIT + k.times(shock.range_up), (UNIT - k.times(shock.range_down)).at_least(ZERO)


def option_value(is_call: bool, forward: Interval, strike: int, vol: Interval, time: tuple[int, Interval]) -> Interval:
    """Return one unit's discounted value; `time` is (seconds to expiry, discount factor).

    A call rises with the forward, a put falls: a wide forward is priced at both ends. Where it is one unit wide from
    rounding alone the slope, at most 1, says as much; the unit added beyond keeps that within every wider interval.
    """
    if forward.high - forward.low <= 1:
        both = prices(forward, strike, vol, *time)
        return both.call if is_call else both.put
    low, high = (prices(exact(end), strike, vol, *time) for end in (forward.low, forward.high))
    if is_call:
        return Interval(low.call.low, high.call.high + 1)
    return Interval(max(high.put.low - 1, 0), low.put.high)


def naked_shorts(legs: Iterable[tuple[int, int]]) -> int:
    """Return Σ over strikes of max(0, -(call + put)) for (strike, amount) of one expiry.

    A long call covers a short put of its strike and reverse, nothing covers across strikes.
    """
    net: dict[int, int] = {}
    for strike, amount in legs:
        net[strike] = net.get(strike, 0) + amount
    return sum(max(-amount, 0) for amount in net.values())


def confidence_charge(confidence: int, threshold: int, *factors: Figure) -> Interval:
    """Return (1 - c) times the factors when c lies below the threshold, compared exactly; else nothing."""
    return product(E18 - confidence, *factors) if confidence < threshold else ZERO


def basis_factor(basis: BasisContingency, seconds: int) -> Interval:
    """Return add + mult · years."""
    return exact(basis.add_factor) + years(max(seconds, 0)).times(basis.mult_factor)


def basis_loss(values: tuple[Interval, Interval, Interval], basis: BasisContingency, seconds: int) -> Interval:
    """Return min(V(up) - V, V(down) - V, 0) · factor for values (V, V(up), V(down)) of one expiry."""
    now, up, down = values
    return (up - now).at_most(down - now).at_most(ZERO) * basis_factor(basis, seconds)
