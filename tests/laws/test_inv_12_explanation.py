"""INV-12: the explanation reconciles exactly, and each line names its source, block, price, weight and rounding."""

from __future__ import annotations

from hypothesis import given, settings

from proofs.attestation import check_legs
from proofs.types import LegKind
from relayer.margin.evaluate import evaluate
from relayer.margin.view import Rounding
from tests.relayer.margin.build import sums
from tests.relayer.margin.strategies import UNHURRIED, cases, near_cases


@settings(max_examples=80, deadline=None, suppress_health_check=UNHURRIED)
@given(cases(always_priced=False, banded=True) | near_cases())
def test_inv_12__sum_of_lines__is_equity_and_both_requirements_to_the_last_unit(case) -> None:
    view = evaluate(*case)

    assert sum(line.value_usd for line in view.lines) == view.equity_usd
    assert sum(line.initial_usd for line in view.lines) == view.initial_margin_usd
    assert sum(line.maintenance_usd for line in view.lines) == view.maintenance_margin_usd
    assert sums(view.lines) == sums(view.lines, legs_only=True)
    check_legs(view.leaf, [line.leg for line in view.lines if line.leg is not None])


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases())
def test_inv_12__each_line__names_where_it_comes_from(case) -> None:
    held, _, rules = case
    chains = {source.chain for source in (*rules.collateral, *rules.positions)}

    for line in evaluate(*case).lines:
        assert line.label
        assert line.chain in chains
        assert line.block_number == 7
        assert line.rounding is Rounding.DOWN
        assert line.kind is LegKind.POSITION or 0 <= line.haircut_ppm <= 10**6
        assert any(line.amount_raw == one.amount_raw for one in held.holdings) or line.kind is LegKind.POSITION
