"""Withdrawable: the most that may leave one leg, everything else staying, so that INITIAL is still met.

At the amount returned the account meets INITIAL; one unit more and it does not, or there is no more. Zero where it does
not meet it now, where its verdict is unknown, and of a leg that could not be weighed. Each leg by itself: the amounts
of two legs may not leave together. At most log2(amount) + 3 evaluations a leg.
"""

from __future__ import annotations

from dataclasses import dataclass

from proofs.types import ChainId
from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, Leg, MarketData
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.solve.changes import HELD
from relayer.margin.solve.low_end import LowEnd
from relayer.margin.solve.search import Question, between
from relayer.margin.view import Purpose


@dataclass(frozen=True, slots=True)
class Withdrawable:
    """Hold the greatest amount of one leg, in the leg's own smallest unit; `reason` says why it is no more."""

    leg: str
    asset: str
    chain: ChainId
    amount: int
    decimals: int
    reason: str
    evaluations: int


def withdrawables(account: Account, market: MarketData, rules: RuleSet) -> tuple[Withdrawable, ...]:
    """Return the withdrawable amount of every collateral leg, and every cash leg above zero, in the legs' order."""
    rules = LowEnd(rules)
    now = evaluate(account, market, rules, Purpose.INITIAL)
    legs = (leg for leg in account.legs if leg.role in HELD and leg.amount > 0)
    return tuple(_withdrawable(account, market, rules, leg, now) for leg in legs)


def _withdrawable(account: Account, market: MarketData, rules: RuleSet, leg: Leg, now: Evaluation) -> Withdrawable:
    refused = _refusal(leg, now)
    if refused:
        return Withdrawable(leg.name, leg.asset, leg.chain, 0, leg.decimals, refused, 1)

    def is_met(amount: int) -> bool:
        less = account.with_amount(leg.name, leg.amount - amount)
        return evaluate(less, market, rules, Purpose.INITIAL).is_healthy

    ask = Question(is_met)
    if ask(leg.amount):
        amount, reason = leg.amount, "all of it"
    else:
        amount, reason = between(ask, 0, leg.amount)[0], "the initial requirement"
    return Withdrawable(leg.name, leg.asset, leg.chain, amount, leg.decimals, reason, ask.count + 1)


def _refusal(leg: Leg, now: Evaluation) -> str:
    """Return why nothing may leave, or nothing."""
    if now.verdict is Verdict.UNKNOWN:
        return "the verdict is unknown: " + "; ".join(f"{gap.leg}: {gap.reason}" for gap in now.gaps)
    if not now.is_healthy:
        return "the initial requirement is not met"
    gaps = tuple(gap.reason for gap in now.gaps if gap.leg == leg.name)
    return f"it could not be weighed: {gaps[0]}" if gaps else ""
