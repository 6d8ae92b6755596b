"""Integer exp, ln, powers and the normal distribution against decimal arithmetic of 210 digits."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relayer.margin import fixed_math as fm
from tests.relayer.margin import decimal_oracle as oracle

E18 = 10**18
INNER = 1 << fm.FINE
EXPONENTS = st.integers(-60 * E18, 80 * E18)
POSITIVE = st.one_of(st.integers(1, 10**6), st.integers(1, 10**40), st.integers(E18 - 1000, E18 + 1000))
DEVIATES = st.one_of(st.integers(-20 * E18, 20 * E18), st.integers(-(10**6), 10**6), st.integers(-3 * E18, 3 * E18))


def encloses(low: int, truth: Fraction, high: int, scale: int) -> bool:
    """Tell whether low <= truth <= high for integers of a scale."""
    return low <= truth * scale <= high


@given(EXPONENTS)
@example(0)
@example(1)
@example(-1)
@example(E18)
@example(-41_446_531_673_892_822_313)
def test_exp__any__encloses_the_truth_within_two_units(x: int) -> None:
    truth = oracle.exp(Fraction(x, E18))

    low, high = fm.exp_down(x), fm.exp_up(x)

    assert encloses(low, truth, high, E18)
    assert high - low <= 2


@given(EXPONENTS)
def test_exp_bounds__any__within_the_stated_error(x: int) -> None:
    truth = oracle.exp(Fraction(x, E18))

    low, high = fm.exp_bounds(x, E18)

    assert encloses(low, truth, high, INNER)
    k = abs(x) * 3 // (2 * E18) + 1
    assert high - low <= 4 * (130 + 2 * k) * max(truth, Fraction(1, INNER)) + 4


@given(st.integers(0, 10**30), st.integers(0, 2**192))
def test_exp_fine__width__holds_both_ends(size: int, width: int) -> None:
    x = size % (50 << fm.FINE)

    low, high = fm.exp_fine(x, width)

    assert low <= oracle.exp(Fraction(x, INNER)) * INNER
    assert oracle.exp(Fraction(x + width, INNER)) * INNER <= high


@given(POSITIVE)
@example(1)
@example(E18)
@example(E18 + 1)
@example(E18 - 1)
@example(2 * E18)
def test_ln__any__encloses_the_truth_within_a_unit(x: int) -> None:
    truth = oracle.ln(Fraction(x, E18))

    low, high = fm.ln_down(x), fm.ln_up(x)

    assert encloses(low, truth, high, E18)
    assert high - low <= (0 if x == E18 else 2)


@given(POSITIVE, POSITIVE)
@example(181, 128)
@example(181, 256)
@example(180, 256)
@example(2**200, 1)
@example(1, 2**200)
def test_ln_bounds__any_ratio__within_the_stated_error(numerator: int, denominator: int) -> None:
    truth = oracle.ln(Fraction(numerator, denominator))

    low, high = fm.ln_bounds(numerator, denominator)

    assert encloses(low, truth, high, INNER)
    assert high - low <= 2 * (128 + 210)


@given(DEVIATES)
@example(0)
@example(1)
@example(-1)
@example(15 * E18)
@example(-15 * E18)
@example(15 * E18 - 1)
@example(1 - 15 * E18)
def test_normal_cdf__any__encloses_the_truth_within_two_units(x: int) -> None:
    truth = oracle.normal_cdf(Fraction(x, E18))

    low, high = fm.normal_cdf_down(x), fm.normal_cdf_up(x)

    assert encloses(low, truth, high, E18)
    assert high - low <= (0 if x == 0 else 2)
    assert 0 <= low <= high <= E18


@given(st.integers(-15 * INNER, 15 * INNER))
def test_normal_cdf_bounds__any__within_the_stated_error(x: int) -> None:
    truth = oracle.normal_cdf(Fraction(x, INNER))

    low, high = fm.normal_cdf_bounds(x)

    assert encloses(low, truth, high, INNER)
    assert high - low <= max(2 * fm.CDF_ERROR, fm.TAIL_BOUND)


@given(st.integers(1, 10**30), st.integers(-2 * E18, 2 * E18))
@example(4 * E18, E18 // 2)
@example(30 * E18, 3 * E18 // 10)
def test_pow__any__encloses_the_truth(base: int, power: int) -> None:
    truth = oracle.exp(Fraction(power, E18) * oracle.ln(Fraction(base, E18)))

    low, high = fm.pow_down(base, power), fm.pow_up(base, power)

    assert encloses(low, truth, high, E18) or abs(truth * E18 - low) < Fraction(1, 10**60)
    assert high - low <= 2 + truth * E18 * Fraction(1, 10**40)


@given(st.integers(0, 10**60))
@example(0)
@example(E18)
@example(4 * E18)
@example(2 * E18)
def test_sqrt__any__is_the_nearest_integer_on_each_side(x: int) -> None:
    low, high = fm.sqrt_down(x), fm.sqrt_up(x)

    assert low * low <= x * E18 < (low + 1) * (low + 1)
    assert (high - 1) * (high - 1) < x * E18 <= high * high or high == 0


# --- order and limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [fm.exp_down, fm.exp_up, fm.normal_cdf_down, fm.normal_cdf_up],
    ids=lambda function: function.__name__,
)
@given(x=st.integers(-45 * E18, 45 * E18), step=st.one_of(st.just(1), st.integers(1, 1000), st.integers(1, E18)))
def test_rising_function__any_step__never_falls(function: Callable[[int], int], x: int, step: int) -> None:
    assert function(x) <= function(x + step)


@pytest.mark.parametrize("function", [fm.ln_down, fm.ln_up], ids=lambda function: function.__name__)
@given(x=st.integers(1, 10**33), step=st.one_of(st.just(1), st.integers(1, E18)))
def test_ln__any_step__never_falls(function: Callable[[int], int], x: int, step: int) -> None:
    assert function(x) <= function(x + step)


@given(DEVIATES)
def test_normal_cdf__mirrored__adds_to_one(x: int) -> None:
    assert fm.normal_cdf_down(x) + fm.normal_cdf_up(-x) == E18


@pytest.mark.parametrize(
    ("function", "x", "value"),
    [
        (fm.exp_down, 0, E18),
        (fm.exp_up, 0, E18),
        (fm.ln_down, E18, 0),
        (fm.ln_up, E18, 0),
        (fm.normal_cdf_down, 0, E18 // 2),
        (fm.normal_cdf_up, 0, E18 // 2),
        (fm.sqrt_up, 9 * E18, 3 * E18),
        (fm.exp_down, -42 * E18, 0),
        (fm.exp_up, -42 * E18, 1),
        (fm.exp_up, -(10**30), 1),
        (fm.normal_cdf_down, -(10**40), 0),
        (fm.normal_cdf_up, -(10**40), 1),
        (fm.normal_cdf_down, 10**40, E18 - 1),
        (fm.normal_cdf_up, 10**40, E18),
        (fm.exp_down, E18, 2_718281828459045235),
        (fm.exp_up, E18, 2_718281828459045236),
        (fm.ln_down, 2 * E18, 693147180559945309),
        (fm.ln_up, 2 * E18, 693147180559945310),
        (fm.ln_down, E18 // 2, -693147180559945310),
        (fm.normal_cdf_down, 196 * 10**16, 975002104851779565),
    ],
)
def test_function__known_value__to_the_unit(function: Callable[[int], int], x: int, value: int) -> None:
    assert function(x) == value


@pytest.mark.parametrize(("base", "power", "value"), [(5 * E18, 0, E18), (E18, 7 * E18, E18)])
def test_pow__trivial__exact(base: int, power: int, value: int) -> None:
    assert fm.pow_down(base, power) == fm.pow_up(base, power) == value


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (-1, 1), (1, 0), (1, -1)])
def test_ln_bounds__not_positive__refused(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="logarithm"):
        fm.ln_bounds(numerator, denominator)


def test_exp__beyond_two_hundred__refused_and_at_it_not() -> None:
    assert fm.exp_down(200 * E18) > 0
    with pytest.raises(ValueError, match="200"):
        fm.exp_down(200 * E18 + 1)


def test_constants__against_decimal__within_their_stated_error() -> None:
    ln_2 = oracle.ln(Fraction(2)) * INNER
    density = INNER * oracle.inverse_root_2_pi()

    assert 0 <= ln_2 - fm.LN_2 < Fraction(101, 100)
    assert 0 <= density - fm.INVERSE_ROOT_2_PI < 1


@pytest.mark.parametrize("x", [15 * INNER, 16 * INNER, 40 * INNER])
def test_tail__beyond_fifteen__stated_bound_holds(x: int) -> None:
    truth = oracle.normal_cdf(-min(Fraction(x, INNER), Fraction(20)))

    assert truth * INNER <= fm.TAIL_BOUND
    assert fm.normal_cdf_bounds(-x) == (0, fm.TAIL_BOUND)
    assert fm.normal_cdf_bounds(x) == (INNER - fm.TAIL_BOUND, INNER)
