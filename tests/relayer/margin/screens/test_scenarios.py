"""The scenario screen: its normal distribution, its prices, and no wrong verdict one unit around the line."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.fixed_math import normal_cdf_down
from relayer.margin.rulesets.black76 import YEAR_S, price
from relayer.margin.rulesets.grid import EuropeanOption, GridPoint, grid_array
from relayer.margin.rulesets.scenario import Holding, RiskArray, scan
from relayer.margin.screens.scenarios import (
    SPARE,
    OptionColumns,
    PricedGrid,
    ScenarioScreen,
    U,
    book_of,
    columns_of,
    grid_of,
    least_pnl,
    normal_table,
    priced_grid,
    screen,
)

E18 = 10**18
TABLE = normal_table()
POINTS = tuple(
    GridPoint(shift * E18 // 100, factor * E18 // 100, weight * E18 // 100)
    for shift, factor, weight in (
        (-15, 70, 100),
        (-15, 145, 100),
        (0, 145, 100),
        (7, 100, 100),
        (15, 145, 100),
        (100, 145, 30),
    )
)
DAY = 86_400

OPTIONS = st.builds(
    EuropeanOption,
    st.just(""),
    st.booleans(),
    st.integers(10 * E18, 10**22),
    st.integers(10 * E18, 10**22),
    st.integers(E18 // 20, 3 * E18),
    st.integers(3_600, 2 * YEAR_S),
    st.integers(9 * E18 // 10, 11 * E18 // 10),
)
Row = list[tuple[int, int]]


def named(options: list[EuropeanOption]) -> list[EuropeanOption]:
    return [replace(option, instrument=str(place)) for place, option in enumerate(options)]


def exact_risk(arrays: list[RiskArray], row: Row) -> int:
    return scan(arrays, [Holding(str(place), amount) for place, amount in row]).risk


def screened(options: list[EuropeanOption], rows: list[Row], equities: list[int]) -> ScenarioScreen:
    return screen(book_of(rows, equities), priced_grid(columns_of(options), grid_of(POINTS), TABLE))


# --- parts -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-12 * E18, 12 * E18), min_size=1, max_size=50))
def test_cdf__any__within_its_bound_of_the_integers(points: list[int]) -> None:
    """x / 10^18 is rounded once, which moves N by at most 0.25 u; the integers are at most 2e-18 away."""
    got = TABLE.cdf(np.array([point / E18 for point in points]))

    for value, point in zip(got, points, strict=True):
        assert abs(Fraction(float(value)) - Fraction(normal_cdf_down(point), E18)) < 33 * Fraction(U)


def test_cdf__nodes_midpoints_and_ends__within_a_trillionth_of_the_integers() -> None:
    places = [step * E18 // 128 for step in range(-1_100, 1_101)]

    got = TABLE.cdf(np.array([place / E18 for place in places]))

    assert max(abs(v - normal_cdf_down(p) / E18) for v, p in zip(got, places, strict=True)) < 1e-15
    assert list(TABLE.cdf(np.array([-np.inf, np.inf]))) == [pytest.approx(0, abs=1e-16), pytest.approx(1, abs=1e-15)]


@given(OPTIONS)
def test_priced_grid__any_option__value_and_gains_within_the_slack(option: EuropeanOption) -> None:
    grid = priced_grid(columns_of([option]), grid_of(POINTS), TABLE)

    both = price(option.forward, option.strike, option.vol, option.seconds, option.discount)
    value = both.call if option.is_call else both.put
    array = grid_array(option, POINTS)
    slack = Fraction(float(grid.slack[0]))
    assert abs(Fraction(float(grid.value[0])) - Fraction(value.low, E18)) <= slack
    for gain, low, high in zip(grid.gains[0, 1:], array.pnl, array.pnl_high, strict=True):
        assert Fraction(high, E18) - slack <= Fraction(float(gain)) <= Fraction(low, E18) + slack
    assert slack < Fraction(option.forward + option.strike, E18) / 10**10


def test_priced_grid__slack__is_that_of_the_derivation() -> None:
    """df (F' + K) (64 + 8 : v + 16 v): 7 · 88 at F' = 6, K = 1, v = 0.5, and 0.5 · 4 · 100 at F' = 3, K = 1, v = 2.

    In u, with 1e-17 more; twice the greatest weight of 2, and 4 u of the greatest gain.
    """
    pair = [
        EuropeanOption("0", True, E18, 3 * E18, E18 // 2, YEAR_S),
        EuropeanOption("1", False, E18, 3 * E18 // 2, 2 * E18, YEAR_S, E18 // 2),
    ]

    grid = priced_grid(columns_of(pair), grid_of([GridPoint(E18, E18, 2 * E18)]), TABLE)

    greatest = [abs(float(gains[1])) for gains in grid.gains]
    assert list(grid.greatest) == greatest
    assert greatest[0] > greatest[1] > 0
    for place, error in enumerate((616 * U, 200 * U)):
        assert grid.slack[place] == pytest.approx(4 * (error + 1e-17) + 4 * U * greatest[place], rel=1e-9)


@pytest.mark.parametrize(
    ("strike", "forward", "call", "put"), [(0, 3, 3.0, 0.0), (3, 0, 0.0, 3.0), (0, 0, 0.0, 0.0), (2, 2, None, None)]
)
def test_priced_grid__degenerate__limits(strike: int, forward: int, call: float | None, put: float | None) -> None:
    pair = [EuropeanOption(name, name == "c", strike * E18, forward * E18, E18 // 2, YEAR_S) for name in ("c", "p")]

    values = priced_grid(columns_of(pair), grid_of(POINTS), TABLE).value

    if call is None:
        assert values[0] == pytest.approx(values[1], abs=1e-14)
    else:
        assert list(values) == [call, put]


def test_priced_grid__total_vol_at_the_cap__for_the_integers_alone() -> None:
    """Volatility 24 for a year is at the cap: the slack is infinite and whoever holds it is undecided."""
    wild = [EuropeanOption("0", True, E18, E18, 24 * E18, YEAR_S)]

    got = screened(wild, [[(0, E18)], [(0, 0)]], [10**30, 10**30])

    assert list(got.is_undecided) == [True, False]


def test_with_market__a_tick__is_the_same_as_building_anew() -> None:
    old = named([EuropeanOption("", True, 3_000 * E18, 3_000 * E18, E18 // 2, 30 * DAY)])
    new = [replace(old[0], forward=3_100 * E18, vol=E18 // 3)]

    moved = columns_of(old).with_market(columns_of(new).forward, columns_of(new).vol)

    for field in OptionColumns.__dataclass_fields__:
        assert (getattr(moved, field) == getattr(columns_of(new), field)).all()


@pytest.mark.parametrize("scenarios", range(1, 9))
def test_least__in_any_scenario__is_found(scenarios: int) -> None:
    book, none = book_of([[(0, E18)], [(0, 3 * E18)]], [0, 0]), np.zeros(1)

    for place in range(scenarios):
        gains = np.zeros((1, scenarios))
        gains[0, place] = -2.0
        assert list(least_pnl(book, PricedGrid(gains, none, none, none))) == [-2.0, -6.0]


def test_book__rows_of_different_lengths__are_padded_and_each_has_its_gross() -> None:
    book = book_of([[(1, 2 * E18), (0, -3 * E18)], [(1, E18 // 4)]], [5 * E18, 0])

    assert book.place.tolist() == [[1, 0], [1, 0]]
    assert book.amount.tolist() == [[2.0, -3.0], [0.25, 0.0]]
    assert (book.gross.tolist(), book.equity.tolist()) == ([5.0, 0.25], [5.0, 0.0])


def test_band__by_the_derivation__coarse_where_that_decides_and_else_leg_by_leg() -> None:
    """Each option is off by slack + (2 + 6) u · greatest; the first row takes the worse of them for all of 5 options.

    4 u of equity and risk and 1e-17 around it; a whole hair more for the roundings of the band.
    """
    none = np.zeros(2)
    grid = PricedGrid(np.array([[0.0, -2.0], [0.0, -1.0]]), none, np.array([1e-9, 1e-12]), np.array([1e3, 2e3]))
    rows = [[(0, 2 * E18), (1, 3 * E18)], [(1, 3 * E18)]]

    got = screen(book_of(rows, [-(10**6) * E18, 3 * E18]), grid)

    each = (1e-9 + 8 * U * 1e3, 1e-12 + 8 * U * 2e3)
    assert got.excess.tolist() == [-1_000_007.0, 0.0]
    assert got.band[0] == pytest.approx(5 * each[0] * SPARE + 4 * U * 1_000_007 + 1e-17, rel=1e-9)
    assert got.band[1] == pytest.approx(3 * each[1] * SPARE + 4 * U * 6 + 1e-17, rel=1e-9)
    assert (got.is_safe.tolist(), got.is_undecided.tolist()) == ([False, False], [False, True])


# --- verdicts --------------------------------------------------------------------------------------------------------

BOOKS = st.lists(OPTIONS, min_size=1, max_size=4).flatmap(
    lambda options: st.tuples(
        st.just(named(options)),
        st.lists(
            st.lists(
                st.tuples(st.integers(0, len(options) - 1), st.integers(-(10**21), 10**21)), min_size=1, max_size=5
            ),
            min_size=1,
            max_size=3,
        ),
    )
)


@settings(max_examples=60)
@given(BOOKS)
def test_screen__planted_one_unit_around_the_line__no_wrong_verdict(
    book: tuple[list[EuropeanOption], list[Row]],
) -> None:
    """Equity is the exact scan risk, one unit less, one more: the first and the last are healthy, the middle is not."""
    options, rows = book
    arrays = [grid_array(option, POINTS) for option in options]
    risks = [exact_risk(arrays, row) for row in rows]
    for step in (-1, 0, 1):
        equities = [risk + step for risk in risks]

        got = screened(options, rows, equities)

        assert got.is_candidate.all()
        assert got.is_undecided.all()


@settings(max_examples=60)
@given(BOOKS, st.lists(st.integers(-(10**20), 10**20), min_size=3, max_size=3), st.integers(-3, 3))
def test_screen__any_equity__exact_excess_lies_in_the_band_and_no_verdict_is_wrong(
    book: tuple[list[EuropeanOption], list[Row]], offsets: list[int], bands: int
) -> None:
    options, rows = book
    arrays = [grid_array(option, POINTS) for option in options]
    risks = [exact_risk(arrays, row) for row in rows]
    first = screened(options, rows, risks)
    near = [int(float(band) * E18) * bands // 2 for band in first.band]

    for equities in (
        [risk + offset for risk, offset in zip(risks, offsets, strict=False)],
        [risk + step for risk, step in zip(risks, near, strict=True)],
    ):
        got = screened(options, rows, equities)
        for place, equity in enumerate(equities):
            excess = equity - risks[place]
            distance = abs(Fraction(float(got.excess[place])) - Fraction(excess, E18))
            assert distance <= Fraction(float(got.band[place]))
            assert not got.is_safe[place] or excess >= 0
            assert got.is_candidate[place] or excess >= 0
            assert got.is_undecided[place] or (float(got.excess[place]) >= 0) == (excess >= 0)


def test_screen__more_portfolios_than_a_chunk__each_as_if_alone() -> None:
    options = named([EuropeanOption("", side, 3_000 * E18, 3_010 * E18, E18 // 2, 30 * DAY) for side in (True, False)])
    rows: list[Row] = [[(place % 2, (place - 150) * E18 // 7), (1, E18)] for place in range(300)]

    got = screened(options, rows, [0] * 300)

    for place in (0, 127, 128, 129, 299):
        assert screened(options, [rows[place]], [0]).excess[0] == pytest.approx(got.excess[place], abs=1e-9)


def test_screen__band_of_an_ordinary_book__is_far_below_a_cent() -> None:
    """Twenty options of 10 each: a band that contains everything would be no screen."""
    options = named(
        [EuropeanOption("", True, strike * E18, 3_000 * E18, E18 // 2, 30 * DAY) for strike in range(2_000, 4_000, 100)]
    )

    got = screened(options, [[(place, -10 * E18) for place in range(20)]], [0])

    assert got.band[0] < 1e-6


def test_screen__no_portfolio_at_all__nothing() -> None:
    options = named([EuropeanOption("", True, E18, E18, E18, YEAR_S)])

    assert screened(options, [], []).excess.shape == (0,)
