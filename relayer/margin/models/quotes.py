"""Quotes: read what the market says of a leg as figures at 1e18 between bounds, or say why it says nothing.

An option is priced only while it has time left, where the market has a forward above zero and a volatility at its
strike. A surface is tried as a whole for its asset (`svi.faults`: parameters, variance, wings, butterfly, calendar,
age): a slice that fails says nothing, and of two slices that cross neither does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from proofs.units import E18
from relayer.margin.engine.inputs import Account, ExpiryQuote, Leg, MarketData, OptionTerms, Price, Role, Surface
from relayer.margin.interval import Interval, exact
from relayer.margin.rulesets.svi import Slice, SurfaceFault, Svi, faults, vol

DECIMALS: Final = 18
AGE_S_MAX: Final = 1_200
"""How old a surface may be where the rules say nothing else: the 20 minutes of a published deployment."""

ExpiryKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """Hold what prices an option: time left, forward with the part that is settled, volatility at its strike."""

    terms: OptionTerms
    seconds: int
    forward: Interval
    vol: Interval
    expiry: ExpiryQuote

    @property
    def forward_variable(self) -> Interval:
        """Return the part of the forward that still moves."""
        return self.forward - exact(self.expiry.forward_fixed)


def perp_name(asset: str) -> str:
    """Return the name of a perpetual's own price: the underlying's with `-PERP`."""
    return f"{asset}-PERP"


def price_of(market: MarketData, asset: str) -> Interval | str:
    """Return a price at 1e18, or why there is none."""
    price = market.prices.get(asset)
    if price is None:
        return f"no price of {asset}"
    return _positive(price) or f"price of {asset} may be zero"


def confidence_of(market: MarketData, asset: str) -> int:
    """Return the confidence of a price that exists."""
    return market.prices[asset].confidence_e18


def amount_e18(leg: Leg) -> int | str:
    """Return a leg's amount at 1e18; finer units are refused, so that no leg is rounded away."""
    if leg.decimals > DECIMALS:
        return f"amount at {leg.decimals} decimals, at most {DECIMALS} are read"
    return int(leg.amount * 10 ** (DECIMALS - leg.decimals))


def surface_faults(account: Account, market: MarketData, age_s_max: int) -> Mapping[ExpiryKey, str]:
    """Return why slices cannot be used, for every underlying on which the account has options."""
    found: dict[ExpiryKey, str] = {}
    for asset in sorted({leg.asset for leg in account.legs if leg.role is Role.OPTION and leg.amount}):
        keys = sorted(
            key
            for key, quote in market.expiries.items()
            if key[0] == asset and quote.surface is not None and key[1] > market.as_of_s
        )
        slices = tuple(_slice(surface) for surface in _surfaces(market, keys))
        for fault, index in faults(slices, market.as_of_s, age_s_max):
            failed = (index - 1, index) if fault is SurfaceFault.CALENDAR else (index,)
            for place in failed:
                found.setdefault(keys[place], f"surface of {asset} fails: {fault}")
    return found


def option_quote(leg: Leg, market: MarketData, failed: Mapping[ExpiryKey, str]) -> OptionQuote | str:
    """Return what prices an option leg, or why nothing does."""
    terms = leg.option
    if terms is None or terms.strike_e18 < 0:
        return "an option without terms, or of a negative strike"
    seconds = terms.expiry_s - market.as_of_s
    if seconds <= 0:
        return f"expired {-seconds} s before the evaluation"
    key = (leg.asset, terms.expiry_s)
    quote = market.expiries.get(key)
    if quote is None:
        return f"no market of {leg.asset} at expiry {terms.expiry_s}"
    forward = _positive(quote.forward)
    if forward is None or not 0 <= quote.forward_fixed <= forward.low:
        return f"forward of {leg.asset} may be zero, or below its settled part"
    volatility = failed.get(key) or _vol(quote, terms.strike_e18)
    if isinstance(volatility, str):
        return volatility
    return OptionQuote(terms, seconds, forward, volatility, quote)


def _vol(quote: ExpiryQuote, strike: int) -> Interval | str:
    if quote.surface is not None:
        try:
            return vol(_svi(quote.surface), strike)
        except ValueError as error:
            return str(error)
    volatility = quote.vols.get(strike)
    if volatility is None or volatility < 0:
        return f"no volatility at strike {strike}"
    return exact(volatility)


def _positive(price: Price) -> Interval | None:
    scaled = price.scaled(DECIMALS)
    return Interval(scaled.low, scaled.high) if 0 < scaled.low <= scaled.high else None


def _surfaces(market: MarketData, keys: Iterable[ExpiryKey]) -> Iterable[Surface]:
    return (surface for key in keys if (surface := market.expiries[key].surface) is not None)


def _slice(surface: Surface) -> Slice:
    return Slice(_svi(surface), surface.observed_s)


def _svi(surface: Surface) -> Svi:
    s = surface
    return Svi(s.a, s.b, s.rho, s.m, s.sigma, s.forward, s.tau)


def percent(share_e18: int) -> str:
    """Return a share as text for labels: -15 %, +4.5 %, without trailing zeros; at most six decimals, cut."""
    millionths = abs(share_e18) * 10**8 // E18
    whole, rest = divmod(millionths, 10**6)
    text = f"{whole}.{rest:06d}".rstrip("0").rstrip(".")
    return f"{'-' if share_e18 < 0 else '+' if share_e18 > 0 else ''}{text} %"
