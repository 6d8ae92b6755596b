"""INV-13: netting is granted only where it is real; where together needs more, that is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Gap
from relayer.margin.models.correlation import CorrelationRules
from relayer.margin.models.grid import GridRules
from relayer.margin.netting.requirement import Enforceability, NettingTerms, netting
from relayer.margin.solve.without import By
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages_scenario import CLEARING, SCENARIO_STAGES

GRID = next(stage for stage in SCENARIO_STAGES if isinstance(stage.rules, GridRules))


@pytest.mark.parametrize("stage", [GRID, CLEARING], ids=lambda stage: stage.name)
def test_inv_13__stress_without_credit__never_asks_less(stage: Stage) -> None:
    @drawn(stage, 40)
    @given(stage.some_accounts(), stage.some_markets())
    def holds(account, market) -> None:
        for purpose in (Purpose.INITIAL, Purpose.MAINTENANCE):
            result = evaluate(account, market, stage.rules, purpose)
            assert result.stress_requirement is not None
            assert result.stress_requirement >= result.requirement

    holds()


def test_inv_13__scan_without_credit__together_never_needs_more_than_apart() -> None:
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


@pytest.mark.parametrize("why", ["unread", "stale", "unenforceable"])
def test_inv_13__part_unknown_stale_or_unenforceable__earns_nothing(why: str) -> None:
    @drawn(GRID, 20)
    @given(GRID.some_accounts(), GRID.some_markets(), st.integers(0, 2))
    def holds(account, market, place: int) -> None:
        legs = tuple(replace(leg, venue=str(number % 3)) for number, leg in enumerate(account.legs))
        unread = (Gap("another", "no answer", is_collateral=False),) if why == "unread" else ()
        bad, spread = str(place), replace(account, legs=legs, unread=unread)
        limits = {
            "unread": Enforceability(),
            "stale": Enforceability(stale=frozenset({bad})),
            "unenforceable": Enforceability({bad: 0}),
        }
        result = netting(spread, market, GRID.rules, terms=NettingTerms(By.VENUE, enforceability=limits[why]))
        touched = result.pairs if why == "unread" else [pair for pair in result.pairs if bad in (pair.one, pair.other)]
        assert sum(pair.counted for pair in touched) == 0
        assert result.requirement >= result.unified_requirement

    holds()
