"""Liquidation facts by hand: what may be repaid and seized, and when it spirals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.units import E18
from relayer.margin.engine.inputs import Gap, Indices, MarketData, Price, Totals
from relayer.margin.engine.result import Unit
from relayer.margin.fixed_point import RAY, WAD
from relayer.margin.liquidation import LiquidationFact, Spiral, liquidation_facts, spiral_of
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.models.comet import CometAsset, CometRules
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.rulesets.aave_v3 import AaveEmode
from relayer.margin.rulesets.comet import INDEX_ONE
from relayer.margin.rulesets.morpho import VIRTUAL_SHARES
from relayer.margin.rulesets.morpho_preliquidation import PreLiquidationTerms

from .models.lending_build import account, at, cash, held, market, owed

DOLLAR = at(1, 0)
ONE = VIRTUAL_SHARES
FACTOR = 1_063_829_787_234_042_553
"""1 / 0.94, cut."""


# --- the spiral ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("health", "threshold", "bonus", "spiral"),
    [
        (WAD, 80, 105, Spiral.NO),
        (84 * WAD // 100, 80, 105, Spiral.NO),
        (84 * WAD // 100 - 1, 80, 105, Spiral.NOW),
        (2 * WAD, 80, 125, Spiral.ALWAYS),
        (2 * WAD, 80, 124, Spiral.NO),
        (0, 80, 0, Spiral.NOT_KNOWN),
    ],
)
def test_spiral__threshold_times_bonus__against_health_and_one(
    health: int, threshold: int, bonus: int, spiral: Spiral
) -> None:
    """0.8 · 1.05 = 0.84; 0.8 · 1.25 = 1 exactly."""
    assert spiral_of(health, threshold * E18 // 100, bonus * E18 // 100) is spiral


@given(st.integers(1, 99), st.integers(100, 120), st.integers(1, 10**4), st.integers(1, 10**4), st.integers(1, 10**4))
def test_th_073_spiral__now__means_that_a_repayment_lowers_health(
    threshold: int, bonus: int, collateral: int, debt: int, repaid: int
) -> None:
    """By cross products: (c·LT - r·b·LT) : (d - r) is less than c·LT : d exactly where c·LT : d < b·LT."""
    collateral, debt, repaid = collateral * 10**4, debt * 10**4, repaid * 10
    if repaid >= debt or repaid * bonus > collateral * 100:
        return
    before, after = (
        (collateral * 100 * threshold, debt),
        ((collateral * 100 - repaid * bonus) * threshold, debt - repaid),
    )

    falls = after[0] * before[1] < before[0] * after[1]

    assert falls is (collateral * 100 < bonus * debt)
    health = collateral * threshold * E18 // (debt * 100)
    if spiral_of(health, threshold * E18 // 100, bonus * E18 // 100) is Spiral.NO:
        assert not falls


# --- Aave ------------------------------------------------------------------------------------------------------------

RESERVES = {
    "A": AaveReserve(7_500, 8_000, {1: AaveEmode(9_000, 9_500)}, 10_500, {1: 10_600}, 1_000),
    "N": AaveReserve(0, 0, bonus_bps=10_500),
    "B": AaveReserve(7_500, 8_000),
    "D": AaveReserve(0, 0),
}
POOL = AaveRules("aave@3.7", RESERVES)


def pool_market(**prices: Price) -> MarketData:
    names = dict.fromkeys(RESERVES, DOLLAR) | prices
    return market(names, dict.fromkeys(names, Indices(RAY, RAY)))


def test_aave__unhealthy__half_of_the_debt_and_its_seizure() -> None:
    """5000 at 80 % against 4100: health 0.9756, above 0.95, both sides above 2000: half of all debt, 2050.

    Seized 2050 · 1.05 = 2152.5 → 2152; ⌊2152 / 1.05⌋ = 2049, bonus 103, a tenth of it 10.3 → 11 is the fee.
    0.9756 is above 0.8 · 1.05 = 0.84: no spiral.
    """
    facts = liquidation_facts(account(held("A", 5_000), owed("D", 4_100)), pool_market(), POOL)

    assert facts == (
        LiquidationFact(
            "liquidation", "A held", "D owed", True, Spiral.NO, 105 * E18 // 100, 2_050, 2_050, 2_152, 11, 0, False
        ),
    )


def test_aave__nearly_worthless__spirals_and_leaves_bad_debt() -> None:
    """1050 at 80 % against 4100: health 0.2, below 0.84. All may be repaid, the collateral suffices for 1000."""
    (fact,) = liquidation_facts(account(held("A", 1_050), owed("D", 4_100)), pool_market(), POOL)

    assert (fact.spiral, fact.repayable, fact.repaid, fact.seized, fact.bad_debt) == (
        Spiral.NOW,
        4_100,
        1_000,
        1_050,
        3_100,
    )


def test_aave__in_a_category__has_its_bonus() -> None:
    """0.95 · 1.06 = 1.007: at any health below 1 a liquidation makes it worse."""
    (fact,) = liquidation_facts(account(held("A", 100), owed("D", 50), mode=1), pool_market(), POOL)

    assert (fact.is_open, fact.spiral, fact.bonus_e18) == (False, Spiral.ALWAYS, 106 * E18 // 100)
    assert (fact.repayable, fact.seized) == (0, None)
    (outside,) = liquidation_facts(account(held("A", 100), owed("D", 50), mode=2), pool_market(), POOL)
    assert (outside.spiral, outside.bonus_e18) == (Spiral.NO, 105 * E18 // 100)


def test_aave__each_pair__but_none_of_a_threshold_of_zero() -> None:
    legs = account(held("A", 10), held("N", 10), held("B", 10), owed("D", 1), owed("B", 1))

    facts = liquidation_facts(legs, pool_market(), POOL)

    pairs = [(fact.collateral, fact.debt) for fact in facts]
    assert pairs == [("A held", "D owed"), ("A held", "B owed"), ("B held", "D owed"), ("B held", "B owed")]


def test_aave__bonus_not_given__says_what_may_be_repaid_alone() -> None:
    (fact,) = liquidation_facts(account(held("B", 100), owed("D", 90)), pool_market(), POOL)

    assert fact == LiquidationFact("liquidation", "B held", "D owed", True, Spiral.NOT_KNOWN, 0, 90, 90)


def test_aave__at_the_low_end__of_every_price() -> None:
    """Collateral at 1 … 3 counts 1, debt at ½ … 1 counts 1: the same fact as of 1 and 1."""
    legs, wide = account(held("A", 5_000), owed("D", 4_100)), pool_market(A=at(1, 0, 3), D=at(5, 1, 10))

    assert liquidation_facts(legs, wide, POOL) == liquidation_facts(legs, pool_market(), POOL)


def test_aave__health_of_exactly_one__is_not_open() -> None:
    """5000 at 80 % against 4000."""
    (fact,) = liquidation_facts(account(held("A", 5_000), owed("D", 4_000)), pool_market(), POOL)

    assert fact == LiquidationFact("liquidation", "A held", "D owed", False, Spiral.NO, 105 * E18 // 100)


def test_aave__rest_below_the_pool_s_least__is_dust() -> None:
    """5000 at 80 % against 2150 and 2000, health 0.9639: half of 4150 is 2075; 75 of D would stay, none of B.

    Seized 2075 · 1.05 = 2178.75 → 2178; ⌊2178 / 1.05⌋ = 2074, bonus 104, a tenth of it 10.4 → 11.
    """
    legs = account(held("A", 5_000), owed("D", 2_150), owed("B", 2_000))

    first, second = liquidation_facts(legs, pool_market(), POOL)

    bonus = 105 * E18 // 100
    assert first == LiquidationFact(
        "liquidation", "A held", "D owed", True, Spiral.NO, bonus, 2_075, 2_075, 2_178, 11, 0, True
    )
    assert second == LiquidationFact(
        "liquidation", "A held", "B owed", True, Spiral.NO, bonus, 2_000, 2_000, 2_100, 10, 0, False
    )


def test_aave__price_of_nothing__is_not_open() -> None:
    """10^-9 is nothing at the pool's 8 decimals, and what costs nothing cannot be seized or repaid by value."""
    legs = account(held("A", 100), held("B", 100), owed("D", 300))

    facts = liquidation_facts(legs, pool_market(A=at(1, 9)), POOL)

    assert [(fact.collateral, fact.is_open) for fact in facts] == [("A held", False), ("B held", True)]
    nothing = liquidation_facts(account(held("A", 1), owed("D", 1), owed("B", 9)), pool_market(D=at(0)), POOL)
    assert [(fact.debt, fact.is_open) for fact in nothing] == [("D owed", False), ("B owed", True)]


def test_aave__collateral_of_no_unit__is_not_open() -> None:
    """One scaled unit at half an index is no token unit: there is nothing to seize."""
    now = market({"A": DOLLAR, "D": DOLLAR}, {"A": Indices(RAY // 2, RAY), "D": Indices(RAY, RAY)})

    (fact,) = liquidation_facts(account(held("A", 1), owed("D", 90)), now, POOL)

    assert not fact.is_open


# --- Comet -----------------------------------------------------------------------------------------------------------

COMET = CometRules("D", (CometAsset("A", WAD // 2, 6 * WAD // 10, 9 * WAD // 10),))


def comet_facts(collateral: int, debt: int) -> tuple[LiquidationFact, ...]:
    now = market({"A": DOLLAR, "D": DOLLAR}, {"D": Indices(INDEX_ONE, INDEX_ONE)})
    return liquidation_facts(account(held("A", collateral), cash("D", -debt)), now, COMET)


def test_comet__healthy__is_not_open() -> None:
    assert comet_facts(100, 60) == (LiquidationFact("absorption", "", "D cash", False, Spiral.NO, E18),)
    assert comet_facts(100, 0) == ()


def test_comet__at_the_low_end__of_every_price() -> None:
    """100 at 1 … 3 count 100, 61 owed at ½ … 1 count 61: open, though at the other ends 180 are against 30.5."""
    now = market({"A": at(1, 0, 3), "D": at(5, 1, 10)}, {"D": Indices(INDEX_ONE, INDEX_ONE)})

    assert liquidation_facts(account(held("A", 100), cash("D", -61)), now, COMET) == comet_facts(100, 61)


def test_comet__something_not_known__no_facts() -> None:
    now = market({"D": DOLLAR}, {"D": Indices(INDEX_ONE, INDEX_ONE)})

    assert liquidation_facts(account(held("A", 100), cash("D", -61)), now, COMET) == ()


def test_comet__covered__pays_what_the_collateral_is_credited() -> None:
    """100 credited at 0.9 is 90 against 61 owed: 29 are left to the account, nothing is lost."""
    (fact,) = comet_facts(100, 61)

    assert fact == LiquidationFact("absorption", "", "D cash", True, Spiral.NO, E18, 90, 90)


def test_comet__not_covered__loses_the_rest() -> None:
    """90 are credited for 130 owed: the reserves lose 40."""
    (fact,) = comet_facts(100, 130)

    assert (fact.repaid, fact.bad_debt) == (130, 40)


# --- Morpho ----------------------------------------------------------------------------------------------------------

MORPHO = MorphoRules("pool", "W", "U", 8 * WAD // 10, Unit("U", 0))
TERMS = PreLiquidationTerms(6 * WAD // 10, (WAD // 5, 8 * WAD // 10), (101 * WAD // 100, 105 * WAD // 100))


def morpho_facts(
    collateral: int, debt: int, rules: MorphoRules = MORPHO, price: Price | None = None
) -> tuple[LiquidationFact, ...]:
    totals = Totals(2_000, 2_000 * ONE, 1_000, 1_000 * ONE)
    now = market({"pool": price or at(10**36, 36)}, totals={"pool": totals})
    return liquidation_facts(account(held("W", collateral), owed("U", debt * ONE)), now, rules)


def test_morpho__unhealthy__all_shares_where_the_collateral_suffices() -> None:
    """81 of 100 at a factor of 1 / 0.94: ⌊81 · 1.0638…⌋ = 86 seized. Health 80 / 81 is above 0.8 · 1.0638 = 0.851."""
    (fact,) = morpho_facts(100, 81)

    assert fact == LiquidationFact("liquidation", "W held", "U owed", True, Spiral.NO, FACTOR, 81, 81, 86)


def test_morpho__collateral_that_just_suffices__all_is_repaid() -> None:
    """⌊800 · 1.0638…⌋ = 851 buys ⌊851 / 100⌋ = 8 coins. All 8 as such would pay ⌈800 / 1.0638…⌉ = 753 and lose 47."""
    (fact,) = morpho_facts(8, 800, price=at(100 * 10**36, 36))

    assert fact == LiquidationFact("liquidation", "W held", "U owed", True, Spiral.NOW, FACTOR, 800, 800, 8)


def test_morpho__under_water__all_collateral_and_the_rest_is_lost() -> None:
    """100 of collateral are paid with ⌈100 / 1.0638⌉ = 94 + 1: ⌈94.0000…⌉ is 95, as the factor is cut. 120 - 95."""
    (fact,) = morpho_facts(100, 120)

    assert (fact.repayable, fact.repaid, fact.seized) == (120, 95, 100)
    assert fact.bad_debt == 25
    assert fact.spiral is Spiral.NOW


def test_morpho__pre_liquidation__by_the_offer() -> None:
    """LTV 0.7, half way from 0.6 to 0.8: close factor 0.5, 35 repaid, incentive 1.03: 36 seized."""
    plain, offered = morpho_facts(100, 70, replace(MORPHO, pre=TERMS))

    lowest = 101 * E18 // 100
    assert plain == LiquidationFact("liquidation", "W held", "U owed", False, Spiral.NO, FACTOR)
    assert offered == LiquidationFact("pre-liquidation", "W held", "U owed", True, Spiral.NO, lowest, 35, 35, 36)
    assert morpho_facts(100, 60, replace(MORPHO, pre=TERMS)) == (
        plain,
        LiquidationFact("pre-liquidation", "W held", "U owed", False, Spiral.NO, lowest),
    )
    assert [fact.kind for fact in morpho_facts(100, 81, replace(MORPHO, pre=TERMS))] == ["liquidation"]


def test_morpho__price_of_nothing__has_no_amounts() -> None:
    """A price below 10^-36 at its low end."""
    (fact,) = morpho_facts(100, 1, replace(MORPHO, pre=TERMS), Price(0, 10**36, 36))

    assert fact == LiquidationFact("liquidation", "W held", "U owed", True, Spiral.NOW, FACTOR)


def test_morpho__one_side_or_not_all_of_it_known__no_facts() -> None:
    totals = {"pool": Totals(2_000, 2_000 * ONE, 1_000, 1_000 * ONE)}
    now, priced = market({}, totals=totals), market({"pool": at(10**36, 36)}, totals=totals)
    both = account(held("W", 100), owed("U", 81 * ONE))

    assert len(liquidation_facts(both, priced, MORPHO)) == 1
    assert liquidation_facts(both, now, MORPHO) == ()
    assert liquidation_facts(replace(both, unread=(Gap("x", "down", True),)), priced, MORPHO) == ()
    for leg in both.legs:
        assert liquidation_facts(account(leg), priced, MORPHO) == ()


@given(st.integers(1, 10**9), st.integers(1, 1_000), st.integers(1, 10**40))
def test_morpho__any_unhealthy_position__has_a_seizure(collateral: int, debt: int, price: int) -> None:
    (fact,) = morpho_facts(collateral, debt, price=at(price, 36))

    if fact.is_open:
        assert 0 <= (fact.seized or 0) <= collateral
        assert fact.repaid <= debt


# --- what is not known -----------------------------------------------------------------------------------------------


def test_facts__of_an_account_not_known_in_full__are_none() -> None:
    legs = account(held("A", 5_000), owed("D", 4_100))

    assert liquidation_facts(legs.with_leg(held("X", 1)), pool_market(), POOL) == ()
    assert liquidation_facts(replace(legs, unread=(Gap("x", "down", True),)), pool_market(), POOL) == ()
    assert liquidation_facts(legs, pool_market(), MORPHO) == ()
    assert liquidation_facts(legs, pool_market(), COMET) == ()
    assert liquidation_facts(account(held("A", 1)), pool_market(), POOL) == ()
