"""Stages of the scenario family: a small book on one or two underlyings, options among it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from proofs.units import E18
from relayer.margin.engine.evaluate import RuleSet
from relayer.margin.engine.inputs import Account, ExpiryQuote, Leg, MarketData, OptionTerms, Role
from relayer.margin.models.correlation import CorrelationClass, CorrelationRules
from relayer.margin.models.derive_pmrm import DerivePmrm
from relayer.margin.models.derive_pmrm2 import CoinTerms, DerivePmrm2
from relayer.margin.models.derive_srm import DeriveSrm
from relayer.margin.models.grid import GridRules, cross
from relayer.margin.models.span import SpanRules
from relayer.margin.rulesets.span import SpreadLeg
from tests.relayer.margin.models.stage import TemplateStage, point
from tests.relayer.margin.models.stages_linear import ONE, TWO, cash, held, perp
from tests.relayer.margin.rulesets.test_derive_pmrm import RULES as PMRM
from tests.relayer.margin.rulesets.test_derive_pmrm2 import RULES as PMRM2
from tests.relayer.margin.rulesets.test_derive_srm import RULES as SRM
from tests.relayer.margin.rulesets.test_span import GAS, OIL

NOW_S: Final = 1_700_000_000
MONTH_S: Final = 30 * 86_400
NEAR_S, FAR_S = NOW_S + MONTH_S, NOW_S + 6 * MONTH_S
VOLS: Final = {strike * E18: vol * 10**16 for strike, vol in ((1_800, 70), (2_000, 65), (2_200, 68))}


def option(name: str, strike: int, is_call: bool, expiry_s: int, amount: int) -> Leg:
    terms = OptionTerms(strike * E18, expiry_s, is_call)
    return Leg(name, Role.OPTION, "ETH", amount, TWO, 7, option=terms, venue="book")


def quote(forward: int, rate: int = 0) -> ExpiryQuote:
    return ExpiryQuote(point(forward * E18, 18), rate_e18=rate, vols=VOLS)


MARKET: Final = MarketData(
    NOW_S,
    {
        "ETH": point(2_000 * E18, 18),
        "ETH-PERP": point(2_003 * E18, 18),
        "USDC": point(E18, 18),
        "BTC": point(60_000 * E18, 18),
    },
    expiries={("ETH", NEAR_S): quote(2_010), ("ETH", FAR_S): quote(2_040, 4 * 10**16)},
)
BOOK: Final = (
    cash("usdc", "USDC", 5_000 * 10**6),
    held("eth held", "ETH", E18, TWO),
    replace(perp("eth perp", "ETH", -2 * E18), entry_value=-4_010 * E18, accrued=17),
    option("call", 2_200, True, NEAR_S, -(10**18)),
    option("put", 1_800, False, NEAR_S, 2 * 10**18),
    option("far call", 2_000, True, FAR_S, 10**18),
)
MOST: Final = {
    "usdc": 20_000 * 10**6,
    "eth held": 5 * E18,
    "eth perp": 5 * E18,
    "call": 5 * E18,
    "put": 5 * E18,
    "far call": 5 * E18,
    "btc perp": 10**17,
}


def by_spot(leg: Leg) -> str | None:
    """Derive's managers need the spot for everything on an underlying."""
    return leg.asset


def by_own_price(leg: Leg) -> str | None:
    """A grid prices options by their forward, and a perpetual by its own price or else by the spot."""
    return None if leg.role is Role.OPTION or leg.name == "eth perp" else leg.asset


def book(
    name: str, rules: RuleSet, legs: tuple[Leg, ...] = BOOK, key: Callable[[Leg], str | None] = by_spot
) -> TemplateStage:
    return TemplateStage(
        name,
        rules,
        MARKET,
        Account("book", legs),
        MOST,
        entry=5_000 * E18,
        key=key,
        moves_ppm=(500_000, 1_800_000),
        is_slow=True,
    )


COINS: Final = {"ETH": CoinTerms(2 * 10**17, 5 * 10**16, moves=True)}
GRID: Final = GridRules(
    points=cross((-(3 * 10**17), 2 * 10**17), (E18 * 3 // 4, E18 * 5 // 4)),
    still=frozenset({"USDC"}),
    correlation=CorrelationRules((CorrelationClass(("ETH", "BTC"), 4 * 10**17),), 5 * 10**17),
    short_option_minimum=5 * E18,
    initial_points=cross((5 * 10**17,), (E18,), {5 * 10**17: E18 // 2}),
)
CLEARING: Final = TemplateStage(
    "span@1",
    SpanRules((OIL, GAS), ((SpreadLeg("oil", 1, 1, 5 * 10**17), SpreadLeg("gas", -1, 2, 5 * 10**17)),)),
    MarketData(NOW_S, {"oil-jan": point(80 * E18, 18), "gas-jan": point(30 * E18, 18)}),
    Account(
        "clearing",
        (
            cash("usd", "USD", 5_000 * 10**6),
            Leg("oil", Role.FUTURE, "oil-jan", 2 * E18, ONE, entry_value=170 * E18),
            Leg("gas", Role.FUTURE, "gas-jan", -3 * E18, TWO, entry_value=-80 * E18),
            Leg("oil call", Role.OPTION, "oil-call", -E18, TWO),
        ),
    ),
    {"usd": 20_000 * 10**6, "oil": 5 * E18, "gas": 5 * E18, "oil call": 5 * E18},
    entry=500 * E18,
    key=lambda leg: leg.asset if leg.role is Role.FUTURE else None,
)
SCENARIO_STAGES: Final = (
    book("derive_srm@1", DeriveSrm(SRM, ("ETH",))),
    book("derive_pmrm@1", DerivePmrm(PMRM, "ETH")),
    replace(book("derive_pmrm@2", DerivePmrm2(PMRM2, "ETH", COINS)), may_hold_options_at_zero=False),
    replace(
        book("grid@1", GRID, (*BOOK, replace(perp("btc perp", "BTC", 10**16), entry_value=590 * E18)), by_own_price),
        optional_prices=frozenset({"ETH-PERP"}),
    ),
    CLEARING,
)
