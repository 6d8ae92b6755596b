"""Portfolio margin of portfolios, both versions, as the venue's own test tables have it."""

from __future__ import annotations

from typing import Any

import pytest

from relayer.margin.interval import Interval, exact
from relayer.margin.rulesets import derive_pmrm as pmrm
from relayer.margin.rulesets import derive_pmrm2 as pmrm2
from relayer.margin.rulesets.derive_common import BasisContingency, VolShock
from relayer.margin.rulesets.derive_pmrm2_grid import Shocks, SkewShock, settling
from relayer.margin.rulesets.svi import Svi, vol
from tests.golden.compare import assert_expected
from tests.golden.e18 import e18, ends, fields
from tests.golden.loading import cases

pytestmark = pytest.mark.golden
FILE = "margin/derive_pmrm.json"
FIRST = ("pmrm1_reference", "pmrm1_portfolio")
SECOND = ("pmrm2_portfolio",)
DAY_S = 86_400
FIRST_OTHER = (
    "pegLossThreshold",
    "pegLossFactor",
    "confThreshold",
    "confMargin",
    "basePercent",
    "perpPercent",
    "optionPercent",
)
SECOND_OTHER = (
    "peg_loss_threshold",
    "peg_loss_factor",
    "conf_threshold",
    "conf_margin",
    "mm_perp_percent",
    "im_perp_percent",
    "mm_option_percent",
    "im_option_percent",
)
DISCOUNTS = (
    "base_static_discount",
    "long_rate_multscale",
    "long_rate_addscale",
    "base_static_discount_neg",
    "short_rate_multscale",
    "short_rate_addscale",
)
SKEW = (
    "linear_scale_cap",
    "linear_cbase",
    "abs_scale_cap",
    "abs_cbase",
    "min_k_star",
    "min_width_scale",
    "vol_param_static",
    "vol_param_scale",
)
BASIS = ("scenario_spot_up", "scenario_spot_down", "basis_cont_add_factor", "basis_cont_mult_factor")


@pytest.mark.parametrize("case", cases(FILE, *FIRST), ids=lambda case: case["id"])
def test_first_version__reference_portfolio__both_bounds_agree(case: dict[str, Any]) -> None:
    inputs = case["inputs"]

    result = pmrm.margin(first_portfolio(inputs), first_rules(inputs["params"]))

    figures = {
        "im": result.initial,
        "mm": result.maintenance,
        "mtm": result.mtm,
        "basisContingency": result.basis_contingency,
        "staticContingency": result.static_contingency,
    }
    for side in ends(figures):
        assert_expected(case, side)


@pytest.mark.parametrize("case", cases(FILE, *SECOND), ids=lambda case: case["id"])
def test_second_version__reference_portfolio__both_bounds_agree(case: dict[str, Any]) -> None:
    inputs = case["inputs"]

    result = pmrm2.margin(second_portfolio(inputs["scenario"]), second_rules(inputs["params"]))

    figures = {
        "im": result.initial,
        "mm": result.maintenance,
        "portfolio_mtm": result.mtm,
        "option_mtm": result.option_mtm,
        "collateral_mtm": result.collateral_mtm,
        "forward_contingency": result.basis_contingency,
        "scenario_pnl": result.scenario_pnl,
    }
    for side in ends(figures):
        assert_expected(case, side)


def test_kinds__whole_file__all_are_run() -> None:
    assert {case["kind"] for case in cases(FILE)} <= {*FIRST, *SECOND}


# --- first version ---------------------------------------------------------------------------------------------------


def first_rules(params: dict[str, Any]) -> pmrm.PmrmRules:
    """Read the parameters of a case."""
    basis = fields(params["basis"], ("scenarioSpotUp", "scenarioSpotDown", "addFactor", "multFactor"))
    shock = fields(params["vol"], ("volRangeUp", "volRangeDown", "shortTermPower", "longTermPower"))
    return pmrm.PmrmRules(
        BasisContingency(*basis),
        VolShock(*shock, int(params["vol"]["dteFloorSec"])),
        tuple(pmrm.Scenario(e18(s["spot_shock"]), pmrm.VolMove(s["vol_shock"])) for s in params["scenarios"]),
        *fields(params["other"], FIRST_OTHER),
        *fields(params["margin"], ("imFactor", "baseStaticDiscount", "rateMultScale", "rateAddScale")),
    )


def first_portfolio(inputs: dict[str, Any]) -> pmrm.PmrmPortfolio:
    """Read the account and its market."""
    names = ("forwardFixed", "forwardVariable", "rate", "forwardConf", "rateConf", "volConf")
    markets = [pmrm.ExpiryMarket(int(seconds), *fields(e, names)) for seconds, e in inputs["expiries"].items()]
    options = [
        pmrm.Option(o["secToExpiry"], e18(o["strike"]), o["isCall"], e18(o["amount"]), exact(e18(o["vol"])))
        for o in inputs["options"]
    ]
    return pmrm.PmrmPortfolio(
        *fields(inputs, ("spot", "spotConf", "perpPrice", "perpConf", "stablePrice")),
        tuple(markets),
        tuple(options),
        *fields(inputs, ("cash", "perp", "perpUnrealised", "base")),
    )


# --- second version --------------------------------------------------------------------------------------------------


def second_rules(params: dict[str, Any]) -> pmrm2.Pmrm2Rules:
    """Read the parameters of a case; its floor on time to expiry is in days."""
    shock, margin = params["vol_shock"], params["margin"]
    powers = fields(shock, ("volrangeup", "volrangedown", "shorttermpower", "longtermpower"))
    floor_s = e18(shock["dte_floor"]) * DAY_S // e18(1)
    shocks = Shocks(
        VolShock(*powers, floor_s), e18(shock["min_vol_eval_shocked"]), SkewShock(*fields(params["skew_shock"], SKEW))
    )
    scenarios = [
        pmrm.Scenario(e18(s["spot_shock"]), pmrm.VolMove(s["vol_shock"]), e18(s["damping"]))
        for s in params["scenarios"]
    ]
    return pmrm2.Pmrm2Rules(
        tuple(scenarios),
        shocks,
        BasisContingency(*fields(params["basis_contingency"], BASIS)),
        pmrm2.Discounts(*fields(margin, DISCOUNTS)),
        pmrm2.Contingencies(*fields(params["other_contingency"], SECOND_OTHER)),
        *fields(margin, ("mm_loss_factor", "im_loss_factor")),
    )


def second_portfolio(scenario: dict[str, Any]) -> pmrm2.Pmrm2Portfolio:
    """Read the account and its market; volatilities come from the surface of each expiry."""
    surfaces = {feed["sec_to_expiry"]: _surface(feed["svi"]) for feed in scenario["feeds"]}
    options = [
        pmrm.Option(seconds, strike, option["is_call"], e18(option["amount"]), _vol(surfaces[seconds], strike))
        for option in scenario["options"]
        for seconds, strike in [(option["sec_to_expiry"], e18(option["strike"]))]
    ]
    perp = scenario["perp"]
    unrealised = e18(perp["unrealised_pnl"]) + e18(perp["unrealised_funding"])
    return pmrm2.Pmrm2Portfolio(
        *fields(scenario, ("cash", "spot", "spot_confidence", "stable_price")),
        pmrm2.Perp(*fields(perp, ("amount", "price", "confidence")), unrealised),
        tuple(_collateral(collateral) for collateral in scenario["collaterals"]),
        tuple(_market(feed) for feed in scenario["feeds"]),
        tuple(options),
    )


def _surface(parameters: dict[str, Any]) -> Svi:
    return Svi(*fields(parameters, ("a", "b", "rho", "m", "sigma", "forward", "tau")))


def _vol(surface: Svi, strike: int) -> Interval:
    """Read a surface; one without time left says nothing, and an expired option does not ask."""
    return vol(surface, strike) if surface.tau > 0 else exact(0)


def _collateral(collateral: dict[str, Any]) -> pmrm2.Collateral:
    figures = fields(collateral, ("amount", "price", "confidence", "mm_haircut", "im_haircut"))
    return pmrm2.Collateral(*figures, collateral["is_risk_cancelling"])


def _market(feed: dict[str, Any]) -> pmrm.ExpiryMarket:
    seconds = feed["sec_to_expiry"]
    rest = fields(feed, ("rate", "forward_confidence", "rate_confidence", "vol_confidence"))
    return pmrm.ExpiryMarket(seconds, *settling(e18(feed["forward"]), seconds), *rest)
