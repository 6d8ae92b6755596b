"""Our haircuts by hand: the published worked values, the caps as fixed points, the laws."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.units import E18, PPM, UINT256_MAX
from relayer.margin.rulesets.haircut import (
    DebtGrowth,
    ShareLimit,
    composite_haircut_up,
    counted,
    debt_value_up,
    depeg_haircut_up,
    growth_capped_down,
    latency_haircut_up,
    lot_value_down,
)

Z = 3 * PPM
YEAR = 31_536_000
DAY = 86_400


def shown(value_e18: int, digits: int) -> str:
    """Write a fraction as a percentage, rounded half up to some digits."""
    unit = 10 ** (16 - digits)
    whole = (value_e18 + unit // 2) // unit
    return f"{whole // 10**digits}.{whole % 10**digits:0{digits}d}"


# --- the worked values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma_ppm", "tau_s", "percent"),
    [
        (800_000, 24, "0.2094"),
        (800_000, 120, "0.4682"),
        (800_000, 840, "1.2386"),
        (800_000, 3_600, "2.5642"),
        (800_000, 7 * DAY, "33.2364"),
        (50_000, 7 * DAY, "2.0773"),
    ],
)
def test_latency__worked_values__as_published(sigma_ppm: int, tau_s: int, percent: str) -> None:
    assert shown(latency_haircut_up(Z, sigma_ppm, tau_s), 4) == percent


def test_latency__exact_roots__are_exact_and_others_up() -> None:
    """A whole year takes z · σ; a quarter of it half of that; one second more is more."""
    assert latency_haircut_up(Z, 100_000, YEAR) == 3 * E18 // 10
    assert latency_haircut_up(Z, 100_000, YEAR // 4) == 3 * E18 // 20
    assert latency_haircut_up(PPM, PPM, 1) == _root_up(E18 * E18, YEAR)
    assert latency_haircut_up(Z, 100_000, 0) == latency_haircut_up(0, 1, 1) == latency_haircut_up(Z, 0, 1) == 0
    assert latency_haircut_up(Z, 800_000, -1) == 0


def _root_up(numerator: int, denominator: int) -> int:
    """Return the least n with n² · denominator >= numerator, by bisection."""
    low, high = 0, 10**18
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if middle * middle * denominator >= numerator else (middle + 1, high)
    return low


def test_latency__beyond_everything__is_all_of_it() -> None:
    assert latency_haircut_up(Z, PPM, YEAR) == latency_haircut_up(Z, 10**9, 10**9) == E18


def test_composite__worked_value__as_published() -> None:
    """1 - 0.9 · 0.95 · (1 - 0.012386) = 15.5590 %."""
    parts = (E18 // 10, E18 // 20, latency_haircut_up(Z, 800_000, 840))

    assert shown(composite_haircut_up(parts), 4) == "15.5590"


def test_account__worked_value__rounded_once_at_the_end() -> None:
    """26,665.57 + 19,794.21 + 25,330.46 would be .24: the sum is .23."""
    ether = lot_value_down(10 * E18, 3_000 * E18, 18, (E18 // 10, latency_haircut_up(Z, 800_000, 840)), PPM)
    dollars = lot_value_down(20_000 * 10**6, E18, 6, (E18 // 100, latency_haircut_up(Z, 50_000, 120)), PPM)
    bitcoin = lot_value_down(
        5 * 10**7, 60_000 * E18, 8, (12 * E18 // 100, 3 * E18 // 100, latency_haircut_up(Z, 700_000, 840)), PPM
    )

    assert [shown(part // 100, 2) for part in (ether, dollars, bitcoin)] == ["26665.57", "19794.21", "25330.46"]
    assert shown((ether + dollars + bitcoin) // 100, 2) == "71790.23"


# --- rounding --------------------------------------------------------------------------------------------------------


def test_lot__many_factors__are_cut_once() -> None:
    """7 · 5 · 0.9 · 0.9 · 0.5 = 14.175 at one decimal is 1. 29 · 0.9³ = 21.141 → 21; cut each time 26, 23, 20."""
    tenth = E18 // 10

    assert lot_value_down(7, 5, 1, (tenth, tenth), PPM // 2) == 1
    assert lot_value_down(29, 1, 0, (tenth, tenth, tenth), PPM) == 21


@pytest.mark.parametrize("haircut", [-1, E18 + 1])
def test_haircut__outside_its_range__refused(haircut: int) -> None:
    with pytest.raises(ValueError):
        lot_value_down(1, 1, 0, (haircut,), PPM)
    with pytest.raises(ValueError):
        composite_haircut_up((haircut,))


def test_composite__fraction__is_up() -> None:
    """1 - (1 - 10^-18)² = 2·10^-18 - 10^-36: two units, not one."""
    assert composite_haircut_up((1, 1)) == 2
    assert composite_haircut_up(()) == 0
    assert composite_haircut_up((E18, 1)) == E18


def test_debt__grown_and_lifted__up_once() -> None:
    """10 · 3 · (1 + 10 % · half a year) · 1.1 = 34.65 → 35; just read 33; a factor below one lifts nothing."""
    growth = DebtGrowth(100_000, YEAR // 2, 1_100_000)

    assert debt_value_up(10, 3, 0, growth) == 35
    assert debt_value_up(10, 3, 0, DebtGrowth(100_000, 0, 1_100_000)) == 33
    assert debt_value_up(10, 3, 0, DebtGrowth(100_000, -5, 900_000)) == 30
    assert debt_value_up(1, 1, 18, DebtGrowth(0, 0, PPM)) == 1


def test_depeg__below_the_threshold__four_per_cent_a_cent() -> None:
    """Threshold 0.98, factor 4: at 0.97 it is 4 %, at 0.73 all of it; one unit below is 4 units."""
    top, cent = 98 * E18 // 100, E18 // 100

    assert depeg_haircut_up(top, top, 4 * PPM) == depeg_haircut_up(E18, top, 4 * PPM) == 0
    assert depeg_haircut_up(top - 1, top, 4 * PPM) == 4
    assert depeg_haircut_up(top - cent, top, 4 * PPM) == 4 * cent
    assert depeg_haircut_up(top - 25 * cent, top, 4 * PPM) == depeg_haircut_up(0, top, 4 * PPM) == E18
    assert depeg_haircut_up(top - 1, top, 1_500_000) == 2


def test_growth__of_a_staking_token__is_floored_per_second() -> None:
    """1.1 growing by 10 % a year: ⌊0.11·10^18 : 31,536,000⌋ = 3,488,077,118 a second, ten times that after ten."""
    assert growth_capped_down(11 * E18 // 10, 100_000, 10, E18) == 11 * E18 // 10 + 34_880_771_180
    assert growth_capped_down(11 * E18 // 10, 100_000, -10, 2 * E18) == 22 * E18 // 10
    assert growth_capped_down(-E18, 100_000, 10, E18) == 0
    assert growth_capped_down(E18, 0, 10**9, 3) == 3


# --- concentration ---------------------------------------------------------------------------------------------------


def test_th_070_counted__a_flood_of_a_capped_asset__never_lifts_its_own_cap() -> None:
    """At most half of what counts beside 100 of something free: 100, however much there is."""
    limits = (ShareLimit(500_000), ShareLimit(PPM))

    for flood in (100, 101, 10**9, 10**30):
        assert counted((flood, 100), limits) == (100, 100)
    assert counted((99, 100), limits) == (99, 100)
    millions = (ShareLimit(400_000), ShareLimit(1_000_000))
    assert counted((10**12, 6 * 10**11), millions) == (4 * 10**11, 6 * 10**11)  # T = 10^12, to the unit


def test_counted__three_with_two_capped__by_hand() -> None:
    """Caps 30 % and 20 %, 500 and 500 beside 100: T = 100 / (1 - 0.5) = 200, so 60 and 40."""
    limits = (ShareLimit(300_000), ShareLimit(200_000), ShareLimit(PPM))

    assert counted((500, 500, 100), limits) == (60, 40, 100)
    assert counted((500, 30, 100), limits) == (floor(Fraction(130 * 3, 7)), 30, 100)


def test_counted__alone_below_its_share__counts_its_free_amount() -> None:
    """Nothing is half of what counts when it is all of it; so much counts in any case."""
    assert counted((100,), (ShareLimit(500_000),)) == (0,)
    assert counted((100,), (ShareLimit(500_000, 30),)) == (30,)
    assert counted((20,), (ShareLimit(500_000, 30),)) == (20,)
    assert counted((100, 100), (ShareLimit(500_000), ShareLimit(500_000))) == (100, 100)
    assert counted((100, 50), (ShareLimit(0, 7), ShareLimit(0))) == (7, 0)
    assert counted((), ()) == ()


def test_counted__free_amounts__lift_the_total_of_the_others() -> None:
    """30 free of a capped 1000, and 60 % of T: T = 30 + 0.6 T → 75, so 45 of the second; its own free 10 is less."""
    limits = (ShareLimit(100_000, 30), ShareLimit(600_000, 10))

    assert counted((1_000, 1_000), limits) == (30, 45)


VALUES = st.one_of(st.integers(0, 20), st.integers(0, 10**24))
LIMITS = st.builds(ShareLimit, st.one_of(st.just(PPM), st.integers(0, PPM)), st.one_of(st.just(0), VALUES))
BOOKS = st.lists(st.tuples(VALUES, LIMITS), max_size=4)


@given(BOOKS)
def test_counted__any_book__is_the_greatest_fixed_point(book: list[tuple[int, ShareLimit]]) -> None:
    """By an oracle of another kind: each choice of who is whole, free or shared is a line; the highest that fits."""
    values, limits = [value for value, _ in book], [limit for _, limit in book]
    best = _greatest(book)

    kept = counted(values, limits)

    expected = tuple(min(value, max(limit.free, floor(Fraction(limit.share_ppm, PPM) * best))) for value, limit in book)
    assert kept == expected


def _greatest(book: list[tuple[int, ShareLimit]]) -> Fraction:
    lines = [(Fraction(0), Fraction(0))]
    for value, limit in book:
        choices = [(Fraction(value), Fraction(0)), (Fraction(limit.free), Fraction(0))]
        choices += [(Fraction(0), Fraction(limit.share_ppm, PPM))]
        lines = [(fixed + more, share + part) for fixed, share in lines for more, part in choices]
    found = {fixed / (1 - share) for fixed, share in lines if share < 1}
    edges = {
        Fraction(PPM * end, limit.share_ppm) for value, limit in book if limit.share_ppm for end in (value, limit.free)
    }
    return max(total for total in found | edges | {Fraction(0)} if _sum_at(book, total) == total)


def _sum_at(book: list[tuple[int, ShareLimit]], total: Fraction) -> Fraction:
    return sum(
        (
            min(Fraction(value), max(Fraction(limit.free), Fraction(limit.share_ppm, PPM) * total))
            for value, limit in book
        ),
        Fraction(0),
    )


@given(st.lists(st.tuples(VALUES, LIMITS), max_size=3))
def test_counted__any_order__is_the_same(book: list[tuple[int, ShareLimit]]) -> None:
    whole = dict(zip(range(len(book)), counted([v for v, _ in book], [one for _, one in book]), strict=True))

    for order in permutations(range(len(book))):
        kept = counted([book[place][0] for place in order], [book[place][1] for place in order])
        assert dict(zip(order, kept, strict=True)) == whole


@given(BOOKS, st.integers(0, 3), VALUES, st.integers(0, PPM))
def test_counted__more_value_or_a_looser_limit__never_counts_less(
    book: list[tuple[int, ShareLimit]], place: int, more: int, share: int
) -> None:
    if place >= len(book):
        return
    values, limits = [value for value, _ in book], [limit for _, limit in book]
    before = counted(values, limits)

    richer = [value + more * (index == place) for index, value in enumerate(values)]
    one = limits[place]
    looser = [*limits]
    looser[place] = ShareLimit(min(PPM, one.share_ppm + share), one.free + more)

    for after in (counted(richer, limits), counted(values, looser)):
        assert all(new >= old for new, old in zip(after, before, strict=True))
    assert all(kept <= value for kept, value in zip(before, values, strict=True))


# --- laws ------------------------------------------------------------------------------------------------------------

HAIRCUT = st.integers(0, E18)


@given(
    st.integers(0, 10**30),
    st.integers(0, 10**26),
    st.integers(0, 18),
    st.lists(HAIRCUT, max_size=5),
    st.integers(0, PPM),
    st.integers(0, 10**20),
)
def test_lot__any__is_the_floor_of_the_product_and_falls_with_haircuts(
    amount: int, price: int, decimals: int, haircuts: list[int], weight: int, grown: int
) -> None:
    exact = Fraction(amount * price, 10**decimals) * Fraction(weight, PPM)
    for haircut in haircuts:
        exact *= 1 - Fraction(haircut, E18)

    value = lot_value_down(amount, price, decimals, haircuts, weight)

    assert value == floor(exact)
    assert lot_value_down(amount, price, decimals, [min(E18, h + grown) for h in haircuts], weight) <= value
    assert lot_value_down(amount + grown, price + grown, decimals, haircuts, weight) >= value
    assert composite_haircut_up(haircuts) == ceil(E18 * (1 - _kept(haircuts)))


def _kept(haircuts: list[int]) -> Fraction:
    keep = Fraction(1)
    for haircut in haircuts:
        keep *= 1 - Fraction(haircut, E18)
    return keep


@given(st.integers(0, 10**8), st.integers(0, 10**8), st.integers(0, 10**10), st.integers(0, 10**10))
def test_latency__any__is_the_least_that_is_enough_and_grows(z: int, sigma: int, tau: int, more: int) -> None:
    haircut = latency_haircut_up(z, sigma, tau)

    scaled = Fraction((z * sigma) ** 2 * tau * 10**12, YEAR)
    assert haircut == E18 or haircut**2 >= scaled
    assert haircut == 0 or (haircut - 1) ** 2 < scaled
    assert latency_haircut_up(z + more, sigma, tau) >= haircut
    assert latency_haircut_up(z, sigma + more, tau) >= haircut
    assert latency_haircut_up(z, sigma, tau + more) >= haircut


@given(
    st.integers(0, UINT256_MAX),
    st.integers(0, 10**30),
    st.integers(0, 18),
    st.builds(DebtGrowth, st.integers(0, 10**7), st.integers(0, 10**9), st.integers(PPM, 2 * PPM)),
    st.integers(0, 10**9),
)
def test_debt__any__is_the_ceiling_and_grows(
    amount: int, price: int, decimals: int, growth: DebtGrowth, more: int
) -> None:
    exact = Fraction(amount * price, 10**decimals) * (1 + Fraction(growth.rate_ppm * growth.age_s, PPM * YEAR))

    owed = debt_value_up(amount, price, decimals, growth)

    assert owed == ceil(exact * Fraction(growth.factor_ppm, PPM))
    for worse in (
        DebtGrowth(growth.rate_ppm + more, growth.age_s, growth.factor_ppm),
        DebtGrowth(growth.rate_ppm, growth.age_s + more, growth.factor_ppm),
        DebtGrowth(growth.rate_ppm, growth.age_s, growth.factor_ppm + more),
    ):
        assert debt_value_up(amount, price, decimals, worse) >= owed
