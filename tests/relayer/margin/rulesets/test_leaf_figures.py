"""The four amounts of a leaf agree in sign with the venue."""

from __future__ import annotations

import pytest

from proofs.units import UsdE18
from relayer.margin.leaf_figures import LeafFigures, agreeing_figures


def figures(collateral: int, liability: int, maintenance: int) -> LeafFigures:
    return LeafFigures(UsdE18(collateral), UsdE18(liability), UsdE18(maintenance * 2), UsdE18(maintenance))


@pytest.mark.parametrize("excess", [0, 1, 100])
def test_agreeing__healthy_with_excess__left_alone(excess: int) -> None:
    given = figures(100 + excess, 60, 40)

    assert agreeing_figures(given, is_healthy=True) == given


@pytest.mark.parametrize(("short", "liability", "maintenance"), [(1, 60, 39), (40, 60, 0), (42, 58, 0)])
def test_agreeing__healthy_without_excess__gives_back_requirement_then_debt(
    short: int, liability: int, maintenance: int
) -> None:
    agreed = agreeing_figures(figures(100 - short, 60, 40), is_healthy=True)

    assert agreed.excess_usd == 0
    assert (agreed.collateral_usd, agreed.liability_usd, agreed.maintenance_usd) == (
        100 - short,
        liability,
        maintenance,
    )
    assert agreed.initial_usd == 80


def test_agreeing__unhealthy__left_alone() -> None:
    given = figures(99, 60, 40)

    assert agreeing_figures(given, is_healthy=False) == given
    assert (given.equity_usd, given.excess_usd) == (39, -1)


def test_agreeing__unhealthy_with_excess__refused() -> None:
    with pytest.raises(ValueError):
        agreeing_figures(figures(100, 60, 40), is_healthy=False)
