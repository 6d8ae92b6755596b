"""SPAN arrays behind the engine: every line by hand; the kernel's own terms are in `rulesets/test_span.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import End, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.models.span import SpanRules
from relayer.margin.rulesets.span import CalendarSpread, Delivery, SpreadLeg
from relayer.margin.view import Purpose
from tests.relayer.margin.models.scenario_build import (
    E18,
    account,
    between,
    cash,
    e,
    leg,
    market,
    point,
    reconcile,
    requirements,
)
from tests.relayer.margin.rulesets.test_span import GAS, OIL

HELD = Purpose.MAINTENANCE
NAMES = ("still up", "still down", "up up", "up down", "down up", "down down")
RULES = SpanRules((OIL, GAS), scenarios=NAMES)
MARKET = market({"oil-jan": point(80), "oil-dec": point(90), "gas-jan": point(3), "WBTC": point(60_000)})
CREDIT = ((SpreadLeg("oil", 1, E18, e("0.6")), SpreadLeg("gas", -1, 2 * E18, e("0.5"))),)


def future(name: str, amount: int, entry: str | int | None = None) -> Leg:
    """Return a future; without an entry value it stands at its price of 80, 90 or 3."""
    at = {"oil-jan": 80, "oil-dec": 90, "gas-jan": 3}[name] * amount if entry is None else entry
    return leg(f"{name} {amount}", Role.FUTURE, name, amount, entry_value=e(at))


def call(amount: int) -> Leg:
    return leg("call", Role.OPTION, "oil-call", amount)


def money(amount: int) -> Leg:
    return cash(amount, "USD")


def weighed(*legs: Leg, rules: SpanRules = RULES, data: MarketData = MARKET, purpose: Purpose = HELD) -> Evaluation:
    return reconcile(evaluate(account(*legs), data, rules, purpose))


def test_weigh__futures__variation_in_equity_and_scan_in_requirement() -> None:
    """2 at 80 entered at 78.5: 3; down 1000 each."""
    got = weighed(money(10), future("oil-jan", 2, 157))

    assert (got.equity, got.requirement) == (e(13), e(2_000))
    assert requirements(got) == {"scan: oil: down up": e(2_000)}
    assert got.worst == "oil: down up"


def test_weigh__short_call__net_option_value_is_in_the_equity() -> None:
    """Worst 700 at `up up`, worth -300: excess of 1500 cash is 500, as publication has it: 1500 - (700 + 300)."""
    got = weighed(money(1_500), call(-1))

    assert (got.equity, got.requirement, got.excess) == (e(1_200), e(700), e(500))
    assert got.worst == "oil: up up"


@pytest.mark.parametrize(("extra", "verdict"), [(-1, Verdict.UNHEALTHY), (0, Verdict.HEALTHY), (1, Verdict.HEALTHY)])
def test_weigh__around_the_line__equality_is_healthy(extra: int, verdict: Verdict) -> None:
    got = weighed(replace(money(0), amount=e(1_000) + extra), call(-1))

    assert (got.excess, got.verdict) == (extra, verdict)


def test_weigh__every_term__has_its_line() -> None:
    """jan +5, dec -4: scan 5 · 1000 - 4 · 900 = 1400; 4 spreads at 80; jan delivers: 4 at 7, 1 outright at 9."""
    oil = replace(OIL, calendar=(CalendarSpread(1, 2, 80 * E18),), delivery=(Delivery("jan", 7 * E18, 9 * E18),))

    got = weighed(future("oil-jan", 5), future("oil-dec", -4), rules=replace(RULES, commodities=(oil, GAS)))

    assert requirements(got) == {
        "scan: oil: down up": e(1_400),
        "oil: calendar spreads": e(320),
        "oil: delivery": e(37),
    }


def test_weigh__short_option_minimum__lifts_what_the_scan_lacks() -> None:
    """Two short calls scan 1400; a minimum of 900 each is 400 more."""
    oil = replace(OIL, short_option_rate=900 * E18)

    got = weighed(call(-2), rules=replace(RULES, commodities=(oil, GAS)))

    assert requirements(got)["oil: up to the short-option minimum"] == e(400)
    assert got.requirement == e(1_800)


def test_weigh__opposite_books__credit_and_the_stress_without() -> None:
    """Oil +1 (price risk 1000), gas -2 (500 each): one spread: 1000 · 0.6 and 1000 · 0.5."""
    got = weighed(money(5_000), future("oil-jan", 1), future("gas-jan", -2), rules=replace(RULES, spreads=CREDIT))

    assert requirements(got)["oil: inter-commodity credit"] == e(-600)
    assert requirements(got)["gas: inter-commodity credit"] == e(-500)
    assert (got.requirement, got.stress_requirement) == (e(900), e(2_000))


def test_lines__of_a_long_and_a_short__at_their_own_ends_and_the_notional_at_the_upper() -> None:
    """oil-jan at 79 … 81: a short is marked at 81, a long at 79; cash has no notional."""
    data = market({"oil-jan": Price(e(79), e(81)), "gas-jan": point(3)})

    long, short = (weighed(money(10), future("oil-jan", amount, 80 * amount), data=data) for amount in (2, -2))

    assert [(line.asset, line.price, line.exposure, line.value) for line in short.lines[:2]] == [
        ("USD", e(1), 0, e(10)),
        ("oil-jan", e(81), e(162), e(-2)),
    ]
    assert (long.lines[1].price, long.lines[1].exposure, long.lines[1].value) == (e(79), e(162), e(-2))


def test_weigh__initial_factor__multiplies_requirement_and_stress() -> None:
    rules = replace(RULES, spreads=CREDIT, initial_factor=e("1.1"))

    got = weighed(future("oil-jan", 1), future("gas-jan", -2), rules=rules, purpose=Purpose.INITIAL)

    assert (got.requirement, got.stress_requirement) == (e(990), e(2_200))
    assert requirements(got)["initial factor"] == e(90)
    assert weighed(future("oil-jan", 1), future("gas-jan", -2), rules=rules).requirement == e(900)


def test_weigh__coins__haircut_on_what_is_held_and_none_on_what_is_owed() -> None:
    rules = replace(RULES, haircuts={"WBTC": e("0.25"), "USDC": e("0.5")})
    coin = leg("coin", Role.COLLATERAL, "WBTC", "0.1")

    got = weighed(coin, cash(-100), rules=rules)

    assert (got.equity, got.requirement) == (e(4_400), 0)
    assert got.worst == ""


def test_weigh__one_contract_in_two_legs__nets() -> None:
    got = weighed(future("oil-jan", 3), future("oil-jan", -3))

    assert (got.equity, got.requirement) == (0, 0)


@pytest.mark.parametrize(
    ("missing", "is_collateral"),
    [
        (leg("x", Role.OPTION, "unlisted", 1), False),
        (leg("x", Role.OPTION, "unlisted", -1), False),
        (leg("x", Role.FUTURE, "oil-feb", 1), False),
        (leg("x", Role.OPTION, "oil-jan", 1), False),
        (leg("x", Role.FUTURE, "oil-call", 1), False),
        (leg("x", Role.COLLATERAL, "DOGE", 1), True),
        (leg("x", Role.CASH, "DOGE", -1), False),
        (leg("x", Role.DEBT, "USDC", 1), False),
        (leg("x", Role.COLLATERAL, "USDC", -1), False),
        (leg("x", Role.COLLATERAL, "USDC", 1, decimals=19), True),
    ],
)
def test_weigh__what_no_array_or_price_knows__gap(missing: Leg, is_collateral: bool) -> None:
    got = weighed(money(50), missing)

    assert [(gap.leg, gap.is_collateral) for gap in got.gaps] == [("x", is_collateral)]
    assert got.verdict is (Verdict.HEALTHY if is_collateral else Verdict.UNKNOWN)
    assert (got.equity, got.requirement) == (e(50), 0)


def test_weigh__unlisted_hedge__earns_no_credit() -> None:
    """A short call with a long one of an unlisted strike is as bad as alone."""
    hedge = leg("hedge", Role.OPTION, "unlisted", 1)

    assert weighed(money(2_000), call(-1), hedge).requirement == weighed(money(2_000), call(-1)).requirement


def test_weigh__unnamed_scenarios__are_numbered_from_one() -> None:
    assert weighed(future("oil-jan", 2), rules=replace(RULES, scenarios=())).worst == "oil: scenario 5"


def test_weigh__interval__only_prices_move_the_ends() -> None:
    data = replace(MARKET, prices={**MARKET.prices, "oil-jan": between(79, 82)})
    book = account(future("oil-jan", -1))

    low, high = (RULES.weigh(book, data, HELD, end) for end in End)

    assert (low.equity, high.equity) == (e(-2), e(1))
    assert low.requirement == high.requirement == e(1_000)


AMOUNTS = st.tuples(*[st.integers(-20, 20)] * 4)


@given(AMOUNTS, st.integers(0, E18), st.integers(0, E18))
def test_law__any_book__credit_within_cap_stress_above_and_order_free(
    amounts: tuple[int, ...], cap: int, rate: int
) -> None:
    spread = ((SpreadLeg("oil", 1, E18, rate), SpreadLeg("gas", -1, 2 * E18, rate)),)
    rules = replace(RULES, commodities=(replace(OIL, credit_cap=cap), replace(GAS, credit_cap=cap)), spreads=spread)
    names: tuple[Any, ...] = ("oil-jan", "oil-dec", "gas-jan")
    legs = [*(future(name, amount) for name, amount in zip(names, amounts, strict=False)), call(amounts[3])]

    got, turned = weighed(*legs, rules=rules), weighed(*legs[::-1], rules=rules)

    assert got.stress_requirement is not None
    credit = -sum(value for label, value in requirements(got).items() if label.endswith("credit"))
    scans = sum(value for label, value in requirements(got).items() if label.startswith("scan"))
    assert 0 <= credit * E18 <= scans * cap
    assert got.requirement <= got.stress_requirement
    assert (turned.requirement, turned.equity) == (got.requirement, got.equity)
