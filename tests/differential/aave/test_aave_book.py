"""Our Aave figures are those of the published contracts, to the unit, on a random book; longer ones: `python -m`."""

from __future__ import annotations

import pytest

from tests.differential.aave.pools import SETUPS
from tests.differential.aave.run import run_book

pytestmark = pytest.mark.node

STEPS = 250


@pytest.mark.parametrize("revision", SETUPS)
def test_aave_book__random_actions__every_figure_equals_the_pools(revision: str) -> None:
    counts = run_book(revision, STEPS, seed=20_260)

    assert counts["accounts equal"] >= STEPS
    for reached in ("unhealthy", "in the mode", "liquidations equal", "borrow done", "repay done", "withdraw done"):
        assert counts[reached] > 0, (reached, counts)
