"""INV-9: rounding is always against the account, and by less than the stated number of units."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings

from proofs.types import LegKind, Status
from proofs.units import PPM
from relayer.margin.evaluate import evaluate
from tests.relayer.margin.strategies import UNHURRIED, cases


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases())
def test_inv_09__each_line__value_not_above_truth_requirement_not_below_within_units(case) -> None:
    held, prices, rules = case
    view = evaluate(held, prices, rules)
    sources = {source.symbol: source for source in rules.positions}

    for line in view.lines:
        if line.leg is None:
            continue
        true = Fraction(line.amount_raw * line.price_e18, 10**line.decimals)
        if line.kind is LegKind.POSITION:
            read = next(one for one in held.positions if one.source.symbol == line.symbol)
            true += read.accrued_usd - read.entry_value_usd
            need = Fraction(abs(line.amount_raw) * prices.prices[line.symbol].high_e18, 10**18)
            source = sources[line.symbol]
            assert 0 <= line.maintenance_usd - need * Fraction(source.maintenance_margin_ppm, PPM) < 2
            assert 0 <= line.initial_usd - need * Fraction(source.initial_margin_ppm, PPM) < 2
        else:
            true *= 1 - Fraction(line.haircut_ppm, PPM)
        assert 0 <= true - line.value_usd < 1


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases())
def test_inv_09__whole_account__equity_never_above_the_real_number_and_near_it(case) -> None:
    held, prices, rules = case
    view = evaluate(held, prices, rules)
    assert view.status is not Status.UNKNOWN

    real = Fraction(0)
    for line in view.lines:
        if line.leg is None:
            continue
        real += Fraction(line.amount_raw * line.price_e18 * (PPM - line.haircut_ppm), 10**line.decimals * PPM)
    for one in held.positions:
        real += one.accrued_usd - one.entry_value_usd

    assert 0 <= real - view.equity_usd < max(len(view.lines), 1)
