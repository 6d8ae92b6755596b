"""INV-10: margin is monotone. The rule set's one documented exception is shown with a counter-example."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import Assurance, Status
from proofs.units import E18, UINT128_MAX
from relayer.margin.evaluate import evaluate
from relayer.margin.market import Market, Price
from tests.relayer.margin.build import PROOF, QUORUM, holding, market, portfolio, with_bands
from tests.relayer.margin.strategies import UNHURRIED, cases, near_cases
from tests.relayer.margin.test_evaluate_cases import DOLLAR, PLAIN

HEADER = Assurance.AUTHENTICATED_HEADER
STRONG = Market({"DOLLAR": Price("DOLLAR", E18, E18, HEADER)})


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(
    cases() | cases(banded=True) | near_cases(),
    st.integers(0, 4),
    st.integers(0, 10**21),
    st.integers(0, 1),
    st.integers(0, 10**21),
)
def test_inv_10__more_collateral_and_less_debt__margin_not_lower(case, which, more, market_at, relief) -> None:
    held, prices, rules = case
    holdings, positions = list(held.holdings), list(held.positions)
    holdings[which] = replace(holdings[which], amount_raw=holdings[which].amount_raw + more)
    positions[market_at] = replace(positions[market_at], accrued_usd=positions[market_at].accrued_usd + relief)
    richer = replace(held, holdings=tuple(holdings), positions=tuple(positions))

    before, after = evaluate(held, prices, rules), evaluate(richer, prices, rules)

    assert after.equity_usd - after.maintenance_margin_usd >= before.equity_usd - before.maintenance_margin_usd
    assert after.status <= before.status


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.integers(0, 10**6))
def test_inv_10__any_amounts_added_across_assurance_bands__equity_never_falls(amount, additions, edge) -> None:
    rules = with_bands((edge, QUORUM), (2 * edge, PROOF), (None, HEADER), rules=PLAIN)

    for level, limit in ((QUORUM, edge), (PROOF, 2 * edge), (HEADER, 10**9)):
        total, before = amount, -1
        for more in (0, *additions):
            total += more
            view = evaluate(portfolio(holding(DOLLAR, total, level)), STRONG, rules)
            assert view.equity_usd == min(total, limit) >= before
            before = view.equity_usd


def test_inv_10__exception_figure_past_128_bits__unknown() -> None:
    past = evaluate(portfolio(holding(DOLLAR, UINT128_MAX + 1)), market(DOLLAR=E18), PLAIN)

    assert past.status is Status.UNKNOWN
