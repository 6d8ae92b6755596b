"""Standard margin of portfolios as the venue's own test tables have it."""

from __future__ import annotations

from typing import Any

import pytest

from relayer.margin.rulesets import derive_srm as srm
from relayer.margin.view import Purpose
from tests.golden.compare import assert_expected
from tests.golden.e18 import e18, ends, fields
from tests.golden.loading import cases

pytestmark = pytest.mark.golden
FILE = "margin/derive_srm.json"
KINDS = ("srm_reference", "srm_portfolio")
OPTION = (
    "maxSpotReq",
    "minSpotReq",
    "mmCallSpotReq",
    "mmPutSpotReq",
    "MMPutMtMReq",
    "unpairedIMScale",
    "unpairedMMScale",
    "mmOffsetScale",
)


@pytest.mark.parametrize("case", cases(FILE, *KINDS), ids=lambda case: case["id"])
def test_srm__reference_portfolio__both_bounds_agree(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    account = (holdings_of(inputs), e18(inputs["cash"]), e18(inputs["stable_price"]), rules_of(inputs["params"]))

    initial = srm.margin(*account, Purpose.INITIAL)
    maintenance = srm.margin(*account, Purpose.MAINTENANCE)

    for side in ends({"im": initial.margin, "mm": maintenance.margin, "mtm": maintenance.mtm}):
        assert_expected(case, side)


def test_kinds__whole_file__all_are_run() -> None:
    assert {case["kind"] for case in cases(FILE)} <= set(KINDS)


def rules_of(params: dict[str, Any]) -> srm.SrmRules:
    """Read the parameters of a case."""
    return srm.SrmRules(
        srm.OptionRules(*fields(params["option"], OPTION)),
        *fields(params["perp"], ("mm", "im")),
        *fields(params["oracle"], ("perpThreshold", "optionThreshold", "baseThreshold", "OCFactor")),
        *fields(params["depeg"], ("threshold", "factor")),
        *fields(params["base"], ("marginFactor", "IMScale")),
    )


def holdings_of(inputs: dict[str, Any]) -> list[tuple[str, srm.MarketHolding]]:
    """Read what the account holds in each market."""
    return [(name, _holding(inputs, name, market)) for name, market in inputs["markets"].items()]


def _holding(inputs: dict[str, Any], name: str, market: dict[str, Any]) -> srm.MarketHolding:
    perps = [perp for perp in inputs["perps"] if perp["underlying"] == name]
    bases = [base for base in inputs["bases"] if base["underlying"] == name]
    options = [option for option in inputs["options"] if option["underlying"] == name]
    return srm.MarketHolding(
        feed=_feed(market),
        options=tuple(_option(option) for option in options),
        perp=sum(e18(perp["amount"]) for perp in perps),
        unrealised=sum(e18(perp["unrealised"]) for perp in perps),
        base=sum(e18(base["amount"]) for base in bases),
    )


def _feed(market: dict[str, Any]) -> srm.MarketFeed:
    expiries = tuple(
        srm.ExpiryFeed(int(seconds), *fields(expiry, ("forward", "forwardConf", "volConf")))
        for seconds, expiry in market["expiries"].items()
    )
    return srm.MarketFeed(*fields(market, ("spot", "spotConf", "perpPrice", "perpConf")), expiries)


def _option(option: dict[str, Any]) -> srm.OptionLeg:
    amount, strike, vol = fields(option, ("amount", "strike", "vol"))
    return srm.OptionLeg(option["secToExpiry"], strike, option["isCall"], amount, vol)
