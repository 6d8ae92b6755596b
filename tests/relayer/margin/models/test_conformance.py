"""Every rule set behind the engine keeps the laws of `conformance.py`, on drawn accounts and markets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.models.table import RULE_SETS
from tests.relayer.margin.models.conformance import Conformance, orders
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import STAGES
from tests.relayer.margin.models.stages_linear import DYDX, TIERS

ON_ACCOUNTS = (
    Conformance.lines_add_up,
    Conformance.it_says_what_was_asked,
    Conformance.every_figure_is_an_integer,
    Conformance.verdict_is_the_sign_of_excess,
    Conformance.a_full_market_leaves_no_gap,
    Conformance.liquidation_end_is_maintenance_with_a_buffer,
    Conformance.what_was_never_read_is_never_forgotten,
    Conformance.legs_of_nothing_add_nothing,
    Conformance.risk_groups_and_names_of_blocks_do_not_matter,
    Conformance.the_same_inputs_give_the_same_bytes,
    Conformance.a_stranger_leg_never_helps,
    Conformance.a_missing_price_counts_zero_or_makes_unknown,
    Conformance.nothing_left_out_ever_helps,
    Conformance.an_option_without_a_market_counts_zero_or_makes_unknown,
)
ON_INTERVALS = (Conformance.widening_an_interval_never_helps, Conformance.low_is_not_above_high)

every_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)


@every_stage
@pytest.mark.parametrize("law", ON_ACCOUNTS, ids=lambda law: law.__name__)
def test_rule_set__any_account__keeps_the_law(stage: Stage, law) -> None:
    for account in stage.accounts:
        law(Conformance(stage), account, stage.market)

    @drawn(stage, 5)
    @given(stage.some_accounts(), stage.some_markets())
    def keeps(account, market) -> None:
        law(Conformance(stage), account, market)

    keeps()


@every_stage
@pytest.mark.parametrize("law", ON_INTERVALS, ids=lambda law: law.__name__)
def test_rule_set__any_interval__keeps_the_law(stage: Stage, law) -> None:
    @drawn(stage, 5)
    @given(stage.some_accounts(), stage.some_markets(), st.sampled_from((0, 1, 300, 50_000, 900_000)))
    def keeps(account, market, width_ppm) -> None:
        law(Conformance(stage), account, market, width_ppm)

    keeps()


@every_stage
def test_rule_set__permuted_legs__same_verdict_and_figures(stage: Stage) -> None:
    @drawn(stage, 5)
    @given(stage.some_accounts(), stage.some_markets(), orders(len(stage.accounts[0].legs)))
    def keeps(account, market, order) -> None:
        Conformance(stage).the_order_of_legs_does_not_matter(account, market, order)

    keeps()


@pytest.mark.parametrize("stage", [DYDX, TIERS], ids=lambda stage: stage.name)
def test_rule_set__position_in_two_legs__as_the_venue_holds_it(stage: Stage) -> None:
    @drawn(stage, 30)
    @given(stage.some_accounts(), stage.some_markets(), st.integers(-(10**20), 10**20))
    def keeps(account, market, part) -> None:
        Conformance(stage).parting_a_position_changes_nothing(account, market, part)

    keeps()


def test_stages__of_the_suite__cover_every_rule_set_that_there_is() -> None:
    staged = {part for stage in STAGES for part in stage.rules.name.split("+")}

    assert staged >= set(RULE_SETS)
