"""Clearing vectors by hand, by definition, and against the iteration that defines them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.risk.clearing import (
    DENSE_NODES_MAX,
    Clearing,
    ObligationNetwork,
    Recovery,
    eisenberg_noe,
    network_from_matrix,
    rogers_veraart,
)


def clear(liabilities: list[list[float]], external: list[float], recovery: Recovery | None = None) -> Clearing:
    network = network_from_matrix(np.array(liabilities, dtype=float), np.array(external, dtype=float))
    return eisenberg_noe(network) if recovery is None else rogers_veraart(network, recovery)


def test_eisenberg_noe__nobody_short__all_pay_in_full() -> None:
    result = clear([[0, 2], [1, 0]], [1.5, 0])

    assert result.payments.tolist() == [2, 1]
    assert result.equity.tolist() == [0.5, 1]
    assert result.levels == ()


def test_eisenberg_noe__external_debt_beyond_receipts__pays_nothing_rather_than_less() -> None:
    """0 owes 10 to strangers; without the lower limit it would pay -10 to 1 and drag 1 down with it."""
    result = clear([[0, 4, 0], [0, 0, 5], [0, 0, 0]], [-10, 1, 0])

    assert result.payments.tolist() == [0, 1, 0]
    assert result.equity.tolist() == [-14, -4, 1]
    assert result.levels == ((0,), (1,))


def test_eisenberg_noe__who_looked_lost_before_the_limit__is_let_in_again() -> None:
    """1 receives from 0 and from 3; 0's clipped payment must not stand in 1's way, whichever is solved first."""
    liabilities = [[0, 10, 0, 0], [0, 0, 6, 0], [0, 0, 0, 0], [0, 2, 0, 0]]

    result = clear(liabilities, [-10, 1, 0, 1])

    assert result.payments.tolist() == [0, 2, 0, 1]


def test_eisenberg_noe__circle_without_assets__pays_the_greatest_vector() -> None:
    """Each payment is the other's: 0 solves it as well, but the greatest vector pays everything."""
    result = clear([[0, 1], [1, 0]], [0, 0])

    assert result.payments.tolist() == [1, 1]
    assert result.levels == ()


def test_eisenberg_noe__circle_with_a_hole__empties_it() -> None:
    """A closed circle that loses to strangers cannot pay itself: 0 has -1 outside and gets at most 0.4."""
    result = clear([[0, 1], [1, 0]], [-1, 0.4])

    assert result.payments.tolist() == pytest.approx([0, 0.4])
    assert result.equity.tolist() == pytest.approx([-1.6, -0.6])
    assert result.is_converged


def test_eisenberg_noe__exactly_enough__is_no_default() -> None:
    assert clear([[0, 3], [0, 0]], [3, 0]).levels == ()
    assert clear([[0, 3], [0, 0]], [3 - 1e-9, 0]).levels == ((0,),)


def test_eisenberg_noe__chain__defaults_level_by_level() -> None:
    result = clear([[0, 2, 0], [0, 0, 2], [0, 0, 0]], [1, 0.5, 0])

    assert result.payments.tolist() == [1, 1.5, 0]
    assert result.levels == ((0,), (1,))
    assert result.defaulted == (0, 1)


def test_eisenberg_noe__more_defaults_than_solved_directly__iterates_to_the_same() -> None:
    """A chain in which everybody keeps nothing: the first has 1 and owes 2, so each pays 1 to the next."""
    nodes = DENSE_NODES_MAX + 200
    links = np.arange(nodes - 1)
    external = np.zeros(nodes)
    external[0] = 1.0

    result = eisenberg_noe(ObligationNetwork(links, links + 1, np.full(nodes - 1, 2.0), external))

    assert result.is_converged
    assert result.payments[:-1].tolist() == [1.0] * (nodes - 1)


def test_rogers_veraart__published_example__no_default_is_the_greatest() -> None:
    """With costs of one half both defaulting solves the system too; the greatest vector has no default."""
    result = clear([[0, 2], [2.2, 0]], [1, 1], Recovery(0.5, 0.5))

    assert result.payments.tolist() == [2, 2.2]


def test_rogers_veraart__just_short__loses_by_a_jump() -> None:
    """One unit short of 2 leaves half of everything: 0.5 · 1.9; the costs are not continuous."""
    result = clear([[0, 2], [0, 0]], [1.9, 0], Recovery(0.5, 0.5))

    assert result.payments.tolist() == pytest.approx([0.95, 0])


def test_rogers_veraart__shares_of_its_own__are_kept_apart() -> None:
    """Node 1 has 1 outside (a quarter is left) and gets 1 from the network (three quarters are left)."""
    result = clear([[0, 1, 0], [0, 0, 9], [0, 0, 0]], [5, 1, 0], Recovery(0.25, 0.75))

    assert result.payments.tolist() == pytest.approx([1, 1.0, 0])


def test_rogers_veraart__no_costs__is_eisenberg_noe() -> None:
    liabilities, external = [[0.0, 2, 1], [1, 0, 1], [0, 3, 0]], [0.5, 0.2, 0.1]

    plain, with_costs = clear(liabilities, external), clear(liabilities, external, Recovery(1.0, 1.0))

    assert plain.payments.tolist() == with_costs.payments.tolist()


@pytest.mark.parametrize("recovery", [Recovery(-0.1, 1), Recovery(1, 1.1), Recovery(0.5, 0.5)])
def test_rogers_veraart__impossible_terms__refused(recovery: Recovery) -> None:
    with pytest.raises(ValueError):
        clear([[0, 1], [0, 0]], [-1, 0], recovery)


@pytest.mark.parametrize(
    ("liabilities", "external"),
    [([[0, -1], [0, 0]], [1, 1]), ([[0, float("nan")], [0, 0]], [1, 1]), ([[0, 1]], [1]), ([[0, 1], [0, 0]], [1])],
)
def test_network__no_network__refused(liabilities: list[list[float]], external: list[float]) -> None:
    with pytest.raises(ValueError):
        clear(liabilities, external)


def test_network__edge_to_nowhere__refused() -> None:
    with pytest.raises(ValueError):
        ObligationNetwork(np.array([0]), np.array([2]), np.array([1.0]), np.array([1.0, 1.0]))


def test_network__own_debt__is_ignored_and_repeated_edges_add_up() -> None:
    own = network_from_matrix(np.array([[5.0, 1.0], [0.0, 5.0]]), np.zeros(2))
    twice = ObligationNetwork(np.array([0, 0]), np.array([1, 1]), np.array([1.0, 2.0]), np.array([3.0, 0.0]))

    assert own.obligations.tolist() == [1, 0]
    assert eisenberg_noe(twice).payments.tolist() == [3, 0]


# --- any network -----------------------------------------------------------------------------------------------------

SIZES = st.integers(2, 6)


@st.composite
def networks(draw: st.DrawFn, lowest: int = -30) -> tuple[list[list[int]], list[int]]:
    """Small integers: sums are exact, so equality at a threshold happens and must count as paying."""
    nodes = draw(SIZES)
    row = st.lists(st.one_of(st.just(0), st.integers(0, 40)), min_size=nodes, max_size=nodes)
    liabilities = [[0 if i == j else amount for j, amount in enumerate(draw(row))] for i in range(nodes)]
    return liabilities, draw(st.lists(st.integers(lowest, 60), min_size=nodes, max_size=nodes))


def by_definition(liabilities: list[list[int]], external: list[int]) -> list[float]:
    """Return the limit of the defining map from full payment downwards."""
    matrix, outside = np.array(liabilities, dtype=float), np.array(external, dtype=float)
    owed = matrix.sum(axis=1)
    shares = np.divide(matrix, owed[:, None], out=np.zeros_like(matrix), where=owed[:, None] > 0)
    payments = owed
    for _ in range(5_000):
        following = np.minimum(owed, np.maximum(0.0, outside + payments @ shares))
        if np.abs(following - payments).max() < 1e-13:
            break
        payments = following
    return [float(payment) for payment in payments]


@given(networks())
def test_eisenberg_noe__any__is_the_limit_from_above(drawn: tuple[list[list[int]], list[int]]) -> None:
    liabilities, external = drawn

    result = clear(liabilities, external)

    assert result.is_converged
    assert result.payments.tolist() == pytest.approx(by_definition(liabilities, external), abs=1e-6)


@given(networks(), st.data())
def test_eisenberg_noe__more_assets__nobody_pays_less(
    drawn: tuple[list[list[int]], list[int]], data: st.DataObject
) -> None:
    liabilities, external = drawn
    node = data.draw(st.integers(0, len(external) - 1))
    richer = [amount + (5 if index == node else 0) for index, amount in enumerate(external)]

    assert (clear(liabilities, richer).payments >= clear(liabilities, external).payments - 1e-9).all()


@given(networks(lowest=0))
def test_eisenberg_noe__no_external_debt__wealth_is_kept(drawn: tuple[list[list[int]], list[int]]) -> None:
    """What the network loses to nobody stays in it: equities and shortfalls add up to what is outside."""
    liabilities, external = drawn

    result = clear(liabilities, external)

    shortfall = np.array(liabilities, dtype=float).sum() - result.payments.sum()
    assert result.equity.sum() + shortfall == pytest.approx(sum(external), abs=1e-6)


@given(networks(lowest=0), st.floats(0, 1), st.floats(0, 1))
def test_rogers_veraart__any_costs__never_more_than_without(
    drawn: tuple[list[list[int]], list[int]], alpha: float, beta: float
) -> None:
    liabilities, external = drawn

    costly, free = clear(liabilities, external, Recovery(alpha, beta)), clear(liabilities, external)

    assert (costly.payments <= free.payments + 1e-9).all()
    assert set(free.defaulted) <= set(costly.defaulted)
