"""INV-11: order, unit and place do not matter."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import ChainId
from relayer.margin.evaluate import evaluate
from tests.relayer.margin.strategies import UNHURRIED, cases


def figures(view):
    return view.status, view.collateral_usd, view.liability_usd, view.initial_margin_usd, view.maintenance_margin_usd


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases(always_priced=False, banded=True), st.randoms(use_true_random=False))
def test_inv_11__permuted__same_leaf(case, shuffle) -> None:
    held, prices, rules = case
    holdings, positions = list(held.holdings), list(held.positions)
    shuffle.shuffle(holdings)
    shuffle.shuffle(positions)
    backwards = replace(rules, assets=rules.assets[::-1], encumbrance_ppm=rules.encumbrance_ppm[::-1])

    turned = evaluate(replace(held, holdings=tuple(holdings), positions=tuple(positions)), prices, backwards)

    assert turned.leaf == evaluate(held, prices, rules).leaf


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases(), st.integers(1, 15))
def test_inv_11__decimals_rescaled__same_figures(case, shift: int) -> None:
    held, prices, rules = case
    scaled = tuple(
        replace(
            one,
            amount_raw=one.amount_raw * 10**shift,
            source=replace(one.source, decimals=one.source.decimals + shift),
        )
        for one in held.holdings
    )

    assert figures(evaluate(replace(held, holdings=scaled), prices, rules)) == figures(evaluate(held, prices, rules))


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases())
def test_inv_11__collateral_on_another_chain_with_the_same_haircut__same_figures(case) -> None:
    held, prices, rules = case
    elsewhere = tuple(replace(one, source=replace(one.source, chain=ChainId("eip155:999"))) for one in held.holdings)

    assert figures(evaluate(replace(held, holdings=elsewhere), prices, rules)) == figures(evaluate(held, prices, rules))
