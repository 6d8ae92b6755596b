"""The screen: never misses an account that is exactly liquidatable, and looks closely at few."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.sheet import SIGN_OFFSET
from proofs.types import Status
from proofs.units import E18, PPM
from relayer.margin.account import Portfolio
from relayer.margin.evaluate import evaluate
from relayer.margin.market import Market
from relayer.margin.rules import MarginRules
from relayer.margin.screens.columns import shadow
from relayer.margin.screens.unified import CollateralColumn, PositionColumn, ScreenColumns, screen
from tests.relayer.margin.build import (
    ETH_PERP,
    PROOF,
    QUORUM,
    RULES,
    account,
    holding,
    market,
    portfolio,
    position,
    with_bands,
)
from tests.relayer.margin.oracle import judge
from tests.relayer.margin.strategies import UNHURRIED, brought_near, cases, markets, near_cases, rules
from tests.relayer.margin.test_evaluate_cases import DOLLAR, PLAIN, PRICES, with_equity

SAFE = (Status.HEALTHY, Status.WARNING, Status.MARGIN_CALL)


def columns_of(held: list[Portfolio], drawn: MarginRules) -> ScreenColumns:
    """Build the screen's columns from portfolios, as the book does from words."""
    collateral, positions = [], []
    for at, source in enumerate(drawn.collateral):
        cells = [one.holdings[at] for one in held]
        amount = shadow(words([cell.amount_raw for cell in cells]), signed=False)
        collateral.append(CollateralColumn(source, amount, levels(cells), np.ones(len(held), dtype=bool)))
    for at, source in enumerate(drawn.positions):
        cells = [one.positions[at] for one in held]
        size, entry, accrued = (
            shadow(words([getattr(cell, name) + SIGN_OFFSET for cell in cells]), signed=True)
            for name in ("size_e18", "entry_value_usd", "accrued_usd")
        )
        positions.append(PositionColumn(source, size, entry, accrued, levels(cells), np.ones(len(held), dtype=bool)))
    return ScreenColumns(len(held), tuple(collateral), tuple(positions), np.zeros(len(held), dtype=bool))


def words(values: list[int]) -> np.ndarray:
    return np.array([(value >> 64, value & (2**64 - 1)) for value in values], dtype=np.uint64)


def levels(cells) -> np.ndarray:
    return np.array([cell.assurance for cell in cells], dtype=np.uint8)


@given(st.lists(st.one_of(st.integers(0, 2**128 - 2), st.integers(0, 100)), min_size=1))
def test_shadow__unsigned__two_roundings_at_most(values: list[int]) -> None:
    for value, floated in zip(values, shadow(words(values), signed=False), strict=True):
        assert abs(Fraction(float(floated)) - value) <= value * Fraction(2, 2**53)


@given(st.lists(st.one_of(st.integers(-(2**127), 2**127 - 2), st.integers(-100, 100)), min_size=1))
def test_shadow__signed__relative_to_the_value_itself(values: list[int]) -> None:
    for value, floated in zip(
        values, shadow(words([value + SIGN_OFFSET for value in values]), signed=True), strict=True
    ):
        assert abs(Fraction(float(floated)) - value) <= abs(value) * Fraction(2, 2**53)


def test_shadow__minus_one__exactly() -> None:
    assert shadow(words([SIGN_OFFSET - 1]), signed=True).tolist() == [-1.0]


@settings(max_examples=40, deadline=None, suppress_health_check=UNHURRIED)
@given(st.lists(st.tuples(cases(), near_cases()), min_size=1, max_size=3), markets(always=False), rules(banded=True))
def test_th_061_screen__any_book__what_it_calls_safe_is_exactly_safe(drawn, prices, policy) -> None:
    held = [one[0] for pair in drawn for one in pair]
    held = [_at(policy, one) for one in held]

    found = screen(columns_of(held, policy), prices, policy)

    assert found.screened == len(held)
    for at, one in enumerate(held):
        if at not in found.indices:
            assert judge(one, prices, policy).status in SAFE
            assert evaluate(one, prices, policy).status in SAFE


def _at(policy: MarginRules, held: Portfolio) -> Portfolio:
    sources = policy.collateral
    return replace(held, holdings=tuple(replace(one, source=sources[at]) for at, one in enumerate(held.holdings)))


@settings(max_examples=10, deadline=None, suppress_health_check=UNHURRIED)
@given(st.integers(0, 2**32))
def test_th_061_screen__accounts_planted_at_the_threshold__no_wrong_verdict_and_few_looked_at(seed: int) -> None:
    draw = random.Random(seed)
    prices = market(
        USDX=E18 - draw.randrange(10**15), BTC=draw.randrange(10**20, 10**23), ETH=draw.randrange(10**18, 10**22)
    )
    held = [_random_account(draw, at) for at in range(200)]
    planted = draw.sample(range(200), 30)
    for place, at in enumerate(planted):
        held[at] = brought_near(held[at], prices, RULES, PPM, place % 3 - 1)
    truth = [judge(one, prices, RULES) for one in held]

    found = screen(columns_of(held, RULES), prices, RULES)

    liquidatable = {at for at, verdict in enumerate(truth) if verdict.status not in SAFE}
    assert liquidatable <= set(found.indices)
    assert set(planted) <= set(found.indices)  # one unit off the line: closer than any float may judge
    assert {at for at in found.indices if evaluate(held[at], prices, RULES).status not in SAFE} == liquidatable
    assert len(found.indices) <= len(liquidatable) + len(planted) < found.screened


def _random_account(draw: random.Random, at: int) -> Portfolio:
    def size() -> int:
        return draw.randrange(-(10**20), 10**20)

    held = portfolio(
        *(holding(source, draw.randrange(10 ** (source.decimals + draw.randrange(6)))) for source in RULES.collateral),
        *(
            position(source, one := size(), one * draw.randrange(1, 4_000), draw.randrange(-E18, E18))
            for source in RULES.positions
        ),
    )
    return replace(held, account=account(at + 1))


def test_screen__tiny_debt_next_to_huge_assets__safe_without_a_look() -> None:
    held = portfolio(holding(DOLLAR, 10**32), position(ETH_PERP, 1, 1))
    rules_ = replace(PLAIN, collateral=(DOLLAR,), positions=(ETH_PERP,))

    assert screen(columns_of([held], rules_), market(**PRICES), rules_).indices == ()


def test_screen__nothing_at_all__safe() -> None:
    held = portfolio(holding(DOLLAR, 0), position(ETH_PERP, 0, 0))
    rules_ = replace(PLAIN, collateral=(DOLLAR,), positions=(ETH_PERP,))

    assert screen(columns_of([held], rules_), market(**PRICES), rules_).indices == ()


def test_screen__unread_position_wide_word_or_missing_price__candidate() -> None:
    rules_ = replace(PLAIN, collateral=(DOLLAR,), positions=(ETH_PERP,))
    columns = columns_of([with_equity(10**6 * E18)] * 3, rules_)
    (positions,) = columns.positions
    unread = replace(columns, positions=(replace(positions, is_read=np.array([True, False, True])),))
    wide = replace(columns, is_always=np.array([False, False, True]))

    assert screen(columns, market(**PRICES), rules_).indices == ()
    assert screen(unread, market(**PRICES), rules_).indices == (1,)
    assert screen(wide, market(**PRICES), rules_).indices == (2,)
    assert screen(columns, market(DOLLAR=E18), rules_).indices == (0, 1, 2)


def test_screen__collateral_past_the_value_limit_of_its_assurance__counts_the_limit() -> None:
    edge = 10**30
    rules_ = with_bands(
        (edge, QUORUM), (None, PROOF), rules=replace(PLAIN, collateral=(DOLLAR,), positions=(ETH_PERP,))
    )
    near, above = edge - 10**20, 2 * edge
    held = [
        portfolio(holding(DOLLAR, amount, level), position(ETH_PERP, 0, owed))
        for amount, level, owed in (
            (edge + 1, QUORUM, near),
            (above, QUORUM, near),
            (above, QUORUM, edge),
            (above, QUORUM, edge + 1),
            (above, PROOF, edge + 1),
        )
    ]

    assert screen(columns_of(held, rules_), market(**PRICES), rules_).indices == (2, 3)
    assert evaluate(held[2], market(**PRICES), rules_).status is Status.HEALTHY
    assert evaluate(held[3], market(**PRICES), rules_).status is Status.BAD_DEBT


def test_screen__wide_interval__longs_at_its_low_end_and_shorts_at_its_high_end() -> None:
    # 10 ETH bought or sold at 2000, price 1990 to 2010: both lose 100; MM 5 % of 20,100 is 1005
    rules_ = replace(PLAIN, collateral=(DOLLAR,), positions=(ETH_PERP,))
    prices = market(DOLLAR=E18, ETH=(1_990 * E18, 2_010 * E18))
    held = [
        portfolio(holding(DOLLAR, equity * E18), position(ETH_PERP, size * E18, size * 2_000 * E18))
        for equity in (1_104, 1_106)
        for size in (10, -10)
    ]

    assert screen(columns_of(held, rules_), prices, rules_).indices == (0, 1)


def test_screen__another_line__judges_that_line() -> None:
    rules_ = replace(PLAIN, collateral=(DOLLAR,), positions=(ETH_PERP,))
    columns = columns_of([with_equity(1_100 * E18), with_equity(1_300 * E18)], rules_)

    assert screen(columns, market(**PRICES), rules_).indices == ()
    assert screen(columns, market(**PRICES), rules_, line_ppm=1_200_000).indices == (0,)


def test_screen__figures_near_128_bits__candidate() -> None:
    rules_ = replace(PLAIN, collateral=(DOLLAR,), positions=(ETH_PERP,))
    held = portfolio(holding(DOLLAR, 2**127), position(ETH_PERP, 0, 0))

    assert screen(columns_of([held], rules_), Market(market(**PRICES).prices), rules_).indices == (0,)
