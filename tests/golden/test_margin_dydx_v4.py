"""dYdX v4 against the numbers of its own table-driven tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from relayer.margin.rulesets.dydx_v4 import (
    DydxMarket,
    DydxPosition,
    DydxRisk,
    LiquidityTier,
    compare_risk,
    initial_requirement,
    maintenance_ppm,
    position_risk,
    scaled_initial_ppm,
    subaccount_risk,
)
from tests.golden.compare import assert_expected
from tests.golden.loading import cases

pytestmark = pytest.mark.golden

Inputs = Mapping[str, Any]
Figures = dict[str, object]


def tier_of(inputs: Inputs) -> LiquidityTier:
    return LiquidityTier(
        initial_ppm=int(inputs["initialMarginPpm"]),
        maintenance_fraction_ppm=int(inputs.get("maintenanceFractionPpm", 0)),
        open_interest_lower=int(inputs.get("openInterestLowerCap", 0)),
        open_interest_upper=int(inputs.get("openInterestUpperCap", 0)),
    )


def position_of(inputs: Inputs) -> DydxPosition:
    market = DydxMarket(
        tier=tier_of(inputs),
        atomic_resolution=int(inputs["atomicResolution"]),
        price=int(inputs["price"]),
        exponent=int(inputs["exponent"]),
        open_interest=int(inputs.get("openInterest", 0)),
    )
    return DydxPosition(market, int(inputs["quantums"]), int(inputs.get("quoteBalance", 0)))


def figures_of(risk: DydxRisk) -> Figures:
    return {"nc": risk.net_collateral, "imr": risk.initial, "mmr": risk.maintenance}


def risk_of(inputs: Inputs, prefix: str = "") -> DydxRisk:
    net, initial, maintenance = (int(inputs.get(f"{prefix}{name}", 0)) for name in ("NC", "IMR", "MMR"))
    return DydxRisk(net, initial, maintenance)


def initial_margin(inputs: Inputs) -> Figures:
    value, interest = int(inputs["bigQuoteQuantums"]), int(inputs["openInterestNotional"])
    return {"initial_margin_quote_quantums": initial_requirement(tier_of(inputs), abs(value), interest)}


def adjusted(inputs: Inputs) -> Figures:
    interest = int(inputs["openInterestNotional"])
    return {"adjusted_initial_margin_ppm": scaled_initial_ppm(tier_of(inputs), interest)}


def subaccount(inputs: Inputs) -> Figures:
    positions = tuple(position_of(position) for position in inputs["positions"])
    return figures_of(subaccount_risk(int(inputs["usdc"]), positions))


EVALUATORS: Mapping[str, Callable[[Inputs], Figures]] = {
    "position_requirements": lambda inputs: figures_of(position_risk(position_of(inputs))),
    "maintenance_margin_ppm": lambda inputs: {"maintenance_margin_ppm": maintenance_ppm(tier_of(inputs))},
    "initial_margin": initial_margin,
    "adjusted_initial_margin_ppm": adjusted,
    "is_initial_collateralized": lambda inputs: {"result": risk_of(inputs).is_initial_collateralized},
    "is_maintenance_collateralized": lambda inputs: {"result": risk_of(inputs).is_maintenance_collateralized},
    "is_liquidatable": lambda inputs: {"result": risk_of(inputs).is_liquidatable},
    "risk_compare": lambda inputs: {"result": compare_risk(risk_of(inputs, "first"), risk_of(inputs, "second"))},
    "subaccount": subaccount,
}


@pytest.mark.parametrize("case", cases("margin/dydx_v4.json"), ids=lambda case: case["id"])
def test_dydx_v4__published_case__exactly(case: dict[str, Any]) -> None:
    assert_expected(case, EVALUATORS[case["kind"]](case["inputs"]))
