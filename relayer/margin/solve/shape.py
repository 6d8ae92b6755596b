"""Shape: for which rule sets excess is concave in one price (and along a shock of all), so that searches prove a lot.

Concave: the prices at which an account is healthy form one interval without holes. From a healthy price each direction
has at most one flip, found by bisection; from an unhealthy one, healthy prices lie on one side only.

| rule set | each term of excess, in its price |
|---|---|
| aave, comet, morpho | linear, apart from rounding; min(value, cap) is concave |
| haircut | value · (1 - h) linear, depth and concentration caps are minima: concave |
| cross_perp, dydx (maintenance) | size · price - rate · |size| · price: linear |
| tiers | rates rise with notional, so the requirement is convex |

Sums of concave terms are concave. Not so: dydx initial (the open-interest fraction stops rising at its cap), and
everything that prices options or scans scenarios over nonlinear values. Rounding moves a term by less than one unit of
the venue's money, so near zero excess the verdict may flip more than once within that many units.
"""

from __future__ import annotations

from typing import Final

from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, MarketData, Role
from relayer.margin.solve.changes import shocked
from relayer.margin.view import Purpose

CONCAVE: Final = frozenset({"aave", "comet", "morpho", "haircut", "cross_perp", "tiers"})
CONCAVE_MAINTENANCE: Final = frozenset({"dydx"})
TRIED_PPM: Final = (-500_000, 1_000_000)
"""Shifts that show whether a price matters."""


def is_concave(account: Account, rules: RuleSet, purpose: Purpose) -> bool:
    """Tell whether excess is known to be concave in every single price for this account and purpose."""
    if any(leg.role is Role.OPTION for leg in account.legs):
        return False
    family = rules.name.partition("@")[0]
    return family in CONCAVE or (family in CONCAVE_MAINTENANCE and purpose is not Purpose.INITIAL)


def sensitive_assets(account: Account, market: MarketData, rules: RuleSet, purpose: Purpose) -> tuple[str, ...]:
    """Return the priced assets whose doubling or halving moves equity or requirement, in the market's order."""
    now = evaluate(account, market, rules, purpose)

    def is_moved(asset: str, shift_ppm: int) -> bool:
        then = evaluate(account, shocked(market, shift_ppm, (asset,)), rules, purpose)
        return (then.equity, then.requirement) != (now.equity, now.requirement)

    return tuple(asset for asset in market.prices if any(is_moved(asset, shift) for shift in TRIED_PPM))
