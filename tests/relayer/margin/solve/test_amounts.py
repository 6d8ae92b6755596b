"""Withdrawable and cure: by hand, and as a law over every rule set: the goal holds there, and not one unit beyond."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from proofs.types import Encumbrance
from proofs.units import E18
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, OptionTerms, Price, Role
from relayer.margin.engine.lines import leg_line
from relayer.margin.engine.result import Evaluation, Unit, Verdict, health_of
from relayer.margin.models.haircut import HaircutAsset, HaircutChain, HaircutRules
from relayer.margin.solve.cure import Candidate, Way, candidates, cures, helped
from relayer.margin.solve.withdrawable import Withdrawable, withdrawables
from relayer.margin.view import Purpose, Rounding
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import VENUES
from tests.relayer.margin.solve.build import BOOK, MARKET, ONE, POOL, TWO, borrower, trader

UNPRICED = replace(MARKET, as_of_s=1, prices={"USDC": MARKET.prices["USDC"]})
PLAIN = HaircutAsset(0, 0, 0)
POLICY = HaircutRules({"ETH": PLAIN, "USDC": PLAIN}, {chain: HaircutChain(0, 0, 0) for chain in (ONE, TWO)})


def bound(leg: Leg) -> Leg:
    return replace(leg, block_time_s=1, encumbrance=Encumbrance.ESCROWED)


every_stage = pytest.mark.parametrize("stage", VENUES, ids=lambda stage: stage.name)

# --- withdrawable ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("debt", "eth", "usdc", "amount"),
    [(15_000, 10 * E18, 0, 375 * 10**16), (6_000, 0, 20_000 * 10**6, 12_000 * 10**6), (15_001, 10 * E18, 0, None)],
)
def test_withdrawable__by_hand__what_the_borrowing_power_leaves(debt: int, eth: int, usdc: int, amount) -> None:
    """30,000 · 0.8 - 15,000 = 9,000: 11,250 of ETH; 20,000 · 0.75 - 6,000 = 9,000: 12,000 of USDC.

    A dollar more of debt takes 1.25 dollars of ETH, 0.0004166... coins: 3.749583... rounded down to a wei.
    """
    (found,) = withdrawables(borrower(debt, eth, usdc), MARKET, POOL)

    assert found.amount == (3_749_583_333_333_333_333 if amount is None else amount)
    assert found.reason == "the initial requirement"


def test_withdrawable__whole__with_what_it_took() -> None:
    """One evaluation tells that INITIAL is met, one that not all may leave, 64 halve what is left: 10^19 < 2^64."""
    eth = withdrawables(borrower(15_000, usdc=0), MARKET, POOL)
    none = withdrawables(borrower(24_001, usdc=0), MARKET, POOL)
    last = withdrawables(borrower(0, 1, 0), MARKET, POOL)

    assert none == (Withdrawable("eth", "ETH", ONE, 0, 18, "the initial requirement is not met", 1),)
    assert last == (Withdrawable("eth", "ETH", ONE, 1, 18, "all of it", 2),)
    assert eth == (Withdrawable("eth", "ETH", ONE, 375 * 10**16, 18, "the initial requirement", eth[0].evaluations),)
    assert 2 + 63 <= eth[0].evaluations <= 2 + 64


def test_withdrawable__without_debt__all_of_it() -> None:
    found = withdrawables(borrower(0), MARKET, POOL)

    assert [(one.amount, one.reason) for one in found] == [(10 * E18, "all of it"), (20_000 * 10**6, "all of it")]


def test_withdrawable__at_the_line_and_beyond__nothing() -> None:
    for debt in (39_000, 39_001):
        assert [one.amount for one in withdrawables(borrower(debt), MARKET, POOL)] == [0, 0]


def test_withdrawable__something_owed_is_unknown__nothing_and_says_why() -> None:
    account = replace(borrower(1), unread=(Gap("a debt", "no answer", is_collateral=False),))

    found = withdrawables(account, MARKET, POOL)

    assert [one.amount for one in found] == [0, 0]
    assert all("a debt: no answer" in one.reason for one in found)


def test_withdrawable__a_leg_without_price__nothing_of_it_alone() -> None:
    account = Account("a", tuple(bound(leg) for leg in borrower(1).legs))

    found = withdrawables(account, UNPRICED, POLICY)

    assert [one.amount for one in found] == [0, 19_999 * 10**6]
    assert found[0].reason == "it could not be weighed: no price of ETH"


def test_withdrawable__a_leg_without_price_in_an_average__nothing() -> None:
    """What opening demands is an average over all collateral: one unknown price makes it unknown."""
    found = withdrawables(borrower(1), UNPRICED, POOL)

    assert [(one.amount, "no price of ETH" in one.reason) for one in found] == [(0, True), (0, True)]


def test_withdrawable__cash_that_is_borrowed__is_not_listed() -> None:
    assert withdrawables(trader(0, -1), MARKET, BOOK) == ()
    assert [one.amount for one in withdrawables(trader(10**9, 151 * 10**6, 3_000 * 10**6), MARKET, BOOK)] == [10**6]


@every_stage
def test_withdrawable__of_any_stage__met_there_and_not_one_unit_more(stage: Stage) -> None:
    @drawn(stage, 4)
    @given(stage.some_accounts(), stage.some_markets())
    def holds(account, market) -> None:
        is_met = evaluate(account, market, stage.rules, Purpose.INITIAL).is_healthy
        for one in withdrawables(account, market, stage.rules):
            leg = account.leg(one.leg)
            left = account.with_amount(one.leg, leg.amount - one.amount)
            assert one.evaluations <= 600
            assert 0 <= one.amount <= leg.amount
            assert evaluate(left, market, stage.rules, Purpose.INITIAL).is_healthy is is_met
            if is_met and one.amount < leg.amount:
                less = account.with_amount(one.leg, leg.amount - one.amount - 1)
                assert not evaluate(less, market, stage.rules, Purpose.INITIAL).is_healthy
            assert is_met or one.amount == 0

    holds()


# --- cure ------------------------------------------------------------------------------------------------------------


def test_cures__of_a_borrower__by_hand_and_by_cost() -> None:
    """24,750 + 15,600 = 40,350 count against 50,000 · 1.05 = 52,500.

    Repaying down to 40,350 / 1.05 = 38,428.57; or 12,150 more: 4.909 ETH at 0.825 · 3,000, 15,576.9 USDC at 0.78.
    """
    found = cures(borrower(50_000), MARKET, POOL)

    assert [(one.way, one.leg, one.amount) for one in found] == [
        (Way.REPAY, "debt", 11_571_428_572),
        (Way.DEPOSIT, "eth", 4_909_090_909_093_333_334),
        (Way.DEPOSIT, "usdc", 15_576_923_077),
    ]
    assert [one.cost // E18 for one in found] == [11_571, 14_727, 15_576]
    assert all(one.after.is_healthy and one.evaluations <= 300 for one in found)


def test_cures__healthy_at_the_buffer__none_needed() -> None:
    assert cures(borrower(30_000), MARKET, POOL) == ()


def test_cures__flagged_no_more_but_not_clear_yet__are_found() -> None:
    """At 40,350 maintenance holds to the unit; 40,350 / 1.05 = 38,428.571428 may stay."""
    found = cures(borrower(40_350), MARKET, POOL)

    assert (found[0].way, found[0].amount) == (Way.REPAY, 1_921_428_572)


def test_cures__something_owed_is_unknown__none() -> None:
    account = replace(borrower(50_000), unread=(Gap("a debt", "no answer", is_collateral=False),))

    assert cures(account, MARKET, POOL) == ()


def test_cures__deposit_of_an_asset_on_a_chain_without_a_leg__tried_as_well() -> None:
    offered = Leg("eth on two", Role.COLLATERAL, "ETH", 5, TWO)

    found = cures(borrower(50_000), MARKET, POOL, candidates(borrower(50_000), [offered]))

    (one,) = [cure for cure in found if cure.leg == "eth on two"]
    assert (one.chain, one.amount) == (TWO, 4_909_090_909_093_333_334)


def test_cures__asset_without_weight__none_by_it() -> None:
    stranger = Candidate(Way.DEPOSIT, Leg("doge", Role.COLLATERAL, "DOGE", 0, TWO))

    assert cures(borrower(50_000), MARKET, POOL, [stranger]) == ()


def test_cures__of_a_long__reducing_by_hand() -> None:
    """Cash 2,950, 10 ETH at 3,000 bought at 3,250: equity 450, MM 3 % of 30,000 times 1.05 = 945.

    In micro-dollars: MM + ⌈MM / 20⌉ <= 450,000,000 up to MM = 428,571,428 = ⌈0.6 B⌉ up to B = 714,285,713 = ⌈0.15 s⌉ up
    to s = 4,761,904,753. So 5,238,095,247 must go, at 3 micro-dollars each.
    """
    found = cures(trader(10 * 10**9, 2_950 * 10**6, 32_500 * 10**6), MARKET, BOOK)

    assert [(one.way, one.leg) for one in found] == [(Way.DEPOSIT, "cash"), (Way.REDUCE, "perp")]
    assert found[0].amount == 495 * 10**6
    assert found[1].amount == 5_238_095_247
    assert found[1].cost == 3 * 5_238_095_247


def test_reduced__at_the_marking_price__leaves_equity() -> None:
    account = trader(-3 * 10**9, 10**9, -9_100 * 10**6)
    (one,) = [one for one in candidates(account) if one.way is Way.REDUCE]

    less = helped(account, MARKET, BOOK, one, 10**9)

    assert (less.leg("perp").amount, less.leg("perp").entry_value) == (-2 * 10**9, -6_100 * 10**6)


def test_reduced__a_perpetual_with_a_price_of_its_own__at_that_price() -> None:
    account = trader(2 * 10**9, 10**9, 6_000 * 10**6)
    market = replace(MARKET, prices={**MARKET.prices, "ETH-PERP": replace(MARKET.prices["ETH"], low=3_010 * 10**8)})
    (one,) = [one for one in candidates(account) if one.way is Way.REDUCE]

    assert helped(account, market, BOOK, one, 10**9).leg("perp").entry_value == (6_000 - 3_010) * 10**6


def test_reduced__without_a_price_or_a_place_for_the_value__refused() -> None:
    perp = trader(1, 0).leg("perp")
    option = Leg("call", Role.OPTION, "ETH", 1, TWO, option=OptionTerms(1, 1, is_call=True))

    with pytest.raises(ValueError, match="no price"):
        helped(trader(1, 0), replace(MARKET, prices={}), BOOK, Candidate(Way.REDUCE, perp), 1)
    with pytest.raises(ValueError, match="no cash leg"):
        helped(trader(1, 0), MARKET, BOOK, Candidate(Way.REDUCE, option), 1)
    assert cures(trader(-1, -(10**6)), replace(MARKET, prices={}), BOOK) == ()


class Marked:
    """Mark an option of 7 as -10 dollars and one of 3 as 10, and the leg beside it as 5; for maintenance alone."""

    name = "marked@1"

    def __init__(self, decimals: int) -> None:
        self.unit = Unit("U", decimals)

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        dollar = 10**self.unit.decimals if purpose is Purpose.MAINTENANCE else 0
        values = {"call": -10 * dollar if account.leg("call").amount < 0 else 10 * dollar, "beside": 5 * dollar}
        lines = tuple(
            leg_line(account.leg(leg), "", (0, 0), (value, 0), Rounding.EXACT) for leg, value in values.items()
        )
        health = health_of(0, 0, 0, 0, 0)
        equity = sum(values.values())
        return Evaluation(self.name, purpose, end, self.unit, equity, 0, 0, 0, Verdict.HEALTHY, health, lines)


@pytest.mark.parametrize(
    ("amount", "by", "decimals", "cash_decimals", "cash"),
    [
        (-7, 2, 2, 0, -3),  # 10 · 2 : 7 = 2.857 dollars are paid
        (-7, 2, 0, 2, -286),
        (-7, 7, 1, 1, -100),
        (3, 1, 3, 1, 33),  # 3.33 dollars come in
        (3, 2, 0, 3, 6_666),
    ],
)
def test_reduced__an_option__its_share_of_the_value_goes_through_cash_rounded_against_the_account(
    amount: int, by: int, decimals: int, cash_decimals: int, cash: int
) -> None:
    terms = OptionTerms(1, 1, is_call=True)
    legs = (
        Leg("cash", Role.CASH, "U", 50, TWO, decimals=cash_decimals),
        Leg("call", Role.OPTION, "ETH", amount, TWO, option=terms),
        Leg("beside", Role.OPTION, "ETH", 1, TWO, option=terms),
    )
    account = Account("o", legs)
    candidate = Candidate(Way.REDUCE, legs[1], "cash")

    less = helped(account, MARKET, Marked(decimals), candidate, by)

    left = amount + by if amount < 0 else amount - by
    assert less == account.with_amount("call", left).with_amount("cash", 50 + cash)


class Needs:
    """Be healthy from 12,345 of the first leg on, marked at 0.3 dollars with no exposure."""

    name = "needs@1"

    def __init__(self, decimals: int) -> None:
        self.unit = Unit("U", decimals)

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        (leg,) = account.legs
        verdict = Verdict.HEALTHY if leg.amount >= 12_345 else Verdict.UNHEALTHY
        lines = (leg_line(leg, "", (3, 1), (0, 0), Rounding.EXACT),)
        return Evaluation(self.name, purpose, end, self.unit, 0, 0, 0, 0, verdict, health_of(0, 0, 0, 0, 0), lines)


@pytest.mark.parametrize(("decimals", "cost"), [(0, 38), (3, 37_035), (5, 3_703_500)])
def test_cures__cost_of_what_has_no_exposure__is_its_mark_up(decimals: int, cost: int) -> None:
    """123.45 at 0.3 dollars are 37.035."""
    account = Account("n", (Leg("held", Role.COLLATERAL, "ETH", 0, ONE, decimals=2),))

    (one,) = cures(account, MARKET, Needs(decimals), buffer_ppm=1_000_000)

    assert (one.way, one.leg, one.asset, one.chain) == (Way.DEPOSIT, "held", "ETH", ONE)
    assert (one.amount, one.decimals, one.cost) == (12_345, 2, cost)


class Window:
    """Be healthy with exactly 15 of the future, counting how often that is asked."""

    name, unit = "window@1", Unit("U", 0)

    def __init__(self) -> None:
        self.asked = 0

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        self.asked += 1
        verdict = Verdict.HEALTHY if account.legs[0].amount == 15 else Verdict.UNHEALTHY
        return Evaluation(self.name, purpose, end, self.unit, 0, 0, 0, 0, verdict, health_of(0, 0, 0, 0, 0), ())


def test_cures__only_the_first_sixteenth_helps__is_found_at_the_price_of_the_future() -> None:
    """16 at 3 dollars: one is sold for 3; the perpetual's own price is not a future's. Every evaluation is counted."""
    market = MarketData(0, {"X": Price(3, 3, 0), "X-PERP": Price(9, 9, 0)})
    account = Account("w", (Leg("future", Role.FUTURE, "X", 16, ONE, decimals=0, expiry_s=9, entry_value=48),))
    rules = Window()

    (one,) = cures(account, market, rules)

    assert (one.way, one.amount) == (Way.REDUCE, 1)
    assert one.evaluations - 1 <= rules.asked <= one.evaluations
    (way,) = candidates(account)
    assert helped(account, market, rules, way, 1).leg("future").entry_value == 45


def test_cures__collateral_that_is_not_known__hinders_none() -> None:
    account = replace(borrower(50_000), unread=(Gap("a deposit", "no answer", is_collateral=True),))

    assert [one.way for one in cures(account, MARKET, POOL)] == [Way.REPAY, Way.DEPOSIT, Way.DEPOSIT]
    assert [one.way for one in candidates(borrower(0))] == [Way.DEPOSIT, Way.DEPOSIT]


def test_candidates__of_an_account__every_leg_by_its_role() -> None:
    option = Leg("call", Role.OPTION, "ETH", 1, TWO, option=OptionTerms(1, 1, is_call=True))
    account = borrower(5).with_leg(option)
    legs = (*borrower(5).legs, *trader(1, 0).legs, option)

    assert [(one.way, one.leg.name) for one in candidates(account)] == [
        (Way.DEPOSIT, "eth"),
        (Way.DEPOSIT, "usdc"),
        (Way.REPAY, "debt"),
    ]
    assert [(one.way, one.leg.name, one.paid_into) for one in candidates(replace(account, legs=legs))][3:] == [
        (Way.REPAY, "debt", ""),
        (Way.REDUCE, "perp", ""),
        (Way.REDUCE, "call", "cash"),
    ]


@every_stage
def test_cure__of_any_stage__reaches_the_goal_and_not_with_one_unit_less(stage: Stage) -> None:
    @drawn(stage, 4)
    @given(stage.some_accounts(), stage.some_markets())
    def holds(account, market) -> None:
        before = evaluate(account, market, stage.rules, Purpose.LIQUIDATION_END)
        ways = {(one.way, one.leg.name): one for one in candidates(account)}
        found = cures(account, market, stage.rules)
        assert not (found and before.is_healthy)
        assert list(found) == sorted(found, key=lambda one: one.cost)
        for one in found:
            way = ways[one.way, one.leg]
            assert one.evaluations <= 300
            assert one.after.is_healthy
            for amount, is_enough in ((one.amount, True), (one.amount - 1, False)):
                if amount == 0:
                    continue
                held = helped(account, market, stage.rules, way, amount)
                assert evaluate(held, market, stage.rules, Purpose.LIQUIDATION_END).is_healthy is is_enough

    holds()
