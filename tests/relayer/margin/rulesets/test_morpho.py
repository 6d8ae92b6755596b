"""Morpho Blue positions by hand: shares, limits, incentive, interest, pre-liquidation."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.units import UINT256_MAX
from relayer.margin.fixed_point import WAD
from relayer.margin.rulesets.morpho import (
    ORACLE_ONE,
    VIRTUAL_SHARES,
    MorphoMarket,
    MorphoPosition,
    accrued,
    assets_down,
    assets_up,
    borrow_to_utilisation,
    compounded_wad,
    incentive_factor_wad,
    position_figures,
    repay_to_utilisation,
    seizure_by_assets,
    seizure_by_shares,
    shares_down,
    shares_up,
    supply_to_utilisation,
    to_leaf_figures,
    utilisation_wad,
    withdraw_to_utilisation,
)
from relayer.margin.rulesets.morpho_preliquidation import (
    PreLiquidationState,
    PreLiquidationTerms,
    pre_liquidation_figures,
)

ONE = VIRTUAL_SHARES


def market(borrowed: int = 1_000, price: int = ORACLE_ONE, lltv: int = 8 * WAD // 10, **changes: int) -> MorphoMarket:
    """A market whose debt shares are worth one asset a million, exactly."""
    terms = MorphoMarket(
        supply_assets=2 * borrowed,
        supply_shares=2 * borrowed * ONE,
        borrow_assets=borrowed,
        borrow_shares=borrowed * ONE,
        price=price,
        lltv_wad=lltv,
    )
    return replace(terms, **changes)


# --- shares and limits -----------------------------------------------------------------------------------------------


def test_shares__virtual_ones__are_part_of_every_conversion() -> None:
    """An empty market prices a million shares at one asset; without the virtual part it would divide by zero."""
    assert assets_up(ONE, 0, 0) == assets_down(ONE, 0, 0) == 1
    assert shares_up(1, 0, 0) == shares_down(1, 0, 0) == ONE
    assert assets_up(10, 99, 10) == ceil(Fraction(10 * 100, 10 + ONE)) == 1
    assert assets_down(5 * ONE, 99, 9 * ONE) == 50


def test_borrowed__a_fraction__is_up() -> None:
    """Half a share-million is half an asset: owed as 1."""
    figures = position_figures(market(), MorphoPosition(0, ONE // 2))

    assert figures.borrowed == 1
    assert assets_down(ONE // 2, 1_000, 1_000 * ONE) == 0


def test_limit__value_and_weight__each_down() -> None:
    """9 at 0.75 = 6.75 → 6; 6 · 0.8 = 4.8 → 4."""
    figures = position_figures(market(price=3 * ORACLE_ONE // 4), MorphoPosition(9, 0))

    assert (figures.collateral_value, figures.limit, figures.borrowable) == (6, 4, 4)


@pytest.mark.parametrize(("debt", "is_healthy"), [(79, True), (80, True), (81, False)])
def test_boundary__one_unit_of_debt__equality_is_healthy(debt: int, is_healthy: bool) -> None:
    figures = position_figures(market(), MorphoPosition(100, debt * ONE))

    assert figures.is_healthy is is_healthy
    assert (to_leaf_figures(figures, 10**18, 0).excess_usd >= 0) is is_healthy
    assert figures.borrowable == max(0, 80 - debt)


def test_no_debt__always_healthy_even_without_a_price() -> None:
    figures = position_figures(market(price=0), MorphoPosition(5, 0))

    assert figures.is_healthy
    assert (figures.health_factor_wad, figures.liquidation_price, figures.usage_wad) == (UINT256_MAX, None, 0)
    assert figures.withdrawable_collateral == 5


def test_debt_without_collateral__nothing_to_divide_by() -> None:
    figures = position_figures(market(), MorphoPosition(0, ONE))

    assert (figures.health_factor_wad, figures.liquidation_price, figures.usage_wad) == (0, UINT256_MAX, UINT256_MAX)
    assert not figures.is_healthy


def test_figures__of_a_position__by_hand() -> None:
    """30 owed, limit 80: health 80 / 30 down, usage its inverse up, price 30 / 80, 30 / 0.8 = 37.5 → 38 needed."""
    figures = position_figures(market(), MorphoPosition(100, 30 * ONE))

    assert figures.health_factor_wad == 80 * WAD // 30
    assert figures.usage_wad == WAD * WAD // (80 * WAD // 30) + 1
    assert figures.liquidation_price == 375 * 10**33
    assert figures.withdrawable_collateral == 62


def test_withdrawable__needed_in_broken_units__is_up_twice_and_never_below_zero() -> None:
    """31 owed at a price of 3: ⌈10.33⌉ = 11, ⌈11 / 0.8⌉ = 14; with the first down it would be 13."""
    here = market(price=3 * ORACLE_ONE)

    assert position_figures(here, MorphoPosition(20, 31 * ONE)).withdrawable_collateral == 6
    assert position_figures(here, MorphoPosition(13, 31 * ONE)).withdrawable_collateral == 0


@pytest.mark.parametrize("changes", [{"price": 0}, {"lltv": 0}])
def test_withdrawable__no_price_or_no_weight__is_nothing(changes: dict[str, int]) -> None:
    assert position_figures(market(**changes), MorphoPosition(100, ONE)).withdrawable_collateral == 0


# --- interest --------------------------------------------------------------------------------------------------------


def test_compounded__ten_percent__three_terms_each_down() -> None:
    assert compounded_wad(WAD // 10, 1) == 105_166_666_666_666_666
    assert compounded_wad(0, 5) == compounded_wad(5, 0) == 0


def test_accrued__interest__goes_to_both_sides_and_the_fee_to_new_shares() -> None:
    """1000 at 10.5166… % is 105; a fee of a tenth is 10, its shares those of 2105 - 10."""
    before = market(fee_wad=WAD // 10)

    after = accrued(before, WAD // 10, 1)

    assert (after.borrow_assets, after.supply_assets, after.borrow_shares) == (1_105, 2_105, before.borrow_shares)
    assert after.supply_shares == 2_000 * ONE + 10 * (2_000 * ONE + ONE) // (2_095 + 1)
    assert accrued(market(), WAD // 10, 1).supply_shares == 2_000 * ONE
    assert (after.price, after.lltv_wad, after.fee_wad) == (before.price, before.lltv_wad, before.fee_wad)


# --- liquidation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lltv", "factor"),
    [
        (WAD, WAD),
        (86 * WAD // 100, 1_043_841_336_116_910_229),
        (565_217_391_304_347_827, 1_149_999_999_999_999_998),
        (WAD // 2, 115 * WAD // 100),
        (0, 115 * WAD // 100),
    ],
)
def test_incentive__low_lltv__is_capped(lltv: int, factor: int) -> None:
    """At LLTV 0.5 the formula gives 1 / 0.85 = 1.176; just above the cap's, 1.15 (1 - 1.35e-18), down."""
    assert incentive_factor_wad(lltv) == factor


def test_seizure__by_shares__repaid_up_and_seized_down() -> None:
    """LLTV 0.8: factor 1 / 0.94 = 1.0638. 10.5 assets: 11 repaid, ⌊⌊10 · 1.0638⌋ / 0.75⌋ = 13 seized."""
    here = market(price=3 * ORACLE_ONE // 4)
    position = MorphoPosition(100, 90 * ONE)

    seizure = seizure_by_shares(here, position, 21 * ONE // 2)

    assert (seizure.repaid_assets, seizure.seized_collateral, seizure.bad_debt_assets) == (11, 13, 0)


def test_seizure__by_assets__everything_up() -> None:
    """13 · 0.75 = 9.75 → 10; 10 / 1.0638 = 9.4 → 10; 10 million shares; 10 repaid.

    With 1500 million shares 10 assets are 14,995,004.99 of them, up, and these are worth a little more than 10.
    """
    here = market(price=3 * ORACLE_ONE // 4)

    seizure = seizure_by_assets(here, MorphoPosition(100, 90 * ONE), 13)

    assert (seizure.repaid_shares, seizure.repaid_assets) == (10 * ONE, 10)
    broken = seizure_by_assets(replace(here, borrow_shares=1_500 * ONE), MorphoPosition(100, 150 * ONE), 13)
    assert (broken.repaid_shares, broken.repaid_assets) == (14_995_005, 11)


def test_seizure__last_collateral__the_rest_is_lost() -> None:
    seizure = seizure_by_assets(market(), MorphoPosition(10, 90 * ONE), 10)

    assert seizure.repaid_assets == 10
    assert seizure.bad_debt_assets == 80


def test_seizure__repaid_beyond_all_that_is_owed__leaves_nothing_rather_than_less() -> None:
    """20 million shares of a debt of 10: 20 · 11 / 21 = 10.48 → 11 repaid of 10, all 10 of collateral seized."""
    here = market(10, borrow_shares=20 * ONE)

    seizure = seizure_by_shares(here, MorphoPosition(10, 20 * ONE), 20 * ONE)

    assert (seizure.repaid_assets, seizure.seized_collateral, seizure.bad_debt_assets) == (11, 10, 0)


def test_seizure__healthy_or_too_much__refused() -> None:
    with pytest.raises(ValueError):
        seizure_by_shares(market(), MorphoPosition(100, 80 * ONE), 1)
    with pytest.raises(ValueError):
        seizure_by_assets(market(), MorphoPosition(10, 90 * ONE), 11)
    with pytest.raises(ValueError):
        seizure_by_shares(market(), MorphoPosition(200, 170 * ONE), 170 * ONE + 1)


# --- utilisation -----------------------------------------------------------------------------------------------------


def test_utilisation__targets__round_so_that_the_target_is_not_passed() -> None:
    """2 borrowed of 3 to 0.7: 2 / 0.7 = 2.86 → 3; 3 · 0.7 = 2.1 → 2."""
    target = 7 * WAD // 10

    assert utilisation_wad(3, 2) == 2 * WAD // 3
    assert (supply_to_utilisation(2, 2, target), withdraw_to_utilisation(4, 2, target)) == (1, 1)
    assert (borrow_to_utilisation(3, 1, target), repay_to_utilisation(3, 3, target)) == (1, 1)
    assert (supply_to_utilisation(3, 2, target), withdraw_to_utilisation(3, 2, target)) == (0, 0)
    assert (borrow_to_utilisation(3, 2, target), repay_to_utilisation(3, 2, target)) == (0, 0)


def test_utilisation__zero__is_reached_by_withdrawing_or_never() -> None:
    assert (supply_to_utilisation(3, 2, 0), withdraw_to_utilisation(3, 2, 0)) == (UINT256_MAX, 0)
    assert (supply_to_utilisation(3, 0, 0), withdraw_to_utilisation(3, 0, 0)) == (0, 3)
    assert (supply_to_utilisation(0, 2, 0), utilisation_wad(0, 2), utilisation_wad(0, 0)) == (
        UINT256_MAX,
        UINT256_MAX,
        0,
    )
    assert (borrow_to_utilisation(3, 2, 0), repay_to_utilisation(3, 2, 0)) == (0, 2)


# --- pre-liquidation -------------------------------------------------------------------------------------------------

TERMS = PreLiquidationTerms(6 * WAD // 10, (WAD // 5, 8 * WAD // 10), (101 * WAD // 100, 105 * WAD // 100))


@pytest.mark.parametrize(
    ("debt", "state"),
    [
        (60, PreLiquidationState.HEALTHY),
        (61, PreLiquidationState.PRE_LIQUIDATABLE),
        (80, PreLiquidationState.PRE_LIQUIDATABLE),
        (81, PreLiquidationState.LIQUIDATABLE),
    ],
)
def test_pre_liquidation__both_thresholds__equality_is_the_milder_side(debt: int, state: PreLiquidationState) -> None:
    result = pre_liquidation_figures(market(), MorphoPosition(100, debt * ONE), TERMS)

    assert result.state is state
    assert (result.seizable_collateral > 0) is (state is PreLiquidationState.PRE_LIQUIDATABLE)


def test_pre_liquidation__half_way__takes_half_of_the_way_of_both_factors() -> None:
    """LTV 0.7: close factor 0.5, incentive 1.03. Of 70 owed 35 are repayable: 35 · 1.03 = 36.05."""
    result = pre_liquidation_figures(market(), MorphoPosition(100, 70 * ONE), TERMS)

    assert (result.repayable_shares, result.seizable_collateral) == (35 * ONE, 36)
    assert result.at_threshold.limit == 60


def test_pre_liquidation__at_the_market_threshold__takes_the_upper_factors() -> None:
    result = pre_liquidation_figures(market(), MorphoPosition(100, 80 * ONE), TERMS)

    assert (result.repayable_shares, result.seizable_collateral) == (64 * ONE, 67)


@pytest.mark.parametrize("lower", [0, 8 * WAD // 10])
def test_pre_liquidation__threshold_not_below_the_market__refused(lower: int) -> None:
    with pytest.raises(ValueError):
        pre_liquidation_figures(market(), MorphoPosition(1, 1), replace(TERMS, pre_lltv_wad=lower))


# --- laws ------------------------------------------------------------------------------------------------------------

MARKETS = st.builds(
    MorphoMarket,
    st.integers(0, 10**30),
    st.integers(0, 10**36),
    st.integers(0, 10**30),
    st.integers(0, 10**36),
    st.integers(0, 10**40),
    st.integers(0, WAD),
)
POSITIONS = st.builds(MorphoPosition, st.integers(0, 10**30), st.integers(0, 10**36))


@given(MARKETS, POSITIONS)
def test_figures__any_position__are_those_of_fractions(here: MorphoMarket, position: MorphoPosition) -> None:
    owed = ceil(Fraction(position.borrow_shares * (here.borrow_assets + 1), here.borrow_shares + 10**6))
    limit = floor(Fraction(floor(Fraction(position.collateral * here.price, 10**36)) * here.lltv_wad, WAD))

    figures = position_figures(here, position)

    assert (figures.borrowed, figures.limit) == (owed, limit)
    assert figures.is_healthy is (position.borrow_shares == 0 or limit >= owed)
    if position.borrow_shares:
        assert figures.health_factor_wad == floor(Fraction(limit * WAD, owed))
        assert (figures.health_factor_wad >= WAD) is figures.is_healthy


@given(MARKETS, POSITIONS, st.integers(1, 10**24), st.integers(0, 18))
def test_leaf__any_position__has_the_sign_of_the_verdict(
    here: MorphoMarket, position: MorphoPosition, price: int, decimals: int
) -> None:
    figures = position_figures(here, position)

    leaf = to_leaf_figures(figures, price, decimals)

    assert (leaf.excess_usd >= 0) is figures.is_healthy
    assert min(leaf.collateral_usd, leaf.liability_usd, leaf.initial_usd, leaf.maintenance_usd) >= 0


def test_leaf__broken_units__collateral_down_and_the_rest_up() -> None:
    """Value 11, limit 8, owed 3 at 2.5: 27.5 → 27, 7.5 → 8, and 3 · 2.5 = 7.5 → 8 for both requirements."""
    leaf = to_leaf_figures(position_figures(market(), MorphoPosition(11, 3 * ONE)), 25, 1)

    assert (leaf.collateral_usd, leaf.liability_usd, leaf.initial_usd, leaf.maintenance_usd) == (27, 8, 8, 8)


def test_leaf__at_the_very_limit_with_a_broken_price__gives_the_lost_unit_back() -> None:
    """Value 10, limit 8, owed 8 at 10^-19 dollars: 0, 1 and 1 units would leave -2."""
    leaf = to_leaf_figures(position_figures(market(), MorphoPosition(10, 8 * ONE)), 1, 1)

    assert (leaf.collateral_usd, leaf.liability_usd, leaf.maintenance_usd, leaf.excess_usd) == (1, 1, 0, 0)


@given(MARKETS, POSITIONS, st.integers(0, 10**36))
def test_health__more_collateral_or_less_debt__never_falls(
    here: MorphoMarket, position: MorphoPosition, grown: int
) -> None:
    health = position_figures(here, position).health_factor_wad

    def changed(market_changes: dict[str, int], position_changes: dict[str, int]) -> int:
        return position_figures(
            replace(here, **market_changes), replace(position, **position_changes)
        ).health_factor_wad

    assert changed({}, {"collateral": position.collateral + grown}) >= health
    assert changed({"price": here.price + grown}, {}) >= health
    assert changed({}, {"borrow_shares": position.borrow_shares + grown}) <= health
    assert changed({"borrow_assets": here.borrow_assets + grown}, {}) <= health


@given(MARKETS, st.integers(0, WAD // 10**8), st.integers(0, 10**7))
def test_accrued__any_time__never_lowers_what_is_owed(here: MorphoMarket, rate: int, elapsed: int) -> None:
    after = accrued(here, rate, elapsed)

    assert after.borrow_assets >= here.borrow_assets
    assert after.supply_assets - here.supply_assets == after.borrow_assets - here.borrow_assets
