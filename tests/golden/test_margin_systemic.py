"""Clearing and contagion against published examples and the output of other libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from relayer.risk.clearing import Recovery, eisenberg_noe, network_from_matrix, rogers_veraart
from relayer.risk.contagion import (
    BalanceSheets,
    Contagion,
    communicability,
    furfine,
    impact_diffusion,
    impact_fluidity,
    impact_matrix,
    impact_susceptibility,
    linear_debt_rank,
)
from tests.golden.compare import assert_expected
from tests.golden.loading import cases

pytestmark = pytest.mark.golden

Inputs = Mapping[str, Any]
Figures = dict[str, object]


def array(values: object) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def clearing_equity(inputs: Inputs) -> Figures:
    """Clear by payments: what i has lent to j is what j owes to i."""
    assets, owed, shock = (array(inputs[key]) for key in ("external_assets", "external_liabilities", "equity_shock"))
    result = eisenberg_noe(network_from_matrix(array(inputs["interbank_lent"]).T, assets - shock - owed))
    return {"equity": result.equity}


def contagion(spread: Callable[[BalanceSheets, np.ndarray], Contagion]) -> Callable[[Inputs], Figures]:
    def evaluate(inputs: Inputs) -> Figures:
        sheets = BalanceSheets(
            array(inputs["external_assets"]), array(inputs["external_liabilities"]), array(inputs["interbank_lent"])
        )
        result = spread(sheets, array(inputs["equity_shock"]))
        assert result.is_converged
        return {"equity": result.equity}

    return evaluate


def default_costs(inputs: Inputs) -> Figures:
    network = network_from_matrix(array(inputs["liabilities"]), array(inputs["external_assets"]))
    result = rogers_veraart(network, Recovery(inputs["alpha"], inputs["beta"]))
    return {"clearing": result.payments, "insolvency_levels": [list(level) for level in result.levels]}


def susceptibility(inputs: Inputs) -> Figures:
    arguments = array(inputs["assets"]), array(inputs["buffer"])
    return {"susceptibility": impact_susceptibility(*arguments), "fluidity": impact_fluidity(*arguments)}


def diffusion(inputs: Inputs) -> Figures:
    result = impact_diffusion(array(inputs["assets"]), array(inputs["buffer"]))
    return {"start": result.start, "intermediate": result.intermediate, "total": result.total}


def impact(inputs: Inputs) -> Figures:
    return {"matrix_capped_at_1": impact_matrix(array(inputs["exposures_liabilities"]), array(inputs["buffer"]))}


EVALUATORS: Mapping[str, Callable[[Inputs], Figures]] = {
    "eisenberg_noe": clearing_equity,
    "linear_dr": contagion(linear_debt_rank),
    "furfine": contagion(furfine),
    "rogers_veraart": default_costs,
    "impact_matrix": impact,
    "communicability_exp": lambda inputs: {"matrix": communicability(array(inputs["matrix"]))},
    "impact_susceptibility": susceptibility,
    "impact_diffusion": diffusion,
}


@pytest.mark.parametrize("case", cases("margin/systemic.json"), ids=lambda case: case["id"])
def test_systemic__published_case__within_its_tolerance(case: dict[str, Any]) -> None:
    assert_expected(case, EVALUATORS[case["kind"]](case["inputs"]))
