"""Aave pools behind the engine: indices, categories, averages, gaps, laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Gap, Indices, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.fixed_point import RAY, WAD
from relayer.margin.models.aave import ABOUT, AaveReserve, AaveRules
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS, AaveEmode, account_figures

from .lending_build import (
    AMOUNTS,
    CHAIN,
    DECIMALS,
    END,
    HEALTHY,
    INITIAL,
    MAINTENANCE,
    PRICES,
    UNHEALTHY,
    UNKNOWN,
    account,
    at,
    cash,
    held,
    judged,
    market,
    owed,
)

NAMES = tuple(AAVE_REVISIONS)
NEW, MIDDLE, OLD = "aave@3.7", "aave@3.6", "aave@3.0"
RESERVES = {
    "A": AaveReserve(7_500, 8_000, {1: AaveEmode(9_000, 9_300)}),
    "Z": AaveReserve(0, 8_000, {1: AaveEmode(9_000, 9_300)}),
    "N": AaveReserve(0, 0),
    "D": AaveReserve(0, 0),
}
FLAT = Indices(RAY, RAY)
UNIT = 10**10


def rules(name: str = NEW) -> AaveRules:
    return AaveRules(name, RESERVES)


def here(indices: Indices = FLAT, **prices: Price) -> MarketData:
    known = {asset: at(1) for asset in RESERVES} | prices
    return market(known, dict.fromkeys(known, indices))


# --- boundaries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("debt", "verdict"), [(79, HEALTHY), (80, HEALTHY), (81, UNHEALTHY)])
def test_maintenance__one_unit_of_debt__a_health_of_one_is_healthy(name: str, debt: int, verdict: Verdict) -> None:
    result = judged(account(held("A", 100), owed("D", debt)), here(), rules(name))

    assert (result.verdict, result.excess) == (verdict, (80 - debt) * UNIT)
    assert (result.health.health_factor or 0) >= WAD or verdict is UNHEALTHY


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("debt", "verdict"), [(74, HEALTHY), (75, HEALTHY), (76, UNHEALTHY)])
def test_initial__one_unit_of_debt__within_the_borrowing_power(name: str, debt: int, verdict: Verdict) -> None:
    result = judged(account(held("A", 100), owed("D", debt)), here(), rules(name), INITIAL)

    assert (result.verdict, result.excess) == (verdict, (75 - debt) * UNIT)


def test_initial__floored_average__is_stricter_than_the_legs() -> None:
    """100 at 75 % and 101 at 0: the average is ⌊37.31…⌋ % = 3731 bps, 201 · 0.3731 = 74.99 → 74, the legs say 75."""
    result = judged(account(held("A", 100), held("Z", 101), owed("D", 75)), here(), rules(), INITIAL)

    assert (result.excess, result.verdict) == (0, UNHEALTHY)
    less = judged(account(held("A", 100), held("Z", 101), owed("D", 74)), here(), rules(), INITIAL)
    assert less.verdict is HEALTHY


def test_liquidation_end__buffer__asks_for_a_health_factor_of_it() -> None:
    """80 of 100 count: 76 · 1.05 = 79.8 is within, 77 · 1.05 = 80.85 is not."""
    assert judged(account(held("A", 100), owed("D", 76)), here(), rules(), END).verdict is HEALTHY
    assert judged(account(held("A", 100), owed("D", 77)), here(), rules(), END).verdict is UNHEALTHY


def test_liquidation_end__collateral_without_weight_and_no_debt__is_clear() -> None:
    """Nothing is owed, so nothing is to be lifted; a buffer on the requirement would ask for 101 · 0.05."""
    assert judged(account(held("Z", 101)), here(), rules(), END).verdict is HEALTHY


# --- rounding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "collateral", "debt"), [(NEW, 2, 4), (MIDDLE, 2, 4), (OLD, 3, 3)], ids=str)
def test_indices__half_a_unit__down_up_or_nearest(name: str, collateral: int, debt: int) -> None:
    """3 · 1.5 = 4.5 → 4, 5, or 5 half up; 4 · 7 / 10 = 2.8 → 2 and 5 · 7 / 10 = 3.5 → 4, or 3 and 3 before."""
    index = Indices(3 * RAY // 2, 3 * RAY // 2)

    result = judged(account(held("A", 3, 1), owed("D", 3, 1)), here(index, A=at(7), D=at(7)), rules(name))

    assert (result.collateral, result.debt) == (collateral * UNIT, debt * UNIT)


def test_indices__supply_for_collateral_and_borrow_for_debt__not_swapped() -> None:
    result = judged(account(held("A", 100), owed("D", 10)), here(Indices(2 * RAY, 3 * RAY)), rules())

    assert (result.collateral, result.debt) == (200 * UNIT, 30 * UNIT)


def test_price__of_eighteen_decimals__is_rounded_outward_to_eight() -> None:
    """1.5 units of 10^-8: 1 for what is held, 2 for what is owed."""
    half = at(15 * 10**9, 18)

    result = judged(account(held("A", 10), owed("D", 1)), here(A=half, D=half), rules())

    assert (result.collateral, result.debt) == (10 * UNIT, 2 * UNIT)


# --- categories, LTV 0, threshold 0 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "usable"), [(0, 80), (1, 93), (2, 80)])
def test_mode__of_the_account__replaces_the_terms_inside_the_category(mode: int, usable: int) -> None:
    legs = (held("A", 100), owed("D", usable))

    assert judged(account(*legs, mode=mode), here(), rules()).excess == 0
    assert judged(account(legs[0], owed("D", usable + 1), mode=mode), here(), rules()).verdict is UNHEALTHY


@pytest.mark.parametrize(("name", "power"), [(NEW, 90), (MIDDLE, 90), (OLD, 0)])
def test_mode__reserve_with_ltv_zero__keeps_it_in_the_old_rules(name: str, power: int) -> None:
    result = judged(account(held("Z", 100), mode=1), here(), rules(name), INITIAL)

    assert result.equity - result.requirement == power * UNIT
    assert judged(account(held("Z", 100), owed("D", 93), mode=1), here(), rules(name)).verdict is HEALTHY


def test_ltv_zero__counts_for_holding_and_not_for_borrowing() -> None:
    legs = account(held("Z", 100), owed("D", 80))

    assert judged(legs, here(), rules()).verdict is HEALTHY
    assert judged(legs, here(), rules(), INITIAL).verdict is UNHEALTHY


@pytest.mark.parametrize(("name", "equity"), [(NEW, 107), (MIDDLE, 107), (OLD, 100)])
def test_threshold_zero__does_not_count_in_the_old_rules(name: str, equity: int) -> None:
    result = judged(account(held("A", 100), held("N", 7)), here(), rules(name))

    assert result.equity == equity * UNIT
    assert result.excess == 80 * UNIT
    assert sum(line.value for line in result.lines if line.leg) == equity * UNIT


def test_old_rules__averages__are_floored_before_they_weigh() -> None:
    """2 at 80 % and 1 at 50 %: ⌊7000.0⌋ of 3 is ⟨2.1⟩ = 2 usable, a health of 2; by products 2.1."""
    reserves = RESERVES | {"H": AaveReserve(4_000, 5_000)}
    legs, now = account(held("A", 2), held("H", 1), owed("D", 1)), here(H=at(1))

    assert judged(legs, now, AaveRules(OLD, reserves)).health.health_factor == 2 * WAD
    assert judged(legs, now, AaveRules(NEW, reserves)).health.health_factor == 21 * WAD // 10


# --- what is missing -------------------------------------------------------------------------------------------------


def test_collateral__without_price_index_or_reserve__counts_zero() -> None:
    legs = account(held("A", 100), held("X", 100), owed("D", 81))

    for now in (here(), here(X=at(1))):
        result = judged(legs, now, rules())
        assert [gap.is_collateral for gap in result.gaps] == [True]
        assert (result.excess, result.verdict) == (-UNIT, UNKNOWN)
    assert judged(account(held("A", 100), held("X", 9), owed("D", 80)), here(), rules()).verdict is HEALTHY


@pytest.mark.parametrize("indices", [{}, {"D": Indices(0, 0)}, {"D": Indices(RAY, 0)}])
def test_debt__without_a_usable_index__is_unknown(indices: dict[str, Indices]) -> None:
    now = market({"A": at(1), "D": at(1)}, {"A": FLAT, **indices})

    result = judged(account(held("A", 100), owed("D", 1)), now, rules())

    assert result.gaps == (Gap("D owed", "no index of D", False),)
    assert result.verdict is UNKNOWN


def test_debt__without_price__is_unknown() -> None:
    result = judged(account(held("A", 100), owed("X", 1)), here(), rules())

    assert result.gaps == (Gap("X owed", "no price of X", False),)
    assert result.verdict is UNKNOWN


@pytest.mark.parametrize(
    ("leg", "verdict"),
    [
        (cash("A", 1), HEALTHY),
        (cash("A", -1), UNKNOWN),
        (Leg("p", Role.PERP, "A", 1, CHAIN), UNKNOWN),
        (held("A", -1), UNKNOWN),
        (owed("A", -1), UNKNOWN),
        (held("A", 1, 78), HEALTHY),
        (owed("A", 1, -1), UNKNOWN),
    ],
)
def test_leg__that_no_pool_could_hold__is_a_gap(leg: Leg, verdict: Verdict) -> None:
    result = judged(account(leg), here(), rules())

    assert [gap.leg for gap in result.gaps] == [leg.name]
    assert (result.equity, result.verdict) == (0, verdict)


@pytest.mark.parametrize("bps", [-1, 10_001])
def test_reserve__threshold_that_no_pool_has__refused(bps: int) -> None:
    for figures in ((bps, 0), (0, bps)):
        with pytest.raises(ValueError):
            AaveReserve(*figures)
        with pytest.raises(ValueError):
            AaveReserve(0, 0, {1: AaveEmode(*figures)})


def test_unread__debt_or_collateral__reaches_the_verdict() -> None:
    gap = Gap("lost", "chain is down", False)

    legs = account(held("A", 100), owed("D", 1), unread=(gap,))

    assert judged(legs, here(), rules()).verdict is UNKNOWN
    assert judged(replace(legs, unread=(replace(gap, is_collateral=True),)), here(), rules()).verdict is HEALTHY


def test_bonus__of_a_category__only_of_one_that_holds_the_reserve_and_gives_its_own() -> None:
    reserve = AaveReserve(7_500, 8_000, {1: AaveEmode(9_000, 9_500), 3: AaveEmode(9_000, 9_500)}, 10_500, {1: 1, 2: 2})

    assert [reserve.bonus_in(mode) for mode in (0, 1, 2, 3)] == [10_500, 1, 10_500, 10_500]


def test_about__only_the_revision_without_a_package__is_experimental() -> None:
    assert [info.name for info in ABOUT] == list(NAMES)
    assert [info.name for info in ABOUT if info.is_experimental] == [NEW]


# --- laws ------------------------------------------------------------------------------------------------------------

INDEX = st.integers(RAY, 3 * RAY)
BPS = st.integers(0, 10_000)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Account, MarketData, AaveRules]:
    reserves = {}
    for asset in ("A", "B", "C"):
        ltv, threshold = sorted((draw(BPS), draw(BPS)))
        modes = {1: AaveEmode(ltv, draw(st.integers(ltv, 10_000)))} if draw(st.booleans()) else {}
        reserves[asset] = AaveReserve(ltv, threshold, modes)
    legs = [
        make(asset, draw(AMOUNTS), draw(DECIMALS))
        for make, asset in ((held, "A"), (held, "B"), (owed, "C"), (owed, "A"))
    ]
    prices = {asset: draw(PRICES) for asset in reserves}
    indices = {asset: Indices(draw(INDEX), draw(INDEX)) for asset in reserves}
    name = draw(st.sampled_from(NAMES))
    return account(*legs, mode=draw(st.integers(0, 1))), market(prices, indices), AaveRules(name, reserves)


@given(cases())
def test_evaluation__any_account__is_the_kernels(case: tuple[Account, MarketData, AaveRules]) -> None:
    legs, now, pool = case
    figures = account_figures(pool.form(legs, now, End.LOW).account, AAVE_REVISIONS[pool.name])

    result, initial = evaluate(legs, now, pool, MAINTENANCE), evaluate(legs, now, pool, INITIAL)

    assert (result.verdict is HEALTHY) is figures.is_healthy
    assert result.health.health_factor == (figures.health_factor_wad if figures.debt_base else None)
    assert (result.excess >= 0) is figures.is_healthy
    if figures.available_base:
        assert initial.verdict is HEALTHY
    for one in (result, initial):
        assert sum(line.value for line in one.lines) == one.equity
        assert sum(line.requirement for line in one.lines) == one.requirement


@given(cases(), st.permutations(range(4)))
def test_verdict__legs_in_any_order__is_the_same(case: tuple[Account, MarketData, AaveRules], order: list[int]) -> None:
    legs, now, pool = case
    shuffled = replace(legs, legs=tuple(legs.legs[place] for place in order))

    for purpose in (MAINTENANCE, INITIAL):
        one, other = evaluate(legs, now, pool, purpose), evaluate(shuffled, now, pool, purpose)
        assert (one.verdict, one.excess, one.health) == (other.verdict, other.excess, other.health)


@given(cases(), st.integers(0, 1), st.integers(1, 10**24))
def test_law__debt_its_price_and_index__never_raise_health(
    case: tuple[Account, MarketData, AaveRules], place: int, grown: int
) -> None:
    """In all three revisions; the asset owed is held by nobody here, else its price has no law."""
    legs, now, pool = case
    legs = replace(legs, legs=legs.legs[:3])
    debt = legs.legs[2]
    before = evaluate(legs, now, pool, MAINTENANCE)

    price, indices = now.prices["C"], now.indices["C"]
    dearer = now.with_price("C", replace(price, low=price.low + grown, high=price.high + grown))
    older = replace(now, indices={**now.indices, "C": replace(indices, borrow=indices.borrow + grown)})
    for after in (
        evaluate(legs.with_amount(debt.name, debt.amount + grown), now, pool, MAINTENANCE),
        evaluate(legs, dearer, pool, MAINTENANCE),
        evaluate(legs, older, pool, MAINTENANCE),
    ):
        assert after.excess <= before.excess
        assert after.verdict is UNHEALTHY or before.verdict is HEALTHY


@given(cases(), st.sampled_from((NEW, MIDDLE)), st.integers(1, 10**24), st.integers(0, 2_000))
def test_law__collateral_price_index_and_threshold__never_lower_health_from_3_6(
    case: tuple[Account, MarketData, AaveRules], name: str, grown: int, bps: int
) -> None:
    legs, now, drawn = case
    pool = replace(drawn, name=name)
    before = evaluate(legs, now, pool, MAINTENANCE)
    reserve, price, indices = pool.reserves["B"], now.prices["B"], now.indices["B"]

    better = replace(reserve, threshold_bps=min(10_000, reserve.threshold_bps + bps))
    dearer = now.with_price("B", replace(price, low=price.low + grown, high=price.high + grown))
    older = replace(now, indices={**now.indices, "B": replace(indices, supply=indices.supply + grown)})
    for after in (
        evaluate(legs.with_amount("B held", legs.leg("B held").amount + grown), now, pool, MAINTENANCE),
        evaluate(legs, dearer, pool, MAINTENANCE),
        evaluate(legs, older, pool, MAINTENANCE),
        evaluate(legs, now, replace(pool, reserves={**pool.reserves, "B": better}), MAINTENANCE),
    ):
        assert after.excess >= before.excess
        assert after.verdict is HEALTHY or before.verdict is UNHEALTHY


@given(cases(), st.sampled_from(("A", "B", "C")), st.integers(0, 10**6), st.integers(0, 10**6))
def test_interval__widened__never_raises_the_low_end_from_3_6(
    case: tuple[Account, MarketData, AaveRules], asset: str, below: int, above: int
) -> None:
    legs, now, drawn = case
    price = now.prices[asset]
    wide = now.with_price(asset, replace(price, low=max(1, price.low - below), high=price.high + above))

    for name in (NEW, MIDDLE):
        pool = replace(drawn, name=name)
        for purpose in (MAINTENANCE, INITIAL):
            assert evaluate(legs, wide, pool, purpose).excess <= evaluate(legs, now, pool, purpose).excess


@given(cases(), st.integers(1, 6))
def test_decimals__more_of_them__change_nothing_at_flat_indices(
    case: tuple[Account, MarketData, AaveRules], shift: int
) -> None:
    legs, now, pool = case
    flat = replace(now, indices=dict.fromkeys(now.indices, FLAT))
    moved = replace(
        legs,
        legs=tuple(replace(leg, amount=leg.amount * 10**shift, decimals=leg.decimals + shift) for leg in legs.legs),
    )

    one, other = evaluate(legs, flat, pool, MAINTENANCE), evaluate(moved, flat, pool, MAINTENANCE)

    assert (one.excess, one.verdict, one.health) == (other.excess, other.verdict, other.health)


def test_exception__old_rules__more_collateral_lowers_health() -> None:
    """The counter-example of `ABOUT`: 20,000 at 80 % against 16,000 is at 1; one more at 1 % floors 80 to 79.99 %."""
    pool = AaveRules(OLD, RESERVES | {"H": AaveReserve(0, 100)})
    legs = (held("A", 20_000), owed("D", 16_000))

    assert judged(account(*legs), here(H=at(1)), pool).verdict is HEALTHY
    assert judged(account(*legs, held("H", 1)), here(H=at(1)), pool).verdict is UNHEALTHY


def test_exception__initial__more_collateral_without_ltv_lowers_the_power() -> None:
    """100 at 75 % lend 75; with 101 more at 0 they lend 74: the counter-example of `ABOUT` with these reserves."""
    legs = (held("A", 100), owed("D", 75))

    assert judged(account(*legs), here(), rules(), INITIAL).verdict is HEALTHY
    assert judged(account(*legs, held("Z", 101)), here(), rules(), INITIAL).verdict is UNHEALTHY
