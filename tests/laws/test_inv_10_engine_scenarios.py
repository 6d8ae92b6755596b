"""INV-10 for scenarios: more never ask less, a stress counts on no credit, the whole never needs more than parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.models.correlation import CorrelationRules
from relayer.margin.models.grid import GridRules
from relayer.margin.netting.requirement import NettingTerms, netting
from relayer.margin.solve.without import By
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages_scenario import CLEARING, SCENARIO_STAGES

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


@pytest.mark.parametrize("stage", [GRID, CLEARING], ids=lambda stage: stage.name)
def test_inv_10__stress_without_credit__never_asks_less(stage: Stage) -> None:
    @drawn(stage, 40)
    @given(stage.some_accounts(), stage.some_markets())
    def holds(account, market) -> None:
        for purpose in (Purpose.INITIAL, Purpose.MAINTENANCE):
            result = evaluate(account, market, stage.rules, purpose)
            assert result.stress_requirement is not None
            assert result.stress_requirement >= result.requirement

    holds()


def test_inv_10__scan_without_credit__together_never_needs_more_than_apart() -> None:
    """A sum of worst losses is at least the worst loss of the sum; each part may be rounded up by a unit a leg."""
    assert isinstance(GRID.rules, GridRules)
    rules = replace(GRID.rules, correlation=CorrelationRules(), short_option_minimum=0)

    @drawn(GRID, 40)
    @given(GRID.some_accounts(), GRID.some_markets())
    def holds(account, market) -> None:
        spread = replace(
            account, legs=tuple(replace(leg, venue=str(place % 3)) for place, leg in enumerate(account.legs))
        )
        result = netting(spread, market, rules, terms=NettingTerms(By.VENUE))
        assert result.unified_requirement <= result.isolated_requirement + len(account.legs)

    holds()
