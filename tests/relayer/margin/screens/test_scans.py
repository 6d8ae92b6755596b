"""Scans: the screen of portfolios gives the answer that all screens give."""

from __future__ import annotations

import numpy as np

from relayer.margin.rulesets.grid import EuropeanOption
from relayer.margin.screens.scans import scan
from relayer.margin.screens.scenarios import book_of, columns_of, grid_of, priced_grid, screen
from tests.relayer.margin.screens.test_scenarios import E18, POINTS, TABLE


def test_scan__portfolios_above_and_below_their_risk__names_those_below() -> None:
    option = EuropeanOption("0", True, 2_000 * E18, 2_000 * E18, E18 // 2, 30 * 86_400, E18)
    grid = priced_grid(columns_of([option]), grid_of(POINTS), TABLE)
    book = book_of([[(0, -E18)], [(0, -E18)], [(0, E18)]], [10_000 * E18, 1 * E18, 10_000 * E18])

    found = scan(book, grid)

    assert found.indices == (1,)
    assert found.screened == 3
    assert np.flatnonzero(screen(book, grid).is_candidate).tolist() == [1]
