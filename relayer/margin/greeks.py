"""Greeks: how an account's value moves with forward, volatility, time and rate, in integers between bounds.

    v = σ √τ     d1 = ln(F : K) : v + v : 2     d2 = d1 - v     df = e^(-r τ)     φ the normal density

| figure | is | unit: US dollars ... | of a call | of a put |
|---|---|---|---|---|
| delta | ∂V : ∂F | a dollar of the forward | df N(d1) | df (N(d1) - 1) |
| gamma | ∂²V : ∂F² | of delta, a dollar of the forward | df φ(d1) : (F v) | same |
| vega | ∂V : ∂σ · 0.01 | a point of volatility (0.50 to 0.51) | df F φ(d1) √τ : 100 | same |
| theta | -∂V : ∂τ : 365 | a day that passes | (r V - df F φ(d1) v : 2τ) : 365 | same with its V |
| rho | ∂V : ∂r · 0.01 | a point of the rate (0.05 to 0.06), forward held | -τ V : 100 | same with its V |

V is Black-76. Each moves one input alone. A coin, a perpetual or a future has delta 1 for each unit; it moves with its
own price. Sums over an account treat all forwards of an underlying as one: they move dollar for dollar.

Where Black-76 is at a limit its slopes are: from v = 24 on, or at strike 0, a call is worth df F (delta df, gamma and
vega 0) and a put df K (delta 0). d1 is cut at ± 40, where φ is below 1e-300. Figures at 1e18, low <= truth <= high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Final

from proofs.units import E18
from relayer.margin.engine.inputs import Account, Gap, Leg, MarketData, Role
from relayer.margin.fixed_math import (
    FINE,
    INVERSE_ROOT_2_PI,
    ONE,
    Bounds,
    exp_fine,
    isqrt_up,
    ln_bounds,
    normal_cdf_bounds,
    sqrt_down,
    sqrt_up,
)
from relayer.margin.interval import UNIT, ZERO, Interval, exact
from relayer.margin.models.quotes import AGE_S_MAX, OptionQuote, amount_e18, option_quote, surface_faults
from relayer.margin.rulesets.black76 import CUT, TOTAL_VOL_MAX, TOTAL_VOL_MIN, YEAR_S, prices
from relayer.margin.rulesets.derive_common import decay, growth, years

DAYS: Final = 365
POINT: Final = 100
"""A point of volatility or rate is a hundredth."""


@dataclass(frozen=True, slots=True)
class Greeks:
    """Hold the five figures; of a position, or of all positions on one underlying."""

    delta: Interval = ZERO
    gamma: Interval = ZERO
    vega: Interval = ZERO
    theta: Interval = ZERO
    rho: Interval = ZERO

    def __add__(self, other: Greeks) -> Greeks:
        return Greeks(
            self.delta + other.delta,
            self.gamma + other.gamma,
            self.vega + other.vega,
            self.theta + other.theta,
            self.rho + other.rho,
        )

    def times(self, amount_e18: int) -> Greeks:
        """Return the figures of a position of this size."""
        return Greeks(
            self.delta.times(amount_e18),
            self.gamma.times(amount_e18),
            self.vega.times(amount_e18),
            self.theta.times(amount_e18),
            self.rho.times(amount_e18),
        )


@dataclass(frozen=True, slots=True)
class OptionInputs:
    """Hold one option: strike and rate at 1e18, volatility between bounds, time above zero."""

    is_call: bool
    strike: int
    vol: Interval
    seconds: int
    rate: int = 0


@dataclass(frozen=True, slots=True)
class AccountGreeks:
    """Hold the figures by underlying, and the legs that could not be priced (nothing stands in for them)."""

    by_underlying: Mapping[str, Greeks]
    gaps: tuple[Gap, ...]


def option_greeks(option: OptionInputs, forward: Interval) -> Greeks:
    """Return the figures of one option for every forward between the bounds.

    Raises: ValueError for a forward or a time that is not above zero, a strike or volatility below zero, or a total
    volatility that may be zero: nothing bounds gamma there.
    """
    if forward.low <= 0 or option.seconds <= 0 or min(option.strike, option.vol.low) < 0:
        raise ValueError("greeks need a forward and time above zero, and no negative strike or volatility")
    discount = (decay if option.rate >= 0 else growth)(exact(abs(option.rate)), option.seconds)
    value, tau = _value(option, forward, discount), years(option.seconds)
    total_vol = _total_vol(option)
    delta, density = _at_d1(option.strike, forward, total_vol)
    slope, v = discount * density, _e18(total_vol)
    if v.low <= 0:
        raise ValueError("its volatility may be zero, or its strike is: nothing bounds gamma")
    per_vol = forward * slope
    decayed = (per_vol * v).over(tau.times(2 * E18))
    return Greeks(
        delta=discount * (delta if option.is_call else delta - UNIT),
        gamma=Interval(
            slope.low * E18 * E18 // (v.high * forward.high), _up(slope.high * E18 * E18, v.low * forward.low)
        ),
        vega=_divided(per_vol * Interval(sqrt_down(tau.low), sqrt_up(tau.high)), POINT),
        theta=_divided(value.times(option.rate) - decayed, DAYS),
        rho=_divided(-(tau * value), POINT),
    )


def account_greeks(account: Account, market: MarketData, age_s_max: int = AGE_S_MAX) -> AccountGreeks:
    """Return the figures of an account for each underlying; a forward between bounds counts from end to end."""
    failed = surface_faults(account, market, age_s_max)
    found: dict[str, Greeks] = {}
    gaps = []
    for leg in account.legs:
        amount = amount_e18(leg)
        if not amount or leg.role is Role.CASH:
            continue
        quote = option_quote(leg, market, failed) if leg.role is Role.OPTION else None
        reason = next((part for part in (amount, quote) if isinstance(part, str)), None)
        if reason is not None:
            gaps.append(Gap(leg.name, reason, False))
        elif isinstance(amount, int) and not isinstance(quote, str):
            try:
                found[leg.asset] = found.get(leg.asset, Greeks()) + _position(leg, amount, quote)
            except ValueError as error:
                gaps.append(Gap(leg.name, str(error), False))
    return AccountGreeks(dict(sorted(found.items())), tuple(gaps))


def _position(leg: Leg, amount: int, quote: OptionQuote | None) -> Greeks:
    if quote is None:
        return Greeks(delta=exact(-amount if leg.role is Role.DEBT else amount))
    terms = quote.terms
    option = OptionInputs(terms.is_call, terms.strike_e18, quote.vol, quote.seconds, quote.expiry.rate_e18)
    return option_greeks(option, quote.forward).times(amount)


def _value(option: OptionInputs, forward: Interval, discount: Interval) -> Interval:
    low, high = (
        prices(exact(end), option.strike, option.vol, option.seconds, discount) for end in (forward.low, forward.high)
    )
    return Interval(low.call.low, high.call.high) if option.is_call else Interval(high.put.low, low.put.high)


def _total_vol(option: OptionInputs) -> Bounds:
    """Return bounds of v in units of 2^-192, at least the venue's least."""
    scale = YEAR_S * E18 * E18
    low = isqrt((option.vol.low**2 * option.seconds << (2 * FINE)) // scale)
    high = isqrt_up(_up(option.vol.high**2 * option.seconds << (2 * FINE), scale))
    return max(low, TOTAL_VOL_MIN), max(high, TOTAL_VOL_MIN + 1)


def _at_d1(strike: int, forward: Interval, total_vol: Bounds) -> tuple[Interval, Interval]:
    """Return (N(d1), φ(d1)) at 1e18 over all forwards and volatilities between the bounds."""
    v_low, v_high = total_vol
    if strike == 0 or v_low >= TOTAL_VOL_MAX:
        return UNIT, ZERO
    logs = (ln_bounds(forward.low, strike)[0], ln_bounds(forward.high, strike)[1])
    low = min((log << FINE) // v for log in logs for v in total_vol) + (v_low >> 1)
    high = max(_up(log << FINE, v) for log in logs for v in total_vol) + (v_high >> 1) + 1
    low, high = max(-CUT, min(low, CUT)), min(CUT, max(high, -CUT))
    is_capped = v_high >= TOTAL_VOL_MAX
    delta = (normal_cdf_bounds(low)[0], ONE if is_capped else normal_cdf_bounds(high)[1])
    nearest = 0 if low <= 0 <= high else min(abs(low), abs(high))
    density = (0 if is_capped else _density(max(abs(low), abs(high)))[0], _density(nearest)[1])
    return _e18(delta), _e18(density)


def _density(x: int) -> Bounds:
    """Return bounds of φ(x), x in units of 2^-192 and exact."""
    start = -((x * x >> (FINE + 1)) + 1)
    low, high = exp_fine(start, 2)
    return (low * INVERSE_ROOT_2_PI) >> FINE, ((high * (INVERSE_ROOT_2_PI + 1)) >> FINE) + 1


def _e18(fine: Bounds) -> Interval:
    return Interval(fine[0] * E18 >> FINE, -((-fine[1] * E18) >> FINE))


def _divided(figure: Interval, divisor: int) -> Interval:
    return Interval(figure.low // divisor, _up(figure.high, divisor))


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
