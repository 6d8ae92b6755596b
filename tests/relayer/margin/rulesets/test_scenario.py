"""Scanning over scenarios: hand cases and the laws of a minimum."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.rulesets.black76 import price
from relayer.margin.rulesets.grid import EuropeanOption, GridPoint, Linear, grid_array
from relayer.margin.rulesets.scenario import Holding, RiskArray, Scan, scan, worst_of

E18 = 10**18
NAMES = ("a", "b", "c")
ROWS = st.lists(
    st.tuples(*(st.integers(-(10**24), 10**24) for _ in NAMES)), min_size=1, max_size=8
)  # one row for each scenario
HOLDINGS = st.lists(st.builds(Holding, st.sampled_from(NAMES), st.integers(-(10**22), 10**22)), min_size=0, max_size=6)


def arrays_of(rows: list[tuple[int, ...]]) -> list[RiskArray]:
    return [RiskArray(name, tuple(row[index] for row in rows)) for index, name in enumerate(NAMES)]


def test_scan__long_one_and_short_two__worst_is_the_least_sum() -> None:
    """Scenarios: -100 - 2·(-30) = -40;  50 - 2·60 = -70;  10 - 2·5 = 0."""
    arrays = [RiskArray("a", (-100 * E18, 50 * E18, 10 * E18)), RiskArray("b", (-30 * E18, 60 * E18, 5 * E18))]

    got = scan(arrays, [Holding("a", E18), Holding("b", -2 * E18)])

    assert got == Scan((-40 * E18, -70 * E18, 0), 1, 70 * E18)


def test_scan__no_scenario_loses__risk_is_zero_not_negative() -> None:
    assert scan([RiskArray("a", (3, 5))], [Holding("a", E18)]) == Scan((3, 5), 0, 0)


def test_scan__equal_losses__first_is_named() -> None:
    assert worst_of([-5, -7, -7]).worst == 1


@pytest.mark.parametrize(("loss", "risk"), [(-1, 1), (0, 0), (1, 0)])
def test_scan__one_unit_around_zero__only_losses_count(loss: int, risk: int) -> None:
    assert worst_of([loss]).risk == risk


def test_scan__fraction_of_a_unit__rounded_against_the_account_once() -> None:
    """0.5 · 1 unit + 0.5 · 1 unit - 1.5 units: exactly -0.5, so -1; rounding each part would give -2 or -1."""
    arrays = [RiskArray("a", (1,)), RiskArray("b", (1,)), RiskArray("c", (1,))]

    got = scan(arrays, [Holding("a", E18 // 2), Holding("b", E18 // 2), Holding("c", -3 * E18 // 2)])

    assert got.pnl == (-1,)


def test_scan__array_between_bounds__shorts_count_at_the_high_end() -> None:
    arrays = [RiskArray("a", (10, -10), (12, -8))]

    assert scan(arrays, [Holding("a", E18)]).pnl == (10, -10)
    assert scan(arrays, [Holding("a", -E18)]).pnl == (-12, 8)
    assert scan(arrays, [Holding("a", -E18), Holding("a", 2 * E18)]).pnl == (10, -10)


@pytest.mark.parametrize(
    "arrays",
    [
        [],
        [RiskArray("a", ())],
        [RiskArray("a", (1,)), RiskArray("b", (1, 2))],
        [RiskArray("a", (1,)), RiskArray("a", (2,))],
        [RiskArray("a", (1,), (1, 2))],
        [RiskArray("b", (1,))],
    ],
)
def test_scan__arrays_that_do_not_fit__refused(arrays: list[RiskArray]) -> None:
    with pytest.raises(ValueError, match="array"):
        scan(arrays, [Holding("a", E18)])


def test_worst_of__nothing__refused() -> None:
    with pytest.raises(ValueError, match="scenario"):
        worst_of([])


# --- laws ------------------------------------------------------------------------------------------------------------


@given(ROWS, HOLDINGS, st.data())
def test_law__scenario_added_or_removed__scan_never_moves_the_wrong_way(
    rows: list[tuple[int, ...]], holdings: list[Holding], data: st.DataObject
) -> None:
    more = [*rows, data.draw(st.tuples(*(st.integers(-(10**24), 10**24) for _ in NAMES)))]

    assert scan(arrays_of(more), holdings).risk >= scan(arrays_of(rows), holdings).risk


@given(ROWS, HOLDINGS, st.randoms(use_true_random=False))
def test_law__permuted__same_scan(rows: list[tuple[int, ...]], holdings: list[Holding], random: object) -> None:
    base = scan(arrays_of(rows), holdings)
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]

    turned = scan(arrays_of([rows[i] for i in order])[::-1], holdings[::-1])

    assert turned.risk == base.risk
    assert [turned.pnl[order.index(i)] for i in range(len(rows))] == list(base.pnl)


@given(ROWS, HOLDINGS, HOLDINGS)
def test_law__merged_portfolio__at_most_the_sum_of_the_parts(
    rows: list[tuple[int, ...]], first: list[Holding], second: list[Holding]
) -> None:
    arrays = arrays_of(rows)

    assert scan(arrays, first + second).risk <= scan(arrays, first).risk + scan(arrays, second).risk


@given(ROWS, HOLDINGS)
def test_law__piecewise_or_netted__same_scan(rows: list[tuple[int, ...]], holdings: list[Holding]) -> None:
    netted = [Holding(name, sum(h.amount for h in holdings if h.instrument == name)) for name in NAMES]

    assert scan(arrays_of(rows), holdings) == scan(arrays_of(rows), netted)


# --- grids of the user's own -----------------------------------------------------------------------------------------


def test_grid_array__linear__price_times_shift_times_weight() -> None:
    grid = (GridPoint(-15 * 10**16), GridPoint(5 * 10**17, weight=36 * 10**15), GridPoint(0))

    got = grid_array(Linear("perp", 3000 * E18), grid)

    assert got.pnl == (-450 * E18, 54 * E18, 0)
    assert got.pnl_high == got.pnl


def test_grid_array__option__difference_of_two_prices() -> None:
    option = EuropeanOption("call", True, 1000 * E18, 1000 * E18, E18 // 2, 2_592_000)
    up = price(1100 * E18, 1000 * E18, 6 * 10**17, 2_592_000).call
    now = price(1000 * E18, 1000 * E18, E18 // 2, 2_592_000).call

    got = grid_array(option, (GridPoint(10**17, 12 * 10**17), GridPoint(0)))

    assert got.pnl[0] <= up.low - now.high <= up.high - now.low <= got.pnl_high[0]
    assert got.pnl_high[0] - got.pnl[0] <= 4
    assert got.pnl[1] <= 0 <= got.pnl_high[1]


def test_grid_array__put__loses_when_the_price_rises() -> None:
    option = EuropeanOption("put", False, 1000 * E18, 1000 * E18, E18 // 2, 2_592_000, E18 // 2)

    got = grid_array(option, (GridPoint(10**17), GridPoint(-(10**17))))

    assert got.pnl_high[0] < 0 < got.pnl[1]


@pytest.mark.parametrize("point", [GridPoint(-E18 - 1), GridPoint(0, -1)])
def test_grid_array__impossible_point__refused_and_its_neighbour_not(point: GridPoint) -> None:
    with pytest.raises(ValueError, match="below zero"):
        grid_array(Linear("perp", E18), (point,))
    assert grid_array(Linear("perp", E18), (GridPoint(-E18, 0),)).pnl == (-E18,)
