"""Parts: sort the legs of an account as Derive's managers know them, and name those that cannot be weighed.

| leg | amount | needs |
|---|---|---|
| cash | signed, in the stable coin that the venue counts in; a debt in it is negative cash | the coin's price |
| collateral | >= 0 of a coin that the rules accept | its price |
| perp | signed; unrealised = amount · perp price - entry value + accrued | its own price (`ETH-PERP`) and the spot |
| option | signed | spot, forward and volatility of its expiry (`quotes`) |

Without the stable coin's price nothing can be weighed. What is held and has no price counts zero and hedges nothing,
where it could not count less (`zero_is_worst`); a short option or a perpetual without one leaves the verdict unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from proofs.units import E18, PPM
from relayer.margin.engine.inputs import Account, Gap, Leg, MarketData, Role
from relayer.margin.interval import Interval, exact, product
from relayer.margin.models.quotes import (
    ExpiryKey,
    OptionQuote,
    amount_e18,
    option_quote,
    perp_name,
    price_of,
    surface_faults,
)
from relayer.margin.view import Purpose


@dataclass(frozen=True, slots=True)
class Venue:
    """Name what a manager admits: the coin of its cash, underlyings of perps and options, coins as collateral.

    Held legs of the roles in `may_hold_at_zero` cannot cost more at maintenance than they are worth.
    """

    stable: str
    underlyings: Set[str]
    coins: Set[str]
    surface_age_s_max: int
    may_hold_at_zero: Set[Role] = frozenset({Role.COLLATERAL, Role.CASH, Role.OPTION})


def zero_is_worst(purpose: Purpose) -> int:
    """Return how far the requirement may be multiplied before something held costs more than it is worth, in ppm.

    At initial a charge for unsure feeds and a loss factor above 1 come on top: there nothing is sure to count above 0.
    """
    return 0 if purpose is Purpose.INITIAL else PPM


@dataclass(frozen=True, slots=True)
class Part:
    """Hold a leg that can be weighed: amount at 1e18, its price, for a perp its unrealised result, for an option its
    quote; `spot` is the underlying's.
    """

    leg: Leg
    amount: int
    price: Interval
    spot: Interval
    unrealised: Interval | None = None
    quote: OptionQuote | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """Hold the parts of an account by kind, in the order of its legs, the stable coin's price, and the gaps."""

    stable_price: Interval
    cash: tuple[Part, ...]
    coins: tuple[Part, ...]
    perps: tuple[Part, ...]
    options: tuple[Part, ...]
    gaps: tuple[Gap, ...]

    def cash_total(self, settled: Interval) -> Interval:
        """Return all cash, with what perpetuals without a position left behind."""
        return exact(sum(part.amount for part in self.cash)) + settled

    def quotes(self) -> tuple[tuple[Part, OptionQuote], ...]:
        """Return the options with their quotes."""
        return tuple((part, part.quote) for part in self.options if part.quote is not None)


def parts_of(account: Account, market: MarketData, venue: Venue) -> Parts:
    """Sort the legs; those without amount and result are left out."""
    stable = price_of(market, venue.stable)
    failed = surface_faults(account, market, venue.surface_age_s_max)
    found: dict[Role, list[Part]] = {role: [] for role in Role}
    gaps = []
    for leg in account.legs:
        if not (leg.amount or leg.entry_value or leg.accrued):
            continue
        part = stable if isinstance(stable, str) else _part(leg, market, venue, failed)
        if isinstance(part, str):
            gaps.append(Gap(leg.name, part, leg.role in venue.may_hold_at_zero and leg.amount > 0))
        elif isinstance(part, Part):
            found[leg.role].append(part)
    return Parts(
        stable_price=exact(E18) if isinstance(stable, str) else stable,
        cash=(*found[Role.CASH], *found[Role.DEBT]),
        coins=tuple(found[Role.COLLATERAL]),
        perps=tuple(found[Role.PERP]),
        options=tuple(found[Role.OPTION]),
        gaps=tuple(gaps),
    )


def is_known(leg: Leg, venue: Venue) -> bool:
    """Tell whether the venue has such legs."""
    admitted: Mapping[Role, Set[str]] = {
        Role.CASH: {venue.stable},
        Role.DEBT: {venue.stable},
        Role.COLLATERAL: venue.coins,
        Role.PERP: venue.underlyings,
        Role.OPTION: venue.underlyings,
    }
    is_negative = leg.amount < 0 and leg.role in (Role.COLLATERAL, Role.DEBT)
    return leg.asset in admitted.get(leg.role, frozenset()) and not is_negative


def _part(leg: Leg, market: MarketData, venue: Venue, failed: Mapping[ExpiryKey, str]) -> Part | str:
    amount, spot = amount_e18(leg), price_of(market, leg.asset)
    if not is_known(leg, venue):
        return f"the rule set knows no {leg.role} of {leg.asset}"
    if isinstance(amount, str):
        return amount
    if isinstance(spot, str):
        return spot
    if leg.role is Role.PERP:
        return _perp(leg, amount, spot, market)
    if leg.role is Role.OPTION:
        quote = option_quote(leg, market, failed)
        return quote if isinstance(quote, str) else Part(leg, amount, spot, spot, quote=quote)
    return Part(leg, -amount if leg.role is Role.DEBT else amount, spot, spot)


def _perp(leg: Leg, amount: int, spot: Interval, market: MarketData) -> Part | str:
    price = price_of(market, perp_name(leg.asset))
    if isinstance(price, str):
        return price
    unrealised = product(amount, price) + exact(leg.accrued - leg.entry_value)
    return Part(leg, amount, price, spot, unrealised=unrealised)
