"""The reference accounts of the scenario family once more, through the engine's own door."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, ExpiryQuote, MarketData, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.models.derive_pmrm import DerivePmrm
from relayer.margin.models.derive_pmrm2 import CoinTerms, DerivePmrm2
from relayer.margin.models.derive_srm import DeriveSrm
from relayer.margin.models.span import SpanRules
from relayer.margin.rulesets.derive_pmrm2_grid import settling
from relayer.margin.rulesets.span import Commodity, Contract
from relayer.margin.rulesets.svi import Slice, Svi, faults, vol
from relayer.margin.view import Purpose
from tests.golden.compare import assert_expected
from tests.golden.e18 import E18, e18, fields
from tests.golden.engine_accounts import (
    AS_OF_S,
    STABLE,
    account_of,
    leg,
    market_of,
    option_leg,
    perp_leg,
    price,
    surface_of,
    vols_of,
)
from tests.golden.loading import cases
from tests.golden.test_margin_black76_svi import SVI_FIELDS
from tests.golden.test_margin_derive_pmrm import first_rules, second_rules
from tests.golden.test_margin_derive_srm import rules_of

pytestmark = pytest.mark.golden


def weighed(rules: Any, account: Account, market: MarketData) -> list[dict[str, Fraction]]:
    """Evaluate both purposes: the figures at both ends of maintenance, initial at the low one."""
    low = evaluate(account, market, rules, Purpose.MAINTENANCE)
    initial = rules.weigh(account, market, Purpose.INITIAL, End.LOW)
    for found in (low, initial):
        reconcile(found)
        assert not found.gaps
    assert low.excess_high is not None
    assert low.excess_high >= low.excess
    worth = Fraction(low.equity, E18)
    figures = {
        "mm": Fraction(low.excess, E18),
        "im": Fraction(initial.excess, E18),
        "mtm": worth,
        "portfolio_mtm": worth,
    }
    return [figures, {"mm": Fraction(low.excess_high, E18)}]


def reconcile(found: Evaluation) -> None:
    assert sum(line.value for line in found.lines) == found.equity
    assert sum(line.requirement for line in found.lines) == found.requirement
    assert (found.verdict is Verdict.HEALTHY) == (found.excess >= 0)


def assert_engine(case: dict[str, Any], side: dict[str, Fraction]) -> None:
    """Compare what an evaluation says; the parts of the kernel's result are compared with the kernel."""
    expected = {key: value for key, value in case["expected"].items() if key in side}
    assert "mm" in expected
    assert_expected({**case, "expected": expected}, side)


@pytest.mark.parametrize("case", cases("margin/derive_srm.json"), ids=lambda case: case["id"])
def test_srm__reference_account__through_the_engine(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    rules = DeriveSrm(rules_of(inputs["params"]), tuple(inputs["markets"]), stable=STABLE)

    for side in weighed(rules, _srm_account(inputs), _srm_market(inputs)):
        assert_engine(case, side)


def _srm_account(inputs: dict[str, Any]) -> Account:
    perps, bases = enumerate(inputs["perps"]), enumerate(inputs["bases"])
    return account_of(
        [
            leg("cash", Role.CASH, STABLE, e18(inputs["cash"])),
            *(
                perp_leg(
                    f"perp {i}",
                    p["underlying"],
                    p["amount"],
                    inputs["markets"][p["underlying"]]["perpPrice"],
                    e18(p["unrealised"]),
                )
                for i, p in perps
            ),
            *(leg(f"base {i}", Role.COLLATERAL, b["underlying"], e18(b["amount"])) for i, b in bases),
            *(option_leg(i, o["underlying"], o, o["secToExpiry"]) for i, o in enumerate(inputs["options"])),
        ]
    )


def _srm_market(inputs: dict[str, Any]) -> MarketData:
    prices, expiries = {STABLE: price(inputs["stable_price"])}, {}
    for name, market in inputs["markets"].items():
        prices[name] = price(market["spot"], market["spotConf"])
        prices[f"{name}-PERP"] = price(market["perpPrice"], market["perpConf"])
        own = [option for option in inputs["options"] if option["underlying"] == name]
        for seconds, expiry in market["expiries"].items():
            expiries[name, AS_OF_S + int(seconds)] = ExpiryQuote(
                price(expiry["forward"], expiry["forwardConf"]),
                vol_confidence_e18=e18(expiry["volConf"]),
                vols=vols_of(own, "secToExpiry", int(seconds)),
            )
    return market_of(prices, expiries)


FIRST = [case for case in cases("margin/derive_pmrm.json") if case["kind"].startswith("pmrm1")]
SECOND = [case for case in cases("margin/derive_pmrm.json") if case["kind"].startswith("pmrm2")]


@pytest.mark.parametrize("case", FIRST, ids=lambda case: case["id"])
def test_first_version__reference_account__through_the_engine(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    rules = DerivePmrm(first_rules(inputs["params"]), "ETH", stable=STABLE)

    for side in weighed(rules, _first_account(inputs), _first_market(inputs)):
        assert_engine(case, side)


def _first_account(inputs: dict[str, Any]) -> Account:
    return account_of(
        [
            leg("cash", Role.CASH, STABLE, e18(inputs["cash"])),
            perp_leg("perp", "ETH", inputs["perp"], inputs["perpPrice"], e18(inputs["perpUnrealised"])),
            leg("base", Role.COLLATERAL, "ETH", e18(inputs["base"])),
            *(option_leg(i, "ETH", o, o["secToExpiry"]) for i, o in enumerate(inputs["options"])),
        ]
    )


def _first_market(inputs: dict[str, Any]) -> MarketData:
    expiries = {
        ("ETH", AS_OF_S + int(seconds)): ExpiryQuote(
            price(str(Fraction(e18(e["forwardFixed"]) + e18(e["forwardVariable"]), E18)), e["forwardConf"]),
            rate_e18=e18(e["rate"]),
            forward_fixed=e18(e["forwardFixed"]),
            rate_confidence_e18=e18(e["rateConf"]),
            vol_confidence_e18=e18(e["volConf"]),
            vols=vols_of(inputs["options"], "secToExpiry", int(seconds)),
        )
        for seconds, e in inputs["expiries"].items()
    }
    prices = {
        STABLE: price(inputs["stablePrice"]),
        "ETH": price(inputs["spot"], inputs["spotConf"]),
        "ETH-PERP": price(inputs["perpPrice"], inputs["perpConf"]),
    }
    return market_of(prices, expiries)


@pytest.mark.parametrize("case", SECOND, ids=lambda case: case["id"])
def test_second_version__reference_account__through_the_engine(case: dict[str, Any]) -> None:
    scenario = case["inputs"]["scenario"]
    coins = {
        f"COIN{i}": CoinTerms(e18(c["mm_haircut"]), e18(c["im_haircut"]), c["is_risk_cancelling"])
        for i, c in enumerate(scenario["collaterals"])
    }
    rules = DerivePmrm2(second_rules(case["inputs"]["params"]), "ETH", coins, stable=STABLE)
    account, market = _second_account(scenario), _second_market(scenario)

    if any(option["sec_to_expiry"] <= 0 for option in scenario["options"]):
        found = rules.weigh(account, market, Purpose.MAINTENANCE, End.LOW)
        assert all("expired" in gap.reason for gap in found.gaps)
        assert found.gaps
        return

    for side in weighed(rules, account, market):
        assert_engine(case, side)


def surface_faults_of(scenario: dict[str, Any]) -> object:
    """Tell whether some surfaces of a case contradict each other: the engine would rightly use neither."""
    live = sorted((f for f in scenario["feeds"] if f["sec_to_expiry"] > 0), key=lambda feed: feed["sec_to_expiry"])
    slices = tuple(Slice(Svi(*fields(feed["svi"], SVI_FIELDS)), AS_OF_S) for feed in live)
    return faults(slices, AS_OF_S, 0)


def points(scenario: dict[str, Any], feed: dict[str, Any]) -> dict[int, int]:
    """Read the volatilities of a surface at the strikes that are held."""
    svi = Svi(*fields(feed["svi"], SVI_FIELDS))
    own = [e18(o["strike"]) for o in scenario["options"] if o["sec_to_expiry"] == feed["sec_to_expiry"]]
    return {strike: vol(svi, strike).low for strike in own}


def _second_account(scenario: dict[str, Any]) -> Account:
    perp = scenario["perp"]
    unrealised = e18(perp["unrealised_pnl"]) + e18(perp["unrealised_funding"])
    return account_of(
        [
            leg("cash", Role.CASH, STABLE, e18(scenario["cash"])),
            perp_leg("perp", "ETH", perp["amount"], perp["price"], unrealised),
            *(
                leg(f"coin {i}", Role.COLLATERAL, f"COIN{i}", e18(c["amount"]))
                for i, c in enumerate(scenario["collaterals"])
            ),
            *(option_leg(i, "ETH", o, o["sec_to_expiry"]) for i, o in enumerate(scenario["options"])),
        ]
    )


def _second_market(scenario: dict[str, Any]) -> MarketData:
    expiries = {}
    is_crossed = bool(surface_faults_of(scenario))
    for feed in scenario["feeds"]:
        seconds = feed["sec_to_expiry"]
        expiries["ETH", AS_OF_S + seconds] = ExpiryQuote(
            price(feed["forward"], feed["forward_confidence"]),
            rate_e18=e18(feed["rate"]),
            forward_fixed=settling(e18(feed["forward"]), seconds)[0],
            rate_confidence_e18=e18(feed["rate_confidence"]),
            vol_confidence_e18=e18(feed["vol_confidence"]),
            surface=None if is_crossed else surface_of(feed["svi"]),
            vols=points(scenario, feed) if is_crossed else {},
        )
    prices = {
        STABLE: price(scenario["stable_price"]),
        "ETH": price(scenario["spot"], scenario["spot_confidence"]),
        "ETH-PERP": price(scenario["perp"]["price"], scenario["perp"]["confidence"]),
        **{f"COIN{i}": price(c["price"], c["confidence"]) for i, c in enumerate(scenario["collaterals"])},
    }
    return market_of(prices, expiries)


@pytest.mark.parametrize("case", cases("margin/span.json"), ids=lambda case: case["id"])
def test_span__reference_account__through_the_engine(case: dict[str, Any]) -> None:
    """The example tells arrays alone: futures without a price difference, options without a price."""
    inputs = case["inputs"]
    count = len(inputs["scenarios"])
    contracts = tuple(
        Contract(name, "one", 1, tuple(e18(gain) for gain in pnl), (0,)) for name, pnl in inputs["arrays"].items()
    )
    commodity = Commodity("one", contracts, tuple(range(count)), (0, 1), (E18,))
    rules = SpanRules((commodity,), scenarios=tuple(inputs["scenarios"]))
    legs = [
        leg(name, Role.FUTURE, name, e18(amount), entry_value=e18(amount))
        for name, amount in inputs["position"].items()
    ]

    found = evaluate(
        account_of(legs), market_of({name: price(1) for name in inputs["arrays"]}), rules, Purpose.MAINTENANCE
    )

    reconcile(found)
    assert_expected(case, {"pnl": case["expected"]["pnl"], "requirement": Fraction(found.requirement, E18)})
    assert found.worst == f"one: {inputs['scenarios'][case['expected']['pnl'].index(min(case['expected']['pnl']))]}"
