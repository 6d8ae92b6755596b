"""Our Morpho figures are those of the published contract, to the unit, on a random book; longer ones: `python -m`."""

from __future__ import annotations

import pytest

from tests.differential.morpho.book import run_book

pytestmark = pytest.mark.node

STEPS = 150


@pytest.mark.parametrize("percent", [80, 50])
def test_morpho_book__random_actions__every_figure_equals_the_contracts(percent: int) -> None:
    """At 50 % the incentive factor is capped, at 80 % it is not."""
    counts = run_book(percent * 10**16, STEPS, seed=8)

    for reached in ("healthy", "unhealthy", "limits tried", "liquidations equal"):
        assert counts[reached] > 0, (reached, counts)
    assert counts["markets equal"] >= STEPS
