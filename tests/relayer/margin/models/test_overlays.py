"""Overlays by hand, and the one law that all of them keep over several rule sets: none ever improves an account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import ChainId
from proofs.units import E18, PPM
from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, End, Indices, Leg, MarketData, Price, Role
from relayer.margin.engine.lines import leg_line, overlay_line
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.fixed_point import RAY
from relayer.margin.models.dydx import DydxRules, DydxTerms
from relayer.margin.models.grid import GridRules
from relayer.margin.models.overlays import (
    ABOUT,
    BOTH,
    ConfidenceCharge,
    DepegCharge,
    LinearPremium,
    RootPremium,
    SizePremium,
    StrictPrices,
    charged,
)
from relayer.margin.rulesets.dydx_v4 import LiquidityTier
from relayer.margin.rulesets.grid import GridPoint
from relayer.margin.view import Purpose, Rounding
from tests.relayer.margin.models.stage import TemplateStage
from tests.relayer.margin.models.stages_linear import COMET, CROSS_PERP, DYDX, TIERS, aave
from tests.relayer.margin.strategies import UNHURRIED

CHAIN = ChainId("eip155:1")
RULES = DydxRules({"X": DydxTerms(LiquidityTier(100_000, 500_000), -6), "Y": DydxTerms(LiquidityTier(0, 0), -6)})
"""X requires 10 % to open and 5 % to hold, Y nothing; a quantum is worth a quote quantum per dollar."""
WRAPPED = (DYDX, CROSS_PERP, TIERS, COMET, aave("3.7"))


def cash(amount: int) -> Leg:
    return Leg("cash", Role.CASH, "USDC", amount, CHAIN, decimals=6)


def perp(size: int, asset: str = "X", entry: int = 0, name: str = "") -> Leg:
    return Leg(name or asset, Role.PERP, asset, size, CHAIN, decimals=6, entry_value=entry)


def at(x: Price | int, **more: Price) -> MarketData:
    return MarketData(1, {"X": Price(x, x, 0) if isinstance(x, int) else x, **more})


def excess(rules: RuleSet, market: MarketData, *legs: Leg, purpose: Purpose = Purpose.MAINTENANCE) -> int:
    return evaluate(Account("a", legs), market, rules, purpose).excess


# --- strict prices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("average", "long", "short"), [(90, 9 * 90 - 50, -9 * 110), (130, 850, 0), (100, 850, 0)])
def test_strict__long_at_the_lower_short_at_the_higher(average: int, long: int, short: int) -> None:
    """Long 10 at 100: 1,000 - 50. With an average of 90: 900 - 50. A short of 10 owes 1,000 + 50, or 1,300 + 65."""
    market = replace(at(100), average_prices={"X": Price(average, average, 0)})
    strict = StrictPrices(RULES)

    of_long, of_short = (
        evaluate(Account("a", (perp(size),)), market, strict, Purpose.MAINTENANCE) for size in (10, -10)
    )

    low, high = min(100, average), max(100, average)
    assert (of_long.equity, of_long.requirement) == (10 * low, 10 * high // 20)
    assert (of_short.equity, of_short.requirement) == (-10 * high, 10 * high // 20)
    assert of_long.excess_high == of_long.excess


def test_strict__other_decimals__are_moved_outward() -> None:
    market = replace(at(100), average_prices={"X": Price(995, 1_005, 1)})

    result = evaluate(Account("a", (perp(10),)), market, StrictPrices(RULES), Purpose.MAINTENANCE)

    assert (result.equity, result.requirement) == (990, 51)  # 99 and 101; ⌈⌈1,010 · 10 %⌉ · 50 %⌉


def test_strict__no_average__is_no_price_unless_exempt() -> None:
    legs = (cash(1_000), perp(1))

    strict, exempt = (
        evaluate(Account("a", legs), at(100), rules, Purpose.MAINTENANCE)
        for rules in (StrictPrices(RULES), StrictPrices(RULES, exempt=frozenset({"X"})))
    )

    assert (strict.verdict, exempt.verdict) == (Verdict.UNKNOWN, Verdict.HEALTHY)
    assert [gap.leg for gap in strict.gaps] == ["X"]


def test_th_013_strict__perpetual_without_an_average__gets_no_help_from_the_spot() -> None:
    """Long 1 at its own 100; the spot is 150: valued at the spot the account would gain 50."""
    point = Price(150, 150, 0), Price(100, 100, 0)
    prices = dict(zip(("ETH", "ETH-PERP"), point, strict=True))
    strict = StrictPrices(GridRules((GridPoint(0), GridPoint(-(10**17)))))
    account = Account("a", (Leg("long", Role.PERP, "ETH", E18, CHAIN, entry_value=100 * E18),))
    market = MarketData(0, prices, average_prices={"ETH": point[0]})

    result = evaluate(account, market, strict, Purpose.MAINTENANCE)

    assert result.verdict is Verdict.UNKNOWN
    assert result.equity <= 0


def test_strict__for_initial_alone__leaves_maintenance_as_it_is() -> None:
    market = replace(at(100), average_prices={"X": Price(90, 90, 0)})
    rules = StrictPrices(RULES, purposes=frozenset({Purpose.INITIAL}))

    initial, maintenance = (
        excess(rules, market, perp(10), purpose=one) for one in (Purpose.INITIAL, Purpose.MAINTENANCE)
    )

    assert (initial, maintenance) == (900 - 100, 1_000 - 50)


def test_strict__interval__best_end_is_that_of_the_wrapped_rules() -> None:
    market = replace(at(Price(95, 105, 0)), average_prices={"X": Price(90, 90, 0)})

    result = evaluate(Account("a", (perp(10),)), market, StrictPrices(RULES), Purpose.MAINTENANCE)

    assert (result.excess, result.excess_high) == (900 - 53, 1_050 - 48)


# --- size premium ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "charge"), [(0, 0), (1, 1), (100, 1), (101, 2), (1_000, 100), (2_000, 400), (3_000, 600)]
)
def test_linear_premium__by_hand__grows_with_own_notional_up_to_its_cap(size: int, charge: int) -> None:
    """1 % per 100: of 1 (0.01 %, up) 1; of 101 ⌈1.01 %⌉ = 10,100 ppm of 101, 1.02 → 2; of 3,000 the cap of 20 %."""
    premium = LinearPremium(10_000, 100, 200_000)

    assert premium.charge(size, 0, 0) == charge


def test_root_premium__by_hand__counts_where_it_exceeds_a_fifth() -> None:
    """Size 10 (10^10 at 9 decimals): r = ⌊√(10^11 + 1)⌋ = 316,227; N = 30,000 at imf 0.1 %: 94.86810 → 95."""
    assert isqrt(10**11 + 1) == 316_227
    assert RootPremium(1_000).charge(30_000, 10**10, 0) == 30_000 * 316_227 * 1_000 // 10**11 + 1 == 95
    assert RootPremium(1_000).charge(30_000, 10**10, 474) == 1
    assert RootPremium(1_000).charge(30_000, 10**10, 475) == 0


def test_size_premium__of_one_asset__counts_its_legs_together_and_no_other() -> None:
    rules = SizePremium(RULES, {"X": LinearPremium(10_000, 100, PPM)})
    market = at(1, Y=Price(1, 1, 0))

    one, parted, other = (
        evaluate(Account("a", legs), market, rules, Purpose.MAINTENANCE)
        for legs in ((perp(200),), (perp(100), perp(100, name="X2")), (perp(200, "Y"),))
    )

    assert [line.requirement for line in one.lines] == [10, 4]
    assert [line.requirement for line in parted.lines] == [5, 5, 4]
    assert [line.requirement for line in other.lines] == [0]
    assert one.lines[-1].label == "size premium on X"


def test_size_premium__hedged_legs__count_by_magnitude() -> None:
    rules = SizePremium(RULES, {"X": LinearPremium(10_000, 100, PPM)})

    assert excess(RULES, at(1), perp(100), perp(-100, name="s")) - 4 == excess(
        rules, at(1), perp(100), perp(-100, name="s")
    )


def test_size_premium__of_a_position_worth_less_than_a_unit__takes_no_profit_for_notional() -> None:
    market = MarketData(1, {"X": Price(4, 6, 1)})  # 0.4 and 0.6: one quantum is worth nothing, toward zero
    sized = SizePremium(RULES, {"X": LinearPremium(PPM, 1, PPM)})
    held = replace(perp(1), accrued=1_000)

    low, high = (sized.weigh(Account("a", (held,)), market, Purpose.MAINTENANCE, end) for end in End)

    assert (low.equity, low.requirement, high.requirement) == (1_000, 0, 0)


def test_size_premium__two_accounts_merged__require_more_than_apart() -> None:
    """The counter-example of `ABOUT`: 1 + 1 apart, 4 together."""
    premium = LinearPremium(10_000, 100, PPM)

    assert (2 * premium.charge(100, 0, 0), premium.charge(200, 0, 0)) == (2, 4)


def test_size_premium__on_collateral__is_refused() -> None:
    with pytest.raises(ValueError, match="positions"):
        SizePremium(RULES, {}, frozenset({Role.COLLATERAL}))


# --- charges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confidence", "charge"), [(E18, 0), (4 * 10**17, 0), (4 * 10**17 - 1, 301), (0, 500), (2 * E18, 0)]
)
def test_confidence__below_the_threshold__charges_what_is_lacking(confidence: int, charge: int) -> None:
    """N = 1,000, threshold 0.4, factor 0.5: at 0.4 nothing, just below 1,000 · 0.6 · 0.5 = 300 and a bit, at 0 500."""
    rules = ConfidenceCharge(RULES, 4 * 10**17, 500_000)
    market = at(Price(1, 1, 0, confidence))

    initial, held = (excess(rules, market, perp(1_000), purpose=one) for one in (Purpose.INITIAL, Purpose.MAINTENANCE))

    assert (initial, held) == (900 - charge, 950)


def test_confidence__of_collateral__takes_at_most_what_it_counts_for() -> None:
    """10 ETH at 3,000 at a threshold of 82.5 % count 24,750 and without any confidence nothing, not less."""
    stage = aave("3.7")
    market = stage.market.with_price("ETH", replace(stage.market.prices["ETH"], confidence_e18=0))
    market = replace(market, indices=dict.fromkeys(market.indices, Indices(RAY, RAY)))
    held = Account("a", (Leg("eth", Role.COLLATERAL, "ETH", 10 * E18, CHAIN),))

    plain, uncertain = (
        evaluate(held, market, rules, Purpose.MAINTENANCE)
        for rules in (stage.rules, ConfidenceCharge(stage.rules, E18, PPM, BOTH))
    )

    assert (plain.excess, uncertain.excess) == (24_750 * E18, 0)


def test_confidence__factor_beyond_one__is_refused() -> None:
    with pytest.raises(ValueError, match="ppm"):
        ConfidenceCharge(RULES, E18, PPM + 1)


@pytest.mark.parametrize(
    ("price", "charge"), [(E18, 0), (98 * 10**16, 0), (98 * 10**16 - 1, 1), (97 * 10**16, 12), (0, 1_176)]
)
def test_depeg__below_the_threshold__charges_positions(price: int, charge: int) -> None:
    """N = 1,000 at 0.98 and 1.2: at 0.97 1,000 · 0.01 · 1.2 = 12."""
    rules = DepegCharge(RULES, "USDC", 98 * 10**16, 1_200_000)
    market = at(1, USDC=Price(price, price, 18))

    initial, held = (
        excess(rules, market, cash(5), perp(-1_000), purpose=one) for one in (Purpose.INITIAL, Purpose.MAINTENANCE)
    )

    assert (initial, held) == (5 - 1_000 - 100 - charge, 5 - 1_000 - 50)


def test_depeg__no_price_of_the_stable__makes_positions_unknown_and_cash_not() -> None:
    rules = DepegCharge(RULES, "USDC", 98 * 10**16, 1_200_000)

    alone, with_position = (
        evaluate(Account("a", legs), at(1), rules, Purpose.INITIAL) for legs in ((cash(5),), (cash(5), perp(1)))
    )

    assert (alone.verdict, with_position.verdict) == (Verdict.HEALTHY, Verdict.UNKNOWN)
    assert [(gap.leg, gap.is_collateral) for gap in with_position.gaps] == [("X", False)]


def test_depeg__interval__takes_the_low_end() -> None:
    rules = DepegCharge(RULES, "USDC", E18, PPM)
    market = at(1, USDC=Price(9 * 10**17, E18, 18))

    result = evaluate(Account("a", (perp(1_000),)), market, rules, Purpose.INITIAL)

    assert (result.requirement, result.excess_high) == (200, 900)
    assert (result.lines[-1].value, result.lines[-1].requirement) == (0, 100)


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize(
    "rules",
    [
        DepegCharge(RULES, "USDC", 0, 0),
        SizePremium(RULES, {}),
        StrictPrices(RULES, purposes=frozenset()),
    ],
    ids=lambda rules: rules.name,
)
def test_overlay__that_asks_for_nothing__changes_the_name_alone(rules: RuleSet, purpose: Purpose) -> None:
    """At 1 … 2 dollars both ends differ, and so do opening and holding."""
    legs, market = Account("a", (cash(500), perp(1_000, entry=1_200))), at(Price(1, 2, 0), USDC=Price(E18, E18, 18))

    plain = evaluate(legs, market, RULES, purpose)

    assert evaluate(legs, market, rules, purpose) == replace(plain, rule_set=rules.name)
    assert plain.excess_high is not None
    assert plain.excess_high > plain.excess


@pytest.mark.parametrize(("amount", "verdict"), [(53, Verdict.UNHEALTHY), (54, Verdict.HEALTHY), (55, Verdict.HEALTHY)])
def test_boundary__one_unit_around_a_charge__equality_is_healthy(amount: int, verdict: Verdict) -> None:
    """Long 100 bought at 50 dollars too dear... holds 5, the premium 1 % per 100 adds 1, and -48 were lost before."""
    rules = SizePremium(RULES, {"X": LinearPremium(10_000, 100, PPM)})

    result = evaluate(Account("a", (cash(amount), perp(100, entry=148))), at(1), rules, Purpose.MAINTENANCE)

    assert (result.excess, result.verdict) == (amount - 54, verdict)


def test_overlays__composed__name_themselves_in_order_and_share_the_unit() -> None:
    rules = DepegCharge(SizePremium(StrictPrices(ConfidenceCharge(RULES, 0, 0)), {}), "USDC", 0, 0)

    assert rules.name == "dydx@4+confidence@1+strict@1+size_premium@1+depeg@1"
    assert rules.unit is RULES.unit
    assert {info.name for info in ABOUT} == {part for part in rules.name.split("+") if part != "dydx@4"}


@pytest.mark.parametrize(
    "line", [overlay_line("gift", 0, -1), overlay_line("gift", 1, 0), overlay_line("loss", -1, 0, Rounding.DOWN)]
)
def test_charged__with_anything_but_a_requirement__is_refused(line: object) -> None:
    result = evaluate(Account("a", (cash(1),)), at(1), RULES, Purpose.MAINTENANCE)

    with pytest.raises(ValueError, match="charge"):
        charged(result, "x", (line,))  # type: ignore[arg-type]


# --- the law ---------------------------------------------------------------------------------------------------------

PPMS = st.integers(0, PPM)


@st.composite
def overlays(draw: st.DrawFn, stage: TemplateStage) -> Callable[[RuleSet], RuleSet]:
    assets = sorted(stage.market.prices)
    linear = st.builds(LinearPremium, PPMS, st.integers(1, 10**24), st.integers(0, 2 * PPM))
    premium = draw(st.one_of(linear, st.builds(RootPremium, st.integers(0, 10_000))))
    roles = draw(st.sampled_from((frozenset({Role.PERP}), frozenset({Role.PERP, Role.DEBT}))))
    choices: tuple[Callable[[RuleSet], RuleSet], ...] = (
        StrictPrices,
        lambda inner: SizePremium(inner, dict.fromkeys(assets, premium), roles, BOTH),
        lambda inner: ConfidenceCharge(inner, E18, PPM, BOTH),
        lambda inner: DepegCharge(inner, assets[0], 10 * E18, 2 * PPM, BOTH),
    )
    return draw(st.sampled_from(choices))


@pytest.mark.parametrize("stage", WRAPPED, ids=lambda stage: stage.name)
def test_overlay__on_any_rule_set__never_improves_and_adds_up(stage: TemplateStage) -> None:
    @settings(suppress_health_check=UNHURRIED, max_examples=25)
    @given(st.data())
    def law(data: st.DataObject) -> None:
        account, market = data.draw(stage.some_accounts()), data.draw(stage.some_markets())
        wide = data.draw(PPMS)
        market = replace(
            market,
            prices={
                name: replace(
                    one, high=one.high + one.high * wide // PPM, confidence_e18=data.draw(st.integers(0, E18))
                )
                for name, one in market.prices.items()
            },
            average_prices=data.draw(stage.some_markets()).prices,
        )
        rules = data.draw(overlays(stage))(stage.rules)
        for purpose in (Purpose.INITIAL, Purpose.MAINTENANCE):
            plain, result = (evaluate(account, market, one, purpose) for one in (stage.rules, rules))
            assert result.excess <= plain.excess
            assert result.excess_high is None or result.excess <= result.excess_high <= plain.excess_high
            assert result.verdict is not Verdict.HEALTHY or plain.verdict is Verdict.HEALTHY
            assert result.verdict is not Verdict.HEALTHY or result.excess >= 0
            if not result.gaps and plain.verdict is Verdict.HEALTHY:  # a venue may refuse to open for other reasons
                assert (result.verdict is Verdict.HEALTHY) == (result.excess >= 0) or rules.name.endswith("strict@1")
            assert sum(line.value for line in result.lines) == result.equity
            assert sum(line.requirement for line in result.lines) == result.requirement
            low, high = (rules.weigh(account, market, purpose, end).excess for end in (End.LOW, End.HIGH))
            assert low <= high

    law()


# --- what a charge leaves and whom it finds --------------------------------------------------------------------------


def test_charged__figures_beside_the_requirement__follow_it() -> None:
    """Equity 100 against 5 and a charge of 15; the venue's other ratios stay."""
    plain = evaluate(Account("a", (perp(100),)), at(1), RULES, Purpose.MAINTENANCE)

    result = charged(replace(plain, stress_requirement=8), "x", (overlay_line("charge", 0, 15),))

    assert (result.requirement, result.stress_requirement, result.rule_set) == (20, 23, "x")
    assert (result.health.margin_ratio, plain.health.margin_ratio) == (5 * E18, 20 * E18)
    assert (result.health.gearing, result.health.ltv) == (plain.health.gearing, plain.health.ltv)


class Listed:
    """Weigh every leg at one a unit, requiring nothing."""

    name, unit = "listed@1", RULES.unit

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        plain = RULES.weigh(Account("a", ()), market, purpose, end)
        lines = (leg_line(leg, leg.name, (1, 0), (0, 0), Rounding.EXACT, abs(leg.amount)) for leg in account.legs)
        return replace(plain, lines=tuple(lines))


@pytest.mark.parametrize(
    ("role", "amount", "is_charged"),
    [
        (Role.PERP, 10, True),
        (Role.PERP, -10, True),
        (Role.FUTURE, 10, True),
        (Role.OPTION, -1, True),
        (Role.OPTION, 1, False),
        (Role.COLLATERAL, 10, False),
    ],
)
def test_depeg__of_each_role__charges_positions_and_short_options(role: Role, amount: int, is_charged: bool) -> None:
    rules = DepegCharge(Listed(), "USDC", E18, PPM)
    leg = Leg("x", role, "X", amount, CHAIN)

    result = evaluate(Account("a", (leg,)), at(1, USDC=Price(0, 0, 18)), rules, Purpose.INITIAL)

    assert result.requirement == (abs(amount) if is_charged else 0)


def test_confidence__of_a_single_unit__is_charged() -> None:
    rules = ConfidenceCharge(Listed(), E18, PPM)

    result = evaluate(Account("a", (perp(1),)), at(Price(1, 1, 0, 0)), rules, Purpose.INITIAL)

    assert result.requirement == 1
