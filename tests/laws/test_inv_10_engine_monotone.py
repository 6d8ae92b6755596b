"""INV-10 for the unified view behind the engine: helping never hurts, hurting never helps, one unit decides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.units import E18, PPM
from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, MarketData, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.models.haircut import HaircutAsset, HaircutRules
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import TemplateStage
from tests.relayer.margin.models.stages_linear import CROSS_PERP, LINEAR_STAGES
from tests.relayer.margin.strategies import UNHURRIED

HAIRCUTS = tuple(stage for stage in LINEAR_STAGES if isinstance(stage.rules, HaircutRules))
UNIFIED = (CROSS_PERP, *HAIRCUTS)
every_unified = pytest.mark.parametrize("stage", UNIFIED, ids=lambda stage: stage.name)
every_haircut = pytest.mark.parametrize("stage", HAIRCUTS, ids=lambda stage: stage.name)
some = settings(max_examples=15, deadline=None, suppress_health_check=UNHURRIED)
RANK = {Verdict.UNHEALTHY: 0, Verdict.UNKNOWN: 1, Verdict.HEALTHY: 2}
PURPOSES = (Purpose.INITIAL, Purpose.MAINTENANCE)


def assert_no_better(worse: tuple[Account, MarketData, RuleSet], better: tuple[Account, MarketData, RuleSet]) -> None:
    """Compare (account, market, rules) for both purposes."""
    for purpose in PURPOSES:
        low, high = evaluate(*worse, purpose), evaluate(*better, purpose)
        assert RANK[low.verdict] <= RANK[high.verdict]
        if purpose is Purpose.MAINTENANCE:
            assert low.excess <= high.excess


@every_unified
def test_inv_10__more_of_any_collateral_or_cash__never_worse(stage: TemplateStage) -> None:
    @some
    @given(stage.some_accounts(), stage.some_markets(), st.data())
    def holds(account, market, data) -> None:
        legs = [leg for leg in account.legs if leg.role in (Role.COLLATERAL, Role.CASH)]
        leg = data.draw(st.sampled_from(legs))
        more = data.draw(st.one_of(st.integers(1, 100), st.integers(1, stage.most[leg.name])))
        richer = account.with_amount(leg.name, leg.amount + more)

        assert_no_better((account, market, stage.rules), (richer, market, stage.rules))

    holds()


@every_unified
def test_inv_10__more_debt_or_a_worse_result__never_better(stage: TemplateStage) -> None:
    @some
    @given(stage.some_accounts(), stage.some_markets(), st.data())
    def holds(account, market, data) -> None:
        legs = [leg for leg in account.legs if leg.role is Role.DEBT or (leg.role is Role.PERP and leg.amount)]
        if not legs:
            return
        leg = data.draw(st.sampled_from(legs))
        more = data.draw(st.one_of(st.integers(1, 100), st.integers(1, stage.most[leg.name])))
        worse = (
            replace(leg, amount=leg.amount + more)
            if leg.role is Role.DEBT
            else replace(leg, accrued=leg.accrued - more)
        )

        assert_no_better((account.with_leg(worse), market, stage.rules), (account, market, stage.rules))

    holds()


@every_haircut
def test_inv_10__any_haircut_age_or_volatility_larger__never_better(stage: TemplateStage) -> None:
    @some
    @given(stage.some_accounts(), stage.some_markets(), st.data())
    def holds(account, market, data) -> None:
        step = data.draw(st.one_of(st.integers(1, 10), st.integers(1, 400_000)))
        what = data.draw(st.sampled_from(("asset", "sigma", "chain", "bridge", "z", "age", "reserve", "share")))

        worse = worsened(stage.rules, account, what, step)

        assert_no_better((worse[0], market, worse[1]), (account, market, stage.rules))

    holds()


def worsened(rules: HaircutRules, account: Account, what: str, step: int) -> tuple[Account, HaircutRules]:
    """Return the account and rules with one input worse for the account."""

    def of_assets(change) -> HaircutRules:
        return replace(rules, assets={name: change(asset) for name, asset in rules.assets.items()})

    def of_chains(**field: int) -> HaircutRules:
        (name, more), *_ = field.items()
        chains = {key: replace(one, **{name: min(PPM, getattr(one, name) + more)}) for key, one in rules.chains.items()}
        return replace(rules, chains=chains)

    def asset(one: HaircutAsset) -> HaircutAsset:
        return replace(
            one, maintenance_ppm=min(PPM, one.maintenance_ppm + step), initial_ppm=min(PPM, one.initial_ppm + step)
        )

    older = tuple(replace(leg, block_time_s=leg.block_time_s - step % 600) for leg in account.legs)
    choices = {
        "asset": lambda: (account, of_assets(asset)),
        "sigma": lambda: (account, of_assets(lambda one: replace(one, sigma_ppm=one.sigma_ppm + step))),
        "chain": lambda: (account, of_chains(chain_ppm=step)),
        "bridge": lambda: (account, of_chains(bridge_ppm=step)),
        "z": lambda: (account, replace(rules, z_ppm=rules.z_ppm + step)),
        "age": lambda: (replace(account, legs=older), rules),
        "reserve": lambda: (account, replace(rules, reserve_ppm=rules.reserve_ppm + step)),
        "share": lambda: (account, replace(rules, maintenance_ppm=rules.maintenance_ppm + step)),
    }
    return choices[what]()


# --- one unit decides ------------------------------------------------------------------------------------------------


@some
@given(CROSS_PERP.some_accounts(), CROSS_PERP.some_markets(), st.sampled_from((-1, 0, 1)))
def test_inv_10__cross_perp_brought_to_the_line__healthy_from_equality_on(account, market, units: int) -> None:
    leg = next(leg for leg in account.legs if leg.role is Role.PERP)
    leg = replace(leg, amount=leg.amount or E18)
    account = account.with_leg(leg)
    now = evaluate(account, market, CROSS_PERP.rules, Purpose.MAINTENANCE)

    at_the_line = account.with_leg(replace(leg, accrued=leg.accrued - now.excess + units))
    result = evaluate(at_the_line, market, CROSS_PERP.rules, Purpose.MAINTENANCE)

    assert result.excess == units
    assert result.verdict is (Verdict.HEALTHY if units >= 0 else Verdict.UNHEALTHY)


@pytest.mark.parametrize("units", [-1, 0, 1])
@every_haircut
def test_inv_10__haircut_brought_to_the_line__healthy_from_equality_on(stage: TemplateStage, units: int) -> None:
    """The fixed part of the reserve is money at 1e18."""
    now = evaluate(stage.template, stage.market, stage.rules, Purpose.MAINTENANCE)
    moved = replace(stage.rules, reserve_usd_e18=stage.rules.reserve_usd_e18 + now.excess - units)

    result = evaluate(stage.template, stage.market, moved, Purpose.MAINTENANCE)

    assert result.excess == units
    assert result.verdict is (Verdict.HEALTHY if units >= 0 else Verdict.UNHEALTHY)
