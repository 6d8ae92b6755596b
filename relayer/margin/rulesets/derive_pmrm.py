"""Margin an account of one underlying as Derive's first portfolio manager does, in integers at 1e18, between bounds.

    PnL_s  = Σ expiries (D(V_s) - V) + base · S (s - 1) : p_stable + perp · P (s - 1)
    V_s    = Σ q · Black76(fixed + variable · s, K, σ · vol factor), undiscounted
    D(V)   = V · discount · e^(-τ (r · mult + add)) for V > 0, else V            r floored at 0
    vol    = 1 + up · k, max(0, 1 - down · k), k = (30 d : max(t, floor))^(short power up to 30 d, else long power)
    basis  = Σ expiries min(V(up) - V, V(down) - V, 0) · (add + mult · τ)
    static = S (abs(perp) · perp% + base · base% + Σ naked shorts · option%)
    MM     = min(basis, min_s PnL_s) - static + mtm
    IM     = (min(basis, min_s PnL_s) - static) · factor - confidence + mtm
    mtm    = cash + Σ V + base · S : p_stable + unrealised
    factor = IM factor + (threshold - p_stable)⁺ · peg factor
    confidence: (1 - c) · margin · size · S where c < threshold; base and perp: c of spot, and of the perp where one is
             held; each expiry: also of forward, rate and volatilities, its size Σ abs(q)

Shares, scenarios and thresholds are parameter data. Confidences are compared as exact decimals. Prices and forwards may
be given between bounds: whatever the truth inside them, a margin lies in [`low`, `high`]. The worst scenario is the one
with the least low end, the first of equals, or the basis contingency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from proofs.units import E18
from relayer.margin.interval import UNIT, ZERO, Figure, Interval, bounds, exact, product, shortfall, total
from relayer.margin.rulesets.derive_common import (
    BasisContingency,
    VolShock,
    basis_loss,
    confidence_charge,
    decay,
    naked_shorts,
    option_value,
    shocked_vols,
)


class VolMove(StrEnum):
    """Say what a scenario does to volatilities; LINEAR and ABS turn the skew (second version only)."""

    UP = "Up"
    DOWN = "Down"
    NONE = "None"
    LINEAR = "LINEAR"
    ABS = "ABS"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Hold a factor on spot and forward, a volatility move, and the share at which its PnL counts, at 1e18."""

    spot: int
    vol: VolMove
    damping: int = E18


@dataclass(frozen=True, slots=True)
class PmrmRules:
    """Hold the parameters of the rule set, at 1e18."""

    basis: BasisContingency
    vol: VolShock
    scenarios: tuple[Scenario, ...]
    peg_threshold: int
    peg_factor: int
    confidence_threshold: int
    confidence_margin: int
    base_percent: int
    perp_percent: int
    option_percent: int
    initial_factor: int
    discount: int
    rate_mult: int
    rate_add: int


@dataclass(frozen=True, slots=True)
class ExpiryMarket:
    """Hold an expiry's forward (a part that is settled already, a part that moves), rate and confidences."""

    seconds: int
    forward_fixed: int
    forward_variable: Figure
    rate: int
    forward_confidence: int
    rate_confidence: int
    vol_confidence: int

    @property
    def confidence(self) -> int:
        """Return the least of the expiry's own confidences."""
        return min(self.forward_confidence, self.rate_confidence, self.vol_confidence)


@dataclass(frozen=True, slots=True)
class Option:
    """Hold one option position; the volatility is the feed's at its strike, between bounds where a surface gave it."""

    seconds: int
    strike: int
    is_call: bool
    amount: int
    vol: Interval


@dataclass(frozen=True, slots=True)
class PmrmPortfolio:
    """Hold an account and its market."""

    spot: Figure
    spot_confidence: int
    perp_price: Figure
    perp_confidence: int
    stable_price: Figure
    expiries: tuple[ExpiryMarket, ...]
    options: tuple[Option, ...]
    cash: int
    perp: int
    perp_unrealised: Figure
    base: int


@dataclass(frozen=True, slots=True)
class PmrmResult:
    """Hold the margins and their parts. `worst` is an index into the scenarios, None for the basis contingency.

    `discount_pnl` is what the static discount makes of each scenario's PnL; `option_values` follow the options.
    """

    initial: Interval
    maintenance: Interval
    mtm: Interval
    basis_contingency: Interval
    static_contingency: Interval
    confidence_contingency: Interval
    scenario_pnl: tuple[Interval, ...]
    worst: int | None
    discount_pnl: tuple[Interval, ...]
    option_values: tuple[Interval, ...]
    base_value: Interval


def margin(portfolio: PmrmPortfolio, rules: PmrmRules) -> PmrmResult:
    """Margin an account for both purposes.

    Raises: ValueError for an option of an expiry without a market, a negative base, or no scenario.
    """
    if portfolio.base < 0 or bounds(portfolio.stable_price).low <= 0 or not rules.scenarios:
        raise ValueError("base amounts are never negative, stable prices positive, and scenarios needed")
    base = product(portfolio.base, portfolio.spot).over(bounds(portfolio.stable_price))
    expiries = options_by_expiry(portfolio.expiries, portfolio.options)
    values = [leg_values(market, legs, E18, UNIT) for market, legs in expiries]
    now = [total(legs) for legs in values]
    basis = total(
        basis_loss(
            (
                value,
                expiry_value(market, legs, rules.basis.spot_up, UNIT),
                expiry_value(market, legs, rules.basis.spot_down, UNIT),
            ),
            rules.basis,
            market.seconds,
        )
        for value, (market, legs) in zip(now, expiries, strict=True)
    )
    linear = base + product(portfolio.perp, portfolio.perp_price)
    pnl = [linear.times(scenario.spot - E18) for scenario in rules.scenarios]
    discounts = [ZERO for _ in rules.scenarios]
    for value, (market, legs) in zip(now, expiries, strict=True):
        gains, costs = _expiry_gains(value, market, legs, rules)
        pnl = [before + gain for before, gain in zip(pnl, gains, strict=True)]
        discounts = [before + cost for before, cost in zip(discounts, costs, strict=True)]
    worst, loss = worst_case(pnl, basis)
    static, confidence = _static(portfolio, expiries, rules), _confidence(portfolio, expiries, rules)
    mtm = exact(portfolio.cash) + bounds(portfolio.perp_unrealised) + base + total(now)
    return PmrmResult(
        initial=(loss - static) * _initial_factor(portfolio.stable_price, rules) - confidence + mtm,
        maintenance=loss - static + mtm,
        mtm=mtm,
        basis_contingency=basis,
        static_contingency=static,
        confidence_contingency=confidence,
        scenario_pnl=tuple(pnl),
        worst=worst,
        discount_pnl=tuple(discounts),
        option_values=in_order(portfolio.options, expiries, values),
        base_value=base,
    )


def worst_case(pnl: Sequence[Interval], basis: Interval) -> tuple[int | None, Interval]:
    """Return (index of the scenario with the least low end, None for the basis contingency; the least of all)."""
    least, worst = basis, None
    for index, gain in enumerate(pnl):
        if gain.low < least.low:
            worst = index
        least = least.at_most(gain)
    return worst, least


def options_by_expiry(
    markets: Sequence[ExpiryMarket], options: Sequence[Option]
) -> tuple[tuple[ExpiryMarket, tuple[Option, ...]], ...]:
    """Return the options of each expiry that has any, with its market, in order of expiry.

    Raises: ValueError for an expiry without a market.
    """
    known = {market.seconds: market for market in markets}
    wanted = sorted({option.seconds for option in options})
    if missing := [seconds for seconds in wanted if seconds not in known]:
        raise ValueError(f"no market of the expiries in {missing} s")
    return tuple((known[seconds], tuple(o for o in options if o.seconds == seconds)) for seconds in wanted)


def in_order(
    options: Sequence[Option],
    expiries: Sequence[tuple[ExpiryMarket, Sequence[Option]]],
    values: Sequence[Sequence[Interval]],
) -> tuple[Interval, ...]:
    """Return figures that are kept by expiry in the order of the options."""
    left = {market.seconds: iter(row) for (market, _), row in zip(expiries, values, strict=True)}
    return tuple(next(left[option.seconds]) for option in options)


def expiry_value(market: ExpiryMarket, legs: Sequence[Option], spot: int, vol_factor: Interval) -> Interval:
    """Return the undiscounted value of one expiry's options in one scenario."""
    return total(leg_values(market, legs, spot, vol_factor))


def leg_values(market: ExpiryMarket, legs: Sequence[Option], spot: int, vol_factor: Interval) -> list[Interval]:
    """Return the undiscounted value of each option of one expiry in one scenario."""
    forward = exact(market.forward_fixed) + product(market.forward_variable, spot)
    time = (max(market.seconds, 0), UNIT)
    return [
        option_value(leg.is_call, forward, leg.strike, leg.vol * vol_factor, time).times(leg.amount) for leg in legs
    ]


def _expiry_gains(
    now: Interval, market: ExpiryMarket, legs: Sequence[Option], rules: PmrmRules
) -> tuple[list[Interval], list[Interval]]:
    """Return one expiry's (gain, part of the discount in it) in each scenario; values above zero are discounted."""
    up, down = shocked_vols(rules.vol, market.seconds)
    factors = {VolMove.UP: up, VolMove.DOWN: down, VolMove.NONE: UNIT}
    rate = product(max(market.rate, 0), rules.rate_mult) + exact(rules.rate_add)
    discount = decay(rate, max(market.seconds, 0)).times(rules.discount)
    gains, costs = [], []
    for scenario in rules.scenarios:
        if scenario.vol not in factors:
            raise ValueError(f"this rule set has no scenario {scenario.vol}")
        shocked = expiry_value(market, legs, scenario.spot, factors[scenario.vol])
        gains.append(discounted(shocked, discount, UNIT) - now)
        costs.append(discounted(shocked, discount - UNIT, ZERO))
    return gains, costs


def discounted(value: Interval, when_long: Interval, when_short: Interval) -> Interval:
    """Return a value times the one factor where it is positive, the other where it is negative."""
    if value.low >= 0:
        return value * when_long
    if value.high <= 0:
        return value * when_short
    return (value * when_long).hull(value * when_short)


def _static(
    portfolio: PmrmPortfolio, expiries: Sequence[tuple[ExpiryMarket, tuple[Option, ...]]], rules: PmrmRules
) -> Interval:
    naked = sum(naked_shorts((leg.strike, leg.amount) for leg in legs) for _, legs in expiries)
    shares = (
        product(abs(portfolio.perp), rules.perp_percent, portfolio.spot),
        product(portfolio.base, rules.base_percent, portfolio.spot),
        product(naked, rules.option_percent, portfolio.spot),
    )
    return total(shares)


def _confidence(
    portfolio: PmrmPortfolio, expiries: Sequence[tuple[ExpiryMarket, tuple[Option, ...]]], rules: PmrmRules
) -> Interval:
    common = portfolio.spot_confidence
    if portfolio.perp:
        common = min(common, portfolio.perp_confidence)
    sizes = [(common, abs(portfolio.perp) + portfolio.base)]
    sizes += [(min(common, market.confidence), sum(abs(leg.amount) for leg in legs)) for market, legs in expiries]
    margin_, spot = rules.confidence_margin, portfolio.spot
    return total(
        confidence_charge(confidence, rules.confidence_threshold, margin_, size, spot) for confidence, size in sizes
    )


def _initial_factor(stable_price: Figure, rules: PmrmRules) -> Interval:
    return exact(rules.initial_factor) + product(shortfall(rules.peg_threshold, stable_price), rules.peg_factor)
