"""The bound itself: no float sum is ever above the real one, after any ticks either."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.engine.inputs import Role
from relayer.margin.screens.columns import Columns, Slot, shadow
from relayer.margin.screens.linear import (
    MOVES_MAX,
    UNKNOWN,
    UNREADABLE,
    Form,
    Ticker,
    Weight,
    down,
    low_weights,
    suspects,
    up,
)
from tests.relayer.margin.strategies import UNHURRIED

U = Fraction(1, 2**53)
fractions = st.fractions(Fraction(1, 10**30), Fraction(10**30))


def columns_of(rows: list[list[int]]) -> Columns:
    """Return columns from integers by way of their (hi, lo) words: two roundings each."""
    words = [np.array([(one >> 64, one & (2**64 - 1)) for one in row], dtype=np.uint64) for row in rows]
    amounts = np.array([shadow(row, signed=False) for row in words])
    slots = tuple(Slot(Role.COLLATERAL, str(at)) for at in range(len(rows)))
    count = amounts.shape[1]
    return Columns(slots, amounts, np.arange(count), np.zeros(count, dtype=bool))


def real(weights: list[Weight], rows: list[list[int]], account: int) -> tuple[Fraction, Fraction]:
    """Return the real sum and the sum of magnitudes of one account."""
    terms = [weight.per_unit * row[account] for weight, row in zip(weights, rows, strict=True)]
    return sum(terms, Fraction(0)), sum(map(abs, terms), Fraction(0))


def weights_of(draw: random.Random, count: int) -> list[Weight]:
    def one() -> Fraction:
        return draw.choice((-1, 1)) * Fraction(draw.randrange(1, 10**40), 10 ** draw.randrange(50))

    return [Weight(value := one(), is_owed=value < 0) for _ in range(count)]


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_low_weights__any_amounts__float_sum_never_above_the_real_one_and_near_it(seed: int, count: int) -> None:
    draw = random.Random(seed)
    weights = weights_of(draw, count)
    rows = [[draw.randrange(2 ** draw.randrange(1, 129)) for _ in range(5)] for _ in range(count)]

    sums = low_weights(weights) @ columns_of(rows).amounts

    for account in range(5):
        total, magnitude = real(weights, rows, account)
        assert total - 3 * (count + 8) * U * magnitude <= Fraction(float(sums[account])) <= total


@settings(max_examples=20, deadline=None, suppress_health_check=UNHURRIED)
@given(st.integers(0, 2**32), st.integers(2, 12))
def test_ticker__any_moves__float_sum_never_above_the_real_one(seed: int, count: int) -> None:
    draw = random.Random(seed)
    weights = weights_of(draw, count)
    weights[0] = replace(weights[0], is_owed=True)
    rows = [[draw.randrange(1, 2 ** draw.randrange(1, 129)) for _ in range(4)] for _ in range(count)]
    ticker = Ticker(columns_of(rows), Form(tuple(weights)))

    for _ in range(60):
        at = draw.randrange(count)
        factor = Fraction(draw.randrange(600, 1_700), 1_000)
        weights[at] = replace(weights[at], per_unit=weights[at].per_unit * factor)
        found, _ = ticker.tick(Form(tuple(weights)))

        for account in range(4):
            total, magnitude = real(weights, rows, account)
            assert Fraction(float(ticker._sums[account])) <= total
            assert total - 40 * MOVES_MAX * U * magnitude <= Fraction(float(ticker._sums[account]))
            assert total >= 0 or account in found


def test_ticker__a_thousand_moves_without_a_full_sum__drift_stays_below_its_share_of_the_band() -> None:
    draw = random.Random(11)
    base = [Weight(Fraction(10**30, 7)), Weight(Fraction(-(10**29), 9), is_owed=True)]
    rows = [[draw.randrange(1, 2**100) for _ in range(400)] for _ in range(2)]
    columns = columns_of(rows)
    ticker, drifted = Ticker(columns, Form(tuple(base))), 0
    weights = base
    for _ in range(MOVES_MAX):
        weights = [replace(base[0], per_unit=base[0].per_unit * Fraction(draw.randrange(501, 2_000), 1_000)), base[1]]
        ticker.tick(Form(tuple(weights)))

    assert ticker.full_sums == 1
    narrow = low_weights(weights) @ columns.amounts
    for account in range(400):
        total, _ = real(weights, rows, account)
        assert Fraction(float(ticker._sums[account])) <= total
        error = abs(ticker._sums[account] - low_weights(weights, MOVES_MAX) @ columns.amounts[:, account])
        drifted += error > abs(Fraction(float(narrow[account])) - total)
    assert drifted > 0  # without its share of the band, the drift would have left it


@given(fractions)
def test_up_and_down__any_fraction__enclose_it(value: Fraction) -> None:
    assert Fraction(down(value)) <= value <= Fraction(up(value))
    assert up(Fraction(0)) == down(Fraction(0)) == 0


def test_suspects__equality_after_all_losses__safe_and_one_less_is_not() -> None:
    form = Form((Weight(Fraction(1), Fraction(2)), Weight(Fraction(-1), Fraction(3), is_owed=True)), None, Fraction(5))
    found, screened = suspects(columns_of([[1_000_010, 1_000_011, 1_000_012], [1_000_000] * 3]), form)

    assert screened == 3
    assert found.tolist() == [0]  # 10 is what rounding may take; the band of a million is far below 1


def test_suspects__slot_lost_to_nobody_who_does_not_hold_it__looked_at_closer() -> None:
    # 3 units of margin, an own loss of 2: only the loss of the slot that is empty would make it doubtful
    form = Form(
        (
            Weight(Fraction(1), Fraction(1)),
            Weight(Fraction(-1), Fraction(1), is_owed=True),
            Weight(Fraction(1), Fraction(1_000)),
        )
    )
    found, _ = suspects(columns_of([[13, 13], [10, 10], [0, 1]]), form)

    assert found.tolist() == [1]


@pytest.mark.parametrize(("weight", "expected"), [(UNKNOWN, [0, 1]), (UNREADABLE, [1])])
def test_suspects__slot_nobody_can_price__candidate_unless_only_held_and_nothing_owed(
    weight: Weight, expected: list[int]
) -> None:
    form = Form((Weight(Fraction(1)), Weight(Fraction(-1), is_owed=True), weight))

    found, _ = suspects(columns_of([[9, 9, 9], [0, 1, 1], [5, 5, 0]]), form)

    assert found.tolist() == expected
