"""Scanning risk of a published worked example."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from relayer.margin.rulesets.scenario import Holding, RiskArray, scan
from tests.golden.compare import assert_expected
from tests.golden.e18 import E18, e18
from tests.golden.loading import cases

pytestmark = pytest.mark.golden
FILE = "margin/span.json"


@pytest.mark.parametrize("case", cases(FILE, "span_scan"), ids=lambda case: case["id"])
def test_scan__reference_arrays__pnl_and_requirement_are_exact(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    arrays = [RiskArray(name, tuple(e18(gain) for gain in pnl)) for name, pnl in inputs["arrays"].items()]
    holdings = [Holding(name, e18(amount)) for name, amount in inputs["position"].items()]

    scanned = scan(arrays, holdings)

    assert len(scanned.pnl) == len(inputs["scenarios"])
    pnl = [Fraction(gain, E18) for gain in scanned.pnl]
    assert_expected(case, {"pnl": pnl, "requirement": Fraction(scanned.risk, E18)})


def test_kinds__whole_file__all_are_run() -> None:
    assert {case["kind"] for case in cases(FILE)} <= {"span_scan"}
