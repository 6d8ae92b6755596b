"""INV-10 for scenarios: one more never asks less."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.models.correlation import CorrelationRules
from relayer.margin.models.grid import GridRules
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import drawn
from tests.relayer.margin.models.stages_scenario import SCENARIO_STAGES

GRID = next(stage for stage in SCENARIO_STAGES if isinstance(stage.rules, GridRules))


@pytest.mark.parametrize("is_credited", [True, False])
def test_inv_10__a_scenario_less__never_asks_more(is_credited: bool) -> None:
    rules = GRID.rules
    assert isinstance(rules, GridRules)
    if not is_credited:
        rules = replace(rules, correlation=CorrelationRules())

    @drawn(GRID, 40)
    @given(GRID.some_accounts(), GRID.some_markets(), st.integers(0, len(rules.points) - 1))
    def holds(account, market, place: int) -> None:
        fewer = replace(rules, points=rules.points[:place] + rules.points[place + 1 :])
        for purpose in (Purpose.INITIAL, Purpose.MAINTENANCE):
            more, less = evaluate(account, market, rules, purpose), evaluate(account, market, fewer, purpose)
            assert less.requirement <= more.requirement
            assert less.equity == more.equity

    holds()
