"""Stages of the overlays: a rule set that wraps another one keeps the laws that the wrapped one keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from proofs.units import E18
from relayer.margin.engine.inputs import Price
from relayer.margin.models.overlays import (
    ConfidenceCharge,
    DepegCharge,
    LinearPremium,
    RootPremium,
    SizePremium,
    StrictPrices,
)
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import TemplateStage
from tests.relayer.margin.models.stages_linear import DYDX, TIERS, aave
from tests.relayer.margin.models.stages_scenario import SCENARIO_STAGES

BOTH: Final = frozenset({Purpose.INITIAL, Purpose.MAINTENANCE})
LENDING: Final = aave("3.7")


def over(stage: TemplateStage, rules: object, **more: object) -> TemplateStage:
    return replace(stage, name=rules.name, rules=rules, **more)  # type: ignore[attr-defined, arg-type]


def unsure(stage: TemplateStage) -> TemplateStage:
    """Let every second feed be less certain, and the stable trade below its peg."""
    prices = {
        asset: replace(price, confidence_e18=E18 if place % 2 else E18 // 5)
        for place, (asset, price) in enumerate(stage.market.prices.items())
    }
    prices["USDT"] = Price(97 * 10**16, 97 * 10**16)
    return replace(stage, market=replace(stage.market, prices=prices))


SIZED: Final = {"ETH": LinearPremium(10_000, 10**10, 500_000), "BTC": RootPremium(1_000)}
SRM: Final = SCENARIO_STAGES[0]
OVERLAY_STAGES: Final = (
    over(
        LENDING,
        StrictPrices(LENDING.rules),
        market=replace(LENDING.market, average_prices=LENDING.market.prices),
    ),
    over(DYDX, SizePremium(DYDX.rules, SIZED)),
    over(TIERS, SizePremium(TIERS.rules, SIZED)),
    over(unsure(DYDX), ConfidenceCharge(DYDX.rules, 6 * 10**17, 400_000, BOTH)),
    over(unsure(SRM), DepegCharge(ConfidenceCharge(SRM.rules, 6 * 10**17, 400_000), "USDT", 98 * 10**16, 1_200_000)),
)
