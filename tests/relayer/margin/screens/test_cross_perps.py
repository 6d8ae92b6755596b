"""Cross perps behind the common door: the screen of the unified view for engine accounts whose legs have names."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import Assurance
from proofs.units import E18, PPM
from relayer.margin.account import Portfolio
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.market import Market
from relayer.margin.models.cross_perp import CrossPerpRules, Evidence, LegEvidence, PriceEvidence, engine_inputs
from relayer.margin.rules import MarginRules
from relayer.margin.screens.columns import columns_of
from relayer.margin.screens.screen import screen
from relayer.margin.view import Purpose
from tests.relayer.margin.build import ETH_PERP, PROOF, QUORUM, RULES, A, holding, portfolio, position, with_bands
from tests.relayer.margin.strategies import UNHURRIED, brought_near, cases, near_cases

PRICES = {symbol: Price(price * E18, price * E18) for symbol, price in (("USDX", 1), ("BTC", 60_000), ("ETH", 2_000))}
MARKET = MarketData(7, PRICES)
PLAIN = CrossPerpRules(RULES)


def found_of(accounts: list[Account], rules: CrossPerpRules = PLAIN, market: MarketData = MARKET) -> tuple[int, ...]:
    return screen(columns_of(accounts, by_name=True), rules, market).indices


def is_healthy(account: Account, rules: CrossPerpRules = PLAIN, market: MarketData = MARKET) -> bool:
    return evaluate(account, market, rules, Purpose.MAINTENANCE).verdict is Verdict.HEALTHY


def usdx(amount: int, name: str = "lock:usdx:a") -> Leg:
    return Leg(name, Role.COLLATERAL, "USDX", amount * 10**6, A, decimals=6)


def perp(size: int, entry: int, accrued: int = 0, name: str = "perp:eth") -> Leg:
    return Leg(name, Role.PERP, "ETH", size * E18, A, entry_value=entry * E18, accrued=accrued * E18)


def never_wrong(case: tuple[Portfolio, Market, MarginRules]) -> None:
    account, market, rules = engine_inputs(*case, as_of_s=7)
    assert is_healthy(account, rules, market) or found_of([account], rules, market) == (0,)


@settings(max_examples=150, deadline=None, suppress_health_check=UNHURRIED)
@given(near_cases())
def test_th_061_screen__account_at_a_line__never_a_wrong_verdict(case: tuple[Portfolio, Market, MarginRules]) -> None:
    never_wrong(case)


@pytest.mark.parametrize("banded", [False, True])
@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(data=st.data())
def test_screen__prices_missing_or_evidence_weak__never_a_wrong_verdict(data: st.DataObject, banded: bool) -> None:
    never_wrong(data.draw(cases(always_priced=False, banded=banded)))


def test_screen__a_thousand_accounts__nobody_beyond_the_flagged_and_the_planted() -> None:
    draw = random.Random(17)
    held = [some_portfolio(draw) for _ in range(1_000)]
    market = engine_market()
    for at in range(9):
        held[at] = brought_near(held[at], market, RULES, PPM, at % 3 - 1)
    accounts = [engine_inputs(one, market, RULES, 7)[0] for one in held]
    rules = CrossPerpRules(RULES, Evidence(legs={source.column: LegEvidence(PROOF) for source in RULES.collateral}))

    found = found_of(accounts, rules)

    healthy = [place for place in found if is_healthy(accounts[place], rules)]
    assert {place for place, one in enumerate(accounts) if not is_healthy(one, rules)} <= set(found)
    assert set(healthy) <= set(range(9))
    assert set(found) - set(range(9))
    assert len(found) < 100


def some_portfolio(draw: random.Random) -> Portfolio:
    """Return dollars, bitcoin and ether for tens of thousands against a position of up to 100 ether."""
    most = {"USDX": 4, "BTC": 0, "ETH": 1}
    coins = (holding(one, draw.randrange(10 ** (one.decimals + most[one.symbol]))) for one in RULES.collateral)
    size = draw.randrange(-(10**20), 10**20)
    return portfolio(*coins, position(ETH_PERP, size, size * draw.randrange(1_700, 2_300)))


def engine_market() -> Market:
    return PLAIN.market(MARKET, End.LOW)


def test_screen__columns_without_names__everybody_who_has_anything() -> None:
    accounts = [Account("a", (usdx(10**6),)), Account("none", ())]

    assert screen(columns_of(accounts), PLAIN, MARKET).indices == (0,)
    assert found_of(accounts) == ()


def test_screen__requirement_and_profit_to_the_unit__the_line_divides() -> None:
    # short 10 at 2000, bought for 2100: profit 1000; maintenance 5 % of 20,000; 1 % of the dollars are cut
    accounts = [
        Account("at", (usdx(1_000), perp(-10, -20_000), perp(0, -11, name="perp:btc"))),
        Account("below", (usdx(1_000), perp(-10, -20_000))),
    ]

    assert [is_healthy(one) for one in accounts] == [True, False]
    assert found_of(accounts) == (1,)


def test_screen__strangers_second_legs_and_what_cannot_be_read__candidates_but_for_coins() -> None:
    rich = (usdx(10**6), perp(1, 2_000))
    odd = [
        Account("coin", (*rich, usdx(5, "elsewhere"))),
        Account("perp", (*rich, perp(1, 2_000, name="elsewhere"))),
        Account("cash", (*rich, Leg("cash", Role.CASH, "USDX", 1, A))),
        Account("debt", (*rich, usdx(-5, "lock:usdx:b"))),
        Account("twice", (*rich, perp(1, 2_000))),
        Account("unread", rich, unread=(Gap("perp:btc", "no answer", is_collateral=False),)),
        Account("closed stranger", (*rich, perp(0, 3, name="elsewhere"))),
        Account("vast", (*rich, replace(usdx(1, "lock:usdx:b"), amount=2**255))),
    ]

    assert found_of(odd) == (1, 2, 3, 4, 5, 6, 7)
    assert is_healthy(odd[0])


def test_screen__entries_beyond_128_bits_that_cancel__candidate() -> None:
    huge = 2**130 // E18
    legs = (usdx(10**6), perp(0, huge), perp(0, -huge, name="perp:btc"))

    assert not is_healthy(Account("a", legs))
    assert found_of([Account("a", legs)]) == (0,)


def test_screen__frozen_collateral_and_a_position_below_its_assurance__count_as_the_evidence_says() -> None:
    accounts = [Account("a", (usdx(1_200), perp(10, 20_000)))]
    frozen = CrossPerpRules(RULES, Evidence(legs={"lock:usdx:a": LegEvidence(PROOF, is_frozen=True)}))
    banded = with_bands((1_000 * E18, QUORUM), (None, Assurance.AUTHENTICATED_HEADER))
    weak = CrossPerpRules(banded, Evidence(legs={"perp:eth": LegEvidence(QUORUM)}))
    unsure = CrossPerpRules(banded, Evidence(prices={"USDX": PriceEvidence(QUORUM)}))

    assert found_of(accounts) == ()
    for rules in (frozen, weak, unsure):
        assert not is_healthy(accounts[0], rules)
        assert found_of(accounts, rules) == (0,)
    absent = CrossPerpRules(banded, Evidence(legs={"perp:eth": LegEvidence(Assurance.SINGLE_RPC)}))
    assert found_of([Account("b", (usdx(1_200),))], absent) == ()
    beyond_a_word = Account("c", (replace(usdx(1), amount=2**255),))
    capped = CrossPerpRules(banded, Evidence(legs={"lock:usdx:a": LegEvidence(QUORUM)}))
    assert not is_healthy(beyond_a_word, capped)
    assert found_of([beyond_a_word], capped) == (0,)


def test_screen__price_near_the_edge_of_a_word__everybody() -> None:
    vast = replace(MARKET, prices={**PRICES, "ETH": Price(2**251, 2**251)})

    assert found_of([Account("a", (usdx(10**6),)), Account("none", ())], PLAIN, vast) == (0,)
