"""The judge of the reference numbers: each mode at its limit, one step inside and one step outside."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.golden.compare import assert_expected, is_within

REL = {"mode": "rel", "value": 1e-18}
REL_FLOOR = {"mode": "rel", "value": 1e-10, "abs_floor": 1e-9}
ABS = {"mode": "abs", "value": 1e-9}
EITHER = {"mode": "abs_or_rel", "abs": 1e-12, "rel": 1e-12}
WHOLE = {"mode": "integer_part", "round_decimals": 6}
EXACT = {"mode": "exact"}


@pytest.mark.parametrize(
    ("got", "expected", "tolerance", "passes"),
    [
        (2**200, str(2**200), EXACT, True),
        (2**200 + 1, str(2**200), EXACT, False),
        (True, True, EXACT, True),
        (1, True, EXACT, False),
        (True, 1, EXACT, False),
        ("Initial", "Initial", EXACT, True),
        ("Initial", "Fill", EXACT, False),
        (None, 0, EXACT, False),
        (Fraction(6, 5), "1.2", REL, True),
        (Fraction(6, 5) * (1 + Fraction(1, 10**18)), "1.2", REL, True),
        (Fraction(6, 5) * (1 + Fraction(1, 10**18)) + Fraction(1, 10**40), "1.2", REL, False),
        (Fraction(1, 10**9), 0.0, REL_FLOOR, True),
        (Fraction(1, 10**9) + Fraction(1, 10**20), 0.0, REL_FLOOR, False),
        (Fraction(1, 10**10), 1.0, REL_FLOOR, False),
        (1 + Fraction(1, 10**9), 1.0, ABS, True),
        (1 + Fraction(2, 10**9), 1.0, ABS, False),
        (1000 + Fraction(1, 10**9), "1000", EITHER, True),
        (1000 + Fraction(11, 10**10), "1000", EITHER, False),
        (Fraction(1, 10**12), "0", EITHER, True),
        ("-1.9999994", -1, WHOLE, True),
        ("-1.9999996", -1, WHOLE, False),
        ("-1.9999996", -2, WHOLE, True),
        (float("nan"), 0.0, ABS, False),
        (float("inf"), 0.0, ABS, False),
        (np.float64(1.0), 1.0, ABS, True),
    ],
)
def test_is_within__mode_at_its_limit__as_the_table_says(
    got: object, expected: object, tolerance: dict[str, Any], passes: bool
) -> None:
    assert is_within(got, expected, tolerance) is passes


def case(expected: dict[str, Any]) -> dict[str, Any]:
    return {"id": "x/1", "kind": "x", "expected": expected, "tolerance": ABS}


def test_assert_expected__nulls__are_not_checked() -> None:
    assert_expected(case({"a": None, "b": [1, None, [None, 2.0]]}), {"b": (1, 99, [7, 2])})


@pytest.mark.parametrize("got", [{}, {"a": [1]}, {"a": [1, 3]}, {"a": 1}, {"a": "12"}, {"a": None}])
def test_assert_expected__missing_short_or_other__fails(got: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        assert_expected(case({"a": [1, 2]}), got)


def test_assert_expected__array__is_read_entry_by_entry() -> None:
    assert_expected(case({"a": [[1.0, 0.5], [0.0, 2.0]]}), {"a": np.array([[1.0, 0.5], [0.0, 2.0]])})
