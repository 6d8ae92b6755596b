"""Contagion by hand, measures of small networks, and the matrix exponential against fractions."""

from __future__ import annotations

from fractions import Fraction
from math import e

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.risk.contagion import (
    BalanceSheets,
    binary_impact,
    communicability,
    furfine,
    impact_diffusion,
    impact_fluidity,
    impact_matrix,
    impact_susceptibility,
    linear_debt_rank,
)

CHAIN = [[0, 0.5, 0], [0, 0, 0.5], [0, 0, 0]]


def sheets(assets: list[float], debts: list[float], claims: list[list[float]]) -> BalanceSheets:
    return BalanceSheets(np.array(assets, dtype=float), np.array(debts, dtype=float), np.array(claims, dtype=float))


def three(claims: list[list[float]]) -> BalanceSheets:
    return sheets([10, 5, 3], [9, 4, 2], claims)


def test_linear_debt_rank__chain_of_three__uses_each_nodes_own_equity() -> None:
    """The third keeps half of 0.5, so the second loses 0.25 of 1, so the first loses an eighth: 1.5 - 0.125."""
    result = linear_debt_rank(three(CHAIN), np.array([0, 0, 0.25]))

    assert result.equity.tolist() == pytest.approx([1.375, 0.75, 0.25])
    assert result.is_converged


def test_linear_debt_rank__equity_below_zero__claims_stop_at_nothing() -> None:
    result = linear_debt_rank(three(CHAIN), np.array([0, 0, 2.0]))

    assert result.equity.tolist() == pytest.approx([1.25, 0.5, -1.5])


def test_linear_debt_rank__gain__claims_stop_at_face() -> None:
    result = linear_debt_rank(three(CHAIN), np.array([0, 0, -1.0]))

    assert result.equity.tolist() == pytest.approx([1.5, 1.0, 1.5])


def test_linear_debt_rank__no_equity_before__claims_are_worth_nothing() -> None:
    result = linear_debt_rank(sheets([5, 1], [1, 1], [[0, 2], [0, 0]]), np.zeros(2))

    assert result.worth.tolist() == pytest.approx([4 / 6, 0])
    assert result.equity.tolist() == [4, -2]


@pytest.mark.parametrize(("shock", "first"), [(0.5 - 1e-9, 1.5), (0.5, 1.5), (0.5 + 1e-9, 1.5)])
def test_furfine__equity_of_exactly_zero__is_a_default(shock: float, first: float) -> None:
    """The third has 0.5: at a loss of just that it defaults, and the second loses its claim of 0.5."""
    result = furfine(three(CHAIN), np.array([0, 0, shock]))

    assert result.equity[1] == pytest.approx(1.0 if shock < 0.5 else 0.5)
    assert result.equity[0] == pytest.approx(first)


def test_furfine__defaults_one_after_another__are_all_found() -> None:
    result = furfine(
        sheets([2, 1, 1, 0.2], [1, 1, 1, 0], [[0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1], [0] * 4]), np.zeros(4)
    )

    assert result.worth.tolist() == [1, 0, 0, 0]
    assert result.rounds <= 5


@pytest.mark.parametrize("claims", [[[0, -1], [0, 0]], [[0, float("inf")], [0, 0]], [[0, 1]]])
def test_balance_sheets__no_balance_sheets__refused(claims: list[list[float]]) -> None:
    with pytest.raises(ValueError):
        sheets([1, 1], [0, 0], claims)


@given(
    st.lists(st.floats(0, 5), min_size=4, max_size=4),
    st.lists(st.floats(0, 3), min_size=4, max_size=4),
    st.integers(0, 3),
)
def test_contagion__larger_shock__nobody_gains(assets: list[float], shock: list[float], node: int) -> None:
    claims = [[0, 1, 0.5, 0], [0.5, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    network, first = sheets([value + 2 for value in assets], [1] * 4, claims), np.array(shock)
    second = first.copy()
    second[node] += 0.5

    for spread in (furfine, linear_debt_rank):
        assert (spread(network, second).equity <= spread(network, first).equity + 1e-9).all()
    assert (linear_debt_rank(network, first).worth <= 1).all()


# --- measures --------------------------------------------------------------------------------------------------------


def test_impact_matrix__owed_by_row_against_buffer_of_column() -> None:
    impact = impact_matrix(np.array([[0, 3.0], [1.0, 0]]), np.array([4.0, 2.0]))

    assert impact.tolist() == [[0, 1], [0.25, 0]]


def test_impact_matrix__no_buffer__any_loss_is_total_and_no_loss_is_none() -> None:
    impact = impact_matrix(np.array([[0, 0.1, 0.0], [0, 0, 0], [0, 0, 0]]), np.array([1.0, 0.0, 0.0]))

    assert impact.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_binary_impact__claims_of_the_hit__are_turned_around() -> None:
    """1 has lent 10 to 0 and has a buffer of 5: a default of 0 takes it."""
    assert binary_impact(np.array([[0, 1, 0], [10, 0, 3], [3, 2, 0]]), np.array([2, 5, 2])).tolist() == [
        [0, 1, 1],
        [0, 0, 1],
        [0, 0, 0],
    ]


def test_measures__two_steps_to_the_last__by_hand() -> None:
    """V has walks 0→1, 0→2, 1→2 and 0→1→2, so C has 1, 1.5, 1: see the definitions."""
    claims, buffer = np.array([[0, 1, 0], [10, 0, 3], [3, 2, 0.0]]), np.array([2, 5, 2.0])

    diffusion = impact_diffusion(claims, buffer)

    assert impact_susceptibility(claims, buffer).tolist() == pytest.approx([0, 1, 1.25])
    assert impact_fluidity(claims, buffer) == pytest.approx(0.75)
    assert diffusion.total.tolist() == pytest.approx([1.25, 1.5, 0])


def test_measures__passing_on_with_two_targets__is_divided_by_the_reach_of_the_node() -> None:
    """Three in a row before two ends: silencing 1 (reach 2) costs 0 two walks of a half: (2 · 0.5) / 2."""
    claims = np.zeros((4, 4))
    for hit, by in ((1, 0), (2, 1), (3, 1)):
        claims[hit][by] = 1.0

    diffusion = impact_diffusion(claims, np.ones(4))

    assert diffusion.start.tolist() == pytest.approx([2.0, 1.0, 0, 0])
    assert diffusion.intermediate.tolist() == pytest.approx([0, 0.5, 0, 0])


def test_fluidity__empty_network__is_zero() -> None:
    assert impact_fluidity(np.zeros((0, 0)), np.zeros(0)) == 0.0


def exponential(matrix: list[list[int]], terms: int = 80) -> list[list[Fraction]]:
    """Return the series on fractions; for 1-norms up to 20 the rest after 80 terms is below 10^-14 of the sum."""
    size = range(len(matrix))
    result = [[Fraction(int(i == j)) for j in size] for i in size]
    term = result
    for degree in range(1, terms):
        term = [[sum((term[i][k] * matrix[k][j] for k in size), Fraction(0)) / degree for j in size] for i in size]
        result = [[result[i][j] + term[i][j] for j in size] for i in size]
    return result


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=4, max_size=4))
def test_communicability__any_matrix__within_the_bound_that_is_documented(matrix: list[list[int]]) -> None:
    exact = exponential(matrix)
    norm = max(sum(row[j] for row in matrix) for j in range(4))
    squarings = max(0, (norm - 1).bit_length() + 1) if norm else 0

    got = communicability(np.array(matrix, dtype=float))

    error = max(sum(abs(Fraction(float(got[i][j])) - exact[i][j]) for i in range(4)) for j in range(4))
    assert error <= Fraction(e**norm) * 2**squarings * (17 * 6 * Fraction(1, 2**53) + Fraction(3, 10**20))


def test_communicability__walks_that_end__are_counted_exactly() -> None:
    assert communicability(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0.0]])).tolist() == [
        [1, 1, 0.5],
        [0, 1, 1],
        [0, 0, 1],
    ]
    assert communicability(np.zeros((2, 2))).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("matrix", [[[1.0, 2.0]], [[float("nan")]], [[float("inf")]]])
def test_communicability__no_matrix__refused(matrix: list[list[float]]) -> None:
    with pytest.raises(ValueError):
        communicability(np.array(matrix))
