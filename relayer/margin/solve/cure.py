"""Cure: for each way to help an account the least that lifts its flag (LIQUIDATION_END), cheapest first.

| way | amount | cost |
|---|---|---|
| deposit | added to a collateral or cash leg, a new one where the account has none | its value without haircut |
| repay | taken from a debt leg | the debt that goes |
| reduce | of a perp, future or option, toward zero, at the price at which it is weighed | the notional traded |

Costs are in the rule set's money: what the evaluation says of the leg before and after. At the amount returned the goal
holds, one unit less and it does not. Where more can be worse (a hedge), amounts are tried by sixteenths of the position
first, and the least is that of the first sixteenth that helps. At most 300 evaluations a way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from proofs.types import ChainId
from proofs.units import mul_div_up
from relayer.margin.engine.evaluate import BUFFER_PPM, RuleSet, evaluate
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Evaluation, TermLine, Unit
from relayer.margin.models.quotes import perp_name
from relayer.margin.solve.changes import HELD, TRADED, trade_value_up
from relayer.margin.solve.low_end import LowEnd
from relayer.margin.solve.search import Question, between, first_flip
from relayer.margin.view import Purpose

DEPOSIT_BITS: Final = 128
"""No token has more base units than this that anybody could deposit."""
SIXTEENTHS: Final = 16


class Way(StrEnum):
    """Say how an account is helped."""

    DEPOSIT = "deposit"
    REPAY = "repay"
    REDUCE = "reduce"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Name a way and the leg that it works on; the amount of a leg that the account does not have is 0 before.

    `paid_into` names the cash leg that takes the value of an option that is reduced.
    """

    way: Way
    leg: Leg
    paid_into: str = ""


@dataclass(frozen=True, slots=True)
class Cure:
    """Hold the least amount, in the leg's own smallest unit, and its cost in the rule set's money."""

    way: Way
    leg: str
    asset: str
    chain: ChainId
    amount: int
    decimals: int
    cost: int
    after: Evaluation
    evaluations: int


def candidates(account: Account, assets: Sequence[Leg] = ()) -> tuple[Candidate, ...]:
    """Return every way that the account's own legs offer, then deposits of `assets` (legs with amount 0)."""
    cash = next((leg.name for leg in account.legs if leg.role is Role.CASH), "")
    found = [Candidate(Way.DEPOSIT, leg) for leg in account.legs if leg.role in HELD]
    found += [Candidate(Way.REPAY, leg) for leg in account.legs if leg.role is Role.DEBT and leg.amount > 0]
    for leg in account.legs:
        if leg.role in TRADED and leg.amount != 0 and (cash or leg.role is not Role.OPTION):
            found.append(Candidate(Way.REDUCE, leg, cash if leg.role is Role.OPTION else ""))
    taken = {leg.name for leg in account.legs}
    found += [Candidate(Way.DEPOSIT, replace(leg, amount=0)) for leg in assets if leg.name not in taken]
    return tuple(found)


def cures(
    account: Account,
    market: MarketData,
    rules: RuleSet,
    ways: Sequence[Candidate] | None = None,
    *,
    buffer_ppm: int = BUFFER_PPM,
) -> tuple[Cure, ...]:
    """Return the cures that exist, by cost, then in the candidates' order; none for an account that needs none."""
    now = evaluate(account, market, rules, Purpose.LIQUIDATION_END, buffer_ppm=buffer_ppm)
    if now.is_healthy or any(not gap.is_collateral for gap in now.gaps):
        return ()
    tried = candidates(account) if ways is None else ways
    found = (_cure(account, market, rules, one, buffer_ppm) for one in tried)
    return tuple(sorted((cure for cure in found if cure is not None), key=lambda cure: cure.cost))


def helped(account: Account, market: MarketData, rules: RuleSet, candidate: Candidate, amount: int) -> Account:
    """Return the account after that much help; `amount` is at most what the leg has to repay or reduce.

    Raises: ValueError for a position without a price, or an option without a leg that takes its value.
    """
    leg = candidate.leg
    if candidate.way is Way.DEPOSIT:
        return account.with_leg(replace(leg, amount=leg.amount + amount))
    if candidate.way is Way.REPAY:
        return account.with_amount(leg.name, leg.amount - amount)
    size = -amount if leg.amount > 0 else amount
    if leg.role is Role.OPTION:
        return _option_reduced(account, market, rules, candidate, size)
    price = _mark(leg, market)
    if price is None:
        raise ValueError(f"{leg.name}: no price of {leg.asset} to reduce at")
    at = price.at(End.LOW, is_owed=leg.amount < 0)
    paid = trade_value_up(leg, size, at, price.decimals, rules.unit.decimals)
    return account.with_leg(replace(leg, amount=leg.amount + size, entry_value=leg.entry_value + paid))


def _mark(leg: Leg, market: MarketData) -> Price | None:
    """Return the price that a position is weighed at: a perpetual's own where the market has one."""
    own = market.prices.get(perp_name(leg.asset)) if leg.role is Role.PERP else None
    return own or market.prices.get(leg.asset)


def _option_reduced(account: Account, market: MarketData, rules: RuleSet, candidate: Candidate, size: int) -> Account:
    """Return the account with fewer options and their share of the weighed value in cash, rounded down."""
    leg = candidate.leg
    cash = account.leg(candidate.paid_into) if candidate.paid_into else None
    if cash is None:
        raise ValueError(f"{leg.name}: no cash leg takes the value of an option")
    now = evaluate(account, market, rules, Purpose.MAINTENANCE)
    value = sum(line.value for line in now.lines if line.leg == leg.name)
    scale = rules.unit.decimals - cash.decimals
    numerator, denominator = value * abs(size) * 10 ** max(-scale, 0), abs(leg.amount) * 10 ** max(scale, 0)
    return account.with_amount(leg.name, leg.amount + size).with_amount(
        cash.name, cash.amount + numerator // denominator
    )


def _cure(account: Account, market: MarketData, rules: RuleSet, candidate: Candidate, buffer_ppm: int) -> Cure | None:
    leg = candidate.leg
    if candidate.way is Way.REDUCE and leg.role is not Role.OPTION and _mark(leg, market) is None:
        return None

    def after(amount: int, weighed_by: RuleSet) -> Evaluation:
        held = helped(account, market, rules, candidate, amount)
        return evaluate(held, market, weighed_by, Purpose.LIQUIDATION_END, buffer_ppm=buffer_ppm)

    low = LowEnd(rules)
    ask = Question(lambda amount: amount > 0 and after(amount, low).is_healthy)
    pair = first_flip(ask, 0, _stops(candidate))
    if pair is None:
        return None
    amount = between(ask, *pair)[1]
    result = after(amount, rules)
    before = evaluate(account, market, rules, Purpose.MAINTENANCE)
    cost = abs(_size(result, leg.name) - _size(before, leg.name))
    return Cure(candidate.way, leg.name, leg.asset, leg.chain, amount, leg.decimals, cost, result, ask.count + 3)


def _stops(candidate: Candidate) -> tuple[int, ...]:
    """Return the amounts to try: doublings of a deposit, the whole debt, sixteenths of a position."""
    amount = abs(candidate.leg.amount)
    if candidate.way is Way.DEPOSIT:
        return tuple(1 << bit for bit in range(DEPOSIT_BITS))
    if candidate.way is Way.REPAY:
        return (amount,)
    return tuple(-(-amount * part // SIXTEENTHS) for part in range(1, SIXTEENTHS + 1))


def _size(result: Evaluation, leg: str) -> int:
    """Return the money that a leg is about: its exposure, else amount · price, else its value; up."""
    own = [line for line in result.lines if line.leg == leg]
    return sum(line.exposure or _marked(line, result.unit) or abs(line.value) for line in own)


def _marked(line: TermLine, unit: Unit) -> int:
    scale = line.decimals + line.price_decimals - unit.decimals
    return mul_div_up(abs(line.amount) * line.price, 10 ** max(-scale, 0), 10 ** max(scale, 0))
