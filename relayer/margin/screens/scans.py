"""Scans: the screen of portfolios over a scenario grid, behind the answer that all screens give."""

from __future__ import annotations

import numpy as np

from relayer.margin.screens.columns import Candidates, merged
from relayer.margin.screens.scenarios import PricedGrid, ScenarioBook, screen


def scan(book: ScenarioBook, grid: PricedGrid) -> Candidates:
    """Return the portfolios whose exact scan risk may exceed their equity; the band is derived in `scenarios`."""
    rows = np.flatnonzero(screen(book, grid).is_candidate)
    return merged([(rows, len(book.equity))])
