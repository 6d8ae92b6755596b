"""Grid legs: what each leg is worth as things stand and in each scenario, at its own worst or best price.

A leg's figure rises or falls with its price throughout: a long call, a coin, a long future rise, a long put and what is
owed fall, a short position is the mirror. So one end of the interval is the worst for all scenarios at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from proofs.units import E18
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Role
from relayer.margin.interval import Interval, exact, product
from relayer.margin.models.figures import cost, gain
from relayer.margin.models.quotes import (
    ExpiryKey,
    OptionQuote,
    amount_e18,
    option_quote,
    perp_name,
    price_of,
    surface_faults,
)
from relayer.margin.rulesets.black76 import prices
from relayer.margin.rulesets.derive_common import decay, growth
from relayer.margin.rulesets.grid import GridPoint


@dataclass(frozen=True, slots=True)
class Money:
    """Hold the money's symbol, what never moves, the grid, and how old a surface may be."""

    symbol: str
    still: Set[str]
    points: tuple[GridPoint, ...]
    surface_age_s_max: int


@dataclass(frozen=True, slots=True)
class GridLeg:
    """Hold a leg at one end: the price used, its value, its value in each scenario (empty for what does not move)."""

    leg: Leg
    price: int
    value: int
    shocked: tuple[int, ...]
    exposure: int
    short_options: int = 0


def legs_of(account: Account, market: MarketData, money: Money, end: End) -> tuple[list[GridLeg], tuple[Gap, ...]]:
    """Return the legs that can be weighed, and the gaps; what is held without a price counts zero."""
    failed = surface_faults(account, market, money.surface_age_s_max)
    legs, gaps = [], []
    for leg in account.legs:
        if not (leg.amount or leg.entry_value or leg.accrued):
            continue
        part = _leg(leg, market, money, failed)
        if isinstance(part, str):
            is_held = leg.role in (Role.COLLATERAL, Role.CASH, Role.OPTION) and leg.amount > 0
            gaps.append(Gap(leg.name, part, is_held))
        else:
            legs.append(part.at(end))
    return legs, tuple(gaps)


@dataclass(frozen=True, slots=True)
class _Bounded:
    """Hold a leg between bounds."""

    leg: Leg
    price: Interval
    value: Interval
    shocked: tuple[Interval, ...]
    exposure: int
    short_options: int = 0

    def at(self, end: End) -> GridLeg:
        is_owed = self.leg.role is Role.DEBT or self.leg.amount < 0
        price = cost(self.price, end) if is_owed else gain(self.price, end)
        shocked = tuple(gain(figure, end) for figure in self.shocked)
        return GridLeg(self.leg, price, gain(self.value, end), shocked, self.exposure, self.short_options)


def _leg(leg: Leg, market: MarketData, money: Money, failed: Mapping[ExpiryKey, str]) -> _Bounded | str:
    amount = amount_e18(leg)
    if isinstance(amount, str):
        return amount
    if leg.role is Role.OPTION:
        quote = option_quote(leg, market, failed)
        return quote if isinstance(quote, str) else _option(leg, amount, quote, money)
    if leg.role in (Role.COLLATERAL, Role.DEBT) and amount < 0:
        return f"negative amount of {leg.role}"
    is_money = leg.asset == money.symbol and leg.asset not in market.prices
    price = exact(E18) if is_money else _price(leg, market)
    if isinstance(price, str):
        return price
    return _linear(leg, -amount if leg.role is Role.DEBT else amount, price, _points(leg, money))


def _points(leg: Leg, money: Money) -> tuple[GridPoint, ...]:
    is_position = leg.role in (Role.PERP, Role.FUTURE)
    is_still = leg.asset in money.still or leg.asset == money.symbol
    return () if is_still and not is_position else money.points


def _price(leg: Leg, market: MarketData) -> Interval | str:
    """Return the price of a leg: a perp's own where the market has one, else its asset's."""
    own = perp_name(leg.asset)
    return price_of(market, own if leg.role is Role.PERP and own in market.prices else leg.asset)


def _linear(leg: Leg, amount: int, price: Interval, points: tuple[GridPoint, ...]) -> _Bounded:
    offset = exact(leg.accrued - leg.entry_value)
    shocked = tuple(product(amount, price, E18 + point.shift) + offset for point in points)
    exposure = product(abs(amount), price).high if leg.role is not Role.CASH else 0
    return _Bounded(leg, price, product(amount, price) + offset, shocked, exposure)


def _option(leg: Leg, amount: int, quote: OptionQuote, money: Money) -> _Bounded:
    shocked = tuple(_value(quote, amount, point) for point in money.points)
    exposure = product(abs(amount), quote.forward).high
    now = _value(quote, amount, GridPoint(0))
    return _Bounded(leg, quote.forward, now, shocked, exposure, max(-amount, 0))


def _value(quote: OptionQuote, amount: int, point: GridPoint) -> Interval:
    """Return an option position's value in a scenario, each end of the forward priced by itself."""
    fixed, rate = quote.expiry.forward_fixed, exact(abs(quote.expiry.rate_e18))
    discount = (decay if quote.expiry.rate_e18 >= 0 else growth)(rate, quote.seconds)
    moved = exact(fixed) + product(quote.forward_variable, E18 + point.shift)
    vol = quote.vol.times(point.vol_factor)
    ends = (exact(moved.low), exact(moved.high))
    low, high = (prices(end, quote.terms.strike_e18, vol, quote.seconds, discount) for end in ends)
    if quote.terms.is_call:
        return Interval(low.call.low, high.call.high).times(amount)
    return Interval(high.put.low, low.put.high).times(amount)
