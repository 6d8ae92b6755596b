"""Fixed-point operations against fractions, and each rounding at its edge."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor, trunc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin import fixed_point
from relayer.margin.fixed_point import (
    PERCENT,
    RAY,
    WAD,
    YEAR_S,
    mul_div_half_up,
    mul_div_truncated,
    scale_by_power_of_ten_truncated,
)

ONES = {"percent": PERCENT, "wad": WAD, "ray": RAY}


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


ROUNDINGS: dict[str, Callable[[Fraction], int]] = {"half_up": half_up, "down": floor, "up": ceil}
OPERATIONS = [
    (family, operation, rounding) for family in ONES for operation in ("mul", "div") for rounding in ROUNDINGS
]


@pytest.mark.parametrize(("family", "operation", "rounding"), OPERATIONS)
@given(st.integers(0, 2**128), st.integers(1, 2**128))
def test_operation__any__is_the_fraction_rounded_as_named(
    family: str, operation: str, rounding: str, a: int, b: int
) -> None:
    exact = Fraction(a * b, ONES[family]) if operation == "mul" else Fraction(a * ONES[family], b)

    got = getattr(fixed_point, f"{family}_{operation}_{rounding}")(a, b)

    assert got == ROUNDINGS[rounding](exact)


@pytest.mark.parametrize(
    ("a", "denominator", "expected"), [(1, 2, 1), (1, 3, 0), (2, 3, 1), (3, 2, 2), (0, 7, 0), (7, 5, 1), (8, 5, 2)]
)
def test_mul_div_half_up__around_a_half__up_from_it(a: int, denominator: int, expected: int) -> None:
    assert mul_div_half_up(a, 1, denominator) == expected


@pytest.mark.parametrize(("a", "b"), [(-1, 1), (1, -1)])
def test_mul_div_half_up__negative__refused(a: int, b: int) -> None:
    with pytest.raises(ValueError):
        mul_div_half_up(a, b, 10)


@pytest.mark.parametrize("denominator", [0, -1])
def test_mul_div__denominator_not_positive__refused(denominator: int) -> None:
    for operation in (mul_div_half_up, mul_div_truncated):
        with pytest.raises(ValueError):
            operation(1, 1, denominator)


@given(st.integers(-(2**128), 2**128), st.integers(-(2**64), 2**64), st.integers(1, 2**64))
def test_mul_div_truncated__any_sign__toward_zero(a: int, b: int, denominator: int) -> None:
    assert mul_div_truncated(a, b, denominator) == trunc(Fraction(a * b, denominator))


@pytest.mark.parametrize(
    ("value", "exponent", "expected"),
    [(15, -1, 1), (-15, -1, -1), (15, 2, 1500), (-15, 0, -15), (-9, -1, 0), (0, -5, 0)],
)
def test_scale__negative_value__toward_zero(value: int, exponent: int, expected: int) -> None:
    assert scale_by_power_of_ten_truncated(value, exponent) == expected


def test_year__contracts__has_no_leap_day() -> None:
    assert YEAR_S == 31_536_000
