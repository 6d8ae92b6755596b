"""Morpho Blue against the numbers of its own tests and of its kit.

Every position of the file is weighed twice, by the kernel and through `evaluate`; both must meet the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from proofs.types import ChainId
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Leg, MarketData, Price, Role, Totals
from relayer.margin.engine.result import Unit, Verdict
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.rulesets.morpho import (
    VIRTUAL_SHARES,
    MorphoFigures,
    MorphoMarket,
    MorphoPosition,
    borrow_to_utilisation,
    incentive_factor_wad,
    position_figures,
    repay_to_utilisation,
    seizure_by_shares,
    supply_to_utilisation,
    withdraw_to_utilisation,
)
from relayer.margin.rulesets.morpho_preliquidation import (
    PreLiquidationState,
    PreLiquidationTerms,
    pre_liquidation_figures,
)
from relayer.margin.view import Purpose
from tests.golden.compare import assert_expected
from tests.golden.loading import cases

pytestmark = pytest.mark.golden

Inputs = Mapping[str, Any]
Figures = dict[str, object]
HEALTH = {PreLiquidationState.HEALTHY: True, PreLiquidationState.PRE_LIQUIDATABLE: False}


def checked_by_engine(market: MorphoMarket, position: MorphoPosition) -> MorphoFigures:
    """Weigh a position by the kernel; the engine must say the same to the unit."""
    figures = position_figures(market, position)
    chain = ChainId("eip155:1")
    legs = (
        Leg("collateral", Role.COLLATERAL, "C", position.collateral, chain),
        Leg("debt", Role.DEBT, "L", position.borrow_shares, chain),
    )
    totals = Totals(market.supply_assets, market.supply_shares, market.borrow_assets, market.borrow_shares)
    known = MarketData(0, {"pool": Price(market.price, market.price, 36)}, totals={"pool": totals})
    rules = MorphoRules("pool", "C", "L", market.lltv_wad, Unit("L", 0))
    result = evaluate(Account("", legs), known, rules, Purpose.MAINTENANCE)
    assert (result.verdict is Verdict.HEALTHY) is figures.is_healthy
    assert (result.debt, result.excess) == (figures.borrowed, figures.limit - figures.borrowed)
    assert result.health.health_factor == (figures.health_factor_wad if figures.borrowed else None)
    return figures


def to_utilisation(target: Callable[[int, int, int], int]) -> Callable[[Inputs], Figures]:
    names = ("totalSupplyAssets", "totalBorrowAssets", "utilization")
    return lambda inputs: {"value": target(*(int(inputs[name]) for name in names))}


def incentive(inputs: Inputs) -> Figures:
    return {"lif": incentive_factor_wad(int(inputs["lltv"]))}


def pre_liquidation(inputs: Inputs) -> Figures:
    number = {name: int(text) for name, text in inputs.items() if text is not None}
    market = MorphoMarket(
        supply_assets=number["totalBorrowAssets"],
        supply_shares=number["totalBorrowShares"],
        borrow_assets=number["totalBorrowAssets"],
        borrow_shares=number["totalBorrowShares"],
        price=number["price"],
        lltv_wad=number["lltv"],
    )
    terms = PreLiquidationTerms(
        pre_lltv_wad=number["preLltv"],
        close_factors_wad=(number["preLCF1"], number["preLCF2"]),
        incentive_factors_wad=(number["preLIF1"], number["preLIF2"]),
    )
    position = MorphoPosition(number["collateral"], number["borrowShares"])
    result = pre_liquidation_figures(market, position, terms)
    figures = result.at_threshold
    assert checked_by_engine(replace(market, lltv_wad=terms.pre_lltv_wad), position) == figures
    checked_by_engine(market, position)
    return {
        "isHealthy": HEALTH.get(result.state),
        "healthFactor": figures.health_factor_wad,
        "seizableCollateral": result.seizable_collateral,
        "liquidationPrice": figures.liquidation_price,
        "borrowCapacityUsage": figures.usage_wad,
        "maxBorrowable": figures.borrowable,
        "withdrawableCollateral": figures.withdrawable_collateral,
    }


def liquidate_by_shares(inputs: Inputs) -> Figures:
    """One borrower, whose shares are the market's: a million virtual shares for each asset."""
    assets = int(inputs["borrowAssets"])
    market = MorphoMarket(
        supply_assets=assets,
        supply_shares=assets * VIRTUAL_SHARES,
        borrow_assets=assets,
        borrow_shares=assets * VIRTUAL_SHARES,
        price=int(inputs["price"]),
        lltv_wad=int(inputs["lltv"]),
    )
    position = MorphoPosition(int(inputs["collateral"]), market.borrow_shares)
    seizure = seizure_by_shares(market, position, int(inputs["repaidShares"]))
    return {
        "healthy": checked_by_engine(market, position).is_healthy,
        "seizedAssets": seizure.seized_collateral,
        "repaidAssets": seizure.repaid_assets,
    }


EVALUATORS: Mapping[str, Callable[[Inputs], Figures]] = {
    "lif": incentive,
    "supply_to_utilization": to_utilisation(supply_to_utilisation),
    "withdraw_to_utilization": to_utilisation(withdraw_to_utilisation),
    "borrow_to_utilization": to_utilisation(borrow_to_utilisation),
    "repay_to_utilization": to_utilisation(repay_to_utilisation),
    "pre_liquidation": pre_liquidation,
    "liquidate_by_shares": liquidate_by_shares,
}


@pytest.mark.parametrize("case", cases("margin/morpho.json"), ids=lambda case: case["id"])
def test_morpho__published_case__exactly(case: dict[str, Any]) -> None:
    assert_expected(case, EVALUATORS[case["kind"]](case["inputs"]))
