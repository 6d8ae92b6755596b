"""dYdX v4 accounts of the published cases, weighed by the engine: the same figures as the kernel's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from proofs.types import ChainId
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.models.dydx import DydxRules, DydxTerms
from relayer.margin.view import Purpose
from tests.golden.compare import assert_expected
from tests.golden.loading import cases
from tests.golden.test_margin_dydx_v4 import tier_of

pytestmark = pytest.mark.golden

CHAIN = ChainId("cosmos:dydx-mainnet-1")


def price_of(inputs: Mapping[str, Any]) -> Price:
    """Return the oracle's integer at its negative exponent; a positive one is written out."""
    price, exponent = int(inputs["price"]) * 10 ** max(0, int(inputs["exponent"])), int(inputs["exponent"])
    return Price(price, price, max(0, -exponent))


@pytest.mark.parametrize(
    "case", cases("margin/dydx_v4.json", "subaccount", "position_requirements"), ids=lambda case: case["id"]
)
def test_dydx_v4__published_account_through_the_engine__exactly(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    positions = {f"M{at}": one for at, one in enumerate(inputs.get("positions", [inputs]))}
    legs = [
        Leg(name, Role.PERP, name, int(one["quantums"]), CHAIN, entry_value=-int(one.get("quoteBalance", 0)))
        for name, one in positions.items()
    ]
    account = Account("golden", (Leg("cash", Role.CASH, "USDC", int(inputs.get("usdc", 0)), CHAIN), *legs))
    market = MarketData(
        0,
        {name: price_of(one) for name, one in positions.items()},
        open_interest={name: int(one.get("openInterest", 0)) for name, one in positions.items()},
    )
    rules = DydxRules({name: DydxTerms(tier_of(one), int(one["atomicResolution"])) for name, one in positions.items()})

    initial, maintenance = (
        evaluate(account, market, rules, purpose) for purpose in (Purpose.INITIAL, Purpose.MAINTENANCE)
    )

    found = {"nc": initial.equity, "imr": initial.requirement, "mmr": maintenance.requirement}
    assert_expected(case, found)
    assert maintenance.equity == initial.equity
    assert maintenance.excess_high == maintenance.excess
    assert maintenance.verdict is (Verdict.HEALTHY if maintenance.excess >= 0 else Verdict.UNHEALTHY)
