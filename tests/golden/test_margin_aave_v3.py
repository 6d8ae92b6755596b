"""Aave v3 against published numbers: pool revision 3.7, and the client library's formulas where a kind names them.

Every account of the file is weighed twice, by the kernel and through `evaluate`; both must meet the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import pytest

from proofs.types import ChainId
from proofs.units import UINT256_MAX, format_decimal, mul_div_up
from relayer.margin import fixed_point
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Indices, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.fixed_point import RAY
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.rulesets.aave_v3 import (
    AAVE_REVISIONS,
    AaveAccount,
    AaveCollateral,
    AaveDebt,
    AaveEmode,
    AaveFigures,
    account_figures,
    available_borrow,
)
from relayer.margin.rulesets.aave_v3_accrual import (
    client_balance,
    client_compounded_interest,
    linear_interest,
    normalized_income,
)
from relayer.margin.rulesets.aave_v3_liquidation import AavePair, AaveTotals, liquidate
from relayer.margin.view import Purpose
from tests.golden.compare import assert_expected
from tests.golden.loading import cases

pytestmark = pytest.mark.golden

REVISION = AAVE_REVISIONS["aave@3.7"]
Inputs = Mapping[str, Any]
Figures = dict[str, object]

OPERATIONS: Mapping[str, Callable[..., int]] = {
    f"{family}{operation}{suffix}": getattr(fixed_point, f"{family}_{operation.lower()}_{rounding}")
    for family in ("percent", "wad", "ray")
    for operation in ("Mul", "Div")
    for suffix, rounding in (("", "half_up"), ("Floor", "down"), ("Ceil", "up"))
} | {"mulDivCeil": mul_div_up}


def through_engine(account: AaveAccount) -> Evaluation:
    """Weigh a kernel's account as the engine does: each leg an asset of its own, priced and indexed by its name."""
    legs, prices, indices, reserves = [], {}, {}, {}
    for place, part in enumerate((*account.collateral, *account.debt)):
        name = f"asset {place}"
        role = Role.COLLATERAL if isinstance(part, AaveCollateral) else Role.DEBT
        legs.append(Leg(name, role, name, part.scaled, ChainId("eip155:1"), decimals=part.decimals))
        prices[name] = Price(part.price, part.price, 8)
        indices[name] = Indices(part.index_ray, part.index_ray)
        if isinstance(part, AaveCollateral):
            modes = {1: part.emode} if part.emode else {}
            reserves[name] = AaveReserve(part.ltv_bps, part.threshold_bps, modes)
    rules = AaveRules(REVISION.name, reserves)
    return evaluate(
        Account("", tuple(legs), mode=1), MarketData(0, prices, indices=indices), rules, Purpose.MAINTENANCE
    )


def weighed(account: AaveAccount) -> AaveFigures:
    """Weigh an account by the kernel; the engine must say the same to the unit."""
    figures = account_figures(account, REVISION)
    result = through_engine(account)
    assert (result.verdict is Verdict.HEALTHY) is figures.is_healthy
    assert (result.excess >= 0) is figures.is_healthy
    assert (result.collateral, result.debt) == (figures.collateral_base * 10**10, figures.debt_base * 10**10)
    assert result.health.health_factor == (figures.health_factor_wad if figures.debt_base else None)
    return figures


def account_of(inputs: Inputs, threshold_bps: int) -> AaveAccount:
    """Return an account of amounts that are already in the base currency."""
    held = AaveCollateral(int(inputs["collateral"]), RAY, 1, 0, 0, threshold_bps)
    return AaveAccount((held,), (AaveDebt(int(inputs["borrow"]), RAY, 1, 0),))


def health(figures: AaveFigures) -> str:
    wad = figures.health_factor_wad
    return "-1" if wad == UINT256_MAX else format_decimal(wad, 18)


def health_factor(inputs: Inputs) -> Figures:
    return {"health_factor": health(weighed(account_of(inputs, int(inputs["liquidation_threshold_bps"]))))}


def health_factor_big_units(inputs: Inputs) -> Figures:
    """Take the threshold as a factor: 1 is 10^4 basis points. No pool has one above 1, so the engine takes none."""
    bps = int(inputs["liquidation_threshold"]) * 10_000
    return {"health_factor": health(account_figures(account_of(inputs, bps), REVISION))}


def available_borrows(inputs: Inputs) -> Figures:
    """Scale the collateral instead of the fraction of a basis point; floors of floors are one floor."""
    ltv = Fraction(inputs["ltv_bps"])
    collateral = int(inputs["collateral"]) * ltv.numerator // ltv.denominator
    return {"available": available_borrow(REVISION, collateral, int(inputs["borrow"]), 1)}


def linear_balance(inputs: Inputs) -> Figures:
    index = normalized_income(int(inputs["index"]), int(inputs["rate"]), int(inputs["dt"]))
    return {"balance": client_balance(int(inputs["scaled"]), index)}


def offchain_compounded_interest(inputs: Inputs) -> Figures:
    return {"interest": client_compounded_interest(int(inputs["rate"]), int(inputs["dt"]))}


def offchain_compounded_balance(inputs: Inputs) -> Figures:
    interest = client_compounded_interest(int(inputs["rate"]), int(inputs["dt"]))
    index = fixed_point.ray_mul_half_up(interest, int(inputs["index"]))
    return {"balance": client_balance(int(inputs["principal"]), index)}


def linear(inputs: Inputs) -> Figures:
    return {"interest": linear_interest(int(inputs["rate"]), int(inputs["dt"]))}


def income(inputs: Inputs) -> Figures:
    return {"income": normalized_income(int(inputs["index"]), int(inputs["rate"]), int(inputs["dt"]))}


def user_summary(inputs: Inputs) -> Figures:
    collateral, debt, liquidity = [], [], 0
    for reserve in inputs["reserves"]:
        price = int(Fraction(reserve["price_ref"]) * Fraction(reserve["ref_usd"]) * 10**8)
        unit = 10 ** reserve["decimals"]
        mode = reserve["emode"]
        inside = inputs["emode"] != 0 and mode["id"] == inputs["emode"]
        leg = AaveCollateral(
            scaled=int(Fraction(str(reserve["supply"])) * unit),
            index_ray=RAY,
            price=price,
            decimals=reserve["decimals"],
            ltv_bps=reserve["ltv"],
            threshold_bps=reserve["lt"],
            emode=AaveEmode(mode["ltv"], mode["lt"]) if inside else None,
        )
        liquidity += account_figures(AaveAccount((leg,), ()), REVISION).collateral_base
        collateral += [leg] if reserve["use_as_collateral"] else []
        borrowed = int(Fraction(str(reserve["variable_borrow"])) * unit)
        debt.append(AaveDebt(borrowed, RAY, price, reserve["decimals"]))
    figures = weighed(AaveAccount(tuple(collateral), tuple(debt)))
    return {
        "total_liquidity_usd": format_decimal(liquidity, 8),
        "total_collateral_usd": format_decimal(figures.collateral_base, 8),
        "total_borrows_usd": format_decimal(figures.debt_base, 8),
        "available_borrows_usd": format_decimal(figures.available_base, 8),
        "ltv": figures.average_ltv_bps,
        "lt": figures.average_threshold_bps,
        "health_factor": health(figures),
    }


def account_data(inputs: Inputs) -> Figures:
    collateral = tuple(
        AaveCollateral(int(leg["amount"]), RAY, int(leg["price"]), leg["decimals"], 0, 0)
        for leg in inputs["collateral"]
    )
    debt = tuple(AaveDebt(int(leg["amount"]), RAY, int(leg["price"]), leg["decimals"]) for leg in inputs["debt"])
    figures = weighed(AaveAccount(collateral, debt))
    return {"totalCollateralBase": figures.collateral_base, "totalDebtBase": figures.debt_base}


def operation(inputs: Inputs) -> Figures:
    operands = [int(inputs[name]) for name in ("a", "b", "c") if inputs.get(name) is not None]
    return {"value": OPERATIONS[inputs["fn"]](*operands)}


def liquidation(inputs: Inputs) -> Figures:
    """Both assets have the same price and decimals; other debt is given by its sign alone."""
    price, decimals = int(inputs["price"]), inputs["decimals"]
    scaled, index = int(inputs["scaled_collateral"]), int(inputs["liquidity_index"])
    owed, owed_index = int(inputs["scaled_debt"]), int(inputs["borrow_index"])
    held = AaveCollateral(scaled, index, price, decimals, 0, inputs["lt"])
    debts = [AaveDebt(owed, owed_index, price, decimals)]
    debts += [AaveDebt(1, RAY, 1, 0)] if inputs["other_debt_base_positive"] else []
    figures = weighed(AaveAccount((held,), tuple(debts)))
    pair = AavePair(
        scaled_collateral=scaled,
        collateral_index_ray=index,
        collateral_price=price,
        collateral_decimals=decimals,
        bonus_bps=inputs["bonus"],
        protocol_fee_bps=inputs["protocol_fee"],
        scaled_debt=owed,
        debt_index_ray=owed_index,
        debt_price=price,
        debt_decimals=decimals,
    )
    totals = AaveTotals(figures.collateral_base, figures.debt_base, figures.health_factor_wad)
    cover = None if inputs["debt_to_cover"] == "max" else int(inputs["debt_to_cover"])
    seizure = liquidate(REVISION, pair, totals, cover)
    return {
        "collateral": seizure.collateral,
        "debt": seizure.debt,
        "actual_collateral": seizure.actual_collateral,
        "fee": seizure.protocol_fee,
        "scaled_collateral_after": seizure.scaled_collateral_after,
        "reserve_fully_consumed": seizure.is_reserve_consumed,
        "debt_after": seizure.debt_after,
        "deficit_created": seizure.creates_deficit,
    }


EVALUATORS: Mapping[str, Callable[[Inputs], Figures]] = {
    "health_factor": health_factor,
    "health_factor_big_units": health_factor_big_units,
    "available_borrows": available_borrows,
    "linear_balance": linear_balance,
    "offchain_compounded_interest": offchain_compounded_interest,
    "offchain_compounded_balance": offchain_compounded_balance,
    "linear_interest": linear,
    "normalized_income": income,
    "user_summary": user_summary,
    "account_data": account_data,
    "fixed_point": operation,
    "liquidation": liquidation,
}


@pytest.mark.parametrize("case", cases("margin/aave_v3.json"), ids=lambda case: case["id"])
def test_aave_v3__published_case__within_its_tolerance(case: dict[str, Any]) -> None:
    assert_expected(case, EVALUATORS[case["kind"]](case["inputs"]))
