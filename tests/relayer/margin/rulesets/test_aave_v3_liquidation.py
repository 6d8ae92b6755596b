"""Aave liquidations by hand: what may be repaid, what is seized, what remains."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.fixed_point import RAY, WAD
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS
from relayer.margin.rulesets.aave_v3_liquidation import AavePair, AaveTotals, liquidate, maximum_repayment

NEW, MIDDLE, OLD = (AAVE_REVISIONS[name] for name in ("aave@3.7", "aave@3.6", "aave@3.0"))
DOLLAR = 10**8
SICK = 9 * WAD // 10
ALMOST = 96 * WAD // 100


def pair(collateral: int, debt: int, **changes: int) -> AavePair:
    """Amounts of whole dollars, bonus 5 %, no fee; unless said otherwise."""
    terms = AavePair(
        scaled_collateral=collateral,
        collateral_index_ray=RAY,
        collateral_price=DOLLAR,
        collateral_decimals=0,
        bonus_bps=10_500,
        protocol_fee_bps=0,
        scaled_debt=debt,
        debt_index_ray=RAY,
        debt_price=DOLLAR,
        debt_decimals=0,
    )
    return replace(terms, **changes)


def totals(collateral: int, debt: int, health: int = SICK) -> AaveTotals:
    return AaveTotals(collateral * DOLLAR, debt * DOLLAR, health)


def test_bonus__half_a_unit__down_from_3_7_and_up_before() -> None:
    """100 repaid at 5.5 %: 105.5."""
    here, all_of_it = pair(100_000, 100_000, bonus_bps=10_550), totals(100_000, 100_000)

    assert [liquidate(rules, here, all_of_it, 100).actual_collateral for rules in (NEW, MIDDLE, OLD)] == [105, 106, 106]


def test_needed_debt__beyond_the_balance__up_and_nearest_before() -> None:
    """11 of collateral at 5 %: 11 / 1.05 = 10.47… must be repaid, floored it would be 10; of 10 it is 9.52."""
    for held, repaid in ((11, [11, 11, 10]), (10, [10, 10, 10])):
        seizures = [liquidate(rules, pair(held, 5_000), totals(held, 5_000), None) for rules in (NEW, MIDDLE, OLD)]

        assert [seizure.actual_collateral for seizure in seizures] == [held] * 3
        assert [seizure.repaid for seizure in seizures] == repaid


def test_seized__exactly_the_balance__takes_it_and_repays_what_was_offered() -> None:
    seizure = liquidate(NEW, pair(105, 5_000), totals(105, 5_000), 100)

    assert (seizure.actual_collateral, seizure.repaid) == (105, 100)
    assert liquidate(NEW, pair(104, 5_000), totals(104, 5_000), 100).repaid == 100
    assert liquidate(NEW, pair(103, 5_000), totals(103, 5_000), 100).repaid == 99
    dear = liquidate(NEW, pair(1, 5_000, collateral_price=2 * DOLLAR), totals(2, 5_000), 3)
    assert (dear.actual_collateral, dear.repaid) == (1, 3)


def test_protocol_fee__of_the_bonus__down_up_and_nearest_before() -> None:
    """Seized 105 for 100: base 105 / 1.05 = 100, bonus 5, a tenth of it 0.5. Seized 52: base 49.52, bonus 3 or 2."""
    here, all_of_it = pair(100_000, 100_000, protocol_fee_bps=1_000), totals(100_000, 100_000)

    assert [liquidate(rules, here, all_of_it, 100).protocol_fee for rules in (NEW, MIDDLE)] == [1, 1]
    assert [liquidate(rules, here, all_of_it, 50).protocol_fee for rules in (NEW, MIDDLE)] == [1, 0]
    assert liquidate(NEW, pair(100_000, 100_000), all_of_it, 100).protocol_fee == 0


def test_protocol_fee__base_beyond_a_half__is_down_and_nearest_before() -> None:
    """Seized 51 for 49: base 48.57, so a bonus of 3 (half of it 1.5 → 2), and of 2 (1) before."""
    here, all_of_it = pair(100_000, 100_000, protocol_fee_bps=5_000), totals(100_000, 100_000)

    assert [liquidate(rules, here, all_of_it, 49).protocol_fee for rules in (NEW, MIDDLE, OLD)] == [2, 1, 1]


def test_scaled_collateral__share_and_fee__are_burned_up_each() -> None:
    """Index 2, seized 106 of which 1 is fee: ⌈105 / 2⌉ + ⌈1 / 2⌉ = 54, while ⌈106 / 2⌉ is 53; half up also 53 + 1."""
    here = pair(50_000, 100_000, protocol_fee_bps=1_000, collateral_index_ray=2 * RAY)

    seizure = liquidate(NEW, here, totals(100_000, 100_000), 101)

    assert (seizure.actual_collateral, seizure.protocol_fee) == (105, 1)
    assert seizure.scaled_collateral_after == 50_000 - 54


def test_scaled_collateral__below_a_half__is_burned_up_and_nearest_before() -> None:
    """Index 4, no fee: 105 seized, 26.25, burns 27, and 3.0 burns 26; 107 seized, 26.75, burns 27 everywhere."""
    here, all_of_it = pair(25_000, 100_000, collateral_index_ray=4 * RAY), totals(100_000, 100_000)

    for cover, burned in ((100, [27, 27, 26]), (102, [27, 27, 27])):
        left = [liquidate(rules, here, all_of_it, cover).scaled_collateral_after for rules in (NEW, MIDDLE, OLD)]

        assert [25_000 - scaled for scaled in left] == burned


def test_scaled_debt__repaid_part__burns_down() -> None:
    """Index 2: 101 repaid burns 50, and 3.0 burns 51."""
    here, all_of_it = pair(100_000, 50_000, debt_index_ray=2 * RAY), totals(100_000, 100_000)

    left = [liquidate(rules, here, all_of_it, 101).scaled_debt_after for rules in (NEW, MIDDLE, OLD)]

    assert [50_000 - scaled for scaled in left] == [50, 50, 51]
    assert liquidate(NEW, here, all_of_it, 101).debt_after == 99_900


# --- how much may be repaid ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("health", "repaid"), [(95 * WAD // 100, 5_000), (95 * WAD // 100 + 1, 4_500)])
def test_close_factor__above_95_percent__half_of_all_debt(health: int, repaid: int) -> None:
    assert maximum_repayment(NEW, pair(5_000, 5_000), totals(8_000, 9_000, health)) == repaid


@pytest.mark.parametrize(
    ("collateral", "debt", "repaid"), [(2_000, 2_000, 1_500), (1_999, 2_000, 2_000), (2_000, 1_999, 1_999)]
)
def test_close_factor__small_pair__all_of_it(collateral: int, debt: int, repaid: int) -> None:
    assert maximum_repayment(NEW, pair(collateral, debt), totals(2_500, 3_000, ALMOST)) == repaid


def test_close_factor__reserve_within_half_of_all__all_of_it() -> None:
    assert maximum_repayment(NEW, pair(5_000, 4_500), totals(8_000, 9_000, ALMOST)) == 4_500
    assert maximum_repayment(NEW, pair(5_000, 4_501), totals(8_000, 9_000, ALMOST)) == 4_500
    assert maximum_repayment(NEW, pair(5_000, 4_500), totals(8_000, 8_999, ALMOST)) == 4_499


def test_close_factor__reserve_of_just_half_in_broken_units__no_more_than_it_owes() -> None:
    """666,666,666,667 units at 3 / 10 are worth 200,000,000,001 rounded up; that is 666,666,666,670 units back."""
    units = 666_666_666_667
    here = pair(5_000, units, debt_price=3, debt_decimals=1)

    assert maximum_repayment(NEW, here, AaveTotals(5_000 * DOLLAR, 400_000_000_002, ALMOST)) == units


def test_close_factor__old__half_of_the_reserve_whatever_its_size() -> None:
    assert maximum_repayment(OLD, pair(10, 11), totals(20, 30, ALMOST)) == 6
    assert maximum_repayment(OLD, pair(10, 11), totals(20, 30, SICK)) == 11


# --- refusals, dust, deficit -----------------------------------------------------------------------------------------


def test_healthy__exactly_one__is_refused() -> None:
    with pytest.raises(ValueError):
        liquidate(NEW, pair(10, 10), totals(10, 10, WAD), None)
    assert liquidate(NEW, pair(10, 10), totals(10, 10, WAD - 1), None).repaid == 10


@pytest.mark.parametrize("empty", [{"scaled_debt": 0}, {"scaled_collateral": 0}])
def test_pair__without_debt_or_collateral__refused(empty: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        liquidate(NEW, pair(10, 10, **empty), totals(10, 10), None)


@pytest.mark.parametrize(("repaid", "is_dust"), [(1_000, False), (1_001, True), (2_000, False)])
def test_leftover__below_a_thousand_of_debt__is_refused_unless_nothing(repaid: int, is_dust: bool) -> None:
    here, all_of_it = pair(10_000, 2_000), totals(10_000, 2_000)

    assert liquidate(NEW, here, all_of_it, repaid).leaves_dust is is_dust
    assert not liquidate(OLD, here, all_of_it, repaid).leaves_dust


@pytest.mark.parametrize(("collateral", "is_dust"), [(2_050, False), (2_049, True), (1_050, False)])
def test_leftover__below_a_thousand_of_collateral__is_refused_unless_nothing(collateral: int, is_dust: bool) -> None:
    seizure = liquidate(NEW, pair(collateral, 5_000), totals(collateral, 5_000), 1_000)

    assert seizure.actual_collateral == 1_050
    assert seizure.leaves_dust is is_dust


def test_deficit__last_collateral__burns_the_rest_of_the_debt_and_nothing_before() -> None:
    new, middle, old = (liquidate(rules, pair(105, 500), totals(105, 500), None) for rules in (NEW, MIDDLE, OLD))

    for seizure in (new, middle):
        assert (seizure.repaid, seizure.deficit, seizure.debt_after, seizure.scaled_debt_after) == (100, 400, 0, 0)
        assert seizure.is_reserve_consumed
        assert seizure.creates_deficit
    assert (old.deficit, old.debt_after, old.creates_deficit) == (0, 400, False)


def test_deficit__other_collateral_left__nothing_is_burned() -> None:
    seizure = liquidate(NEW, pair(105, 500), totals(106, 500), None)

    assert (seizure.deficit, seizure.debt_after) == (0, 400)
    assert not seizure.creates_deficit


def test_deficit__all_paid_but_other_debts__are_the_pools() -> None:
    alone, more = (liquidate(NEW, pair(105, 100), totals(105, debt), None) for debt in (100, 101))

    assert (alone.deficit, alone.creates_deficit) == (0, False)
    assert (more.deficit, more.creates_deficit) == (0, True)


def test_deficit__scaled_balance_consumed_by_rounding__counts_from_3_7_only() -> None:
    """Scaled 3 at 1.5 is 4; seized 3 (1 of it fee) burns 2 + 1 of the scaled balance, but only 3 of 4 in value."""
    here = pair(3, 5, collateral_index_ray=3 * RAY // 2, protocol_fee_bps=1_000, collateral_price=DOLLAR * 1_000)
    here = replace(here, debt_price=DOLLAR * 1_000)
    all_of_it = AaveTotals(4_000 * DOLLAR, 5_000 * DOLLAR, SICK)

    new, middle = (liquidate(rules, here, all_of_it, 3) for rules in (NEW, MIDDLE))

    assert (new.scaled_collateral_after, new.creates_deficit, new.deficit) == (0, True, 2)
    assert (middle.creates_deficit, middle.deficit) == (False, 0)
    assert not liquidate(OLD, here, all_of_it, 3).creates_deficit


@given(
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.integers(10_000, 12_000),
    st.integers(0, 10_000),
    st.integers(RAY, 3 * RAY),
    st.integers(1, 10**9),
)
def test_seizure__any__takes_no_more_than_there_is(
    collateral: int, debt: int, bonus: int, fee: int, index: int, cover: int
) -> None:
    for rules in (NEW, MIDDLE, OLD):
        here = pair(collateral, debt, bonus_bps=bonus, protocol_fee_bps=fee, collateral_index_ray=index)
        seizure = liquidate(rules, here, totals(collateral * 4, debt * 2), cover)

        assert 0 <= seizure.actual_collateral <= seizure.actual_collateral + seizure.protocol_fee <= seizure.collateral
        assert 0 <= seizure.repaid <= max(cover, 0) or rules is not NEW
        assert 0 <= seizure.scaled_debt_after <= debt
