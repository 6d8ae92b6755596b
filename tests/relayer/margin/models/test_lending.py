"""What the lending models share: refusals, gaps, and one end of a price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.inputs import End, Leg, Price
from relayer.margin.models.lending import fault_of, gap_of, price_at

from .lending_build import cash, held, owed


@given(st.integers(0, 10**30), st.integers(0, 10**20), st.integers(0, 36), st.integers(0, 36), st.booleans())
def test_price__any_end_and_scale__is_that_of_the_interval(
    low: int, width: int, decimals: int, wanted: int, is_owed: bool
) -> None:
    price = Price(low, low + width, decimals)

    for end in End:
        assert price_at(price, wanted, end, is_owed=is_owed) == price.scaled(wanted).at(end, is_owed=is_owed)


@pytest.mark.parametrize(
    ("leg", "is_faulty"),
    [
        (held("A", 1, 77), False),
        (held("A", 1, 78), True),
        (held("A", 1, -1), True),
        (held("A", -1), True),
        (owed("A", -1), True),
        (cash("A", -1), False),
    ],
)
def test_fault__of_a_leg__names_what_no_contract_could_hold(leg: Leg, is_faulty: bool) -> None:
    assert bool(fault_of(leg)) is is_faulty


@pytest.mark.parametrize(
    ("leg", "is_collateral"),
    [(held("A", 1), True), (held("A", -1), False), (owed("A", 1), False), (cash("A", 1), True), (cash("A", -1), False)],
)
def test_gap__of_a_leg__counts_zero_only_for_what_is_held(leg: Leg, is_collateral: bool) -> None:
    assert gap_of(leg, "gone").is_collateral is is_collateral
