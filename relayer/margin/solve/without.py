"""Without: the account with one chain, asset or venue left out, one at a time.

| figure | leaves out | says |
|---|---|---|
| `lost` | what is held there (collateral, cash above 0, long options), nothing else | what if it fails |
| `closed` | every leg there | what if we had never been there |

Losing a place never loses a debt: the verdict that counts for risk is that of `lost`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, Leg, MarketData, Role
from relayer.margin.engine.result import Evaluation
from relayer.margin.view import Purpose


class By(StrEnum):
    """Say what divides an account into parts."""

    CHAIN = "chain"
    ASSET = "asset"
    VENUE = "venue"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Hold the two evaluations without one part."""

    by: By
    key: str
    lost: Evaluation
    closed: Evaluation


def key_of(leg: Leg, by: By) -> str:
    """Return the part that a leg belongs to."""
    keys = {By.CHAIN: leg.chain, By.ASSET: leg.asset, By.VENUE: leg.venue, By.GROUP: leg.group}
    return str(keys[by])


def without(
    account: Account, market: MarketData, rules: RuleSet, by: By, purpose: Purpose = Purpose.MAINTENANCE
) -> tuple[LeftOut, ...]:
    """Evaluate the account once and again without each part, in the legs' order."""
    parts = []
    for key in dict.fromkeys(key_of(leg, by) for leg in account.legs):
        lost = _kept(account, [leg for leg in account.legs if key_of(leg, by) != key or not is_held(leg)])
        closed = _kept(account, [leg for leg in account.legs if key_of(leg, by) != key])
        parts.append(LeftOut(by, key, evaluate(lost, market, rules, purpose), evaluate(closed, market, rules, purpose)))
    return tuple(parts)


def is_held(leg: Leg) -> bool:
    """Tell whether a leg is something held, that can be lost, as against owed or at stake."""
    if leg.role is Role.COLLATERAL:
        return True
    return leg.role in (Role.CASH, Role.OPTION) and leg.amount > 0


def _kept(account: Account, legs: Sequence[Leg]) -> Account:
    return replace(account, legs=tuple(legs))
