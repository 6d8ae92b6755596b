"""Aave interest by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.fixed_point import RAY, YEAR_S
from relayer.margin.rulesets.aave_v3_accrual import (
    client_balance,
    client_compounded_interest,
    compounded_interest,
    compounded_interest_binomial,
    linear_interest,
    normalized_debt,
    normalized_income,
)

TEN_PERCENT = RAY // 10


def test_linear__a_year__is_the_rate() -> None:
    assert linear_interest(TEN_PERCENT, YEAR_S) == 11 * RAY // 10
    assert linear_interest(1, YEAR_S - 1) == RAY
    assert linear_interest(TEN_PERCENT, 0) == RAY


def test_income__no_time__is_the_index_itself() -> None:
    assert normalized_income(RAY + 7, TEN_PERCENT, 0) == RAY + 7
    assert normalized_income(2 * RAY, TEN_PERCENT, YEAR_S) == 22 * RAY // 10


def test_compounded__a_year_at_ten_percent__three_terms() -> None:
    """x = 0.1: 1 + 0.1 + 0.1 (0.05 + 0.1 · 0.0166…6) = 1.105166…; ⌊x / 6⌋ and ⊗ round the last digits."""
    sixth = TEN_PERCENT // 6
    inner = TEN_PERCENT // 2 + (sixth // 10 + (1 if sixth % 10 >= 5 else 0))

    assert compounded_interest(TEN_PERCENT, YEAR_S) == RAY + TEN_PERCENT + (inner + 5) // 10
    assert compounded_interest(TEN_PERCENT, YEAR_S) == 1_105_166_666_666_666_666_666_666_667


def test_compounded__no_time_or_no_rate__is_one() -> None:
    assert compounded_interest(TEN_PERCENT, 0) == compounded_interest(0, 5) == RAY
    assert compounded_interest_binomial(TEN_PERCENT, 0) == client_compounded_interest(TEN_PERCENT, 0) == RAY


def test_binomial__one_and_two_seconds__drop_the_terms_that_need_more() -> None:
    """At a rate of one per second x = 1: t = 1 has no pair, t = 2 one pair and no triple."""
    rate = RAY * YEAR_S

    assert compounded_interest_binomial(rate, 1) == 2 * RAY
    assert compounded_interest_binomial(rate, 2) == 4 * RAY
    assert compounded_interest_binomial(rate, 3) == 8 * RAY


def test_client__rate_below_one_per_second__is_floored_first() -> None:
    assert client_compounded_interest(YEAR_S - 1, 10**9) == RAY
    assert client_compounded_interest(YEAR_S, 10**9) == RAY + 10**9


def test_client__one_per_second__doubles_every_second() -> None:
    assert [client_compounded_interest(RAY * YEAR_S, elapsed) for elapsed in (1, 2, 3)] == [2 * RAY, 4 * RAY, 8 * RAY]


def test_normalized_debt__half_a_unit__is_up() -> None:
    assert normalized_debt(3, 3 * RAY // 2) == 5
    assert normalized_debt(1, 5 * RAY // 4) == 1


def test_client_balance__half_a_unit__is_up_at_the_end() -> None:
    assert client_balance(1, 3 * RAY // 2) == 2
    assert client_balance(1, 3 * RAY // 2 - RAY // 10**9) == 1


@given(st.integers(0, 2 * RAY), st.integers(0, 10 * YEAR_S), st.integers(0, YEAR_S))
def test_compounded__longer__never_less_and_never_below_linear(rate: int, elapsed: int, more: int) -> None:
    shorter, longer = compounded_interest(rate, elapsed), compounded_interest(rate, elapsed + more)

    assert linear_interest(rate, elapsed) <= shorter <= longer


@pytest.mark.parametrize("elapsed", [1, 3_600, YEAR_S])
def test_compounded__both_formulas__agree_where_the_old_one_has_digits(elapsed: int) -> None:
    """The old cube of 10 % per year is 31.7 floored to 31: it loses 2 % of a term of 1.7e-4."""
    new, old = compounded_interest(TEN_PERCENT, elapsed), compounded_interest_binomial(TEN_PERCENT, elapsed)

    assert 0 <= new - old < RAY // 10**5
