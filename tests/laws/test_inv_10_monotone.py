"""INV-10: margin is monotone. The rule set's two documented exceptions are shown with counter-examples."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import Status
from proofs.units import E18, UINT128_MAX
from relayer.margin.evaluate import evaluate
from tests.relayer.margin.build import PROOF, QUORUM, holding, market, portfolio, with_bands
from tests.relayer.margin.strategies import UNHURRIED, cases, near_cases
from tests.relayer.margin.test_evaluate_cases import DOLLAR, PLAIN, PRICES


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases() | near_cases(), st.integers(0, 4), st.integers(0, 10**21), st.integers(0, 1), st.integers(0, 10**21))
def test_inv_10__more_collateral_and_less_debt__margin_not_lower(case, which, more, market_at, relief) -> None:
    held, prices, rules = case
    holdings, positions = list(held.holdings), list(held.positions)
    holdings[which] = replace(holdings[which], amount_raw=holdings[which].amount_raw + more)
    positions[market_at] = replace(positions[market_at], accrued_usd=positions[market_at].accrued_usd + relief)
    richer = replace(held, holdings=tuple(holdings), positions=tuple(positions))

    before, after = evaluate(held, prices, rules), evaluate(richer, prices, rules)

    assert after.equity_usd - after.maintenance_margin_usd >= before.equity_usd - before.maintenance_margin_usd
    assert after.status <= before.status


def test_inv_10__exception_amount_past_an_assurance_band__demands_the_next_level_of_all_of_it() -> None:
    rules = with_bands((100, QUORUM), (None, PROOF), rules=PLAIN)

    inside = evaluate(portfolio(holding(DOLLAR, 100, QUORUM)), market(**PRICES), rules)
    past = evaluate(portfolio(holding(DOLLAR, 101, QUORUM)), market(**PRICES), rules)

    assert (inside.equity_usd, past.equity_usd) == (100, 0)
    assert past.missing


def test_inv_10__exception_figure_past_128_bits__unknown() -> None:
    past = evaluate(portfolio(holding(DOLLAR, UINT128_MAX + 1)), market(DOLLAR=E18), PLAIN)

    assert past.status is Status.UNKNOWN
