"""Screens of all rule sets: what is called safe is exactly healthy, at the threshold too."""

from __future__ import annotations

import random
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Gap, Leg, MarketData, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.models.overlays import SizePremium
from relayer.margin.screens.columns import AMOUNT_MAX, columns_of
from relayer.margin.screens.screen import Tickers, form_of, screen
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import STAGES
from tests.relayer.margin.screens.books import ASSETS, CHAIN, WORLDS, World, plant, price_of, verdict
from tests.relayer.margin.strategies import UNHURRIED

NAMES = tuple(WORLDS)
seeds = st.integers(0, 2**32)


def book(world: World, draw: random.Random, count: int, planted: int) -> list[Account]:
    """Return random accounts, the first of them planted at -1, 0 and +1 units of their threshold in turn."""
    accounts = [world.draw(draw) for _ in range(count)]
    return [plant(world, one, at % 3 - 1) if at < planted else one for at, one in enumerate(accounts)]


def wrong(world: World, accounts: list[Account], market: MarketData) -> list[int]:
    """Return the accounts that the screen calls safe and the exact rules do not."""
    at = replace(world, market=market)
    found = set(screen(columns_of(accounts, by_lot=True), world.rules, market).indices)
    return [
        place for place, one in enumerate(accounts) if place not in found and verdict(at, one) is not Verdict.HEALTHY
    ]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None, suppress_health_check=UNHURRIED)
@given(seed=seeds, wide=st.booleans())
def test_th_061_screen__accounts_planted_around_the_threshold__never_a_wrong_verdict(
    name: str, seed: int, wide: bool
) -> None:
    draw = random.Random(seed)
    world = WORLDS[name](draw, wide=wide)

    accounts = book(world, draw, 9, planted=6)

    assert wrong(world, accounts, world.market) == []


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None, suppress_health_check=UNHURRIED)
@given(seed=seeds)
def test_screen__a_price_or_an_index_missing__never_a_wrong_verdict(name: str, seed: int) -> None:
    draw = random.Random(seed)
    world = WORLDS[name](draw)
    accounts = book(world, draw, 8, planted=4)
    lost = draw.choice(sorted(world.market.prices))
    prices = {asset: price for asset, price in world.market.prices.items() if asset != lost}
    unindexed = {asset: index for asset, index in world.market.indices.items() if asset != lost}

    assert wrong(world, accounts, replace(world.market, prices=prices)) == []
    assert wrong(world, accounts, replace(world.market, indices=unindexed)) == []
    assert wrong(world, accounts, replace(world.market, totals={})) == []


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None, suppress_health_check=UNHURRIED)
@given(seed=seeds)
def test_inv_18_tickers__many_ticks__all_that_a_fresh_screen_names_and_the_same_verdicts(name: str, seed: int) -> None:
    draw = random.Random(seed)
    world = WORLDS[name](draw)
    accounts = book(world, draw, 9, planted=3)
    columns = columns_of(accounts, by_lot=True)
    tickers = Tickers(columns, world.rules, world.market)
    market = world.market

    for _ in range(6):
        asset = draw.choice(sorted(market.prices))
        old = market.prices[asset]
        moved = (
            price_of(draw, asset, old.decimals) if name != "morpho@1" else old.shifted(draw.randrange(-(9**5), 9**5))
        )
        market = replace(market, prices=MappingProxyType({**market.prices, asset: moved}))
        fresh, found = screen(columns, world.rules, market), tickers.tick(market)

        assert set(fresh.indices) <= set(found.indices)
        assert found.screened == fresh.screened == len(accounts)
        at = replace(world, market=market)
        flagged = {place for place, one in enumerate(accounts) if verdict(at, one) is not Verdict.HEALTHY}
        assert flagged <= set(fresh.indices)


@pytest.mark.parametrize("name", NAMES)
def test_screen__planted_book__plain_floats_err_and_the_screen_does_not(name: str) -> None:
    draw = random.Random(61)
    plain_errors = 0
    for _ in range(3):
        world = WORLDS[name](draw)
        accounts = book(world, draw, 15, planted=15)
        for columns in columns_of(accounts, by_lot=True):
            form = form_of(columns, world.rules, world.market)
            weights = np.array([float(weight.per_unit) for weight in form.weights])
            is_healthy = weights @ columns.amounts >= 0
            truth = [verdict(world, accounts[row]) is Verdict.HEALTHY for row in columns.rows]
            plain_errors += int((is_healthy != np.array(truth)).sum())
        assert wrong(world, accounts, world.market) == []

    assert plain_errors > 0


@pytest.mark.parametrize("name", NAMES)
def test_screen__accounts_far_from_the_threshold__few_beyond_the_flagged_are_looked_at(name: str) -> None:
    draw = random.Random(17)
    world = WORLDS[name](draw)
    accounts = book(world, draw, 300, planted=0)

    found = set(screen(columns_of(accounts, by_lot=True), world.rules, world.market).indices)

    flagged = {place for place, one in enumerate(accounts) if verdict(world, one) is not Verdict.HEALTHY}
    assert flagged <= found
    assert 0 < len(flagged) < len(accounts)
    assert len(found - flagged) <= 4


def test_screen__unread_leg_or_amount_beyond_256_bits__candidate() -> None:
    draw = random.Random(1)
    world = WORLDS["aave@3.7"](draw)
    rich = Account("rich", (replace(world.draw(draw).legs[0], amount=10**24),))
    unread = replace(rich, unread=(Gap("x", "no answer", is_collateral=False),))
    vast = rich.with_amount(rich.legs[0].name, AMOUNT_MAX)

    assert screen(columns_of([rich, unread, vast], by_lot=True), world.rules, world.market).indices == (1, 2)


def test_screen__comet_feed_missing_that_the_market_reads_first__candidate_though_the_rest_covers_the_debt() -> None:
    world = WORLDS["comet@1"](random.Random(1))
    first, second = ASSETS[0], ASSETS[1]
    owes = Account(
        "a",
        (
            Leg("moved", Role.CASH, "DAI", -(10**18), CHAIN, 1, 18),
            Leg("first", Role.COLLATERAL, first, 1, CHAIN, 1, 18),
            Leg("second", Role.COLLATERAL, second, 10**8, CHAIN, 1, 8),
        ),
    )
    supplies = owes.with_amount("moved", 10**18)
    blind = replace(world.market, prices={name: one for name, one in world.market.prices.items() if name != first})

    assert screen(columns_of([owes, supplies]), world.rules, world.market).indices == ()
    assert verdict(replace(world, market=blind), owes) is Verdict.UNKNOWN
    assert verdict(replace(world, market=blind), supplies) is Verdict.HEALTHY
    assert screen(columns_of([owes, supplies]), world.rules, blind).indices == (0,)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_inv_17_screen__every_rule_set_behind_the_engine__whom_it_calls_safe_is_healthy(stage: Stage) -> None:
    @drawn(stage, 8)
    @given(st.lists(stage.some_accounts(), min_size=1, max_size=3), stage.some_markets())
    def holds(accounts: list[Account], market: MarketData) -> None:
        found = screen(columns_of(accounts, by_lot=True), stage.rules, market)

        for place, one in enumerate(accounts):
            exact = evaluate(one, market, stage.rules, Purpose.MAINTENANCE).verdict
            assert place in found.indices or exact is Verdict.HEALTHY

    holds()


def test_screen__rule_set_that_nobody_bounded__everybody_who_has_anything() -> None:
    world = WORLDS["dydx@4"](random.Random(3))
    held, rules = world.draw(random.Random(3)), SizePremium(world.rules, {})

    found = screen(columns_of([held, Account("none", ())]), rules, world.market)

    assert found.indices == (0,)


def test_screen__no_accounts__nobody() -> None:
    world = WORLDS["aave@3.7"](random.Random(1))

    assert screen(columns_of([], by_lot=True), world.rules, world.market).indices == ()


def test_screen__nothing_held_or_owed__safe() -> None:
    world = WORLDS["comet@1"](random.Random(1))

    assert screen(columns_of([Account("none", ())] * 3, by_lot=True), world.rules, world.market).indices == ()


def test_tickers__price_beyond_twice_the_last_sum__sums_anew() -> None:
    draw = random.Random(5)
    world = WORLDS["aave@3.7"](draw)
    tickers = Tickers(
        columns_of([replace(world.draw(draw), mode=0) for _ in range(9)], by_lot=True), world.rules, world.market
    )
    assert tickers.full_sums == 1
    small = world.market.with_price("ETH", world.market.prices["ETH"].shifted(100_000))
    tickers.tick(small)
    assert tickers.full_sums == 1
    tickers.tick(small.with_price("ETH", small.prices["ETH"].shifted(1_500_000)))
    assert tickers.full_sums == 2


def test_tickers__a_thousand_moves__sums_anew_before_the_drift_bound_is_spent() -> None:
    draw = random.Random(5)
    world = WORLDS["aave@3.7"](draw)
    tickers = Tickers(
        columns_of([replace(world.draw(draw), mode=0) for _ in range(9)], by_lot=True), world.rules, world.market
    )
    price = world.market.prices["ETH"]

    for tick in range(1_024):  # ETH is collateral and debt: two moves each
        tickers.tick(world.market.with_price("ETH", price.shifted(1_000 * (tick % 2 + 1))))

    assert tickers.full_sums == 2
