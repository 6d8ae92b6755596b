"""Compound v3 against the numbers of its own tests.

Every account of the file is weighed twice, by the kernel and through `evaluate`; both must meet the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from proofs.types import ChainId
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Indices, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.models.comet import CometAsset, CometRules
from relayer.margin.rulesets.comet import (
    Answer,
    CometAccount,
    CometBase,
    CometCollateral,
    absorb,
    is_borrow_collateralized,
    is_liquidatable,
    quote_collateral,
    to_leaf_figures,
)
from relayer.margin.view import Purpose
from tests.golden.compare import assert_expected
from tests.golden.loading import cases

pytestmark = pytest.mark.golden

Inputs = Mapping[str, Any]
Figures = dict[str, object]


def account_of(inputs: Inputs) -> CometAccount:
    base = inputs["base"]
    return CometAccount(
        CometBase(
            principal=int(base["principal"]),
            supply_index=int(base["baseSupplyIndex"]),
            borrow_index=int(base["baseBorrowIndex"]),
            price=int(base["price"]),
            decimals=base["decimals"],
        ),
        tuple(
            CometCollateral(
                balance=int(leg["balance"]),
                price=int(leg["price"]),
                decimals=leg["decimals"],
                borrow_factor_wad=int(leg["borrowCF"]),
                liquidate_factor_wad=int(leg["liquidateCF"]),
                liquidation_factor_wad=int(leg["liquidationFactor"]),
            )
            for leg in inputs["collateral"]
        ),
    )


def through_engine(inputs: Inputs, purpose: Purpose) -> Evaluation:
    """Weigh the account of a case through the engine; assets go by their symbols, which a market has once each."""
    base = inputs["base"]
    chain, symbol = ChainId("eip155:1"), str(base["symbol"])
    legs = [Leg(symbol, Role.CASH, symbol, int(base["principal"]), chain, decimals=base["decimals"])]
    prices, assets = {symbol: int(base["price"])}, []
    for leg in inputs["collateral"]:
        name = str(leg["symbol"])
        legs.append(Leg(name, Role.COLLATERAL, name, int(leg["balance"]), chain, decimals=leg["decimals"]))
        factors = (int(leg[key]) for key in ("borrowCF", "liquidateCF", "liquidationFactor"))
        assets.append(CometAsset(name, *factors))
        prices[name] = int(leg["price"])
    market = MarketData(
        0,
        {name: Price(price, price, 8) for name, price in prices.items()},
        indices={symbol: Indices(int(base["baseSupplyIndex"]), int(base["baseBorrowIndex"]))},
    )
    return evaluate(Account("", tuple(legs)), market, CometRules(symbol, tuple(assets)), purpose)


def liquidatable(inputs: Inputs) -> Figures:
    account, result = account_of(inputs), through_engine(inputs, Purpose.MAINTENANCE)
    answer = is_liquidatable(account) is Answer.YES
    assert (result.verdict is Verdict.UNHEALTHY) is answer
    assert result.excess == to_leaf_figures(account).excess_usd
    return {"isLiquidatable": answer}


def borrow_collateralized(inputs: Inputs) -> Figures:
    account, result = account_of(inputs), through_engine(inputs, Purpose.INITIAL)
    answer = is_borrow_collateralized(account) is Answer.YES
    assert (result.verdict is Verdict.HEALTHY) is answer
    leaf = to_leaf_figures(account)
    assert result.excess == leaf.equity_usd - leaf.initial_usd
    return {"isBorrowCollateralized": answer}


def quote(inputs: Inputs) -> Figures:
    account = account_of(inputs)
    (asset,) = account.collateral
    amounts = int(inputs["baseAmount"]), int(inputs["storeFrontPriceFactor"])
    return {"collateralAmount": quote_collateral(account.base, asset, *amounts)}


def absorption(inputs: Inputs) -> Figures:
    assert through_engine(inputs, Purpose.MAINTENANCE).verdict is Verdict.UNHEALTHY
    result = absorb(account_of(inputs))
    return {"newBalance": result.new_balance, "basePaidOut": result.base_paid_out}


EVALUATORS: Mapping[str, Callable[[Inputs], Figures]] = {
    "is_liquidatable": liquidatable,
    "is_borrow_collateralized": borrow_collateralized,
    "quote_collateral": quote,
    "absorb": absorption,
}


@pytest.mark.parametrize("case", cases("margin/comet.json"), ids=lambda case: case["id"])
def test_comet__published_case__exactly(case: dict[str, Any]) -> None:
    assert_expected(case, EVALUATORS[case["kind"]](case["inputs"]))
