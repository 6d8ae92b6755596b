"""Margin an account of one underlying as Derive's second portfolio manager does, in integers at 1e18, between bounds.

    PnL_s  = damping_s (Σ expiries G(D(V_s) - V) + Σ moving collateral v (s - 1) + perp · P (s - 1))
    D(V)   = V · disc⁺ for V >= 0, V · disc⁻ for V < 0
    G(x)   = x, but -abs(x) in the two skew scenarios: the skew may turn either way
    disc⁺  = long discount · e^(-τ (r · long mult + long add))
    disc⁻  = min(1 : df, short discount · e^(τ (r · short mult + short add)))      df = e^(-r τ), r floored at 0
    basis  = Σ expiries min(V(up) - V, V(down) - V, 0) · (add + mult · τ)
    MM     = MM factor · min(basis, min_s PnL_s) - MM contingency + mtm
    IM     = (IM factor + (threshold - p)⁺ · peg factor) · min(basis, min_s PnL_s) - IM and MM contingency + mtm
    mtm    = cash + Σ V + Σ v + unrealised PnL and funding          v = q · p : p_stable
    MM contingency: abs(perp) S · perp% + Σ v · haircut + Σ naked shorts S · option%
    IM contingency: the same with its own shares, + (1 - c) · margin · notional where c < threshold; c of the perp's
             notional: spot and, where one is held, perp; of an expiry (S Σ abs(q)): also forward, rate, volatilities;
             of a collateral (v): its own and spot, never the perp's

How options are shocked stands in `derive_pmrm2_grid`. Scenario lists and every factor are parameter data. Prices and
forwards may be given between bounds: whatever the truth inside them, a margin lies in [`low`, `high`]. The worst
scenario is the one with the least low end, the first of equals; None is the basis contingency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proofs.units import E18
from relayer.margin.interval import UNIT, ZERO, Figure, Interval, bounds, exact, product, shortfall, total
from relayer.margin.rulesets.derive_common import (
    BasisContingency,
    basis_loss,
    confidence_charge,
    decay,
    growth,
    naked_shorts,
)
from relayer.margin.rulesets.derive_pmrm import (
    ExpiryMarket,
    Option,
    Scenario,
    VolMove,
    discounted,
    in_order,
    options_by_expiry,
    worst_case,
)
from relayer.margin.rulesets.derive_pmrm2_grid import Shocks, expiry_values, sums

ASSETS_MAX: Final = 128
"""What the venue admits in one account."""
SKEWS: Final = frozenset({VolMove.LINEAR, VolMove.ABS})


@dataclass(frozen=True, slots=True)
class Discounts:
    """Hold the static discounts, at 1e18: base, multiple of the rate and addition to it, of net long and net short."""

    long_base: int
    long_mult: int
    long_add: int
    short_base: int
    short_mult: int
    short_add: int


@dataclass(frozen=True, slots=True)
class Contingencies:
    """Hold shares, thresholds and factors, at 1e18."""

    peg_threshold: int
    peg_factor: int
    confidence_threshold: int
    confidence_margin: int
    mm_perp: int
    im_perp: int
    mm_option: int
    im_option: int


@dataclass(frozen=True, slots=True)
class Pmrm2Rules:
    """Hold the parameters of the rule set."""

    scenarios: tuple[Scenario, ...]
    shocks: Shocks
    basis: BasisContingency
    discounts: Discounts
    contingencies: Contingencies
    mm_factor: int
    im_factor: int


@dataclass(frozen=True, slots=True)
class Collateral:
    """Hold an amount with price, confidence and haircuts; the initial haircut is on top of the maintenance one.

    `moves` says that it moves with the spot of the account's underlying and so counts in the scenarios.
    """

    amount: int
    price: Figure
    confidence: int
    mm_haircut: int
    im_haircut: int
    moves: bool


@dataclass(frozen=True, slots=True)
class Perp:
    """Hold a perpetual position; `unrealised` is profit and funding not yet settled."""

    amount: int = 0
    price: Figure = 0
    confidence: int = E18
    unrealised: Figure = 0


@dataclass(frozen=True, slots=True)
class Pmrm2Portfolio:
    """Hold an account and its market."""

    cash: int
    spot: Figure
    spot_confidence: int
    stable_price: Figure
    perp: Perp
    collaterals: tuple[Collateral, ...]
    expiries: tuple[ExpiryMarket, ...]
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Contingency:
    """Explain what is deducted: at maintenance, and at initial on top of it."""

    label: str
    maintenance: Interval
    initial: Interval


@dataclass(frozen=True, slots=True)
class Pmrm2Result:
    """Hold the margins and their parts; `scenario_pnl` after damping, before the loss factor.

    `discount_pnl` is the part of each PnL that the static discounts make (none in skew scenarios); values follow the
    options and the collaterals.
    """

    initial: Interval
    maintenance: Interval
    mtm: Interval
    option_mtm: Interval
    collateral_mtm: Interval
    basis_contingency: Interval
    initial_contingency: Interval
    maintenance_contingency: Interval
    scenario_pnl: tuple[Interval, ...]
    worst: int | None
    discount_pnl: tuple[Interval, ...]
    contingencies: tuple[Contingency, ...]
    option_values: tuple[Interval, ...]
    collateral_values: tuple[Interval, ...]


Expiries = Sequence[tuple[ExpiryMarket, tuple[Option, ...]]]


def margin(portfolio: Pmrm2Portfolio, rules: Pmrm2Rules) -> Pmrm2Result:
    """Margin an account for both purposes.

    Raises: ValueError for an option of an expiry without a market, a negative collateral, more assets than the venue
    admits, or no scenario.
    """
    _check(portfolio, rules)
    expiries = options_by_expiry(portfolio.expiries, portfolio.options)
    values = [_collateral_value(collateral, portfolio.stable_price) for collateral in portfolio.collaterals]
    moving = total(v for v, c in zip(values, portfolio.collaterals, strict=True) if c.moves)
    linear = moving + product(portfolio.perp.amount, portfolio.perp.price)
    pnl = [linear.times(scenario.spot - E18) for scenario in rules.scenarios]
    discounts = [ZERO for _ in rules.scenarios]
    option_mtm = basis = ZERO
    option_values = []
    for market, legs in expiries:
        units = expiry_values(market, legs, scenarios_of(rules), rules.shocks)
        option_values.append([unit[0].times(leg.amount) for unit, leg in zip(units, legs, strict=True)])
        now, up, down, *shocked = sums(units, legs)
        option_mtm += now
        basis += basis_loss((now, up, down), rules.basis, market.seconds)
        gains, costs = _gains(now, shocked, rules.scenarios, static_discounts(market, rules.discounts))
        pnl = [before + gain for before, gain in zip(pnl, gains, strict=True)]
        discounts = [before + cost for before, cost in zip(discounts, costs, strict=True)]
    pnl = [gain.times(scenario.damping) for gain, scenario in zip(pnl, rules.scenarios, strict=True)]
    worst, loss = worst_case(pnl, basis)
    mtm = exact(portfolio.cash) + bounds(portfolio.perp.unrealised) + option_mtm + total(values)
    terms = _contingencies(portfolio, values, expiries, rules.contingencies)
    mm_contingency, im_contingency = total(t.maintenance for t in terms), total(t.initial for t in terms)
    return Pmrm2Result(
        initial=loss * _initial_factor(portfolio.stable_price, rules) - im_contingency - mm_contingency + mtm,
        maintenance=loss.times(rules.mm_factor) - mm_contingency + mtm,
        mtm=mtm,
        option_mtm=option_mtm,
        collateral_mtm=total(values),
        basis_contingency=basis,
        initial_contingency=im_contingency,
        maintenance_contingency=mm_contingency,
        scenario_pnl=tuple(pnl),
        worst=worst,
        discount_pnl=tuple(c.times(s.damping) for c, s in zip(discounts, rules.scenarios, strict=True)),
        contingencies=terms,
        option_values=in_order(portfolio.options, expiries, option_values),
        collateral_values=tuple(values),
    )


def scenarios_of(rules: Pmrm2Rules) -> tuple[Scenario, ...]:
    """Return all scenarios in which options are priced: as they stand, the two of the basis, then the rule set's."""
    spots = (E18, rules.basis.spot_up, rules.basis.spot_down)
    return (*(Scenario(spot, VolMove.NONE) for spot in spots), *rules.scenarios)


def static_discounts(market: ExpiryMarket, discounts: Discounts) -> tuple[Interval, Interval]:
    """Return (disc⁺, disc⁻) of one expiry."""
    rate, seconds = max(market.rate, 0), max(market.seconds, 0)
    long_rate = product(rate, discounts.long_mult) + exact(discounts.long_add)
    short_rate = product(rate, discounts.short_mult) + exact(discounts.short_add)
    long = decay(long_rate, seconds).times(discounts.long_base)
    short = growth(short_rate, seconds).times(discounts.short_base)
    return long, short.at_most(growth(exact(rate), seconds))


def _gains(
    now: Interval, shocked: Sequence[Interval], scenarios: Sequence[Scenario], discounts: tuple[Interval, Interval]
) -> tuple[list[Interval], list[Interval]]:
    """Return one expiry's (gain, part of the discounts in it) in each scenario, before damping."""
    gains = [discounted(value, *discounts) - now for value in shocked]
    long, short = (discount - UNIT for discount in discounts)
    costs = [ZERO if s.vol in SKEWS else discounted(v, long, short) for v, s in zip(shocked, scenarios, strict=True)]
    return [g.loss() if s.vol in SKEWS else g for g, s in zip(gains, scenarios, strict=True)], costs


def _collateral_value(collateral: Collateral, stable_price: Figure) -> Interval:
    return product(collateral.amount, collateral.price).over(bounds(stable_price))


def _contingencies(
    portfolio: Pmrm2Portfolio, values: Sequence[Interval], expiries: Expiries, rules: Contingencies
) -> tuple[Contingency, ...]:
    """Return what is deducted, by cause."""
    spot, perp = portfolio.spot, portfolio.perp
    common = min(portfolio.spot_confidence, perp.confidence) if perp.amount else portfolio.spot_confidence
    naked = sum(naked_shorts((leg.strike, leg.amount) for leg in legs) for _, legs in expiries)
    size = abs(perp.amount)
    terms = [
        Contingency("perp contingency", product(size, spot, rules.mm_perp), product(size, spot, rules.im_perp)),
        Contingency("option contingency", product(naked, spot, rules.mm_option), product(naked, spot, rules.im_option)),
    ]
    sizes = [(common, abs(perp.amount))]
    sizes += [(min(common, market.confidence), sum(abs(leg.amount) for leg in legs)) for market, legs in expiries]
    unsure = total(
        confidence_charge(c, rules.confidence_threshold, rules.confidence_margin, size, spot) for c, size in sizes
    )
    lent = total(value.times(c.mm_haircut) for value, c in zip(values, portfolio.collaterals, strict=True))
    more = total(value.times(c.im_haircut) for value, c in zip(values, portfolio.collaterals, strict=True))
    for collateral, value in zip(portfolio.collaterals, values, strict=True):
        confidence = min(collateral.confidence, portfolio.spot_confidence)
        unsure += value * confidence_charge(confidence, rules.confidence_threshold, rules.confidence_margin)
    terms += [Contingency("collateral haircuts", lent, more), Contingency("confidence", ZERO, unsure)]
    return tuple(terms)


def _initial_factor(stable_price: Figure, rules: Pmrm2Rules) -> Interval:
    peg = rules.contingencies
    return exact(rules.im_factor) + product(shortfall(peg.peg_threshold, stable_price), peg.peg_factor)


def _check(portfolio: Pmrm2Portfolio, rules: Pmrm2Rules) -> None:
    held = len(portfolio.options) + len(portfolio.collaterals) + (portfolio.perp.amount != 0)
    if held > ASSETS_MAX:
        raise ValueError(f"{held} assets, the venue admits {ASSETS_MAX}")
    if bounds(portfolio.stable_price).low <= 0 or any(collateral.amount < 0 for collateral in portfolio.collaterals):
        raise ValueError("collateral is never negative, stable prices always positive")
    if not rules.scenarios:
        raise ValueError("a scenario is needed")
