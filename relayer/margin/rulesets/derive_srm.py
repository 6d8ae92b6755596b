"""Margin an account of several markets as Derive's standard manager does, in integers at 1e18, between bounds.

Margins are signed: what the account has beyond what it must have, so a requirement is negative. q < 0 is a short.

| term | maintenance | initial |
|---|---|---|
| short call | mtm + call% · S · q | mtm + max(min%, max% - (K - S)⁺ : S) · S · q |
| short put | mtm + min(put% · S · q, put mtm% · mtm) | min(mtm + max(min%, max% - (S - K)⁺ : S) · S · q, offset · MM) |
| long option | 0, and covers shorts only through the maximum loss | same |
| expiry | max(Σ isolated, max loss) | same, its own scale |
| perp | -size · P · mm% + unrealised | -size · P · im% + unrealised - confidence charge |
| base | q · S · factor | q · S · factor · IM scale - confidence charge |
| confidence | - | (1 - c) · factor · S · size where c < threshold |
| depeg | - | (threshold - p)⁺ · factor · S · (shorts + perps) |

    max loss = min over {0, strikes} of min(payoff, 0), + scale · F · net calls where these are short
    c of perp: perp and spot, size abs(position); of expiry: spot, forward and vols, size its shorts; of base: spot
    margin = cash + Σ of these          mtm = cash + options + unrealised + base · S : p_stable

Thresholds of 0 are off. Confidences are compared as exact decimals. Option prices are uncertain, and prices, forwards
and volatilities may be given between bounds: whatever the truth inside them, the margin lies in [`low`, `high`].

Merging accounts can cost more than it saves: a short call without bound in an expiry switches the whole expiry from
maximum loss to isolated shorts, so spreads that stood alone at their width are then margined leg by leg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proofs.units import E18
from relayer.margin.interval import UNIT, ZERO, Figure, Interval, bounds, exact, product, shortfall, total
from relayer.margin.rulesets.derive_common import confidence_charge, option_value
from relayer.margin.view import Purpose


@dataclass(frozen=True, slots=True)
class OptionRules:
    """Hold shares of spot, of mark-to-market, and scales, at 1e18."""

    max_spot: int
    min_spot: int
    mm_call_spot: int
    mm_put_spot: int
    mm_put_mtm: int
    unpaired_initial_scale: int
    unpaired_maintenance_scale: int
    offset_scale: int


@dataclass(frozen=True, slots=True)
class SrmRules:
    """Hold the parameters of the rule set, at 1e18: (maintenance, initial) of perps, thresholds of confidences."""

    option: OptionRules
    perp_maintenance: int
    perp_initial: int
    perp_threshold: int
    option_threshold: int
    base_threshold: int
    confidence_factor: int
    depeg_threshold: int
    depeg_factor: int
    base_factor: int
    base_initial_scale: int


@dataclass(frozen=True, slots=True)
class ExpiryFeed:
    """Hold an expiry's forward and the confidences of its forward and volatilities."""

    seconds: int
    forward: Figure
    forward_confidence: int
    vol_confidence: int


@dataclass(frozen=True, slots=True)
class MarketFeed:
    """Hold the prices of one underlying, at 1e18 in US dollars, with confidences."""

    spot: Figure
    spot_confidence: int
    perp_price: Figure
    perp_confidence: int
    expiries: tuple[ExpiryFeed, ...]


@dataclass(frozen=True, slots=True)
class OptionLeg:
    """Hold one option position; the volatility is the feed's at its strike."""

    seconds: int
    strike: int
    is_call: bool
    amount: int
    vol: Figure


@dataclass(frozen=True, slots=True)
class MarketHolding:
    """Hold what an account has in one underlying; `unrealised` is profit and funding not yet settled."""

    feed: MarketFeed
    options: tuple[OptionLeg, ...] = ()
    perp: int = 0
    unrealised: Figure = 0
    base: int = 0


@dataclass(frozen=True, slots=True)
class SrmTerm:
    """Explain one term of a margin; amounts add up to the margin, values to the mark-to-market, exactly."""

    label: str
    amount: Interval
    value: Interval = ZERO


@dataclass(frozen=True, slots=True)
class SrmResult:
    """Hold margin and mark-to-market; `margin.low` decides, zero or more is healthy."""

    margin: Interval
    mtm: Interval
    terms: tuple[SrmTerm, ...]


def margin(
    holdings: Sequence[tuple[str, MarketHolding]], cash: Figure, stable_price: Figure, rules: SrmRules, purpose: Purpose
) -> SrmResult:
    """Margin an account over its markets, (name, holding) each.

    Raises: ValueError for an option of an expiry that the feed does not carry, a negative base, a stable price of 0.
    """
    if bounds(stable_price).low <= 0 or any(holding.base < 0 for _, holding in holdings):
        raise ValueError("base amounts are never negative, stable prices always positive")
    terms = [SrmTerm("cash", bounds(cash), bounds(cash))]
    for name, holding in holdings:
        terms += _market_terms(name, holding, stable_price, rules, purpose)
    return SrmResult(total(term.amount for term in terms), total(term.value for term in terms), tuple(terms))


def _market_terms(
    name: str, holding: MarketHolding, stable_price: Figure, rules: SrmRules, purpose: Purpose
) -> list[SrmTerm]:
    unrealised = bounds(holding.unrealised if holding.perp else 0)
    terms = [
        SrmTerm(f"{name} perp", _perp(holding, rules, purpose)),
        SrmTerm(f"{name} unrealised", unrealised, unrealised),
        SrmTerm(f"{name} base", _base(holding, rules, purpose), base_value(holding, stable_price)),
    ]
    for feed, legs in by_expiry(holding):
        values = [leg_value(feed, leg) for leg in legs]
        required = expiry_margin(holding.feed, feed, tuple(zip(legs, values, strict=True)), rules.option, purpose)
        terms.append(SrmTerm(f"{name} options {feed.seconds} s", required, total(values)))
        if purpose is Purpose.INITIAL:
            confidence = min(holding.feed.spot_confidence, feed.forward_confidence, feed.vol_confidence)
            charge = confidence_charge(
                confidence, rules.option_threshold, rules.confidence_factor, holding.feed.spot, _shorts(legs)
            )
            terms.append(SrmTerm(f"{name} options {feed.seconds} s confidence", -charge))
    if purpose is Purpose.INITIAL:
        size = abs(holding.perp) + _shorts(holding.options)
        depeg = shortfall(rules.depeg_threshold, stable_price)
        terms.append(SrmTerm(f"{name} depeg", -product(depeg, rules.depeg_factor, holding.feed.spot, size)))
    return [term for term in terms if term.amount != ZERO or term.value != ZERO]


def _perp(holding: MarketHolding, rules: SrmRules, purpose: Purpose) -> Interval:
    feed, size = holding.feed, abs(holding.perp)
    if size == 0:
        return ZERO
    if purpose is Purpose.MAINTENANCE:
        return -product(size, feed.perp_price, rules.perp_maintenance)
    confidence = min(feed.perp_confidence, feed.spot_confidence)
    charge = confidence_charge(confidence, rules.perp_threshold, rules.confidence_factor, feed.spot, size)
    return -product(size, feed.perp_price, rules.perp_initial) - charge


def _base(holding: MarketHolding, rules: SrmRules, purpose: Purpose) -> Interval:
    feed, amount = holding.feed, holding.base
    if purpose is Purpose.MAINTENANCE:
        return product(amount, feed.spot, rules.base_factor)
    charge = confidence_charge(feed.spot_confidence, rules.base_threshold, rules.confidence_factor, feed.spot, amount)
    return product(amount, feed.spot, rules.base_factor, rules.base_initial_scale) - charge


def base_value(holding: MarketHolding, stable_price: Figure) -> Interval:
    """Return the mark-to-market of the base asset, in stable units."""
    return product(holding.base, holding.feed.spot).over(bounds(stable_price)) if holding.base else ZERO


# --- options ---------------------------------------------------------------------------------------------------------


def by_expiry(holding: MarketHolding) -> tuple[tuple[ExpiryFeed, tuple[OptionLeg, ...]], ...]:
    """Return the options of each expiry with its feed, in order of expiry.

    Raises: ValueError for an expiry without a feed.
    """
    feeds = {feed.seconds: feed for feed in holding.feed.expiries}
    wanted = sorted({leg.seconds for leg in holding.options})
    if missing := [seconds for seconds in wanted if seconds not in feeds]:
        raise ValueError(f"no feed of the expiries in {missing} s")
    return tuple(
        (feeds[seconds], tuple(leg for leg in holding.options if leg.seconds == seconds)) for seconds in wanted
    )


def expiry_margin(
    market: MarketFeed,
    feed: ExpiryFeed,
    valued: Sequence[tuple[OptionLeg, Interval]],
    rules: OptionRules,
    purpose: Purpose,
) -> Interval:
    """Return the better of the isolated shorts and the maximum loss of one expiry, its legs with their values."""
    legs = [leg for leg, _ in valued]
    isolated = total(_isolated(market, leg, mtm, rules, purpose) for leg, mtm in valued if leg.amount < 0)
    worst = min(min(_payoff(legs, price), 0) for price in (0, *(leg.strike for leg in legs)))
    max_loss = Interval(worst // E18, -(-worst // E18))
    net_calls = sum(leg.amount for leg in legs if leg.is_call)
    if net_calls < 0:
        is_initial = purpose is Purpose.INITIAL
        scale = rules.unpaired_initial_scale if is_initial else rules.unpaired_maintenance_scale
        max_loss += product(scale, feed.forward, net_calls)
    return isolated.at_least(max_loss)


def leg_value(feed: ExpiryFeed, leg: OptionLeg) -> Interval:
    """Return a position's mark-to-market, undiscounted."""
    unit = option_value(leg.is_call, bounds(feed.forward), leg.strike, bounds(leg.vol), (max(feed.seconds, 0), UNIT))
    return unit.times(leg.amount)


def _payoff(legs: Sequence[OptionLeg], price: int) -> int:
    """Return the expiry's payoff at a settlement price, exact at 1e36."""
    return sum(leg.amount * max(price - leg.strike if leg.is_call else leg.strike - price, 0) for leg in legs)


def _isolated(market: MarketFeed, leg: OptionLeg, mtm: Interval, rules: OptionRules, purpose: Purpose) -> Interval:
    spot = bounds(market.spot)
    if leg.is_call:
        if purpose is Purpose.MAINTENANCE:
            return mtm + product(rules.mm_call_spot, spot, leg.amount)
        return mtm + _own_requirement(rules, spot, exact(leg.strike) - spot, leg.amount)
    by_spot = product(rules.mm_put_spot, spot, leg.amount)
    maintenance = by_spot.at_most(mtm.times(rules.mm_put_mtm)) + mtm
    if purpose is Purpose.MAINTENANCE:
        return maintenance
    own = mtm + _own_requirement(rules, spot, spot - exact(leg.strike), leg.amount)
    return own.at_most(maintenance.times(rules.offset_scale))


def _own_requirement(rules: OptionRules, spot: Interval, out_of_money: Interval, amount: int) -> Interval:
    """Return max(min%, max% - (out of the money)⁺ : S) · S · q, multiplied out: max(min% · S, max% · S - out⁺) · q."""
    least = max(rules.min_spot * spot.low, rules.max_spot * spot.low - max(out_of_money.high, 0) * E18)
    most = max(rules.min_spot * spot.high, rules.max_spot * spot.high - max(out_of_money.low, 0) * E18)
    ends, scale = (least * amount, most * amount), E18 * E18
    return Interval(min(ends) // scale, -(-max(ends) // scale))


def _shorts(legs: Sequence[OptionLeg]) -> int:
    return sum(-leg.amount for leg in legs if leg.amount < 0)
