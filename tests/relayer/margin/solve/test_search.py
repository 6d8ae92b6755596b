"""Search: neighbours, nearest brackets, and bounds on the number of questions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.units import E18
from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Price, Role
from relayer.margin.engine.result import USD, Evaluation, Unit, Verdict, health_of
from relayer.margin.models.dydx import DydxRules, DydxTerms
from relayer.margin.rulesets.dydx_v4 import LiquidityTier
from relayer.margin.solve.changes import SetPrice, Shock, applied, repriced
from relayer.margin.solve.liquidation_price import liquidation_price
from relayer.margin.solve.low_end import LowEnd
from relayer.margin.solve.search import Question, between, doublings, first_flip, highest, stops_above, stops_below
from relayer.margin.solve.shape import is_concave, is_jointly_concave, sensitive_assets
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stages import STAGES
from tests.relayer.margin.models.stages_linear import CROSS_PERP
from tests.relayer.margin.solve.build import MARKET, ONE, POOL, borrower

BY_NAME = {stage.name: stage for stage in STAGES}


@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30))
def test_between__one_flip__its_neighbours_in_few_questions(start: int, end: int, edge: int) -> None:
    ask = Question(lambda at: at >= edge)
    if ask(start) is ask(end):
        return

    last, first = between(ask, start, end)

    assert {last, first} == {edge - 1, edge}
    assert ask(last) is ask(start)
    assert ask.count <= abs(end - start).bit_length() + 4


def test_question__asked_again__is_answered_from_memory() -> None:
    asked = []
    ask = Question(lambda at: asked.append(at) is None)

    assert ask(3)
    assert ask(3)
    assert (asked, ask.count) == ([3], 1)


def test_first_flip__several__the_nearest_bracket() -> None:
    ask = Question(lambda at: at in (0, 1, 5, 9))

    assert first_flip(ask, 0, (1, 3, 5, 7)) == (1, 3)
    assert first_flip(ask, 5, (9,)) is None
    assert first_flip(ask, 5, ()) is None


@given(st.integers(1, 10**30))
def test_stops__from_any_start__near_enough_and_to_the_ends(start: int) -> None:
    below, above = stops_below(start), stops_above(start)

    assert list(below) == sorted(below, reverse=True)
    assert list(above) == sorted(above)
    assert below == () if start == 1 else below[-1] == 1
    assert above[-1] >= start << 20 == doublings(start)[-1]
    assert len(below) <= 97
    assert len(above) <= 116
    steps = (start, *below[:-1])
    assert all(one - other <= one // 16 + 1 for one, other in pairwise(steps))


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 1_000), st.integers(1, 1_000))
def test_highest__of_a_tent__its_top(top: int, high: int, up: int, down: int) -> None:
    top = min(top, high)

    assert highest(lambda at: (at - top) * up if at < top else (top - at) * down, 0, high) == top


def test_low_end__asked_for_the_high_end__weighs_the_low_one_once() -> None:
    weighed = []

    class Counting:
        name, unit = "counting@1", USD

        def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
            weighed.append(end)
            return Evaluation(self.name, purpose, end, USD, 1, 0, 1, 0, Verdict.HEALTHY, health_of(1, 0, 1, 0, 0), ())

    rules = LowEnd(Counting())
    wide = MarketData(0, {"X": Price(1, 2)})
    result = evaluate(Account("a", ()), wide, rules, Purpose.MAINTENANCE)

    assert (weighed, result.excess_high, rules.name, rules.unit) == ([End.LOW], 1, "counting@1", USD)
    rules.weigh(Account("b", ()), wide, Purpose.MAINTENANCE, End.HIGH)
    assert weighed == [End.LOW, End.LOW]


# --- an unhealthy account --------------------------------------------------------------------------------------------


def test_unhealthy__requirement_falls_with_the_price__recovery_below() -> None:
    """5100 - 10 p >= ⌈10 p · 1 %⌉ = ⌈p / 10⌉ up to p = 504: 60 and 51; at 505 it is 50 and 51."""
    rules = DydxRules({"X": DydxTerms(LiquidityTier(10_000, 1_000_000), -6)})
    legs = (
        Leg("cash", Role.CASH, "USDC", 100, ONE, decimals=6),
        Leg("short", Role.PERP, "X", -10, ONE, decimals=6, accrued=5_000),
    )
    account, market = Account("w", legs), MarketData(0, {"X": Price(1_000, 1_000, 0)})

    found = liquidation_price(account, market, rules, "X")

    assert found.is_recovery
    assert found.above is None
    assert found.below is not None
    assert (found.below.price, found.below.is_exact) == (504, True)


class Tent:
    """Excess is highest at one price and falls by one a unit on both sides; healthy on `width` prices to each side."""

    name, unit = "cross_perp@tent", USD

    def __init__(self, top: int, width: int) -> None:
        self.top, self.width = top, width

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        equity = self.width - abs(market.prices["X"].low - self.top)
        verdict = Verdict.HEALTHY if equity >= 0 else Verdict.UNHEALTHY
        return Evaluation(self.name, purpose, end, USD, equity, 0, 1, 0, verdict, health_of(equity, 0, 1, 0, 0), ())


@pytest.mark.parametrize("top", [700_000, 987_654, 1_013_579, 7_000_001])
@pytest.mark.parametrize("width", [0, 1, 1_000])
def test_unhealthy__healthy_only_between_two_stops__still_found(top: int, width: int) -> None:
    market = MarketData(0, {"X": Price(10**6, 10**6, 0)})

    found = liquidation_price(Account("a", ()), market, Tent(top, width), "X")
    flip = found.below if top < 10**6 else found.above

    assert found.evaluations <= 600
    assert flip is not None
    assert flip.price == (top + width if top < 10**6 else top - width)


def test_unhealthy__never_healthy__none() -> None:
    market = MarketData(0, {"X": Price(10**6, 10**6, 0)})

    found = liquidation_price(Account("a", ()), market, Tent(900_000, -1), "X")

    assert (found.below, found.above) == (None, None)


# --- what moves together ---------------------------------------------------------------------------------------------


def test_repriced__an_asset_with_a_perpetual__both_move_by_one_ratio() -> None:
    market = MarketData(0, {"X": Price(100, 100, 0), "X-PERP": Price(210, 330, 1), "Y": Price(5, 5)})

    moved = repriced(market, "X", Price(2_000, 2_000, 1))

    assert moved.prices["X-PERP"] == Price(420, 660, 1)
    assert moved.prices["Y"] == Price(5, 5)
    assert applied(Account("a", ()), market, [SetPrice("X", Price(2_000, 2_000, 1))])[1] == moved


def test_shock__of_all__moves_a_perpetual_once() -> None:
    market = MarketData(0, {"X": Price(100, 100, 0), "X-PERP": Price(200, 200, 0)})

    for names in ((), ("X", "X-PERP"), ("X-PERP", "X")):
        shocked = applied(Account("a", ()), market, [Shock(100_000, names)])[1]
        assert shocked.prices == {"X": Price(110, 110, 0), "X-PERP": Price(220, 220, 0)}


def test_repriced__nearly_to_zero__the_perpetual_keeps_a_price() -> None:
    market = MarketData(0, {"X": Price(10**9, 10**9, 0), "X-PERP": Price(2, 2, 0)})

    assert repriced(market, "X", Price(1, 1, 0)).prices["X-PERP"] == Price(1, 1, 0)


# --- shapes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "initial", "maintenance"),
    [
        ("aave@3.7", False, True),
        ("aave@3.0", False, False),
        ("comet@1", True, True),
        ("morpho@1", True, True),
        ("haircut@1", True, True),
        ("haircut@1 with caps", False, False),
        ("cross_perp@1", False, False),
        ("dydx@4", False, True),
        ("tiers@1", False, True),
        ("derive_srm@1", False, False),
        ("grid@1", False, False),
        ("span@1", False, False),
    ],
)
def test_shape__of_each_rule_set__known_or_not(name: str, initial: bool, maintenance: bool) -> None:
    stage = BY_NAME[name]

    assert is_concave(stage.accounts[0], stage.rules, Purpose.INITIAL) is initial
    assert is_concave(stage.accounts[0], stage.rules, Purpose.MAINTENANCE) is maintenance


def test_shape__of_a_dusty_view__known_unless_an_asset_is_held_and_at_stake() -> None:
    account = CROSS_PERP.template
    dollars_only = replace(account, legs=(account.legs[0], *account.legs[3:]))
    held_only = replace(account, legs=account.legs[:3])

    assert is_concave(dollars_only, CROSS_PERP.rules, Purpose.MAINTENANCE)
    assert not is_jointly_concave(dollars_only, CROSS_PERP.rules, Purpose.MAINTENANCE)
    assert is_jointly_concave(held_only, CROSS_PERP.rules, Purpose.MAINTENANCE)


def test_shape__one_collateral__an_average_of_one_is_no_average() -> None:
    assert is_concave(borrower(1, usdc=0), POOL, Purpose.INITIAL)
    assert not is_concave(borrower(1), POOL, Purpose.INITIAL)


def test_sensitive__assets_that_move_nothing__left_out() -> None:
    market = replace(MARKET, prices={"DOGE": Price(1, 1), **MARKET.prices})

    assert sensitive_assets(borrower(1), market, POOL, Purpose.MAINTENANCE) == ("ETH", "USDC")
    assert sensitive_assets(borrower(0, eth=E18, usdc=0), market, POOL, Purpose.MAINTENANCE) == ("ETH",)
    assert sensitive_assets(
        BY_NAME["morpho@1"].accounts[0], BY_NAME["morpho@1"].market, BY_NAME["morpho@1"].rules, Purpose.MAINTENANCE
    ) == ("WETH/USDC",)


def test_sensitive_assets__a_market_of_thousands__tries_the_accounts_own() -> None:
    counted = Counting(POOL)
    strangers = {f"X{n}": Price(1, 1, 8) for n in range(3_000)}
    market = replace(MARKET, prices={**MARKET.prices, **strangers})

    found = sensitive_assets(borrower(1), market, counted, Purpose.MAINTENANCE)

    assert found == ("ETH", "USDC")
    assert counted.calls <= 2 + 2 * 3


@dataclass
class Counting:
    """Weigh by another rule set and count how often."""

    inner: RuleSet
    calls: int = 0

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def unit(self) -> Unit:
        return self.inner.unit

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        self.calls += 1
        return self.inner.weigh(account, market, purpose, end)
