"""Inputs: what one account holds, what the market says, and the rules to weigh it by, for any rule set.

Rules of this file:
- An amount is an integer in the leg's own smallest unit; what that unit is, the rule set says (token units, scaled
  balances, shares, base quantums, 1e18 for options).
- A price is an interval in US dollars, or in what the rule set says, at its own number of decimals.
- Nothing here weighs anything. What is not in a mapping is unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from proofs.types import ChainId, Encumbrance
from proofs.units import E18, rescale_down, rescale_up


class End(StrEnum):
    """Say which end of every interval an evaluation takes: the worst for the account, or the best."""

    LOW = "low"
    HIGH = "high"


class Role(StrEnum):
    """Say what a leg is: how its amount is signed follows from it.

    Collateral and debt amounts are >= 0. Cash, perp, future and option amounts are signed: negative is borrowed, short.
    """

    COLLATERAL = "collateral"
    DEBT = "debt"
    CASH = "cash"
    PERP = "perp"
    FUTURE = "future"
    OPTION = "option"


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """Describe a European option on the leg's asset: strike at 1e18, expiry in Unix seconds."""

    strike_e18: int
    expiry_s: int
    is_call: bool


@dataclass(frozen=True, slots=True)
class Leg:
    """Hold one thing that the account holds or owes; `name` is unique in the account.

    `asset` names the underlying in prices and rules. `entry_value` and `accrued` are those of a perp, in the rule set's
    money unit, signed. `expiry_s` is that of a dated future. `own_limit` is the account's own tighter setting where a
    rule set has one (leverage, initial fraction), 0 for none. `group` separates risk groups inside a cross account:
    legs of different groups never help each other. `block_time_s` is the time of its block, 0 where it is not known;
    `encumbrance` says how firmly a holding is bound to the venue; rule sets that do not ask for them ignore both.
    """

    name: str
    role: Role
    asset: str
    amount: int
    chain: ChainId
    block_number: int = 0
    decimals: int = 18
    entry_value: int = 0
    accrued: int = 0
    option: OptionTerms | None = None
    expiry_s: int = 0
    own_limit: int = 0
    group: str = ""
    venue: str = ""
    block_time_s: int = 0
    encumbrance: Encumbrance = Encumbrance.NOT_APPLICABLE


@dataclass(frozen=True, slots=True)
class Account:
    """Hold the legs of one account, in the order in which the venue would read them.

    `mode` is a setting of the whole account that the rule set knows (an e-mode category), 0 for none. `unread` names
    what should be here and could not be read: (leg name, role, reason).
    """

    name: str
    legs: tuple[Leg, ...]
    mode: int = 0
    unread: tuple[Gap, ...] = ()

    def leg(self, name: str) -> Leg:
        """Return the leg of that name. Raises: KeyError for an unknown one."""
        for leg in self.legs:
            if leg.name == name:
                return leg
        raise KeyError(name)

    def with_amount(self, name: str, amount: int) -> Account:
        """Return the account with another amount of one leg; its place is kept."""
        self.leg(name)
        return replace(self, legs=tuple(replace(leg, amount=amount) if leg.name == name else leg for leg in self.legs))

    def with_leg(self, leg: Leg) -> Account:
        """Return the account with one more leg, last, or with the leg of that name replaced."""
        if any(other.name == leg.name for other in self.legs):
            return replace(self, legs=tuple(leg if other.name == leg.name else other for other in self.legs))
        return replace(self, legs=(*self.legs, leg))


@dataclass(frozen=True, slots=True)
class Gap:
    """Name a leg that could not be weighed and why. Missing collateral counts zero; else the verdict is unknown."""

    leg: str
    reason: str
    is_collateral: bool


@dataclass(frozen=True, slots=True)
class Price:
    """Hold low <= price <= high > 0, integers at 10^decimals; confidence at 1e18, 1 where the feed states none."""

    low: int
    high: int
    decimals: int = 18
    confidence_e18: int = E18

    def at(self, end: End, *, is_owed: bool) -> int:
        """Return the end that is worst (or best) for what is held, or for what is owed."""
        return self.high if (end is End.LOW) == is_owed else self.low

    def scaled(self, decimals: int) -> Price:
        """Return the interval at another number of decimals, rounded outward."""
        low, high = rescale_down(self.low, self.decimals, decimals), rescale_up(self.high, self.decimals, decimals)
        return Price(low, high, decimals, self.confidence_e18)

    def shifted(self, shift_ppm: int) -> Price:
        """Return the interval moved by a share of itself (-150_000 is -15 %), outward; never below zero."""
        factor = max(0, 1_000_000 + shift_ppm)
        low, high = self.low * factor // 1_000_000, -(-self.high * factor // 1_000_000)
        return replace(self, low=low, high=high)


@dataclass(frozen=True, slots=True)
class Indices:
    """Hold a reserve's interest indices in the venue's own scale (ray, 1e15)."""

    supply: int
    borrow: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Hold the totals of a lending market that keeps shares, interest included up to the moment in question."""

    supply_assets: int
    supply_shares: int
    borrow_assets: int
    borrow_shares: int


@dataclass(frozen=True, slots=True)
class Surface:
    """Hold one expiry's SVI slice at 1e18; `observed_s` is when it was observed."""

    a: int
    b: int
    rho: int
    m: int
    sigma: int
    forward: int
    tau: int
    observed_s: int = 0


@dataclass(frozen=True, slots=True)
class ExpiryQuote:
    """Hold what the market says of one expiry: forward in US dollars, rate, confidences (1e18), volatilities.

    Volatilities come from `surface`, or from `vols` by strike (1e18 each) where the venue publishes points.
    `forward_fixed` is the part of the forward that is settled already (1e18).
    """

    forward: Price
    rate_e18: int = 0
    forward_fixed: int = 0
    rate_confidence_e18: int = E18
    vol_confidence_e18: int = E18
    surface: Surface | None = None
    vols: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class MarketData:
    """Hold all that a rule set may ask of the market, by asset (or pool name); `as_of_s` in Unix seconds.

    `average_prices` are time-weighted ones, for rules with strict prices. `open_interest` is in the amounts' unit.
    """

    as_of_s: int
    prices: Mapping[str, Price]
    average_prices: Mapping[str, Price] = field(default_factory=lambda: MappingProxyType({}))
    indices: Mapping[str, Indices] = field(default_factory=lambda: MappingProxyType({}))
    totals: Mapping[str, Totals] = field(default_factory=lambda: MappingProxyType({}))
    open_interest: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    expiries: Mapping[tuple[str, int], ExpiryQuote] = field(default_factory=lambda: MappingProxyType({}))

    def with_price(self, asset: str, price: Price) -> MarketData:
        """Return the market with another price of one asset; forwards of it move by the same ratio, outward."""
        before = self.prices.get(asset)
        expiries = self.expiries
        if before is not None and any(name == asset for name, _ in expiries):
            moved = {
                key: replace(quote, forward=_moved(quote.forward, before, price)) if key[0] == asset else quote
                for key, quote in expiries.items()
            }
            expiries = MappingProxyType(moved)
        return replace(self, prices=MappingProxyType({**self.prices, asset: price}), expiries=expiries)


def _moved(forward: Price, before: Price, after: Price) -> Price:
    """Return the forward moved by after : before, low by low and high by high, outward."""
    after = after.scaled(before.decimals) if after.decimals != before.decimals else after
    low = forward.low * after.low // before.low
    return replace(forward, low=low, high=-(-forward.high * after.high // before.high))
