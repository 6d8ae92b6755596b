"""Money arithmetic: who rounds, which way, and never further than one unit."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.units import (
    DECIMALS_MAX,
    PPM,
    UINT256_MAX,
    compose_haircuts_up,
    format_decimal,
    mul_div_down,
    mul_div_up,
    parse_decimal,
    rescale_down,
    rescale_up,
    share_down,
    share_up,
    value_down,
    value_up,
)

SIGNED = st.integers(-(2**256), 2**256)
POSITIVE = st.integers(1, 2**256)
PPMS = st.integers(0, PPM)


@given(SIGNED, SIGNED, POSITIVE)
def test_mul_div__of_any_sign__is_floor_and_ceiling_of_the_exact_quotient(a: int, b: int, denominator: int) -> None:
    exact = Fraction(a * b, denominator)

    assert mul_div_down(a, b, denominator) == floor(exact)
    assert mul_div_up(a, b, denominator) == ceil(exact)


@pytest.mark.parametrize(
    ("a", "b", "denominator", "down", "up"),
    [(7, 1, 2, 3, 4), (-7, 1, 2, -4, -3), (6, 1, 2, 3, 3), (-6, 1, 2, -3, -3), (0, 5, 3, 0, 0), (1, 1, 3, 0, 1)],
)
def test_mul_div__by_hand(a: int, b: int, denominator: int, down: int, up: int) -> None:
    assert (mul_div_down(a, b, denominator), mul_div_up(a, b, denominator)) == (down, up)


@pytest.mark.parametrize("denominator", [0, -1])
def test_mul_div__by_nothing_or_less__is_refused(denominator: int) -> None:
    for divide in (mul_div_down, mul_div_up):
        with pytest.raises(ValueError, match="denominator"):
            divide(1, 1, denominator)


@given(st.integers(0, 2**128), st.integers(1, 2**100), st.integers(0, DECIMALS_MAX))
def test_value__is_amount_times_price_over_the_decimals(amount: int, price: int, decimals: int) -> None:
    exact = Fraction(amount * price, 10**decimals)

    assert value_down(amount, price, decimals) == floor(exact)
    assert value_up(amount, price, decimals) == ceil(exact)


def test_value__by_hand() -> None:
    # 1.5 USDC of 6 decimals at 0.9999 dollars; one base unit of 8 decimals at 3 dollars.
    assert value_down(1_500_000, 999_900_000_000_000_000, 6) == 1_499_850_000_000_000_000
    assert value_down(1, 3 * 10**18, 8) == 30_000_000_000
    assert (value_down(1, 1, 1), value_up(1, 1, 1)) == (0, 1)


@pytest.mark.parametrize("decimals", [-1, DECIMALS_MAX + 1])
def test_value__of_impossible_decimals__is_refused(decimals: int) -> None:
    with pytest.raises(ValueError, match="decimals"):
        value_down(1, 1, decimals)


@given(SIGNED, PPMS)
def test_share__lies_around_the_exact_share(value: int, ppm: int) -> None:
    exact = Fraction(value * ppm, PPM)

    assert share_down(value, ppm) == floor(exact)
    assert share_up(value, ppm) == ceil(exact)


@given(st.lists(PPMS, max_size=6))
def test_haircuts__composed__are_the_ceiling_of_the_exact_and_never_less_than_the_largest(haircuts: list[int]) -> None:
    keep = Fraction(1)
    for haircut in haircuts:
        keep *= Fraction(PPM - haircut, PPM)

    composed = compose_haircuts_up(*haircuts)

    assert composed == ceil((1 - keep) * PPM)
    assert max(haircuts, default=0) <= composed <= min(PPM, sum(haircuts))


def test_haircuts__by_hand() -> None:
    assert compose_haircuts_up() == 0
    assert compose_haircuts_up(50_000, 100_000) == 145_000  # 1 - 0.95 * 0.9
    assert compose_haircuts_up(1, 1) == 2  # 1.999999 ppm rounds up
    assert compose_haircuts_up(PPM, 0) == PPM


@pytest.mark.parametrize("haircut", [-1, PPM + 1])
def test_haircut__outside_its_range__is_refused(haircut: int) -> None:
    with pytest.raises(ValueError, match="haircut"):
        compose_haircuts_up(haircut)


@given(SIGNED, st.integers(0, DECIMALS_MAX), st.integers(0, DECIMALS_MAX))
def test_rescale__rounds_only_where_digits_are_lost(value: int, before: int, after: int) -> None:
    exact = Fraction(value) * Fraction(10) ** (after - before)

    assert rescale_down(value, before, after) == floor(exact)
    assert rescale_up(value, before, after) == ceil(exact)


@given(st.integers(-UINT256_MAX, UINT256_MAX), st.integers(0, DECIMALS_MAX))
def test_decimal_text__formatted_and_parsed__is_the_same(value: int, decimals: int) -> None:
    assert parse_decimal(format_decimal(value, decimals), decimals) == value


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [
        ("1.5", 18, 15 * 10**17),
        ("0", 18, 0),
        ("-0.000001", 6, -1),
        ("1.500", 1, 15),
        ("12", 0, 12),
        ("0.1", 77, 10**76),
    ],
)
def test_decimal_text__by_hand(text: str, decimals: int, value: int) -> None:
    assert parse_decimal(text, decimals) == value


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "+1", "01", "1.", ".5", "1e3", "1,5", "0x1", "--1", "1.2.3", "NaN", "٣", "1\n", "9" * 79]
)
def test_decimal_text__of_another_form__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain decimal"):
        parse_decimal(text, 18)


def test_decimal_text__with_one_digit_too_many__is_refused() -> None:
    assert parse_decimal("0.10", 1) == 1
    with pytest.raises(ValueError, match="fraction digits"):
        parse_decimal("0.11", 1)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(15 * 10**17, 18, "1.5"), (-1, 6, "-0.000001"), (100, 2, "1"), (0, 18, "0"), (7, 0, "7"), (-120, 2, "-1.2")],
)
def test_decimal_text__is_formatted_without_trailing_zeros(value: int, decimals: int, text: str) -> None:
    assert format_decimal(value, decimals) == text
