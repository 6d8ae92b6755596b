"""Build accounts and markets for the scenario models: one underlying at 1000, options at no volatility by hand.

At volatility 0 an option is worth its intrinsic value to within a unit or two of 1e-18: figures are compared to 1e-15.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
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
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.rulesets.black76 import YEAR_S

E18 = 10**18
CHAIN = ChainId("eip155:1")
AS_OF = 1_700_000_000
EXPIRY = AS_OF + YEAR_S
STRIKES = (600, 900, 1_000, 1_100)
CALM = Surface(
    a=4 * 10**16, b=10**17, rho=-3 * 10**17, m=0, sigma=10**17, forward=1_000 * E18, tau=E18, observed_s=AS_OF
)


def e(figure: str | int) -> int:
    return int(Fraction(str(figure)) * E18)


def point(figure: str | int, confidence: str | int = 1) -> Price:
    return Price(e(figure), e(figure), 18, e(confidence))


def between(low: str | int, high: str | int) -> Price:
    return Price(e(low), e(high))


def vols(vol: str | int = 0) -> Mapping[int, int]:
    return MappingProxyType({strike * E18: e(vol) for strike in STRIKES})


QUOTE = ExpiryQuote(point(1_000), vols=vols())
PRICES = {"ETH": point(1_000), "ETH-PERP": point(1_010), "USDC": point(1)}


def market(
    prices: Mapping[str, Price] | None = None, quotes: Mapping[int, ExpiryQuote] | None = None, asset: str = "ETH"
) -> MarketData:
    """Return the market; `prices` replace or add, `quotes` by expiry."""
    expiries = {(asset, expiry): quote for expiry, quote in (quotes or {EXPIRY: QUOTE}).items()}
    return MarketData(AS_OF, MappingProxyType({**PRICES, **(prices or {})}), expiries=MappingProxyType(expiries))


def without(data: MarketData, *names: str) -> MarketData:
    kept = {name: price for name, price in data.prices.items() if name not in names}
    return replace(data, prices=MappingProxyType(kept))


def leg(name: str, role: Role, asset: str, amount: str | int, **more: Any) -> Leg:
    return Leg(name, role, asset, e(amount), CHAIN, **more)


def cash(amount: str | int, asset: str = "USDC") -> Leg:
    return leg("cash", Role.CASH, asset, amount)


def coin(amount: str | int, asset: str = "ETH") -> Leg:
    return leg(f"coin {asset}", Role.COLLATERAL, asset, amount)


def perp(amount: str | int, entry: str | int | None = None, accrued: str | int = 0) -> Leg:
    """Return a perp; without an entry value it stands at its price of 1010."""
    at = Fraction(str(amount)) * 1_010 if entry is None else Fraction(str(entry))
    return leg("perp", Role.PERP, "ETH", amount, entry_value=int(at * E18), accrued=e(accrued))


def option(strike: int, side: str, amount: str | int, expiry: int = EXPIRY) -> Leg:
    terms = OptionTerms(strike * E18, expiry, side == "call")
    return leg(f"{strike} {side} {expiry} {amount}", Role.OPTION, "ETH", amount, option=terms)


def account(*legs: Leg) -> Account:
    return Account("a", legs)


def is_near(figure: int, hand: str | int | Fraction, units: int = 2_000) -> bool:
    return abs(figure - Fraction(str(hand)) * E18) <= units


def reconcile(found: Evaluation) -> Evaluation:
    """Assert what holds for every evaluation, and return it."""
    assert sum(line.value for line in found.lines) == found.equity == found.collateral - found.debt
    assert sum(line.requirement for line in found.lines) == found.requirement
    if found.verdict is not Verdict.UNKNOWN:
        assert (found.verdict is Verdict.HEALTHY) == (found.excess >= 0)
    return found


def requirements(found: Evaluation) -> dict[str, int]:
    """Return the requirement lines that are not zero, by label."""
    return {line.label: line.requirement for line in found.lines if line.requirement}
