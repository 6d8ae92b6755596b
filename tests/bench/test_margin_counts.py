"""How many accounts a screen of the seeded book hands to the exact rules; counts.json is the gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relayer.margin.engine.inputs import MarketData
from relayer.margin.screens.columns import Candidates, Columns
from relayer.margin.screens.screen import Tickers, screen
from relayer.margin.verdicts import AavePool
from tests.bench.margin_book import RULES, account, book, market
from tests.bench.margins import planted_counts

COUNTS = json.loads((Path(__file__).parent / "counts.json").read_text())["margin"]


@pytest.fixture(scope="module")
def columns() -> Columns:
    return book(COUNTS["accounts"])


def beyond_flagged(columns: Columns, now: MarketData, found: Candidates) -> int:
    pool = AavePool.of(RULES, now)
    flagged = sum(pool.verdict(account(columns, row)).value != "healthy" for row in found.indices)
    assert flagged > 0
    return len(found.indices) - flagged


def test_screen__seeded_book__evaluates_few_beyond_the_flagged(columns: Columns) -> None:
    found = screen([columns], RULES, market())

    assert found.screened == COUNTS["accounts"]
    assert beyond_flagged(columns, market(), found) <= COUNTS["beyond_flagged"]["at_most"]


def test_ticks__seeded_book__evaluate_few_beyond_the_flagged_and_sum_once(columns: Columns) -> None:
    tickers = Tickers([columns], RULES, market())
    found = tickers.tick(market())
    for step in range(1, 51):
        found = tickers.tick(market(300_000 - 100 * step))

    assert set(screen([columns], RULES, market(295_000)).indices) <= set(found.indices)
    assert beyond_flagged(columns, market(295_000), found) <= COUNTS["beyond_flagged_after_ticks"]["at_most"]
    assert tickers.full_sums <= COUNTS["full_sums"]["at_most"]


def test_th_061_planted__at_the_threshold__floats_err_and_the_screen_does_not() -> None:
    by_floats, by_us = planted_counts(COUNTS["planted"]).values()

    assert by_us <= COUNTS["planted_wrong"]["at_most"]
    assert by_floats >= COUNTS["planted_wrong_by_floats"]["at_least"]
