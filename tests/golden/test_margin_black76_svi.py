"""Option prices and surface volatilities of another implementation."""

from __future__ import annotations

from typing import Any

import pytest

from relayer.margin.rulesets import black76, svi
from tests.golden.compare import assert_expected
from tests.golden.e18 import e18, ends, fields
from tests.golden.loading import cases

pytestmark = pytest.mark.golden
FILE = "margin/black76_svi.json"
SVI_FIELDS = ("a", "b", "rho", "m", "sigma", "forward", "tau")


@pytest.mark.parametrize("case", cases(FILE, "black76"), ids=lambda case: case["id"])
def test_black76__reference_inputs__both_bounds_agree(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    forward, strike, vol, discount = fields(inputs, ("forward", "strike", "vol", "discount"))

    priced = black76.price(forward, strike, vol, inputs["secToExpiry"], discount)

    got = {"call": priced.call, "put": priced.put, "undiscounted_call_delta": priced.call_delta}
    for side in ends(got):
        assert_expected(case, side)


@pytest.mark.parametrize("case", cases(FILE, "svi"), ids=lambda case: case["id"])
def test_svi__reference_inputs__both_bounds_agree(case: dict[str, Any]) -> None:
    surface = svi.Svi(*fields(case["inputs"], SVI_FIELDS))

    vol = svi.vol(surface, e18(case["inputs"]["strike"]))

    for side in ends({"vol": vol}):
        assert_expected(case, side)


def test_kinds__whole_file__all_are_run() -> None:
    assert {case["kind"] for case in cases(FILE)} <= {"black76", "svi"}
