"""Write the accounts of the reference files as the engine takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from proofs.types import ChainId
from relayer.margin.engine.inputs import (
    Account,
    ExpiryQuote,
    Leg,
    MarketData,
    OptionTerms,
    Price,
    Role,
    Surface,
)
from tests.golden.e18 import e18, fields

AS_OF_S = 1_700_000_000
CHAIN = ChainId("eip155:957")
STABLE = "USDC"


def leg(name: str, role: Role, asset: str, amount: int, **more: Any) -> Leg:
    """Return a leg of the one chain of these accounts."""
    return Leg(name, role, asset, amount, CHAIN, **more)


def price(figure: str | float, confidence: str | float = "1") -> Price:
    """Return a price without width."""
    at = e18(figure)
    return Price(at, at, 18, e18(confidence))


def option_leg(index: int, asset: str, option: Mapping[str, Any], seconds: int) -> Leg:
    """Return an option leg; the reference files name the side in two ways."""
    is_call = option["isCall"] if "isCall" in option else option["is_call"]
    terms = OptionTerms(e18(option["strike"]), AS_OF_S + seconds, is_call)
    return leg(f"option {index}", Role.OPTION, asset, e18(option["amount"]), option=terms)


def perp_leg(name: str, asset: str, amount: str | float, mark: str | float, unrealised: int) -> Leg:
    """Return a perp whose unrealised result at this mark is the given one, up to a unit of rounding."""
    size = e18(amount)
    return leg(name, Role.PERP, asset, size, entry_value=size * e18(mark) // 10**18 - unrealised)


def vols_of(options: Iterable[Mapping[str, Any]], seconds_key: str, seconds: int) -> Mapping[int, int]:
    """Return the volatilities by strike of one expiry.

    Raises: ValueError where one strike has two.
    """
    found: dict[int, int] = {}
    for option in options:
        if option[seconds_key] == seconds and found.setdefault(e18(option["strike"]), e18(option["vol"])) != e18(
            option["vol"]
        ):
            raise ValueError(f"two volatilities at strike {option['strike']}")
    return MappingProxyType(found)


def market_of(prices: Mapping[str, Price], expiries: Mapping[tuple[str, int], ExpiryQuote] | None = None) -> MarketData:
    """Return the market at the one moment of these accounts."""
    return MarketData(AS_OF_S, MappingProxyType(dict(prices)), expiries=MappingProxyType(dict(expiries or {})))


def surface_of(parameters: Mapping[str, Any]) -> Surface:
    """Return an expiry's surface, observed at that moment."""
    return Surface(*fields(parameters, ("a", "b", "rho", "m", "sigma", "forward", "tau")), AS_OF_S)


def account_of(legs: Iterable[Leg]) -> Account:
    """Return the account."""
    return Account("reference", tuple(legs))
