"""Shape: for which rule sets excess is concave in one price (and along a shock of all), so that searches prove a lot.

Concave: the prices at which an account is healthy form one interval without holes. From a healthy price each direction
has at most one flip, found by bisection; from an unhealthy one, healthy prices lie on one side only.

| rule set | each term of excess, in its price | not so |
|---|---|---|
| aave, comet, morpho | linear | aave with several collaterals: initial, before 3.5 both; averages are cut to 10^-4 |
| haircut | linear; caps are minima | with a depeg haircut, or a concentration limit with a free amount |
| cross_perp | linear; value limits are minima | with a dust limit, of an asset both held and at stake |
| dydx | maintenance linear | initial: the open-interest fraction stops rising at its cap |
| tiers | maintenance: minus a convex requirement | initial: the leverage allowed jumps |
| anything with options, scenarios, overlays (`+`), or an unknown name | - | always |

Sums of concave terms are concave. Rounding moves a term by less than one unit of the venue's money, so near zero excess
the verdict may flip more than once within that many units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from proofs.units import PPM
from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, End, MarketData, Price, Role
from relayer.margin.models.aave import AaveRules
from relayer.margin.models.cross_perp import CrossPerpRules
from relayer.margin.models.haircut import HaircutRules
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS, ThresholdRule
from relayer.margin.solve.changes import shocked
from relayer.margin.view import Purpose

CONCAVE: Final = frozenset({"aave", "comet", "morpho", "haircut", "cross_perp"})
CONCAVE_MAINTENANCE: Final = frozenset({"dydx", "tiers"})
TRIED_PPM: Final = (-500_000, 1_000_000)
"""Shifts that show whether a price matters."""


def is_concave(account: Account, rules: RuleSet, purpose: Purpose) -> bool:
    """Tell whether excess is known to be concave in every single price for this account and purpose."""
    if any(leg.role is Role.OPTION for leg in account.legs):
        return False
    if isinstance(rules, HaircutRules) and not _is_tame(rules):
        return False
    if (
        _has_averages(rules, purpose)
        and sum(leg.role is Role.COLLATERAL and leg.amount > 0 for leg in account.legs) > 1
    ):
        return False
    if _has_dust(rules) and _assets(account, Role.COLLATERAL) & _assets(account, Role.PERP):
        return False
    if "+" in rules.name:
        return False
    family = rules.name.partition("@")[0]
    return family in CONCAVE or (family in CONCAVE_MAINTENANCE and purpose is not Purpose.INITIAL)


def is_jointly_concave(account: Account, rules: RuleSet, purpose: Purpose) -> bool:
    """Tell whether excess is known to be concave where all prices move by one share of themselves."""
    is_cut = _has_dust(rules) and bool(_assets(account, Role.PERP))
    return not is_cut and is_concave(account, rules, purpose)


def sensitive_assets(account: Account, market: MarketData, rules: RuleSet, purpose: Purpose) -> tuple[str, ...]:
    """Return the priced assets whose doubling or halving moves equity or requirement, in the market's order.

    Only prices that weighing asks for are tried: a market of thousands costs no more than the account's own part.
    """
    now = evaluate(account, market, rules, purpose)
    asked = _Asked(market.prices)
    weighed = Purpose.MAINTENANCE if purpose is Purpose.LIQUIDATION_END else purpose
    rules.weigh(account, replace(market, prices=asked), weighed, End.LOW)

    def is_moved(asset: str, shift_ppm: int) -> bool:
        then = evaluate(account, shocked(market, shift_ppm, (asset,)), rules, purpose)
        return (then.equity, then.requirement) != (now.equity, now.requirement)

    used = asked.keys_seen | {leg.asset for leg in account.legs}  # options ask for a forward, which its asset moves
    return tuple(
        asset for asset in market.prices if asset in used and any(is_moved(asset, shift) for shift in TRIED_PPM)
    )


class _Asked(Mapping[str, Price]):
    """Lend prices and remember whose were asked for; whoever walks through all of them asked for all."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = prices
        self.keys_seen: set[str] = set()

    def __getitem__(self, asset: str) -> Price:
        self.keys_seen.add(asset)
        return self._prices[asset]

    def __iter__(self) -> Iterator[str]:
        self.keys_seen.update(self._prices)
        return iter(self._prices)

    def __len__(self) -> int:
        return len(self._prices)


def _is_tame(rules: HaircutRules) -> bool:
    return all(
        asset.depeg is None and (asset.limit.share_ppm >= PPM or asset.limit.free == 0)
        for asset in rules.assets.values()
    )


def _has_averages(rules: RuleSet, purpose: Purpose) -> bool:
    """Tell whether the pool multiplies all collateral by one average weight, in basis points."""
    if not isinstance(rules, AaveRules):
        return False
    return purpose is Purpose.INITIAL or AAVE_REVISIONS[rules.name].thresholds is ThresholdRule.AVERAGES


def _has_dust(rules: RuleSet) -> bool:
    return isinstance(rules, CrossPerpRules) and rules.rules.dust_usd > 0


def _assets(account: Account, role: Role) -> frozenset[str]:
    return frozenset(leg.asset for leg in account.legs if leg.role is role and leg.amount)
