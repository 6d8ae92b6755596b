"""INV-11 behind the engine: neither the order of legs nor the unit of amounts and prices matters to our own rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.units import rescale_up
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Role
from relayer.margin.models.cross_perp import CrossPerpRules
from relayer.margin.view import Purpose
from tests.laws.test_inv_10_engine_monotone import UNIFIED
from tests.relayer.margin.models.stage import TemplateStage
from tests.relayer.margin.strategies import UNHURRIED

every_unified = pytest.mark.parametrize("stage", UNIFIED, ids=lambda stage: stage.name)
some = settings(max_examples=15, deadline=None, suppress_health_check=UNHURRIED)


@every_unified
def test_inv_11__legs_permuted__same_figures_and_verdict(stage: TemplateStage) -> None:
    @some
    @given(stage.some_accounts(), stage.some_markets(), st.permutations(range(len(stage.template.legs))))
    def holds(account, market, order) -> None:
        turned = replace(account, legs=tuple(account.legs[place] for place in order))
        for purpose in Purpose:
            one, other = (evaluate(held, market, stage.rules, purpose) for held in (account, turned))
            assert (one.equity, one.requirement, one.verdict) == (other.equity, other.requirement, other.verdict)
            assert sorted(map(repr, one.lines)) == sorted(map(repr, other.lines))

    holds()


@every_unified
def test_inv_11__decimals_of_tokens_changed__same_figures(stage: TemplateStage) -> None:
    @some
    @given(stage.some_accounts(), stage.some_markets(), st.integers(1, 15))
    def holds(account, market, shift: int) -> None:
        roles = (Role.COLLATERAL, Role.DEBT, Role.CASH)
        legs = tuple(
            replace(leg, amount=leg.amount * 10**shift, decimals=leg.decimals + shift) if leg.role in roles else leg
            for leg in account.legs
        )
        rules = stage.rules
        if isinstance(rules, CrossPerpRules):
            sources = tuple(replace(source, decimals=source.decimals + shift) for source in rules.rules.collateral)
            rules = replace(rules, rules=replace(rules.rules, collateral=sources))

        for purpose in Purpose:
            one = evaluate(account, market, stage.rules, purpose)
            other = evaluate(replace(account, legs=legs), market, rules, purpose)
            assert (one.equity, one.requirement, one.verdict) == (other.equity, other.requirement, other.verdict)

    holds()


@every_unified
def test_inv_11__decimals_of_prices_changed__same_figures(stage: TemplateStage) -> None:
    @some
    @given(stage.some_accounts(), stage.some_markets(), st.integers(18, 30))
    def holds(account, market, decimals: int) -> None:
        prices = {
            asset: replace(
                price,
                low=rescale_up(price.low, price.decimals, decimals),
                high=rescale_up(price.high, price.decimals, decimals),
                decimals=decimals,
            )
            for asset, price in market.prices.items()
        }
        for purpose in Purpose:
            one = evaluate(account, market, stage.rules, purpose)
            other = evaluate(account, replace(market, prices=prices), stage.rules, purpose)
            assert (one.equity, one.requirement, one.verdict) == (other.equity, other.requirement, other.verdict)

    holds()
