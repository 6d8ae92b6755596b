"""Fast verdicts of an Aave pool: the engine's own answer, byte for byte, for every account."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Gap, Indices, Leg, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.verdicts import AavePool
from relayer.margin.view import Purpose
from tests.relayer.margin.screens.books import CHAIN, World, aave_world, plant
from tests.relayer.margin.strategies import UNHURRIED

NAMES = ("aave@3.7", "aave@3.6", "aave@3.0")


def check(world: World, account: Account) -> None:
    pool = AavePool.of(world.rules, world.market)
    exact = evaluate(account, world.market, world.rules, Purpose.MAINTENANCE)

    assert pool.verdict(account) is exact.verdict
    assert pool.evaluation(account) == exact
    assert repr(pool.evaluation(account)) == repr(exact)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None, suppress_health_check=UNHURRIED)
@given(seed=st.integers(0, 2**32), wide=st.booleans(), offset=st.integers(-1, 1))
def test_pool__random_and_planted_accounts__equals_the_engine(name: str, seed: int, wide: bool, offset: int) -> None:
    draw = random.Random(seed)
    world = aave_world(draw, name, wide=wide)
    account = world.draw(draw)

    check(world, account)
    check(world, plant(world, account, offset))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None, suppress_health_check=UNHURRIED)
@given(seed=st.integers(0, 2**32))
def test_pool__missing_inputs_and_odd_legs__equals_the_engine(name: str, seed: int) -> None:
    draw = random.Random(seed)
    world = aave_world(draw, name)
    account, market = world.draw(draw), world.market
    asset = draw.choice(sorted(market.prices))
    rest = {other: price for other, price in market.prices.items() if other != asset}
    odd = (
        Leg("cash", Role.CASH, asset, 5, CHAIN),
        Leg("below", Role.COLLATERAL, asset, -5, CHAIN),
        Leg("wide", Role.COLLATERAL, asset, 5, CHAIN, decimals=draw.choice((-1, 78))),
        Leg("stranger", draw.choice((Role.COLLATERAL, Role.DEBT)), "X", 5, CHAIN),
        Leg("nothing", Role.CASH, asset, 0, CHAIN),
    )

    check(replace(world, market=replace(market, prices=rest)), account)
    check(replace(world, market=replace(market, indices={**market.indices, asset: Indices(0, 10**27)})), account)
    for leg in odd:
        check(world, replace(account, legs=(*account.legs, leg)))
    check(world, replace(account, unread=(Gap("x", "no answer", is_collateral=draw.random() < 0.5),)))
    check(world, replace(account, mode=7))


def test_pool__venue_healthy_by_its_last_rounding_alone__equals_the_engine() -> None:
    # debt of 3e18 base units, collateral short by one part in 2^..: <W 10^18 / D> rounds up to the threshold
    world = aave_world(random.Random(3), "aave@3.7")
    prices = {asset: replace(price, low=10**8, high=10**8) for asset, price in world.market.prices.items()}
    indices = {asset: Indices(10**27, 10**27) for asset in prices}
    market = replace(world.market, prices=prices, indices=indices)
    world = replace(world, market=market)
    threshold = next(reserve.threshold_bps for reserve in world.rules.reserves.values() if reserve.threshold_bps)
    asset = next(name for name, reserve in world.rules.reserves.items() if reserve.threshold_bps == threshold)
    found = set()
    for lacking in range(12):
        debt = 3 * 10**19 * threshold + lacking
        account = Account(
            "a",
            (
                Leg("held", Role.COLLATERAL, asset, 3 * 10**19 * 10**4, CHAIN, decimals=8),
                Leg("owed", Role.DEBT, asset, debt, CHAIN, decimals=8),
            ),
        )
        check(world, account)
        found.add(evaluate(account, market, world.rules, Purpose.MAINTENANCE).verdict)
    assert Verdict.HEALTHY in found
