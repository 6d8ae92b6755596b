"""Compound v3 against the numbers of its own tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from relayer.margin.rulesets.comet import (
    Answer,
    CometAccount,
    CometBase,
    CometCollateral,
    absorb,
    is_borrow_collateralized,
    is_liquidatable,
    quote_collateral,
)
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


def liquidatable(inputs: Inputs) -> Figures:
    return {"isLiquidatable": is_liquidatable(account_of(inputs)) is Answer.YES}


def borrow_collateralized(inputs: Inputs) -> Figures:
    return {"isBorrowCollateralized": is_borrow_collateralized(account_of(inputs)) is Answer.YES}


def quote(inputs: Inputs) -> Figures:
    account = account_of(inputs)
    (asset,) = account.collateral
    amounts = int(inputs["baseAmount"]), int(inputs["storeFrontPriceFactor"])
    return {"collateralAmount": quote_collateral(account.base, asset, *amounts)}


def absorption(inputs: Inputs) -> Figures:
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
