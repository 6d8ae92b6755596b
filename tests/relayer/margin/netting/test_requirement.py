"""Isolated and unified requirement: the worked values, negative benefit, groups, enforceability, metrics."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.units import E18
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, ExpiryQuote, Gap, Leg, MarketData, OptionTerms, Price, Role
from relayer.margin.engine.result import USD, Evaluation, TermLine, Verdict, health_of
from relayer.margin.models.derive_srm import DeriveSrm
from relayer.margin.models.dydx import DydxRules, DydxTerms
from relayer.margin.models.grid import GridRules
from relayer.margin.models.tiers import TiersRules
from relayer.margin.netting.groups import evaluate_groups, merged, parts
from relayer.margin.netting.metrics import borrowing_power, haircut_drag, metrics
from relayer.margin.netting.requirement import Advice, Enforceability, NettingTerms, PairCredit, netting
from relayer.margin.rulesets.derive_srm import OptionRules, SrmRules
from relayer.margin.rulesets.dydx_v4 import LiquidityTier
from relayer.margin.rulesets.grid import GridPoint
from relayer.margin.rulesets.hyperliquid_tiers import MarginTier, TieredMargin
from relayer.margin.solve.without import By
from relayer.margin.view import Purpose, Rounding
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import VENUES
from tests.relayer.margin.solve.build import MARKET, ONE, POOL, TWO, borrower

MICRO = 10**6
PERP_65 = DydxRules({"ETH": DydxTerms(LiquidityTier(65_000, 1_000_000), -9)})
"""Maintenance 6.5 %, as a share of itself 100 %."""
SCAN_20 = GridRules(points=(GridPoint(-E18 // 5), GridPoint(E18 // 5)))
ETH_3000 = MarketData(0, {"ETH": Price(3_000 * E18, 3_000 * E18)}, open_interest={"ETH": 0})


def perp(name: str, size: int, chain=ONE, group: str = "", decimals: int = 9) -> Leg:
    return Leg(
        name,
        Role.PERP,
        "ETH",
        size * 10**decimals,
        chain,
        decimals=decimals,
        entry_value=size * 3_000 * 10**6,
        group=group,
        venue=str(chain),
    )


HEDGED = Account("hedged", (perp("long", 20), perp("short", -18, TWO)))


def dollars(account: Account, amounts: dict[str, int]) -> Account:
    """Add cash on chains."""
    cash = tuple(
        Leg(f"cash {chain}", Role.CASH, "USDC", amount * MICRO, chain, decimals=6) for chain, amount in amounts.items()
    )
    return replace(account, legs=(*account.legs, *cash))


# --- the worked values -----------------------------------------------------------------------------------------------


def test_netting__20_against_18_at_six_and_a_half_percent__as_published() -> None:
    result = netting(HEDGED, ETH_3000, PERP_65)

    assert (result.isolated_requirement, result.unified_requirement) == (7_410 * MICRO, 390 * MICRO)
    assert result.benefit_ppm == 947_368
    assert result.advice is Advice.MERGE
    assert result.requirement == 390 * MICRO


def test_netting__scan_of_20_percent__as_published() -> None:
    legs = tuple(replace(leg, amount=leg.amount * 10**9, decimals=18, entry_value=0) for leg in HEDGED.legs)

    result = netting(replace(HEDGED, legs=legs), ETH_3000, SCAN_20)

    assert (result.isolated_requirement, result.unified_requirement) == (22_800 * E18, 1_200 * E18)


def e(thousandths: int) -> int:
    return thousandths * 10**15


MAINNET_SRM = DeriveSrm(
    SrmRules(
        option=OptionRules(e(150), e(100), e(75), e(75), e(75), e(1_200), e(1_100), e(1_050)),
        perp_maintenance=e(65),
        perp_initial=e(100),
        perp_threshold=e(400),
        option_threshold=e(400),
        base_threshold=e(400),
        confidence_factor=e(400),
        depeg_threshold=e(980),
        depeg_factor=e(1_200),
        base_factor=e(800),
        base_initial_scale=e(900),
    ),
    ("ETH",),
)


def option(name: str, strike: int, is_call: bool, amount: int, chain) -> Leg:
    return Leg(name, Role.OPTION, "ETH", amount * E18, chain, option=OptionTerms(strike * E18, EXPIRY_S, is_call))


EXPIRY_S = 600_000


@pytest.fixture
def pairing() -> tuple[Account, MarketData]:
    """One short call here, five short put spreads there; spot and forward 2,000, 600,000 s at a volatility of 60 %."""
    account = Account(
        "paired",
        (
            option("short call", 2_200, True, -1, ONE),
            option("short puts", 1_900, False, -5, TWO),
            option("long puts", 1_880, False, 5, TWO),
        ),
    )
    spot = Price(2_000 * E18, 2_000 * E18)
    quote = ExpiryQuote(spot, vols={strike * E18: 6 * 10**17 for strike in (1_880, 1_900, 2_200)})
    market = MarketData(0, {"ETH": spot, "USDC": Price(E18, E18)}, expiries={("ETH", EXPIRY_S): quote})
    return account, market


def test_th_063_netting__call_with_put_spreads__together_need_more_as_published(pairing) -> None:
    """Published: margins -160.74 and -100.00 apart, -1,042.41 together. Five spreads lose at most 5 · 20 by pairing;
    with the call, isolated shorts (160.74 + 5 · 176.33) are less than a strike's loss and 1.1 forwards for the call.
    """
    result = netting(*pairing, MAINNET_SRM)
    margins = [part.excess for _, part in result.isolated] + [result.unified.excess]

    assert [cents(margin) for margin in margins] == [-16_074, -10_000, -104_241]
    assert result.benefit_ppm is not None
    assert result.benefit_ppm < 0
    assert result.advice is Advice.SEPARATE
    assert result.requirement == result.unified_requirement
    assert result.pairs == ()


def cents(money: int) -> int:
    return (money + 5 * 10**15) // 10**16


# --- enforceability --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "counted"),
    [
        (Enforceability(), 7_020),
        (Enforceability({ONE: 900_000, TWO: 500_000}), 3_510),
        (Enforceability({TWO: 500_000}, {(TWO, ONE): 800_000}), 2_808),
        (Enforceability(pairs={(ONE, TWO): 0}), 0),
        (Enforceability(stale=frozenset({TWO})), 0),
    ],
)
def test_credit__between_two_chains__is_the_weaker_one_s(limits: Enforceability, counted: int) -> None:
    result = netting(HEDGED, ETH_3000, PERP_65, terms=NettingTerms(enforceability=limits))

    assert result.credit == 7_020 * MICRO
    assert result.counted == counted * MICRO
    assert result.requirement == (7_410 - counted) * MICRO
    assert result.pairs == (PairCredit(ONE, TWO, 7_020 * MICRO, 7_020 * MICRO, counted * MICRO),)


def test_th_062_credit__with_a_leg_that_could_not_be_read__is_zero() -> None:
    account = replace(HEDGED, unread=(Gap("another", "no answer", is_collateral=False),))

    result = netting(account, ETH_3000, PERP_65)

    assert (result.counted, result.requirement) == (0, 7_410 * MICRO)


def test_credit__of_three_chains__shared_by_what_each_pair_saves() -> None:
    """+20, -10, -10: M 3,900 + 1,950 + 1,950, together 0. First with either saves 3,900, the two shorts nothing."""
    three = "eip155:137"
    account = Account("a", (perp("a", 20), perp("b", -10, TWO), perp("c", -10, three)))
    limits = Enforceability({TWO: 500_000})

    result = netting(account, ETH_3000, PERP_65, terms=NettingTerms(enforceability=limits))

    assert [(pair.saved, pair.share, pair.counted) for pair in result.pairs] == [
        (3_900 * MICRO, 3_900 * MICRO, 1_950 * MICRO),
        (3_900 * MICRO, 3_900 * MICRO, 3_900 * MICRO),
        (0, 0, 0),
    ]
    assert result.requirement == 1_950 * MICRO


@pytest.mark.parametrize("ppm", [-1, 1_000_001])
def test_enforceability__outside_its_range__refused(ppm: int) -> None:
    with pytest.raises(ValueError, match="must be 0"):
        Enforceability({"a": ppm, "b": ppm}).of("a", "b")
    with pytest.raises(ValueError, match="must be 0"):
        Enforceability(pairs={("b", "a"): ppm}).of("a", "b")


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_enforceability__of_a_pair__symmetric_and_no_more_than_either(one: int, two: int, pair: int) -> None:
    limits = Enforceability({"a": one, "b": two}, {("a", "b"): pair})

    assert limits.of("a", "b") == limits.of("b", "a") <= min(one, two, pair)


# --- parts and rules -------------------------------------------------------------------------------------------------


def test_netting__parts_with_rules_of_their_own__keep_them_apart() -> None:
    dear = DydxRules({"ETH": DydxTerms(LiquidityTier(130_000, 1_000_000), -9)})

    result = netting(HEDGED, ETH_3000, PERP_65, terms=NettingTerms(own_rules={TWO: dear}))

    assert result.isolated_requirement == (3_900 + 7_020) * MICRO
    assert result.unified_requirement == 390 * MICRO


def test_netting__rules_in_other_money__refused() -> None:
    with pytest.raises(ValueError, match="counts in USD"):
        netting(HEDGED, ETH_3000, PERP_65, terms=NettingTerms(own_rules={TWO: SCAN_20}))


def test_netting__more_parts_than_pairs_can_be_tried__refused() -> None:
    many = Account("many", tuple(perp(str(number), 1, f"eip155:{number}") for number in range(33)))

    with pytest.raises(ValueError, match="33 parts"):
        netting(many, ETH_3000, PERP_65)


def test_netting__by_venue__on_one_chain() -> None:
    account = replace(HEDGED, legs=tuple(replace(leg, chain=ONE) for leg in HEDGED.legs))

    by_chain = netting(account, ETH_3000, PERP_65)
    by_venue = netting(account, ETH_3000, PERP_65, terms=NettingTerms(by=By.VENUE))

    assert (by_chain.benefit_ppm, by_chain.advice) == (0, Advice.EITHER)
    assert by_venue.isolated_requirement == 7_410 * MICRO


def test_netting__of_nothing__no_benefit_to_speak_of() -> None:
    result = netting(Account("a", ()), ETH_3000, PERP_65)

    assert (result.isolated_requirement, result.benefit_ppm, result.advice) == (0, None, Advice.EITHER)


# --- groups ----------------------------------------------------------------------------------------------------------


def test_groups__isolated_inside_a_cross_account__do_not_net() -> None:
    account = Account("a", (perp("long", 20), perp("short", -18, TWO, group="apart")))

    assert netting(account, ETH_3000, PERP_65).unified_requirement == 7_410 * MICRO


def test_groups__one_in_breach__the_account_is_though_the_sum_is_not() -> None:
    account = dollars(Account("a", (perp("long", 20, group="apart"),)), {ONE: 10**6})

    result = evaluate_groups(account, ETH_3000, PERP_65, Purpose.MAINTENANCE)

    assert [key for key, _ in result.groups] == ["apart", ""]
    assert (result.verdict, result.excess > 0) == (Verdict.UNHEALTHY, True)


def test_groups__unread_things__are_missing_in_each() -> None:
    account = replace(
        dollars(Account("a", (perp("long", 1, group="apart"),)), {ONE: 10**6}),
        unread=(Gap("a debt", "no answer", is_collateral=False),),
    )

    result = evaluate_groups(account, ETH_3000, PERP_65, Purpose.MAINTENANCE)

    assert result.verdict is Verdict.UNKNOWN
    assert all(one.gaps for _, one in result.groups)


def test_merged__positions_in_one_instrument__add_up() -> None:
    (leg,) = merged(HEDGED).legs

    assert (leg.name, leg.amount, leg.entry_value, leg.chain, leg.venue) == ("long", 2 * 10**9, 6_000 * MICRO, ONE, "")


@pytest.mark.parametrize(
    "other",
    [
        perp("other", 1, group="apart"),
        perp("other", 1, decimals=8),
        replace(perp("other", 1), own_limit=5),
        replace(perp("other", 1), asset="BTC"),
        replace(perp("other", 1), role=Role.FUTURE, expiry_s=9),
        option("other", 1, True, 1, ONE),
        Leg("other", Role.COLLATERAL, "ETH", 1, ONE),
    ],
)
def test_merged__different_instruments__stay_apart(other: Leg) -> None:
    assert len(merged(Account("a", (perp("one", 1), other))).legs) == 2


def test_merged__collateral_and_debts__are_not_touched() -> None:
    account = borrower(5).with_leg(Leg("more", Role.COLLATERAL, "ETH", 1, ONE))

    assert merged(account) == account


@pytest.mark.parametrize("stage", VENUES, ids=lambda stage: stage.name)
def test_one_part__of_any_stage__needs_what_the_whole_needs(stage: Stage) -> None:
    @drawn(stage, 4)
    @given(stage.some_accounts(), stage.some_markets())
    def holds(account, market) -> None:
        whole = evaluate(account, market, stage.rules, Purpose.MAINTENANCE)
        alone = replace(account, legs=tuple(replace(leg, venue="v") for leg in account.legs))
        result = netting(alone, market, stage.rules, terms=NettingTerms(by=By.VENUE))

        assert result.unified_requirement == result.isolated_requirement == whole.requirement
        assert (result.unified.equity, result.unified.verdict) == (whole.equity, whole.verdict)
        assert (result.credit, result.counted) == (0, 0)

    holds()


@pytest.mark.parametrize("stage", VENUES, ids=lambda stage: stage.name)
def test_requirement__of_any_stage__lies_between_unified_and_isolated(stage: Stage) -> None:
    @drawn(stage, 4)
    @given(stage.some_accounts(), stage.some_markets(), st.integers(0, 10**6))
    def holds(account, market, ppm) -> None:
        spread = replace(
            account,
            legs=tuple(replace(leg, venue=str(place % 3)) for place, leg in enumerate(account.legs)),
        )
        limits = Enforceability({"0": ppm})
        result = netting(spread, market, stage.rules, terms=NettingTerms(By.VENUE, enforceability=limits))

        assert sorted(leg.name for _, part in parts(spread, By.VENUE) for leg in part.legs) == sorted(
            leg.name for leg in account.legs
        )
        assert result.requirement >= result.unified_requirement
        assert result.requirement <= max(result.isolated_requirement, result.unified_requirement)
        assert (result.advice is Advice.SEPARATE) == (result.credit < 0)

    holds()


# --- metrics ---------------------------------------------------------------------------------------------------------


def test_metrics__of_the_worked_account__by_hand() -> None:
    """5,000 on one and 3,000 on two against 3,900 and 3,510: 1,100 trapped, 510 to be bridged."""
    result = metrics(netting(dollars(HEDGED, {ONE: 5_000, TWO: 3_000}), ETH_3000, PERP_65))

    assert result.capital_efficiency_e18 == 114_000 * E18 // 390
    assert result.utilisation_e18 == 48_750_000_000_000_000
    assert (result.fragmentation_cost, result.trapped_excess) == (510 * MICRO, 1_100 * MICRO)


def test_metrics__the_whole_is_short__nothing_to_bridge() -> None:
    result = metrics(netting(dollars(HEDGED, {ONE: 389}), ETH_3000, PERP_65))

    assert (result.fragmentation_cost, result.trapped_excess) == (None, 0)


def test_metrics__exactly_enough__to_bridge() -> None:
    result = metrics(netting(dollars(HEDGED, {ONE: 390}), ETH_3000, PERP_65))

    assert result.fragmentation_cost == (3_510 + 3_510) * MICRO


def test_drag__of_tighter_terms__is_what_excess_loses() -> None:
    loose = TiersRules({"ETH": TieredMargin((MarginTier(0, 50),))})
    tight = TiersRules({"ETH": TieredMargin((MarginTier(0, 10),))})
    market = MarketData(0, {"ETH": Price(3_000, 3_000, 0)})

    assert haircut_drag(HEDGED, market, tight, loose) == 6_000 * MICRO * 4 // 100
    assert haircut_drag(HEDGED, market, tight, tight) == 0


def test_borrowing_power__of_a_lender__by_hand() -> None:
    found = borrowing_power(borrower(6_000, eth=0), MARKET, POOL)

    assert (found.power, found.borrowed, found.usage_e18) == (15_000 * E18, 6_000 * E18, 4 * 10**17)
    assert borrowing_power(borrower(0, 0, 0), MARKET, POOL).usage_e18 is None


class AtMostOne:
    """Require 10 of one leg; refuse an account of more, as a venue that admits so many assets."""

    name, unit = "cross_perp@one", USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        del market
        is_admitted = len(account.legs) <= 1
        required = 10 if is_admitted else 0
        line = TermLine("", "", "", None, 0, 0, 0, 0, 0, 0, required, Rounding.UP)
        verdict = Verdict.HEALTHY if is_admitted else Verdict.UNKNOWN
        gaps = () if is_admitted else (Gap("", "too many", False),)
        health = health_of(0, required, 0, 0, 0)
        return Evaluation(self.name, purpose, end, USD, 0, required, 0, 0, verdict, health, (line,), gaps)


def test_whole__that_could_not_be_weighed__earns_no_credit() -> None:
    """Together nothing is required, because together nothing is known: that is no benefit."""
    two = Account("two", (perp("eth", 1), replace(perp("btc", 1, TWO), asset="BTC")))

    result = netting(two, ETH_3000, AtMostOne())

    assert (result.isolated_requirement, result.unified_requirement) == (20, 0)
    assert (result.counted, result.requirement) == (0, 20)
