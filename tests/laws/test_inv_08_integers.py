"""INV-8: integers only where money or proof is decided; amounts cross text as decimal strings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proofs.units import UINT256_MAX, format_decimal, parse_decimal
from relayer.margin.evaluate import evaluate
from tests.house.test_no_float import exact_files, inexact
from tests.relayer.margin.strategies import cases


def test_inv_08__exact_modules__hold_no_float_and_no_true_division() -> None:
    assert not [(path, fault) for path in exact_files() for fault in inexact(path.read_text())]


@given(st.integers(-UINT256_MAX, UINT256_MAX), st.integers(0, 77))
def test_inv_08__any_amount_through_text__same_integer(value: int, decimals: int) -> None:
    assert parse_decimal(format_decimal(value, decimals), decimals) == value


@given(cases())
def test_inv_08__every_figure_of_a_view__is_an_integer(case) -> None:
    view = evaluate(*case)

    figures = [view.equity_usd, view.leaf.collateral_usd, view.leaf.liability_usd, view.leaf.maintenance_margin_usd]
    figures += [getattr(line, name) for line in view.lines for name in ("value_usd", "initial_usd", "marked_usd")]
    assert {type(figure) for figure in figures} == {int}
