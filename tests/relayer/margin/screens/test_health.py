"""Screened health factors: the interval holds the exact one, for dust and for wealth."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.engine.inputs import End
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS, account_figures
from relayer.margin.screens.columns import columns_of
from relayer.margin.screens.health import health_interval
from tests.relayer.margin.screens.books import WAD, aave_world, plant
from tests.relayer.margin.strategies import UNHURRIED


@pytest.mark.parametrize("name", ["aave@3.7", "aave@3.6"])
@settings(max_examples=25, deadline=None, suppress_health_check=UNHURRIED)
@given(seed=st.integers(0, 2**32), wide=st.booleans())
def test_health_interval__random_and_planted_accounts__holds_the_exact_factor(name: str, seed: int, wide: bool) -> None:
    draw = random.Random(seed)
    world = aave_world(draw, name, wide=wide)
    accounts = [world.draw(draw) for _ in range(12)]
    accounts[:3] = [plant(world, one, offset) for offset, one in enumerate(accounts[:3], -1)]

    for columns in columns_of(accounts):
        low, high = health_interval(columns, world.rules, world.market)
        for place, row in enumerate(columns.rows):
            form = world.rules.form(accounts[row], world.market, End.LOW).account
            figures = account_figures(form, AAVE_REVISIONS[name])
            if figures.debt_base == 0:
                assert low[place] == high[place] == np.inf
                continue
            exact = Fraction(figures.health_factor_wad, WAD)
            assert Fraction(float(low[place])) <= exact
            assert high[place] == np.inf or exact <= Fraction(float(high[place]))


def test_health_interval__wealthy_accounts__narrow() -> None:
    draw = random.Random(7)
    world = aave_world(draw, "aave@3.7")
    accounts = [world.draw(draw) for _ in range(200)]

    for columns in columns_of(accounts):
        low, high = health_interval(columns, world.rules, world.market)
        is_rich = np.isfinite(high) & (high > 0.5) & (high < 2)
        assert is_rich.any()
        assert np.median(high[is_rich] / low[is_rich]) < 1 + 1e-3


def test_health_interval__revision_with_averages__refused() -> None:
    world = aave_world(random.Random(1), "aave@3.0")

    with pytest.raises(ValueError, match="averages"):
        health_interval(columns_of([world.draw(random.Random(1))])[0], world.rules, world.market)
